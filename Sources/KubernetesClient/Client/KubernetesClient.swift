import Foundation
import HTTPTransport
import KubernetesAPI
import Logging
import Synchronization

/// A client of one API server. It does no I/O but through its transport and waits only on its time source, so that a
/// simulation can stand in for both. Copies share connections, credentials and the rate limit.
public struct KubernetesClient: Sendable {
  /// The server's address without a slash at its end.
  public let server: String
  public let options: ClientOptions
  public let time: TimeSource
  public let randomness: Randomness
  let transport: any Transport
  let credentials: any Credentials
  let impersonation: Impersonation?
  let logger: Logger
  private let limiter: RateLimiter
  private let lanes = LaneHealth()
  private var fence: WriteFence?

  /// - Parameter server: `https://host:6443`, perhaps with a path before `/api`.
  public init(
    server: String, transport: any Transport, credentials: any Credentials = FixedCredentials.none,
    impersonation: Impersonation? = nil, options: ClientOptions = ClientOptions(), time: TimeSource = .system,
    randomness: Randomness = .system, logger: Logger = Logger(label: "kubernetes")
  ) {
    self.server = String(server.reversed().drop { $0 == "/" }.reversed())
    self.transport = transport
    self.credentials = credentials
    self.impersonation = impersonation
    self.options = options
    self.time = time
    self.randomness = randomness
    self.logger = logger
    limiter = RateLimiter(rate: options.requestsPerSecond, burst: options.burst, time: time)
  }

  /// A client of the cluster that the settings describe, by a transport made of
  /// ``ClusterSettings/transportConfiguration(userAgent:)``, which the caller shuts down.
  public init(
    _ settings: ClusterSettings, transport: any Transport, options: ClientOptions = ClientOptions(),
    time: TimeSource = .system, randomness: Randomness = .system, logger: Logger = Logger(label: "kubernetes")
  ) {
    self.init(
      server: settings.server, transport: transport, credentials: settings.credentials,
      impersonation: settings.impersonation, options: options, time: time, randomness: randomness, logger: logger)
  }

  /// The same client, whose writes go out only while the fence allows.
  public func fenced(by fence: WriteFence) -> KubernetesClient {
    var copy = self
    copy.fence = fence
    return copy
  }

  /// Sends a request and reads the answer, again and again as ``RetryPolicy`` allows.
  /// - Parameters:
  ///   - urgent: does not wait for the client's own rate limit.
  ///   - deadline: for everything together; the options' for the verb where `nil`.
  /// - Throws: ``KubernetesError``, or `CancellationError`.
  public func send(_ request: APIRequest, urgent: Bool = false, deadline: Duration? = nil) async throws -> JSON {
    let request = complete(request)
    let end = time.uptime + (deadline ?? self.deadline(for: request.verb))
    let policy = RetryPolicy(maxAttempts: options.maxAttempts)
    var attempt = 0
    while true {
      let remaining = end - time.uptime
      attempt += 1
      let outcome: RetryPolicy.Outcome
      switch try await self.attempt(request, number: attempt, remaining: remaining, urgent: urgent) {
      case .success(let body): return body
      case .failure(let failed): outcome = failed
      }
      let advice = policy.advice(
        for: outcome, isRead: request.isRead, attempt: attempt, remaining: end - time.uptime,
        random: randomness.next)
      guard case .retry(let wait, let renewCredentials) = advice else {
        throw error(request, outcome, attempts: attempt)
      }
      logger.debug(
        "sending a request again",
        metadata: ["request": "\(request)", "attempt": "\(attempt)", "wait": "\(wait)", "cause": "\(outcome)"])
      if renewCredentials { credentials.invalidate() }
      try await time.sleep(for: wait)
    }
  }

  /// Opens a watch. The answer's head decides: a refusal throws, else events follow until the server ends the watch.
  /// - Throws: ``KubernetesError``, or `CancellationError`.
  public func watch(
    _ type: ResourceType, namespace: String? = nil, _ options: WatchOptions = WatchOptions()
  ) async throws -> WatchBody {
    let request = APIRequest.watch(type, namespace: namespace, options)
    guard try await limiter.take(urgent: false, limit: deadline(for: .watch)) else {
      throw failure(request, .rateLimited)
    }
    var http = try await httpRequest(request)
    http.stallTimeout = self.options.watchStallTimeout
    http.freshConnection = lanes.isSuspect(.watch)
    do {
      let stream = try await transport.stream(http)
      lanes.succeeded(.watch)
      // Whoever watches tries again by itself, and then with a token that was read anew.
      if stream.status == 401 { credentials.invalidate() }
      guard stream.status == 200 else {
        throw try await refusal(of: stream, request)
      }
      return WatchBody(stream.body) { [lanes, server] error in
        lanes.failed(.watch, error)
        return KubernetesError(request, server: server, cause: .transport(error))
      }
    } catch let error as TransportError {
      lanes.failed(.watch, error)
      throw failure(request, .transport(error))
    }
  }
}

// MARK: - One attempt

extension KubernetesClient {
  private enum Attempt {
    case success(JSON)
    case failure(RetryPolicy.Outcome)
  }

