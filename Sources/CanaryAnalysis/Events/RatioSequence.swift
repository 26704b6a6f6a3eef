import Foundation

/// Between which ratios the canary's rate of events lies to stable's, at all times at once: a confidence sequence.
///
/// For each ratio θ₀ the mixture of likelihood ratios over a grid, `Σₖ L(θₖ) / (K L(θ₀))`, is a nonnegative
/// supermartingale if θ₀ is the true ratio (see ``EventComparison``), so the ratios at which it stays below 1/risk contain the
/// true one at all times with probability ≥ 1 − risk. The likelihood is concave in ln θ, so they are an interval, which
/// is rounded outward to the grid: steps of 1 % from ½ to 2, where ratios are tolerated, and of 6 % beyond, to 32.
struct RatioSequence: Codable, Sendable, Hashable {
  static let logRatios: [Double] = {
    let near = stride(from: 0.0, to: log(2), by: 0.01).map { $0 }
    let far = stride(from: log(2), through: log(32), by: 0.06).map { $0 }
    let up = near + far
    return up.dropFirst().reversed().map { -$0 } + up
  }()

  private var logLikelihood = Array(repeating: 0.0, count: Self.logRatios.count)

  /// Adds a look.
  /// - Parameter dispersion: by which the events are divided where they come in clumps.
  mutating func update(canary: Counts, stable: Counts, dispersion: Double) {
    let events = canary.bad + stable.bad
    guard canary.requests > 0, stable.requests > 0, events > 0 else { return }
    let share = canary.requests / (canary.requests + stable.requests)
    for (index, log) in Self.logRatios.enumerated() {
      logLikelihood[index] += (canary.bad * log - events * log1p(share * expm1(log))) / dispersion
    }
  }

  /// An end that is `nil` is open.
  func interval(risk: Double) -> (lower: Double?, upper: Double?) {
    let bound = logSum(logLikelihood) - log(Double(logLikelihood.count)) + log(risk)
    guard let first = logLikelihood.firstIndex(where: { $0 > bound }),
      let last = logLikelihood.lastIndex(where: { $0 > bound })
    else { return (nil, nil) }
    func ratio(at index: Int) -> Double? {
      Self.logRatios.indices.contains(index) ? exp(Self.logRatios[index]) : nil
    }
    return (ratio(at: first - 1), ratio(at: last + 1))
  }
}

extension EventCount {
  /// The rates that these counts leave possible, at every moment of the watch at once. Up to one event per request that
  /// is Robbins' interval of a share; with more it is his gamma mixture for Poisson numbers: all λ with
  /// `Γ(a + e) bᵃ eⁿλ / (Γ(a) (b + n)ᵃ⁺ᵉ λᵉ) < 1/risk`, a = ½, b = 1.
  func interval(risk: Double, dispersion: Double = 1) -> (lower: Double, upper: Double?) {
    guard requests > 0 else { return (0, nil) }
    let (number, exposure) = (events / dispersion, requests / dispersion)
    if let share = Counts(requests: exposure, bad: number), number <= exposure {
      let interval = share.interval(risk: risk)
      return (interval.lower, interval.upper)
    }
    let (shape, rate) = (0.5, 1.0)
    let bound =
      logGamma(shape + number) - logGamma(shape) + shape * log(rate) - (shape + number) * log(rate + exposure)
      + log(risk)
    func isInside(_ lambda: Double) -> Bool { number * log(lambda) - exposure * lambda > bound }
    func edge(_ inside: Double, _ outside: Double) -> Double {
      var (inside, outside) = (inside, outside)
      for _ in 0..<60 {
        let middle = (inside + outside) / 2
        if isInside(middle) { inside = middle } else { outside = middle }
      }
      return outside
    }
    let observed = number / exposure
    var beyond = 2 * observed
    while isInside(beyond) { beyond *= 2 }
    return (edge(observed, 0), edge(observed, beyond))
  }
}
