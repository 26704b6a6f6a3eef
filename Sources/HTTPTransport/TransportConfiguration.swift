import Foundation

/// How a transport reaches its servers. One transport serves one set of credentials; rotated certificates need a new one.
public struct TransportConfiguration: Sendable {
  /// What TLS connections trust and show. All files are PEM bytes in memory. TLS 1.2 is the least that is accepted.
  public struct TLS: Sendable {
    /// The only authorities to trust; `nil`: those of the system.
    public var caPEM: Data?
    /// The client's certificate, followed by its intermediates.
    public var clientCertificatePEM: Data?
    /// The private key of the client's certificate, not encrypted.
    public var clientKeyPEM: Data?
    /// `false` accepts any certificate: only for a person who asked for it.
    public var verify: Bool
    /// The name to send and to verify instead of the URL's host (`tls-server-name` of a kubeconfig).
    public var serverName: String?

    public init(
      caPEM: Data? = nil, clientCertificatePEM: Data? = nil, clientKeyPEM: Data? = nil, verify: Bool = true,
      serverName: String? = nil
    ) {
      self.caPEM = caPEM
      self.clientCertificatePEM = clientCertificatePEM
      self.clientKeyPEM = clientKeyPEM
      self.verify = verify
      self.serverName = serverName
    }
  }

  /// How many connections one lane may have open.
  public struct Connections: Sendable, Equatable {
    /// To one host and port. Requests beyond it wait, or share a connection where the server speaks HTTP/2.
    public var perHost: Int
    /// To all hosts together.
    public var total: Int

    public init(perHost: Int, total: Int) {
      self.perHost = perHost
      self.total = total
    }
  }

  /// When a connection whose peer has vanished without a word (power, network, a firewall that forgot it) is given up.
  ///
  /// The kernel finds that out, on each socket by itself: a connection that was silent for `idle` is probed each
  /// `interval`, and one that leaves anything unacknowledged for `unacknowledged`, probes or requests, is broken. With
  /// the defaults an idle watch notices within 25 s, and a request that was sent just before a probe was due within 40 s.
  /// A peer that lives answers probes by its kernel, whatever its program does, so a healthy watch on which nothing
  /// happens is never cut; a program that hangs is the business of ``HTTPRequest/timeout`` and
  /// ``HTTPRequest/stallTimeout``. (HTTP/2 pings would add nothing: libcurl sends them and does not wait for the answer.)
  public struct Liveness: Sendable, Equatable {
    /// Whole seconds, at least one.
    public var idle: Duration
    /// Whole seconds, at least one.
    public var interval: Duration
    /// Whole milliseconds. It also replaces the number of probes, which the kernel then ignores.
    public var unacknowledged: Duration

    public init(
      idle: Duration = .seconds(15), interval: Duration = .seconds(5), unacknowledged: Duration = .seconds(20)
    ) {
      self.idle = idle
      self.interval = interval
      self.unacknowledged = unacknowledged
    }
  }

  public var tls: TLS
  public var proxy: ProxySettings
  /// Time to resolve, connect and shake hands, counted from when a connection is begun.
  public var connectTimeout: Duration
  public var liveness: Liveness
  public var readConnections: Connections
  public var writeConnections: Connections
  /// Watches over HTTP/1.1 need a connection each, hence the larger bound.
  public var watchConnections: Connections
  public var userAgent: String
  /// How many bytes of a streamed body may wait unread before the transfer is paused.
  public var streamBuffer: Int
  /// How many exchanges may be under way or wait for a connection, in all lanes together.
  public var maxInFlight: Int

  public init(
    tls: TLS = TLS(), proxy: ProxySettings = .environment(), connectTimeout: Duration = .seconds(10),
    liveness: Liveness = Liveness(),
    readConnections: Connections = Connections(perHost: 4, total: 32),
    writeConnections: Connections = Connections(perHost: 4, total: 32),
    watchConnections: Connections = Connections(perHost: 64, total: 256), userAgent: String = "sluice",
    streamBuffer: Int = 256 << 10, maxInFlight: Int = 10_000
  ) {
    self.tls = tls
    self.proxy = proxy
    self.connectTimeout = connectTimeout
    self.liveness = liveness
    self.readConnections = readConnections
    self.writeConnections = writeConnections
    self.watchConnections = watchConnections
    self.userAgent = userAgent
    self.streamBuffer = streamBuffer
    self.maxInFlight = maxInFlight
  }

  func connections(of lane: HTTPRequest.Lane) -> Connections {
    switch lane {
    case .read: readConnections
    case .write: writeConnections
    case .watch: watchConnections
    }
  }
}
