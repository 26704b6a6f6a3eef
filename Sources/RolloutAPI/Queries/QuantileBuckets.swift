/// What can be known of a quantile without asking a Prometheus: `histogram_quantile` reads buckets by their label `le`, and
/// answers nothing at all where they have lost it, or where there are none.
extension QueryNode {
  /// What is wrong with a quantile in it; `nil` where nothing is known to be.
  var quantileProblem: QueryProblem? {
    switch self {
    case .call("histogram_quantile", let arguments) where arguments.count == 2:
      if let problem = arguments[0].shareProblem(of: "histogram_quantile")
        ?? arguments[1].bucketProblem(keepsBounds: true, wantsBounds: false)
      {
        return problem
      }
    case .call("quantile_over_time", let arguments), .aggregation("quantile", _, let arguments):
      if let problem = arguments.first?.shareProblem(of: "quantile") { return problem }
    default: break
    }
    return children.lazy.compactMap(\.quantileProblem).first
  }

  /// Outside of 0 to 1 a quantile is infinite, whatever was measured.
  private func shareProblem(of function: String) -> QueryProblem? {
    switch self {
    case .parentheses(let inner): return inner.shareProblem(of: function)
    case .unary("-", .number(let text)):
      return QueryProblem(position: 1, found: "a \(function) of -\(text)", wanted: "a share from 0 to 1, such as 0.99")
    case .number(let text):
      guard let share = Double(text), !(0...1).contains(share) else { return nil }
      let meant = share > 1 && share < 100 ? "\((share * 10_000).rounded() / 1_000_000)" : "0.99"
      return QueryProblem(
        position: 1, found: "a \(function) of \(text)", wanted: "a share from 0 to 1, such as \(meant)")
    default: return nil
    }
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
      for suffix in HistogramMetric.suffixesWithoutBuckets where name.hasSuffix(suffix) {
        let base = name.dropLast(suffix.count)
        return QueryProblem(
          position: 1, found: "a quantile of \(name), which has no buckets",
          wanted: "sum by (le) (…) of \(base)_bucket, which has them")
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
