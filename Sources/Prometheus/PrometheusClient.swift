import Foundation
import HTTPTransport

/// Asks a Prometheus, or what speaks its query API (Thanos, Mimir, VictoriaMetrics).
public struct PrometheusClient: Sendable {
  /// Bounds on what one query may bring.
  public struct Limits: Sendable, Equatable {
    /// How many series a result may have.
    public var series: Int
    /// How long an answer may be.
    public var bytes: Int

    public init(series: Int = 10_000, bytes: Int = 16 << 20) {
      self.series = series
      self.bytes = bytes
    }
  }

  /// Gives the headers that authenticate a query, at the time of the query, since tokens rotate.
  public typealias Headers = @Sendable () async throws -> [(name: String, value: String)]

  private let baseURL: String
  private let transport: any Transport
  private let headers: Headers
  private let limits: Limits

  /// - Parameters:
  ///   - baseURL: where the server is, possibly with a path before `/api/v1`.
  ///   - headers: nothing by default.
  public init(
    baseURL: String, transport: any Transport, limits: Limits = Limits(), headers: @escaping Headers = { [] }
  ) {
    self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
    self.transport = transport
    self.limits = limits
    self.headers = headers
  }

  /// A client that shows a bearer token.
  public init(baseURL: String, transport: any Transport, limits: Limits = Limits(), bearerToken: String) {
    self.init(baseURL: baseURL, transport: transport, limits: limits) { [("Authorization", "Bearer \(bearerToken)")] }
  }

  /// The value of an expression at one moment.
  /// - Parameters:
  ///   - time: the server's present time if `nil`.
  ///   - timeout: for the whole exchange; the server is told the same.
  ///   - whenAnswered: called when the answer is there, before it is read, for who measures how long reading takes.
  /// - Throws: ``PrometheusError``, or `CancellationError`.
  public func query(
    _ expression: String, at time: Date? = nil, timeout: Duration = .seconds(10), whenAnswered: () -> Void = {}
  ) async throws -> QueryResult {
    var fields = [("query", expression)]
    if let time { fields.append(("time", Self.seconds(time))) }
    return try await post("query", fields, timeout: timeout, whenAnswered: whenAnswered)
  }

  /// The values of an expression at regular moments, as a matrix.
  /// - Parameters:
  ///   - start: the first moment.
  ///   - end: the last moment, included if the steps meet it.
  ///   - step: the time between two; the server takes at most 11,000 steps.
  /// - Throws: as ``query(_:at:timeout:)``.
  public func queryRange(
    _ expression: String, from start: Date, to end: Date, step: Duration, timeout: Duration = .seconds(10)
  ) async throws -> QueryResult {
    let fields = [
      ("query", expression), ("start", Self.seconds(start)), ("end", Self.seconds(end)),
      ("step", PromQL.duration(step)),
    ]
    return try await post("query_range", fields, timeout: timeout)
  }

  private func post(
    _ path: String, _ fields: [(String, String)], timeout: Duration, whenAnswered: () -> Void = {}
  ) async throws -> QueryResult {
    // Servers that know `limit` then send no more than is needed to see that it is too much.
    let all = fields + [("timeout", PromQL.duration(timeout)), ("limit", "\(limits.series + 1)")]
    let form = all.map { "\($0)=\(Self.escape($1))" }.joined(separator: "&")
    var request = HTTPRequest(
      .post, "\(baseURL)/api/v1/\(path)",
      headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
      body: Data(form.utf8), timeout: timeout, maxResponseBytes: limits.bytes, lane: .read)
    request.headers += try await headers()
    let response: HTTPResponse
    do {
      response = try await transport.send(request)
    } catch let error as TransportError {
      throw Self.translate(error)
    }
    whenAnswered()
    return try QueryAnswer.read(response, maxSeries: limits.series)
  }

  private static func translate(_ error: TransportError) -> PrometheusError {
    switch error {
    case .timedOut, .stalled: .timedOut("\(error)")
    case .responseTooLarge(let limit): .tooLarge(bytes: limit)
    case .invalidRequest, .tls: .refused("\(error)")
    case .notConnected, .connectionLost: .unavailable("\(error)")
    }
  }

  /// Everything but the unreserved characters of RFC 3986.
  private static func escape(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
  }

  private static let unreserved = CharacterSet(
    charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

  /// Seconds since 1970 with milliseconds, the resolution of the server.
  private static func seconds(_ time: Date) -> String {
    let milliseconds = Int64((time.timeIntervalSince1970 * 1000).rounded())
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    let fraction = String(abs(rest) + 1000).dropFirst()
    return "\(milliseconds < 0 && whole == 0 ? "-" : "")\(whole).\(fraction)"
  }
}
