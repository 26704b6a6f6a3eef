/// A histogram of a team's own, selected for each track: `http_request_duration_seconds{pod=~"$(pods)"}`.
///
/// Its buckets are read as they stand, by process, and what grew is counted look by look, as of a mesh's histogram.
public struct HistogramMetric: Sendable, Hashable {
  /// Its name is the histogram's own, without a suffix.
  let selector: QueryNode.Selector

  /// The labels that tell processes apart, the pod last.
  public static let process = ["job", "instance", "pod"]

  /// How names end that are no histogram's.
  static let suffixesWithoutBuckets = ["_count", "_sum", "_total"]

  /// What Prometheus is asked: the classic buckets, or what is exported natively, which has no label `le`.
  public func text(_ values: [QueryVariable: String], confinedTo confinement: PromQLQuery.Confinement?) -> String {
    func sum(_ suffix: String, _ labels: [String]) -> String {
      var selector = selector
      selector.name = (selector.name ?? "") + suffix
      return
        "sum by (\(labels.joined(separator: ", "))) (\(PromQLQuery.print(.selector(selector), values, confinement)))"
    }
    return sum("_bucket", ["le"] + Self.process) + " or " + sum("", Self.process)
  }

  /// What grew in `$(window)`, all processes together.
  public func increaseText(
    _ values: [QueryVariable: String], confinedTo confinement: PromQLQuery.Confinement?
  ) -> String {
    func sum(_ suffix: String, _ grouping: QueryNode.Grouping?) -> String {
      var selector = selector
      selector.name = (selector.name ?? "") + suffix
      let increase = QueryNode.call("increase", [.range(.selector(selector), .window)])
      return PromQLQuery.print(.aggregation("sum", grouping, [increase]), values, confinement)
    }
    return sum("_bucket", QueryNode.Grouping(word: "by", labels: ["le"])) + " or " + sum("", nil)
  }

  /// The unit that the name says, as Prometheus' naming practices have it; `nil` where it says none.
  var unit: LatencyUnit? {
    guard let name = selector.name else { return nil }
    if name.hasSuffix("_milliseconds") || name.hasSuffix("_ms") { return .milliseconds }
    return name.hasSuffix("_seconds") ? .seconds : nil
  }
}

extension PromQLQuery {
  /// The histogram that it selects.
  /// - Throws: what makes it no selector of a histogram that tells the tracks apart.
  func histogram() throws(QueryProblem) -> HistogramMetric {
    func problem(_ found: String, _ wanted: String) -> QueryProblem {
      QueryProblem(position: 1, found: found, wanted: wanted)
    }
    let wanted = "a histogram's name and matchers, such as http_request_duration_seconds{pod=~\"$(pods)\"}"
    guard case .selector(var selector) = root, let name = selector.name else {
      throw problem("what is no name of a metric with matchers", wanted)
    }
    if name.contains(":") { throw problem("\(name), a recorded series", "the histogram that it is made of") }
    for suffix in HistogramMetric.suffixesWithoutBuckets where name.hasSuffix(suffix) {
      throw problem("\(name), which has no buckets", wanted)
    }
    guard selector.matchers.contains(where: { $0.value.variables.contains(where: \.differsBetweenTracks) }) else {
      throw problem(
        "\(name) of both tracks together",
        "a matcher that tells them apart: pod=~\"$(pods)\", or one of $(service) or $(hash)")
    }
    if selector.matchers.contains(where: { $0.label == "le" }) {
      throw problem("a matcher for le", "all buckets: max says which of them matter")
    }
    if name.hasSuffix("_bucket") { selector.name = String(name.dropLast("_bucket".count)) }
    return HistogramMetric(selector: selector)
  }
}
