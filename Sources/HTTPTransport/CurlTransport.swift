import CLibcurl
import Foundation
import Synchronization

/// HTTP/1.1 and HTTP/2 by libcurl, driven by one event-loop thread.
///
/// Redirects are not followed: a credential goes to the host that it was meant for. A write is never sent twice by the
/// transport itself. The thread ends with ``shutdown()``, or when the last reference to the transport and its streams is
/// gone.
public final class CurlTransport: Transport {
  private let configuration: TransportConfiguration
  private let mailbox: Mailbox
  private let end: Latch

  /// - Throws: ``TransportError/invalidRequest(_:)`` for a client certificate without key or the reverse, and
  ///   ``TransportError/notConnected(_:)`` if libcurl is unusable.
  public init(_ configuration: TransportConfiguration = TransportConfiguration()) throws(TransportError) {
    if let problem = Library.problem { throw .notConnected(problem) }
    guard (configuration.tls.clientCertificatePEM == nil) == (configuration.tls.clientKeyPEM == nil) else {
      throw .invalidRequest("TLS: a client certificate and its key are given together or not at all")
    }
    self.configuration = configuration
    let mailbox = try Mailbox(maxInFlight: configuration.maxInFlight)
    let end = Latch()
    self.mailbox = mailbox
    self.end = end
    let thread = Thread {
      // OpenSSL may write to a socket that the peer has closed; the error is enough.
      var signals = sigset_t()
      sigemptyset(&signals)
      sigaddset(&signals, SIGPIPE)
      pthread_sigmask(SIG_BLOCK, &signals, nil)
      do throws(TransportError) {
        try EventLoop(mailbox: mailbox, configuration: configuration).run()
      } catch {
        mailbox.stop(because: error.description)
        for case .start(let exchange) in mailbox.collect().commands { exchange.finished(.failed(error)) }
      }
      end.open()
    }
    thread.name = "sluice-http"
    thread.start()
  }

  deinit {
    mailbox.stop()
  }

  public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let exchange = try begin(request, mode: .collect(limit: request.maxResponseBytes))
    guard case .response(let response) = try await exchange.next() else {
      throw TransportError.connectionLost("\(exchange.request.label): the answer came in pieces")
    }
    return response
  }

  public func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    let exchange = try begin(
      request, mode: .stream(buffer: min(configuration.streamBuffer, request.maxResponseBytes)))
    let reader = StreamReader(exchange: exchange, transport: self)
    guard case .head(let head) = try await exchange.next() else {
      throw TransportError.connectionLost("\(exchange.request.label): the body came before the head")
    }
    return HTTPStream(
      status: head.status, headers: head.headers, body: HTTPStream.Body { try await reader.read() })
  }

  /// Ends every exchange, closes all connections and waits for the thread to end. Later requests fail at once.
  public func shutdown() async {
    mailbox.stop()
    await end.wait()
  }

  private func begin(_ request: HTTPRequest, mode: Exchange.State.Mode) throws -> Exchange {
    try Task.checkCancellation()
    let prepared = try PreparedRequest(request, configuration: configuration)
    let exchange = Exchange(prepared, mode: mode, mailbox: mailbox)
    try mailbox.submit(exchange)
    return exchange
  }
}

/// The reading end of a stream. Dropping it closes the transfer; holding it keeps the transport.
private final class StreamReader: Sendable {
  private let exchange: Exchange
  private let transport: CurlTransport

  init(exchange: Exchange, transport: CurlTransport) {
    self.exchange = exchange
    self.transport = transport
  }

  deinit {
    exchange.cancel()
  }

  func read() async throws -> Data? {
    switch try await exchange.next() {
    case .piece(let data): data
    case .end, .head, .response: nil
    }
  }
}

/// Opens once; whoever waits then goes on.
private final class Latch: Sendable {
  private struct State {
    var isOpen = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  func wait() async {
    await withCheckedContinuation { waiter in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(waiter) }
        return state.isOpen
      }
      if isOpen { waiter.resume() }
    }
  }
}

/// libcurl itself, made ready once for the process.
private enum Library {
  /// Why it cannot be used; `nil`: it can.
  static let problem: String? = {
    guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else { return "libcurl cannot be initialised" }
    guard let info = curl_version_info(CURLVERSION_FIRST) else { return "libcurl does not say what it can do" }
    let features = info.pointee.features
    if features & CURL_VERSION_SSL == 0 { return "this libcurl has no TLS" }
    // Without it every look-up would stop the event loop.
    if features & CURL_VERSION_ASYNCHDNS == 0 { return "this libcurl resolves names synchronously" }
    return nil
  }()
}
