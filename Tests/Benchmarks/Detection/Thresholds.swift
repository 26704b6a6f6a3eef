/// Counters of the canary as a query with a range sees them.
struct RateWindow {
  private var looks: [TrackLook] = []
  private let length: Int

  /// - Parameter length: in looks.
  init(length: Int) { self.length = length }

  mutating func add(_ look: TrackLook) {
    looks.append(look)
    if looks.count > length { looks.removeFirst() }
  }

  private var total: TrackLook { looks.reduce(TrackLook(), +) }

  /// Percent of requests that did not fail; `nil`, which stands for NaN, without requests.
  var successPercent: Double? {
    let total = total
    return total.requests > 0 ? 100 * (1 - total.errors / total.requests) : nil
  }

  func p99(_ boundaries: [Double]) -> Double? { total.quantile(0.99, boundaries) }
}

extension TrackLook {
  /// As PromQL's `histogram_quantile`: linear inside the bucket, the last boundary beyond it.
  func quantile(_ quantile: Double, _ boundaries: [Double]) -> Double? {
    guard requests > 0 else { return nil }
    let rank = quantile * requests
    var (lower, before) = (0.0, 0.0)
    for (index, boundary) in boundaries.enumerated() {
      let cumulative = requests - slow[index]
      if cumulative >= rank {
        return cumulative > before ? lower + (boundary - lower) * (rank - before) / (cumulative - before) : boundary
      }
      (lower, before) = (boundary, cumulative)
    }
    return boundaries.last
  }
}

/// Argo Rollouts v1.9: a background analysis run with a success rate and a 99th percentile, each by `successCondition`.
///
/// A measurement without requests is NaN, for which no condition holds: it fails. A metric fails, and with it the run,
/// when its failures, in total and not in a row, exceed `failureLimit`.
struct ArgoRollouts: Judge {
  private let interval: Int
  private let failureLimit: Int
  private let minimumSuccess: Double
  private let boundaries: [Double]
  private var success: RateWindow
  private var latency: RateWindow
  private var failures = (success: 0, latency: 0)

  init(_ scenario: Scenario, _ settings: RivalSettings) {
    boundaries = scenario.boundaries
    switch settings {
    case .docs:
      // `irate(…[5m])` looks at the last two scrapes only.
      (interval, failureLimit, minimumSuccess) = (30, 3, 95)
      success = RateWindow(length: 1)
      latency = RateWindow(length: 30)
    case .fair:
      (interval, failureLimit, minimumSuccess) = (6, 3, 100 * (1 - scenario.errorLimit))
      success = RateWindow(length: 6)
      latency = RateWindow(length: 6)
    }
  }

  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool {
    guard let measured else { return false }
    success.add(measured.canary)
    latency.add(measured.canary)
    guard (look + 1) % interval == 0 else { return false }
    if !(success.successPercent.map { $0 >= minimumSuccess } ?? false) { failures.success += 1 }
    if !(latency.p99(boundaries).map { $0 <= TrackLook.latencyLimit } ?? false) { failures.latency += 1 }
    return failures.success > failureLimit || failures.latency > failureLimit
  }
}

/// Flagger v1.44: the built-in checks `request-success-rate` and `request-duration`, once a minute.
///
/// The first bad check of a tick counts one and ends it; no values count too. A rollback comes at the beginning of the
/// tick after the one that reached `threshold`. Good ticks reset nothing.
struct Flagger: Judge {
  private let threshold = 5
  private let minimumSuccess: Double
  private let boundaries: [Double]
  private var success = RateWindow(length: 6)
  private var latency: RateWindow
  private var failures = 0

  init(_ scenario: Scenario, _ settings: RivalSettings) {
    boundaries = scenario.boundaries
    minimumSuccess = settings == .docs ? 99 : 100 * (1 - scenario.errorLimit)
    latency = RateWindow(length: settings == .docs ? 3 : 6)
  }

  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool {
    guard let measured else { return false }
    success.add(measured.canary)
    latency.add(measured.canary)
    guard (look + 1) % 6 == 0 else { return false }
    if failures >= threshold { return true }
    let isGood =
      (success.successPercent.map { $0 >= minimumSuccess } ?? false)
      // Durations are cut to whole milliseconds.
      && (latency.p99(boundaries).map { $0.rounded(.down) <= TrackLook.latencyLimit } ?? false)
    if !isGood { failures += 1 }
    return false
  }
}
