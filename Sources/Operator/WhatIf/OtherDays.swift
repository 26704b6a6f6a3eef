import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import TrafficRouting

/// What guards compare a recorded release with: what the service did at the same hours on the days before.
public struct OtherDays: Codable, Sendable, Hashable {
  /// What a run asks at one moment, with a value for each day that has one, the earliest first.
  public struct Hour: Codable, Sendable, Hashable {
    /// Seconds since the first look began.
    public var at: Double
    /// CPU seconds of a pod in a second.
    public var cpu: [Double]
    /// Bytes of a pod.
    public var memory: [Double]
    /// Requests of the service in a second, as its callers count them.
    public var requests: [Double]

    public init(at: Double, cpu: [Double] = [], memory: [Double] = [], requests: [Double] = []) {
      self.at = at
      self.cpu = cpu
      self.memory = memory
      self.requests = requests
    }
  }

  /// Ascending; each stands for the time until the next.
  public var hours: [Hour]
  /// What a pod of stable did before the canary got any requests; absent where that moment is not recorded.
  public var before: PodLoad?
  /// Why there are none.
  public var failure: String?

  public init(hours: [Hour] = [], before: PodLoad? = nil, failure: String? = nil) {
    self.hours = hours
    self.before = before
    self.failure = failure
  }

  /// As the guards of a run would know it so many seconds after the first look began.
  func levels(at time: Double) -> UsualLevels {
    let hour = hours.last { $0.at <= time } ?? hours.first
    return UsualLevels(
      cpu: hour.flatMap { PastLevel($0.cpu) }, memory: hour.flatMap { PastLevel($0.memory) },
      requests: hour.flatMap { PastLevel($0.requests) }, before: before)
  }

  /// Hours that there may be; of a longer release they lie further apart.
  static let maxHours = 336
  /// More of anything is nothing that was measured.
  private static let most = 1e18

  /// Why it cannot be used: the field, what was found and what would be right.
  var problem: String? {
    guard hours.count <= Self.maxHours else {
      return "hours: found \(hours.count), wanted at most \(Self.maxHours)"
    }
    guard zip(hours, hours.dropFirst()).allSatisfy({ $0.at < $1.at }) else {
      return "hours: found at \(hours.prefix(5).map(\.at)), wanted ascending seconds"
    }
    for (index, hour) in hours.enumerated() {
      for (name, days) in [("cpu", hour.cpu), ("memory", hour.memory), ("requests", hour.requests)] {
        guard days.count <= UsualQuestion.days else {
          return "hours[\(index)].\(name): found \(days.count) days, wanted at most \(UsualQuestion.days)"
        }
        if let value = days.first(where: { !(0...Self.most).contains($0) }) {
          return "hours[\(index)].\(name): found \(value), wanted 0 to 1e18"
        }
      }
    }
    for (name, value) in [("requests", before?.requests), ("cpu", before?.cpu)] {
      if let value, !(0...Self.most).contains(value) { return "before.\(name): found \(value), wanted 0 to 1e18" }
    }
    return nil
  }

  private static let alone = "so that guards know this one run alone"

  static let unrecorded = "what the service did at this hour on other days is not recorded, \(alone)"

  /// What limits the trust in it, for people.
  var caution: String? {
    if let failure { return "what the service did on other days could not be read, \(Self.alone): \(failure)" }
    let counts: [(name: String, fewest: Int)] = [
      ("CPU", \Hour.cpu), ("memory", \Hour.memory), ("requests", \Hour.requests),
    ].map { name, days in (name, hours.map { $0[keyPath: days].count }.min() ?? 0) }
    guard counts.contains(where: { $0.fewest > 0 }) else {
      return "nothing is recorded of this hour on the seven days before, \(Self.alone)"
    }
    guard counts.contains(where: { $0.fewest < UsualQuestion.days }) else { return nil }
    let parts = counts.map { "\($0.name) of \($0.fewest)" }
    let isTooShort = counts.contains { $0.name == "requests" && $0.fewest < UsualLevels.fewestDays }
    return "of the seven days before, guards know this hour's \(parts.joined(separator: ", "))"
      + (isTooShort ? "; requests that stay away are looked for from \(UsualLevels.fewestDays) on" : "")
  }
}

