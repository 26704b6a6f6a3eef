import Foundation

/// Sends HTTP requests as values. Everything that talks to a server does so through this protocol, so that a
/// simulation can stand in its place.
public protocol Transport: Sendable {
  /// Sends a request and collects the whole answer, of any HTTP status.
  /// - Throws: ``TransportError``, or `CancellationError` when the task is cancelled.
  func send(_ request: HTTPRequest) async throws -> HTTPResponse

  /// Sends a request and returns as soon as the head of the answer is there; the body follows as it is read.
  /// - Throws: as ``send(_:)``; errors after the head come out of the body.
  func stream(_ request: HTTPRequest) async throws -> HTTPStream
}

/// A request, with all that bounds it.
public struct HTTPRequest: Sendable {
  public enum Method: String, Sendable {
    case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"
  }

  /// Requests of different lanes never share a connection, so that a stuck watch cannot delay a write.
  public enum Lane: Sendable, Hashable, CaseIterable { case read, write, watch }

  public var method: Method
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: Data?
  /// Time for the whole exchange, from ``begun`` on; `nil` only for watches, which a stall bound guards instead.
  public var timeout: Duration?
  /// When this value was made. A process may stand still at any point (stopped, swapped out, its machine asleep): a
  /// request whose time is over by then is never sent, so that a writer who lost its lease meanwhile writes nothing.
  public internal(set) var begun = ContinuousClock.now
  /// The exchange fails when no byte arrives for so long.
  public var stallTimeout: Duration?
  /// The answer may not be longer than this many bytes (for a stream: what is buffered unread).
  public var maxResponseBytes: Int
  public var lane: Lane
  /// Do not reuse a connection: set on a retry after a timeout, since the old one may be dead.
  public var freshConnection: Bool

  public init(
    _ method: Method, _ url: String, headers: [(name: String, value: String)] = [], body: Data? = nil,
    timeout: Duration? = .seconds(30), stallTimeout: Duration? = nil, maxResponseBytes: Int = 64 << 20,
    lane: Lane = .read, freshConnection: Bool = false
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.stallTimeout = stallTimeout
    self.maxResponseBytes = maxResponseBytes
    self.lane = lane
    self.freshConnection = freshConnection
  }
}

/// A whole answer.
public struct HTTPResponse: Sendable {
  public var status: Int
  /// In the order received; names in the server's spelling.
  public var headers: [(name: String, value: String)]
  public var body: Data

  public init(status: Int, headers: [(name: String, value: String)] = [], body: Data = Data()) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first header of that name, whatever its case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name.caseInsensitiveCompare(name) == .orderedSame }?.value
  }
}

/// An answer whose body arrives in pieces. Reading slowly pauses the transfer; dropping the body, or cancelling the
/// task that reads it, closes it.
public struct HTTPStream: Sendable {
  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: Body

  public init(status: Int, headers: [(name: String, value: String)], body: Body) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The pieces of a body, to be read once. `read` returns the next piece, `nil` at the end.
  public struct Body: AsyncSequence, Sendable {
    public typealias Element = Data
    let read: @Sendable () async throws -> Data?

    public init(_ read: @escaping @Sendable () async throws -> Data?) {
      self.read = read
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
      let read: @Sendable () async throws -> Data?
      public mutating func next() async throws -> Data? { try await read() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(read: read) }
  }
}

/// Why no answer came.
public enum TransportError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The address cannot be resolved, refused, or not reached in time: nothing was sent.
  case notConnected(String)
  /// The certificate or the TLS version was not acceptable.
  case tls(String)
  case timedOut(String)
  /// No byte for longer than the stall bound allows.
  case stalled(String)
  case responseTooLarge(limit: Int)
  /// The connection broke in mid-exchange: the server may have acted on the request.
  case connectionLost(String)
  case invalidRequest(String)

  public var description: String {
    switch self {
    case .notConnected(let detail): "not connected: \(detail)"
    case .tls(let detail): "TLS: \(detail)"
    case .timedOut(let detail): "timed out: \(detail)"
    case .stalled(let detail): "stalled: \(detail)"
    case .responseTooLarge(let limit): "the answer is longer than \(limit) bytes"
    case .connectionLost(let detail): "connection lost: \(detail)"
    case .invalidRequest(let detail): "invalid request: \(detail)"
    }
  }
}
