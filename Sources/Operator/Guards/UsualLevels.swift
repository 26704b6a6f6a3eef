import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What the service did at this hour on the days before.
struct UsualLevels: Sendable, Equatable {
  /// CPU seconds of a pod in a second.
  var cpu: PastLevel?
  /// Bytes of a pod.
  var memory: PastLevel?
  /// Requests of the service in a second.
  var requests: PastLevel?
  /// What a pod did before the run, when stable had all requests.
  var before: PodLoad?

  /// Requests are missed only where so many days know how many there should be.
  static let fewestDays = 3
}

/// What is asked of the days before, each day at the same hour.
enum UsualQuestion: CaseIterable, Sendable {
  case cpu
  case memory
  case requests

  static let days = 7
  /// In seconds.
  static let day = 86_400.0
  /// How long before each of these moments requests are counted.
  static let window = Duration.seconds(600)
  /// How often a run that goes on asks anew.
  static let interval = Duration.seconds(1800)

  /// The requests that a run's guards count: its route's. Before there was one they were the Service's own, so these count
  /// too where the route has all of them.
  static func scope(_ run: JudgedRun) -> MetricsScope {
    run.plan.routesPart ? run.scope : BurnJudge.whole(run.scope, run.plan)
  }

  /// - Parameter scope: whose requests.
  /// - Returns: `nil` where there can be no such series.
  func text(_ plan: Plan, _ scope: MetricsScope, _ metrics: (any MeshMetrics)?) -> String? {
    switch self {
    case .cpu: usual(ContainerMetrics.cpu, plan, scope)
    case .memory: usual(ContainerMetrics.memory, plan, scope)
    case .requests: metrics?.requestQuery([scope], view: .caller, reading: .increase(Self.window))
    }
  }

  private func usual(_ name: String, _ plan: Plan, _ scope: MetricsScope) -> String {
    ContainerMetrics.usualQuery(name, workload: plan.workload, namespace: scope.namespace)
  }

  /// What the series of one moment say together, of requests in a second; `nil` where they say nothing.
  func value(_ series: [Double]) -> Double? {
    let finite = series.filter(\.isFinite)
    guard !finite.isEmpty else { return nil }
    let sum = finite.reduce(0, +)
    return self == .requests ? sum / (Self.window / .seconds(1)) : sum
  }
}

/// What a pod does, and what it takes for that.
public struct PodLoad: Codable, Sendable, Hashable {
  /// Requests in a second.
  public var requests: Double
  /// CPU seconds in a second.
  public var cpu: Double

  public init(requests: Double, cpu: Double) {
    self.requests = requests
    self.cpu = cpu
  }

  /// What such a pod would take for as many requests as another gets: on the line between this moment and an earlier one,
  /// since a process takes something without requests too. Where there was none that differs enough to draw a line, in
  /// proportion. One that gets fewer requests is allowed no less.
  func cpu(for requests: Double, earlier: PodLoad?) -> Double {
    guard self.requests > 0, requests > self.requests else { return cpu }
    let proportional = cpu * requests / self.requests
    guard let earlier, abs(earlier.requests / self.requests - 1) >= Self.distance else { return proportional }
    let perRequest = (earlier.cpu - cpu) / (earlier.requests - self.requests)
    return min(proportional, max(cpu, cpu + perRequest * (requests - self.requests)))
  }

  /// The difference of two loads, as a share of one, from which a line may be drawn.
  private static let distance = 0.2
}
