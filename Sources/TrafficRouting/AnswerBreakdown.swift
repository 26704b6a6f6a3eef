/// By what answers of one run are told apart beyond good and bad.
public enum AnswerLabel: String, Codable, Sendable, Hashable, CaseIterable {
  /// The status, of HTTP or gRPC.
  case code
  /// What the proxy says of a connection that failed.
  case flags
  /// The operation or path, where the mesh is set up to label it.
  case endpoint
  case caller
  case callerVersion
}

/// What a series of a breakdown counts.
public struct AnswerKey: Codable, Sendable, Hashable {
  public var track: Track
  /// The pod that answered; empty in the callers' view.
  public var pod = ""
  /// The proxy that counted.
  public var process = ""
  public var isError = false
  /// False of what is counted beside the requests: connections that failed, whatever became of the request.
  public var isRequest = true
  /// Empty where it was not asked for, or the mesh does not say.
  public var labels: [AnswerLabel: String] = [:]

  public init(
    track: Track, pod: String = "", process: String = "", isError: Bool = false, isRequest: Bool = true,
    labels: [AnswerLabel: String] = [:]
  ) {
    self.track = track
    self.pod = pod
    self.process = process
    self.isError = isError
    self.isRequest = isRequest
    self.labels = labels
  }
}

/// A mesh whose requests can be broken down further than its objectives need.
///
/// Which labels there are differs: Istio has all of them where its telemetry is told so; Linkerd has codes, errors and
/// callers, and as endpoints the routes that a Server has; Envoy Gateway has codes, and counts failed connections beside
/// the requests.
public protocol AnswerBreakdown: Sendable {
  /// Requests by answer and by these labels; `nil` where no series can belong to these scopes.
  func answersQuery(
    _ scopes: [MetricsScope], view: MetricsView, by labels: Set<AnswerLabel>, reading: MetricsReading
  ) -> String?

  /// The series of one run.
  func answers(_ series: [MetricSeries], of scope: MetricsScope, view: MetricsView) -> [AnswerKey: Double]
}
