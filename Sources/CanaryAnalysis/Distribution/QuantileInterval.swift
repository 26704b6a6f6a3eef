import Foundation

extension LatencyHistogram {
  /// The histogram that carries as much information when answers come in clumps.
  func divided(by factor: Double) -> LatencyHistogram {
    guard factor != 1 else { return self }
    return LatencyHistogram(unchecked: boundaries, cumulative.map { $0 / factor }, total / factor)
  }

  /// Between which boundaries a quantile lies, at all times at once: the probability that it is ever outside is at most
  /// `risk`, however often one looks. `nil` without requests.
  ///
  /// Let x be the true quantile p. Requests at most as slow as x come with a rate of at least p, those faster than x with
  /// one of at most p. A boundary below x has at most as many requests under it as there are faster than x, and one at x
  /// or above at least as many as are no slower than x. So if a boundary has so few requests under it that Robbins' beta
  /// mixture refutes p from below, x lies above it, and if it has so many that p is refuted from above, x lies at it or
  /// below; as all boundaries rest on the same two counts, no correction for their number is needed. (Howard and Ramdas
  /// 2022, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification", section 3.)
  /// - Parameter quantile: above 0 and below 1.
  public func quantileInterval(_ quantile: Double, risk: Double) -> QuantileEstimate? {
    guard total > 0 else { return nil }
    func refutes(_ below: Double) -> Bool {
      let bound = logBeta(0.5 + below, 0.5 + total - below) - logBeta(0.5, 0.5) + log(risk)
      return times(below, logOf: quantile) + times(total - below, logOf: 1 - quantile) <= bound
    }
    let few = cumulative.lastIndex { $0 < quantile * total && refutes($0) }
    let many = cumulative.firstIndex { $0 > quantile * total && refutes($0) }
    return QuantileEstimate(lower: few.map { boundaries[$0] } ?? 0, upper: many.map { boundaries[$0] })
  }
}
