import CanaryAnalysis

/// What the operator runs: the checks of a plan with `errorRate` and a p99 `latency` at the default risk, with no
/// difference tolerated. Of the two views only the callers' is fed: here both would count the same requests, and the
/// callees', which has the smaller share of the risk, would never decide first. Where the whole law of latencies matters,
/// the plan says `compare: {distribution: {}}`.
struct SluiceJudge: Judge {
  private var errors: ViewsCheck<ErrorRateCheck>
  private var latency: ViewsCheck<LatencyCheck>
  /// With the default of `analysis.warmUp`, in seconds.
  private var warmUp = WarmUp(bound: 90)
  private let boundaries: [Double]

  init(_ scenario: Scenario) {
    boundaries = scenario.boundaries
    func settings(_ name: String) -> CheckSettings {
      CheckSettings(name: name, tolerance: Tolerance(), risk: Oracle.risk / 2)
    }
    errors = ViewsCheck(count: 2, settings: settings("errors")) {
      ErrorRateCheck(limit: scenario.errorLimit, settings: $0)
    }
    latency = ViewsCheck(count: 2, settings: settings("p99")) {
      LatencyCheck(
        quantile: 0.99, max: TrackLook.latencyLimit, settings: $0, distributionMargin: scenario.isWhole ? 0.05 : nil)
    }
  }

  mutating func learn(_ measured: MeasuredLook) {
    warmUp.learn(stable: measured.stable.histogram(boundaries).value)
    errors.learn(0, stable: measured.stable.counts, parts: measured.stableParts.compactMap(\.counts.value))
    latency.learn(
      0, stable: measured.stable.histogram(boundaries),
      parts: measured.stableParts.compactMap { $0.histogram(boundaries).value })
  }

  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool {
    var circumstances: Circumstances = measured?.isUneven ?? false ? .uneven : []
    let (own, others) = (measured?.canaryParts ?? [], measured?.stableParts ?? [])
    // The canary's processes begin with the run.
    if look == 0 { warmUp.begin() }
    warmUp.record(
      age: Double(look) * Scenario.secondsPerLook, requests: measured?.canary.counts.value,
      canary: measured?.canary.histogram(boundaries).value, stable: measured?.stable.histogram(boundaries).value)
    if warmUp.logAllowance != nil { circumstances.insert(.warmingUp) }
    errors.record(
      0, canary: measured?.canary.counts ?? .missing, stable: measured?.stable.counts ?? .missing,
      parts: TrackParts(canary: own.compactMap(\.counts.value), stable: others.compactMap(\.counts.value)),
      circumstances: circumstances)
    latency.record(
      0, canary: measured?.canary.histogram(boundaries) ?? .missing,
      stable: measured?.stable.histogram(boundaries) ?? .missing,
      parts: TrackParts(
        canary: own.compactMap { $0.histogram(boundaries).value },
        stable: others.compactMap { $0.histogram(boundaries).value }),
      circumstances: circumstances)
    if let allowance = warmUp.logAllowance {
      errors.discard(above: allowance)
      latency.discard(above: allowance)
    }
    return errors.fails || latency.fails
  }
}

extension TrackLook {
  fileprivate var counts: Measured<Counts> {
    .counts(requests: .value(requests), bad: .value(errors))
  }

  fileprivate func histogram(_ boundaries: [Double]) -> Measured<LatencyHistogram> {
    let cumulative = boundaries.indices.map { max(0, requests - slow[$0]) }
    return (try? LatencyHistogram(boundaries: boundaries, cumulative: cumulative, total: requests))
      .map { .value($0) } ?? .notANumber
  }
}
