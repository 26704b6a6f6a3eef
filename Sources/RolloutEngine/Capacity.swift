import CanaryAnalysis
import Foundation

/// What sets a Deployment's replicas beside Git and people.
public struct AutoscalerView: Sendable, Equatable {
  public var name: String
  public var maxReplicas: Int

  public init(name: String, maxReplicas: Int) {
    self.name = name
    self.maxReplicas = maxReplicas
  }
}

/// Who wrote a Deployment's replicas last.
public struct ReplicasWriter: Sendable, Equatable {
  /// A field manager.
  public var name: String
  /// It follows metrics, which the canary's pods are part of; what a person or Git writes is a decision.
  public var isAutoscaler: Bool

  public init(name: String, isAutoscaler: Bool) {
    self.name = name
    self.isAutoscaler = isAutoscaler
  }
}

/// What one ResourceQuota leaves for pods like the canary's.
public struct QuotaRoom: Sendable, Equatable {
  public var quota: String
  /// How many more such pods it admits.
  public var pods: Int
  /// The scarce resource and its numbers: `requests.cpu: 300m of 2 left, a pod asks for 500m`.
  public var detail: String

  public init(quota: String, pods: Int, detail: String) {
    self.quota = quota
    self.pods = pods
    self.detail = detail
  }
}

/// Something that keeps the canary from its pods, or that its pods keep others from; a person may act on it.
public struct CapacityLimit: Sendable, Equatable {
  public var reason: Reason
  public var message: String

  /// CamelCase words for the condition `CapacityLimited`.
  public enum Reason: String, Sendable, Equatable, CaseIterable {
    /// A quota leaves no room for pods that a step needs, or will need.
    case quotaExceeded = "QuotaExceeded"
    /// No node has room for the canary's pods.
    case unschedulable = "Unschedulable"
    /// Canary pods that are not ready use up what a PodDisruptionBudget allows.
    case disruptionsBlocked = "DisruptionsBlocked"
    /// The autoscaler may not give the Deployment the pods that its requests need.
    case autoscalerAtMaximum = "AutoscalerAtMaximum"
    /// The autoscaler has grown the Deployment, and the canary has not grown with it.
    case autoscalerNotFollowed = "AutoscalerNotFollowed"
  }

  public init(_ reason: Reason, _ message: String) {
    self.reason = reason
    self.message = message
  }
}

/// Requests to a workload, both tracks together, over a time.
public struct RequestVolume: Sendable, Equatable {
  public var requests: Double
  public var seconds: Double

  public init(requests: Double, seconds: Double) {
    self.requests = requests
    self.seconds = seconds
  }

  /// Requests per second.
  public var rate: Double { seconds > 0 ? requests / seconds : 0 }

  /// Growth that an autoscaler would not react to either (`--horizontal-pod-autoscaler-tolerance`).
  static let tolerance = 0.1

  /// The multiple of an earlier volume; 1 where chance or the tolerance explains the difference.
  ///
  /// The logarithm of the ratio of two Poisson counts n and m has a variance of about 1/n + 1/m.
  func growth(since earlier: RequestVolume) -> Double {
    guard requests > 0, earlier.requests > 0, rate > 0, earlier.rate > 0 else { return 1 }
    let ratio = rate / earlier.rate
    let noise = 3 * (1 / requests + 1 / earlier.requests).squareRoot()
    return log(ratio) > max(noise, log(1 + Self.tolerance)) ? ratio : 1
  }
}

/// The pods that a run needs, and what limits them.
///
/// An autoscaler counts the canary's pods, which match the Deployment's selector, and writes its answer to the
/// Deployment alone. A canary that followed the Deployment would grow with it, be counted again, and so on up to the
/// autoscaler's maximum. So the demand is the Deployment's size at the start, and grows with what cannot come from the
/// canary itself, the volume of requests, and no further than the Deployment has grown.
extension Turn {
  mutating func followDemand(_ run: inout RunState) {
    guard let deployment = seen.deployment, run.stage.mayGrow else { return }
    if let volume = seen.measured?.volume, run.volumeAtStart == nil || run.trafficWrittenAt == nil {
      run.volumeAtStart = volume
    }
    run.demand = max(run.demand, min(deployment.replicas, demandOfRequests(run)))
  }

  /// Pods for the requests that arrive now, each with as many as a pod had at the start.
  private func demandOfRequests(_ run: RunState) -> Int {
    Int(nearest: (Double(run.demandAtStart) * requestGrowth(run)).rounded(.up))
  }

  private func requestGrowth(_ run: RunState) -> Double {
    guard let start = run.volumeAtStart, let volume = seen.measured?.volume else { return 1 }
    return volume.growth(since: start)
  }

  /// The size at which the canary can carry all traffic: what a person or Git asks for, and of what an autoscaler asks
  /// for no more than the demand. A Deployment that has become smaller is as large as all pods together need to be.
  func fullSize(_ run: RunState) -> Int {
    guard let deployment = seen.deployment else { return run.demand }
    let isAutoscaled = deployment.replicasWriter?.isAutoscaler ?? false
    return isAutoscaled ? min(run.demand, deployment.replicas) : deployment.replicas
  }