  private func attempt(
    _ request: APIRequest, number: Int, remaining: Duration, urgent: Bool
  ) async throws -> Attempt {
    let start = time.uptime
    guard try await limiter.take(urgent: urgent, limit: remaining) else { throw failure(request, .rateLimited) }
    var http = try await httpRequest(request)
    // What was spent waiting, for the limiter or for credentials, is no longer there for the request itself.
    var timeout = remaining - (time.uptime - start)
    if let fence, !request.isRead {
      // Asked after the request was made, from when on its time counts: however long this process stands still between
      // here and the wire, the write goes out before the lease can be another's, or not at all.
      let left = fence.timeLeft
      guard left > .zero else { throw failure(request, .notLeading) }
      timeout = min(timeout, left)
    }
    guard timeout > .zero else {
      return .failure(.failed(.timedOut("its deadline passed before it could be sent")))
    }
    http.timeout = timeout
    http.freshConnection = lanes.isSuspect(http.lane)
    let response: HTTPResponse
    do {
      response = try await transport.send(http)
    } catch let error as TransportError {
      lanes.failed(http.lane, error)
      return .failure(.failed(error))
    } catch let error as CancellationError {
      throw error
    } catch {
      let error = TransportError.connectionLost("\(error)")
      lanes.failed(http.lane, error)
      return .failure(.failed(error))
    }
    lanes.succeeded(http.lane)
    for warning in response.headers where warning.name.lowercased() == "warning" {
      logger.debug("the server warns", metadata: ["request": "\(request)", "warning": "\(warning.value)"])
    }
    guard (200..<300).contains(response.status) else {
      let status = Status(httpStatus: response.status, body: response.body)
      return .failure(.refused(status, retryAfter: RetryPolicy.retryAfter(response)))
    }
    do {
      return .success(try JSON(parsing: response.body))
    } catch {
      throw KubernetesError(request, server: server, cause: .unreadable("\(error)"), attempts: number)
    }
  }

  private func httpRequest(_ request: APIRequest) async throws -> HTTPRequest {
    let method: HTTPRequest.Method =
      switch request.method {
      case .get: .get
      case .post: .post
      case .put: .put
      case .patch: .patch
      case .delete: .delete
      }
    var headers = [
      (name: "Accept", value: request.accept ?? "application/json"), (name: "User-Agent", value: options.userAgent),
    ]
    if let contentType = request.contentType { headers.append(("Content-Type", contentType)) }
    headers += impersonation?.headers ?? []
    do {
      if let authorization = try await credentials.authorization(at: time.uptime) {
        headers.append(("Authorization", authorization))
      }
    } catch let error as CancellationError {
      throw error
    } catch {
      throw failure(request, .credentials("\(error)"))
    }
    return HTTPRequest(
      method, server + request.target, headers: headers, body: request.body?.data, timeout: nil,
      lane: request.verb == .watch ? .watch : request.isRead ? .read : .write)
  }

  /// Writes say who writes.
  private func complete(_ request: APIRequest) -> APIRequest {
    guard !request.isRead, request.verb != .delete, request[query: "fieldManager"] == nil else { return request }
    var copy = request
    copy.query.append(("fieldManager", options.fieldManager))
    return copy
  }

  private func deadline(for verb: APIRequest.Verb) -> Duration {
    switch verb {
    case .get, .raw: options.deadlines.read
    case .list, .watch: options.deadlines.list
    default: options.deadlines.write
    }
  }

  private func refusal(of stream: HTTPStream, _ request: APIRequest) async throws -> KubernetesError {
    var body = Data()
    for try await piece in stream.body {
      body += piece
      if body.count > 64 << 10 { break }
    }
    return failure(request, .status(Status(httpStatus: stream.status, body: body)))
  }

  private func failure(_ request: APIRequest, _ cause: KubernetesError.Cause) -> KubernetesError {
    KubernetesError(request, server: server, cause: cause)
  }

  private func error(_ request: APIRequest, _ outcome: RetryPolicy.Outcome, attempts: Int) -> KubernetesError {
    let cause: KubernetesError.Cause =
      switch outcome {
      case .refused(let status, _): .status(status)
      case .failed(let error): .transport(error)
      }
    return KubernetesError(request, server: server, cause: cause, attempts: attempts)
  }
}

extension APIRequest {
  /// Changes nothing on the server.
  var isRead: Bool {
    switch verb {
    case .get, .list, .watch, .raw: method == .get
    default: false
    }
  }
}

/// Acts as somebody else (`as` of a kubeconfig).
public struct Impersonation: Sendable, Hashable {
  public var user: String
  public var groups: [String]
  public var uid: String?
  /// What else an authenticator would have said of the user.
  public var extra: [String: [String]]

  public init(user: String, groups: [String] = [], uid: String? = nil, extra: [String: [String]] = [:]) {
    self.user = user
    self.groups = groups
    self.uid = uid
    self.extra = extra
  }

  var headers: [(name: String, value: String)] {
    var headers = [(name: "Impersonate-User", value: user)] + groups.map { ("Impersonate-Group", $0) }
    if let uid { headers.append(("Impersonate-Uid", uid)) }
    for (key, values) in extra.sorted(by: { $0.key < $1.key }) {
      // Names of headers bear fewer characters than keys.
      let name = key.lowercased().addingPercentEncoding(withAllowedCharacters: Self.headerCharacters) ?? key
      headers += values.map { ("Impersonate-Extra-\(name)", $0) }
    }
    return headers
  }

  private static let headerCharacters = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyz0123456789-._~")
}

/// After a request of a lane got no answer, the next ones of that lane take a fresh connection, whoever sends them: the
/// old one may be dead, and HTTP/2 would queue everything on it.
final class LaneHealth: Sendable {
  private let suspects = Mutex<Set<HTTPRequest.Lane>>([])

  func isSuspect(_ lane: HTTPRequest.Lane) -> Bool { suspects.withLock { $0.contains(lane) } }

  func failed(_ lane: HTTPRequest.Lane, _ error: TransportError) {
    switch error {
    case .timedOut, .stalled, .connectionLost: suspects.withLock { _ = $0.insert(lane) }
    case .notConnected, .tls, .responseTooLarge, .invalidRequest: break
    }
  }

  func succeeded(_ lane: HTTPRequest.Lane) { suspects.withLock { _ = $0.remove(lane) } }
}
