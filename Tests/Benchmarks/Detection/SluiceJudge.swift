import CanaryAnalysis

/// What the operator runs: the checks of a plan with `errorRate` and a p99 `latency`, each in the callers' and the
/// callees' view, at the default risk, with no difference tolerated.
struct SluiceJudge: Judge {
  private var errors: ViewsCheck<ErrorRateCheck>
  private var latency: ViewsCheck<LatencyCheck>

  init(_ scenario: Scenario) {
    func settings(_ name: String) -> CheckSettings {
      CheckSettings(name: name, tolerance: Tolerance(), risk: Oracle.risk / 2)
    }
    errors = ViewsCheck(count: 2, settings: settings("errors")) {
      ErrorRateCheck(limit: scenario.errorLimit, settings: $0)
    }
    latency = ViewsCheck(count: 2, settings: settings("p99")) {
      LatencyCheck(quantile: 0.99, max: TrackLook.latencyLimit, settings: $0)
    }
  }

  mutating func aborts(_ look: Int, _ measured: (canary: TrackLook, stable: TrackLook)?) -> Bool {
    let counts = measured.map { (canary: $0.canary.counts, stable: $0.stable.counts) }
    let histograms = measured.map { (canary: $0.canary.histogram, stable: $0.stable.histogram) }
    for view in 0..<2 {
      errors.record(view, canary: counts?.canary ?? .missing, stable: counts?.stable ?? .missing)
      latency.record(view, canary: histograms?.canary ?? .missing, stable: histograms?.stable ?? .missing)
    }
    return errors.fails || latency.fails
  }
}

extension TrackLook {
  fileprivate var counts: Measured<Counts> {
    .counts(requests: .value(requests), bad: .value(errors))
  }

  fileprivate var histogram: Measured<LatencyHistogram> {
    let cumulative = Self.boundaries.indices.map { max(0, requests - slow[$0]) }
    return (try? LatencyHistogram(boundaries: Self.boundaries, cumulative: cumulative, total: requests))
      .map { .value($0) } ?? .notANumber
  }
}