extension Recorder {
  /// Asks what the controller would have asked of other days in the course of a run. Guards do without what cannot be
  /// read, and say so.
  func otherDays(
    _ plan: Plan, stable: String, canary: String, _ span: TrafficSpan, _ step: Duration,
    to looks: inout [Date: Recording.Look]
  ) async throws -> OtherDays {
    let scope = BurnJudge.whole(Self.scope(ofCallers: plan, stable: stable, canary: canary), plan)
    do {
      try await addServiceRequests(scope, span, step, to: &looks)
      let countsService = looks.values.contains { $0.serviceRequests != nil }
      var hours: [OtherDays.Hour] = []
      let pause = Self.pause(span)
      for time in PastLooks.times(span, step: pause).joined() {
        hours.append(OtherDays.Hour(at: time.timeIntervalSince(span.from)))
      }
      // What nobody counts now is not missed.
      for question in UsualQuestion.allCases where question != .requests || countsService {
        guard let query = question.text(plan, scope, metrics) else { continue }
        for day in (1...UsualQuestion.days).reversed() {
          let distance = Double(day) * UsualQuestion.day
          let earlier = TrafficSpan(traffic: .stableOnly, from: span.from - distance, until: span.until - distance)
          try await each(query, earlier, pause) { time, series in
            guard let value = question.value(series.map(\.value)) else { return }
            let index = Int((time.timeIntervalSince(earlier.from) / (pause / .seconds(1))).rounded())
            hours[index][keyPath: question.days].append(value)
          }
        }
      }
      return OtherDays(hours: hours, before: try await before(plan, scope, span, step, looks))
    } catch let error as PrometheusError {
      return OtherDays(failure: "\(error)")
    }
  }

  private static func pause(_ span: TrafficSpan) -> Duration {
    let seconds = span.until.timeIntervalSince(span.from)
    return max(UsualQuestion.interval, .seconds((seconds / Double(OtherDays.maxHours - 1)).rounded(.up)))
  }

  /// Requests of the service as its callers count them, whichever pods answered: what other days are compared with.
  private func addServiceRequests(
    _ scope: MetricsScope, _ span: TrafficSpan, _ step: Duration, to looks: inout [Date: Recording.Look]
  ) async throws {
    guard let query = metrics.requestQuery([scope], view: .caller, reading: .counters) else { return }
    var counters = CounterIncreases<MetricsKey>()
    try await each(query, span, step) { time, series in
      let readings = metrics.readings(series, of: scope, view: .caller)
      let known = Set(counters.keys.map(\.process))
      guard !readings.isEmpty,
        let grown = counters.record(
          readings, at: time, of: \.process, beginsAtZero: { $0.beginsAtZero(known: known) })
      else { return }
      looks[time, default: Recording.Look()].serviceRequests = Int(nearest: grown.total)
    }
  }

  /// What a pod of stable did in the moment before the canary's first requests, in the numbers of the looks.
  private func before(
    _ plan: Plan, _ scope: MetricsScope, _ span: TrafficSpan, _ step: Duration, _ looks: [Date: Recording.Look]
  ) async throws -> PodLoad? {
    let times = Array(PastLooks.times(span, step: step).joined())
    // One that has requests in the first look may have had some before.
    guard let first = times.firstIndex(where: { looks[$0]?.canary?.requests ?? 0 > 0 }), first > 1 else { return nil }
    let moment = times[first - 1]
    let pods = (looks[moment]?.pods ?? [:]).keys.count { scope.track(pod: $0) == .stable }
    let counted = view == .callee ? Self.scope(of: scope.stableReplicaSet, plan) : scope
    guard pods > 0,
      let query = metrics.requestQuery([counted], view: view, reading: .increase(UsualQuestion.window)),
      let cpu = try await value(.cpu, UsualQuestion.cpu.text(plan, scope, metrics), at: moment),
      let requests = try await value(.requests, query, at: moment)
    else { return nil }
    return PodLoad(requests: requests / Double(pods), cpu: cpu)
  }

  private func value(_ question: UsualQuestion, _ query: String?, at moment: Date) async throws -> Double? {
    guard let query else { return nil }
    let values = try await matrix(query, [moment], .seconds(1))
    return question.value((values[PastLooks.milliseconds(moment)] ?? []).map(\.value))
  }
}

extension UsualQuestion {
  fileprivate var days: WritableKeyPath<OtherDays.Hour, [Double]> {
    switch self {
    case .cpu: \.cpu
    case .memory: \.memory
    case .requests: \.requests
    }
  }
}
