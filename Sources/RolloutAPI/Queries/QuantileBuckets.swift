/// What can be known of a quantile without asking a Prometheus: `histogram_quantile` reads buckets by their label `le`, and
/// answers nothing at all where they have lost it, or where there are none.
extension QueryNode {
  /// What is wrong with a quantile in it; `nil` where nothing is known to be.
  var quantileProblem: QueryProblem? {
    if case .call("histogram_quantile", let arguments) = self, arguments.count == 2 {
      return arguments[1].bucketProblem(keepsBounds: true, wantsBounds: false)
    }
    return children.lazy.compactMap(\.quantileProblem).first
  }

  /// - Parameters:
  ///   - keepsBounds: every aggregation around it keeps the label `le`.
  ///   - wantsBounds: one of them groups by it, so that buckets are meant and no native histogram.
  private func bucketProblem(keepsBounds: Bool, wantsBounds: Bool) -> QueryProblem? {
    switch self {
    case .aggregation(_, let grouping, let arguments):
      let isNamed = grouping?.labels.contains("le") ?? false
      let keeps = grouping?.word == "by" ? isNamed : grouping != nil && !isNamed
      return arguments.lazy.compactMap {
        $0.bucketProblem(
          keepsBounds: keepsBounds && keeps, wantsBounds: wantsBounds || (isNamed && grouping?.word == "by"))
      }.first
    case .selector(let selector):
      // A recorded series, which has a colon in its name, may be called anything.
      guard let name = selector.name, !name.contains(":") else { return nil }
      if name.hasSuffix("_bucket"), !keepsBounds {
        return QueryProblem(
          position: 1, found: "a quantile of \(name) without the label le", wanted: "sum by (le) (…) of the buckets")
      }
      if !name.hasSuffix("_bucket"), wantsBounds {
        return QueryProblem(
          position: 1, found: "a quantile of \(name), which has no buckets", wanted: "\(name)_bucket, which has them")
      }
      return nil
    default:
      return children.lazy.compactMap { $0.bucketProblem(keepsBounds: keepsBounds, wantsBounds: wantsBounds) }.first
    }
  }
}
