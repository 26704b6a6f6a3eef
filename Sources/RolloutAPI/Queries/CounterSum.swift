/// The counters behind a query that counts: `sum(increase(orders_total{pod=~"$(pods)"}[$(window)]))`, sums of such, and
/// either with `or vector(0)`.
///
/// What they say is read as they stand, and the increases are made look by look: PromQL's own windows overlap, so that an
/// event would be counted in several looks, and are extrapolated, so that it might be counted as a part of one.
public struct CounterSum: Sendable, Hashable {
  /// At least one.
  let selectors: [QueryNode.Selector]
  /// `or vector(0)`: no series at all means that nothing was counted.
  public let isZeroWithoutSeries: Bool

  static let maxCounters = 4

  /// How many counters are added.
  public var count: Int { selectors.count }

  /// What Prometheus is asked, one query for each counter; every series of it is wanted.
  public func texts(_ values: [QueryVariable: String], confinedTo confinement: PromQLQuery.Confinement?) -> [String] {
    selectors.map { PromQLQuery.print(.selector($0), values, confinement) }
  }

  /// Whether the track's targets are scraped at all: their `up`, found by what tells the tracks apart.
  public func presenceText(
    _ values: [QueryVariable: String], confinedTo confinement: PromQLQuery.Confinement?
  ) -> String? {
    guard let selector = selectors.first else { return nil }
    let matchers = selector.matchers.filter { $0.value.variables.contains(where: \.differsBetweenTracks) }
    return PromQLQuery.print(.selector(QueryNode.Selector(name: "up", matchers: matchers)), values, confinement)
  }
}

extension PromQLQuery {
  /// The counters that it adds up.
  /// - Throws: what about its form makes it no count, where that can be known without asking a Prometheus.
  public func counters() throws(QueryProblem) -> CounterSum {
    let (selectors, isZero) = try root.counters()
    guard selectors.count <= CounterSum.maxCounters else {
      throw QueryProblem(
        position: 1, found: "a sum of \(selectors.count) counters", wanted: "at most \(CounterSum.maxCounters)")
    }
    for selector in selectors
    where !selector.matchers.contains(where: { $0.value.variables.contains(where: \.differsBetweenTracks) }) {
      throw QueryProblem(
        position: 1, found: "\(selector.name ?? "a selector") of both tracks together",
        wanted: "a matcher that tells them apart: pod=~\"$(pods)\", or one of $(service) or $(hash)")
    }
    return CounterSum(selectors: selectors, isZeroWithoutSeries: isZero)
  }
}

extension QueryNode {
  fileprivate static let wantedCount = "sum(increase(…_total{pod=~\"$(pods)\"}[$(window)]))"

  fileprivate func counters() throws(QueryProblem) -> (selectors: [Selector], isZero: Bool) {
    switch self {
    case .parentheses(let inner): return try inner.counters()
    case .binary(let left, let operation, let right) where operation.symbol == "+" && operation.matching == nil:
      let (first, second) = (try left.counters(), try right.counters())
      // A sum has no series where one of its sides has none.
      return (first.selectors + second.selectors, first.isZero && second.isZero)
    case .binary(let left, let operation, let right) where operation.symbol == "or" && right.isZeroVector:
      return (try left.counters().selectors, true)
    case .binary(_, let operation, _) where operation.symbol == "/":
      throw problem("a quotient", "what is counted, and what it is counted per in the field per")
    case .binary(_, let operation, _): throw problem("\(operation.symbol) between counts", Self.wantedCount)
    case .aggregation("sum", nil, let arguments):
      guard let argument = arguments.first else { throw problem("sum() of nothing", Self.wantedCount) }
      return ([try argument.counter()], false)
    case .aggregation("sum", .some(let grouping), _):
      throw problem("sum \(grouping.word) (…), which gives several series", "sum(…) of all of them")
    case .aggregation(let name, _, _): throw problem("\(name)(…), which is no count", Self.wantedCount)
    case .call("histogram_quantile", _), .call("quantile_over_time", _):
      throw problem("a quantile, which is no count", Self.wantedCount)
    case .call(let name, _) where ["increase", "rate", "irate"].contains(name):
      throw problem("\(name)(…) of each series by itself", Self.wantedCount)
    case .call(let name, _): throw problem("\(name)(…), which is no count", Self.wantedCount)
    case .selector(let selector): throw problem("\(selector.shown) of each series by itself", "sum(…) of them")
    default: throw problem("what is no count", Self.wantedCount)
    }
  }

  /// What stands inside of `sum(…)`.
  private func counter() throws(QueryProblem) -> Selector {
    switch self {
    case .parentheses(let inner): return try inner.counter()
    case .call("increase", let arguments):
      guard case .range(.selector(let selector), let span)? = arguments.first else {
        throw problem("increase(…) of another time, or of what is no counter", Self.wantedCount)
      }
      if case .duration(let text) = span {
        throw problem("a window of \(text)", "[$(window)]: each look counts what is new since the one before")
      }
      try selector.checkIsCounter(isSaid: true)
      return selector
    case .call(let name, _) where ["rate", "irate"].contains(name):
      throw problem("\(name)(…), which is per second", "increase(…[$(window)]), since events are counted")
    case .selector(let selector):
      try selector.checkIsCounter(isSaid: false)
      return selector
    case .call(let name, _): throw problem("\(name)(…) inside of sum(…)", Self.wantedCount)
    case .binary(_, let operation, _):
      throw problem("\(operation.symbol) inside of sum(…)", "sum(…) + sum(…), each of one counter")
    default: throw problem("sum(…) of what is no counter", Self.wantedCount)
    }
  }

  private var isZeroVector: Bool {
    switch self {
    case .parentheses(let inner): inner.isZeroVector
    case .call("vector", let arguments): arguments == [.number("0")]
    default: false
    }
  }

  private func problem(_ found: String, _ wanted: String) -> QueryProblem {
    QueryProblem(position: 1, found: found, wanted: wanted)
  }
}

extension QueryNode.Selector {
  fileprivate var shown: String { name ?? "a selector" }

  /// - Parameter isSaid: by `increase`, which is for counters only.
  fileprivate func checkIsCounter(isSaid: Bool) throws(QueryProblem) {
    guard let name else { return }
    if name.contains(":") {
      throw QueryProblem(
        position: 1, found: "\(name), a recorded series, whose windows overlap",
        wanted: "the counter that it is made of")
    }
    if !isSaid, !["_total", "_count", "_sum", "_bucket"].contains(where: name.hasSuffix) {
      throw QueryProblem(
        position: 1, found: "sum(\(name)), which may be a gauge",
        wanted: "sum(increase(\(name){…}[$(window)])) of a counter")
    }
  }
}
