/// The names under which one mesh counts requests, as PromQL, and the series of the answers sorted out again. Pure: the
/// queries go out as texts, the answers come in as values.
///
/// One query serves many runs of the same mesh: it groups by the labels that tell them apart, and
/// ``readings(_:of:view:)`` picks those of one.
public protocol MeshMetrics: Sendable, Hashable {
  /// Who counts requests in this mesh, in the order of `MetricsView.allCases`; never empty.
  var views: [MetricsView] { get }

  /// Requests by answer: the source of error rate, volume and observed share.
  /// - Returns: `nil` where no series can belong to these scopes, as before the first pod of a run.
  func requestQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String?

  /// Requests by latency bucket.
  func latencyQuery(_ scopes: [MetricsScope], view: MetricsView, reading: MetricsReading) -> String?

  /// Requests at the callee by how their connection was secured, and of those without mutual TLS by caller, where it is
  /// known; `nil` where the mesh does not tell.
  func securityQuery(_ scopes: [MetricsScope], reading: MetricsReading) -> String?

  /// The series of an answer that serves many runs, by the namespace of the runs that they belong to.
  func byNamespace(_ series: [MetricSeries], view: MetricsView) -> [String: [MetricSeries]]

  /// The series of one run, from the answer to a request or latency query that may serve others too. Series that fall
  /// on the same key are added. Values that are no number are kept, for the reader to refuse.
  func readings(_ series: [MetricSeries], of scope: MetricsScope, view: MetricsView) -> [MetricsKey: Double]

  /// Whether ``securityQuery(_:reading:)`` can tell anything.
  var tellsSecurity: Bool { get }

  /// Requests of one run by how their connection was secured, from the answer to ``securityQuery(_:reading:)``.
  func security(_ series: [MetricSeries], of scope: MetricsScope) -> [Track: ConnectionSecurity]
}

extension MetricsScope {
  /// How many runs one query may serve, which bounds its length.
  public static let perQuery = 50
}