  // MARK: - Limits

  mutating func noteLimits(_ run: RunState, known: [CapacityLimit]) {
    if run.stage.mayGrow {
      noteQuotaAhead(run)
      noteAutoscaler(run)
    }
    noteBudgets(run)
    if let first = rollout.limits.first, first.reason != known.first?.reason {
      announce(.limited, first.message, "\(run.name)-\(first.reason.rawValue)", isWarning: true)
    }
  }

  private mutating func note(_ reason: CapacityLimit.Reason, _ message: String) {
    guard !rollout.limits.contains(where: { $0.reason == reason }) else { return }
    rollout.limits.append(CapacityLimit(reason, message))
  }

  /// Whether the quotas admit so many more pods; otherwise says which does not, and what is missing.
  mutating func hasRoom(for pods: Int, _ what: String) -> Bool {
    guard pods > 0, let tightest = seen.rooms.min(by: { ($0.pods, $0.quota) < ($1.pods, $1.quota) }),
      tightest.pods < pods
    else { return true }
    note(
      .quotaExceeded,
      "\(what) \(pods) more canary pod\(pods == 1 ? "" : "s"), and ResourceQuota \(tightest.quota) admits "
        + "\(tightest.pods) (\(tightest.detail)): raise it, or make room in the namespace")
    return false
  }

  mutating func noteTrouble(of set: SetView, _ count: Int) {
    guard set.isUnschedulable else { return }
    note(
      .unschedulable,
      "\(set.available) of \(count) canary pods are available, since no node has room: \(set.trouble ?? "")")
  }

  /// The first step to come that the quotas do not admit.
  private mutating func noteQuotaAhead(_ run: RunState) {
    guard !seen.rooms.isEmpty else { return }
    let pods = seen.set(named: run.set)?.pods ?? 0
    if let next = run.stage.nextStep {
      for index in next..<max(next, runPlan.steps.count) {
        let needed = podsNeeded(by: runPlan.steps[index], run) - pods
        guard hasRoom(for: needed, "step \(index + 1)\(runPlan.steps[index].title) will need") else { return }
      }
    }
    _ = hasRoom(for: fullSize(run) - pods, "promotion will need")
  }

  private mutating func noteAutoscaler(_ run: RunState) {
    guard let deployment = seen.deployment, deployment.replicasWriter?.isAutoscaler == true else { return }
    let who = seen.autoscaler.map { "HorizontalPodAutoscaler \($0.name)" } ?? deployment.replicasWriter?.name ?? ""
    let growth = requestGrowth(run)
    let wanted = demandOfRequests(run)
    if let autoscaler = seen.autoscaler, autoscaler.maxReplicas <= deployment.replicas, wanted > deployment.replicas {
      note(
        .autoscalerAtMaximum,
        "requests have grown to \(growth.rounded(to: 1)) times those at the start, which \(wanted) pods would carry, and "
          + "\(who) allows \(autoscaler.maxReplicas): the canary gets its share of \(run.demand); raise maxReplicas")
    }
    guard deployment.replicas > run.demand else { return }
    let why =
      if run.volumeAtStart == nil || seen.measured?.volume == nil {
        "since the requests are not measured"
      } else if growth == 1 {
        "since requests have not become more, and the autoscaler counts the canary's own pods"
      } else {
        "since requests have grown to \(growth.rounded(to: 1)) times those at the start"
      }
    note(
      .autoscalerNotFollowed,
      "\(who) has grown the Deployment from \(run.demandAtStart) to \(deployment.replicas) replicas; the canary's share "
        + "stays one of \(run.demand), \(why)")
  }

  /// Canary pods match what a budget selects for the Deployment: those that are not ready count as disrupted.
  private mutating func noteBudgets(_ run: RunState) {
    guard !seen.exhaustedBudgets.isEmpty, let set = seen.set(named: run.set), set.owner == .sluice,
      set.name != run.stable.set, set.pods > set.available
    else { return }
    let unready = set.pods - set.available
    note(
      .disruptionsBlocked,
      "PodDisruptionBudget \(seen.exhaustedBudgets.joined(separator: ", ")) allows no disruption while \(unready) canary "
        + "pod\(unready == 1 ? " is" : "s are") not ready: nodes cannot be drained until then, or until the canary is "
        + "scaled down after an abort")
  }
}

extension Stage {
  /// Whether the canary may still get more pods by the demand.
  fileprivate var mayGrow: Bool {
    switch self {
    case .starting, .step: true
    case .promoting(let stage): stage.isReversible
    case .aborting, .finished: false
    }
  }

  /// The first step that has not begun; `nil` where only the promotion is left.
  fileprivate var nextStep: Int? {
    switch self {
    case .starting: 0
    case .step(let index, let stage): stage == .scaling ? index : index + 1
    case .promoting, .aborting, .finished: nil
    }
  }
}

extension Double {
  /// As a text with so many digits after the point.
  fileprivate func rounded(to digits: Int) -> String {
    formatted(.number.precision(.fractionLength(digits)).locale(Locale(identifier: "en_US_POSIX")))
  }
}
