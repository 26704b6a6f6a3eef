import CanaryAnalysis
import Foundation
import RolloutAPI

@testable import RolloutEngine

/// A cluster of plain values with a Deployment controller, ReplicaSets, pods, Services and routing, just enough to try
/// the engine's decisions on. The real behaviour behind each rule is recorded in the sandbox's transcripts.
struct ModelCluster {
  struct Deployment {
    var replicas = 4
    var paused = false
    var heldBy: String?
    var managed = false
    var template = "v1"
  }

  struct ReplicaSet {
    var template: String
    var hash: String
    var owned: Bool
    var replicas: Int
    var pods: Int
    var available: Int
    var number: Int?
    var rejected = false
  }

  struct Service {
    var pin: String?
    var stable: String??
    var canary: String??
  }

  var deployment: Deployment? = Deployment()
  var sets: [String: ReplicaSet] = [:]
  var service = Service()
  var target: TrafficTarget?
  var intact = true
  /// Who changed the routing object, where the API server knows.
  var routeWriter: String?
  /// Where the run is that is at work, and where the one was that wrote the route.
  var place: RoutedBy?
  var routedBy: RoutedBy?
  var retired = false
  /// The route is a person's, of which a rule is lent for the time of a run.
  var isInPlace = false
  /// Revisions whose pods never become available.
  var broken: Set<String> = []
  /// Revisions for whose pods no node has room.
  var unschedulable: Set<String> = []
  /// An autoscaler wrote the replicas last.
  var isAutoscaled = false
  var runs: [String] = []
  var news: [Announcement] = []
  var writes = 0

  init() {
    sets["web-v0"] = ReplicaSet(template: "v0", hash: "v0", owned: true, replicas: 0, pods: 0, available: 0, number: 1)
    sets["web-v1"] = ReplicaSet(template: "v1", hash: "v1", owned: true, replicas: 4, pods: 4, available: 4, number: 2)
  }

  // MARK: - What the cluster does by itself

  /// One round of the built-in controllers.
  mutating func controllers() {
    rollNatively()
    for name in sets.keys.sorted() {
      guard var set = sets[name] else { continue }
      set.pods = set.replicas
      set.available = broken.union(unschedulable).contains(set.template) ? 0 : set.pods
      sets[name] = set
    }
  }

  private mutating func rollNatively() {
    guard let deployment else { return }
    let owned = sets.filter(\.value.owned).keys.sorted()
    if deployment.paused {
      let active = owned.filter { (sets[$0]?.replicas ?? 0) > 0 }
      if active.count == 1 {
        sets[active[0]]?.replicas = deployment.replicas
      } else if active.isEmpty, let newest = owned.max(by: { (sets[$0]?.number ?? 0) < (sets[$1]?.number ?? 0) }) {
        // The trap of releasing the active set before the history: an old revision is scaled up.
        sets[newest]?.replicas = deployment.replicas
      }
      return
    }
    let current = owned.first { sets[$0]?.template == deployment.template } ?? "web-\(deployment.template)"
    if sets[current] == nil {
      let number = (sets.values.compactMap(\.number).max() ?? 0) + 1
      sets[current] = ReplicaSet(
        template: deployment.template, hash: deployment.template, owned: true, replicas: 0, pods: 0, available: 0,
        number: number)
    }
    guard sets[current]?.owned == true else { return }
    sets[current]?.replicas = deployment.replicas
    if sets[current]?.available == deployment.replicas {
      for name in owned where name != current { sets[name]?.replicas = 0 }
    }
  }

  // MARK: - What people and Git do

  mutating func apply(template: String) {
    guard deployment?.template != template else { return }
    deployment?.template = template
    // The admission policy holds a managed Deployment in the same request.
    guard deployment?.managed == true, deployment?.paused != true || deployment?.heldBy != nil else { return }
    deployment?.paused = true
    if deployment?.heldBy == nil { deployment?.heldBy = "pending" }
  }

  /// The policy turns the end of a person's pause into a hold.
  mutating func resume() {
    if deployment?.managed != true {
      deployment?.paused = false
    } else if deployment?.heldBy == nil {
      deployment?.heldBy = ""
    }
  }

  // MARK: - What Sluice does

  mutating func carryOut(_ effect: Effect) {
    writes += 1
    switch effect {
    case .setTraffic(let target):
      self.target = target
      routedBy = place
      intact = true
      routeWriter = nil
      retired = false
    case .retireRouting:
      target = nil
      retired = true
    case .renderServices(let stable, let canary):
      service.stable = .some(stable)
      service.canary = .some(canary)
    case .deleteServices:
      service.stable = nil
      service.canary = nil
    case .pin(let hash): service.pin = hash
    case .unpin: service.pin = nil
    case .renderPolicies, .selectPods: break
    case .manage: deployment?.managed = true
    case .unmanage: deployment?.managed = false
    case .hold(let name):
      deployment?.paused = true
      deployment?.heldBy = name
    case .releaseHold:
      deployment?.paused = false
      deployment?.heldBy = nil
    case .createSet(let revision, let replicas):
      guard sets["web-\(revision)"] == nil else { return }
      sets["web-\(revision)"] = ReplicaSet(
        template: deployment?.template ?? revision, hash: revision, owned: false, replicas: replicas, pods: 0,
        available: 0)
    case .scale(let set, let replicas): sets[set]?.replicas = replicas
    case .releaseSets(let names): for name in names { sets[name]?.owned = false }
    case .adopt(let set, let number):
      sets[set]?.owned = true
      sets[set]?.number = number
    case .giveBack(let names): for name in names { sets[name]?.owned = true }
    case .markRejected(let set, let rejected): sets[set]?.rejected = rejected
    case .deleteSet(let name): sets[name] = nil
    case .createRun(let name, _): if !runs.contains(name) { runs.append(name) }
    case .dropRunFinalizer, .dropRolloutFinalizer: break
    case .announce(let announcement): if !news.contains(announcement) { news.append(announcement) }
    }
  }

  // MARK: - What is seen

  func observation(_ extra: (inout Observation) -> Void = { _ in }) -> Observation {
    var seen = Observation()
    if let deployment {
      seen.deployment = DeploymentView(
        replicas: deployment.replicas, paused: deployment.paused, heldBy: deployment.heldBy,
        managed: deployment.managed, revision: deployment.template, progressDeadline: .seconds(60),
        replicasWriter: ReplicasWriter(name: isAutoscaled ? "web" : "kubectl", isAutoscaler: isAutoscaled))
    }
    seen.sets = sets.sorted { $0.key < $1.key }.map { name, set in
      var view = SetView(
        name: name, hash: set.hash, owner: set.owned ? .deployment : .sluice,
        matchesTemplate: set.template == deployment?.template, replicas: set.replicas, pods: set.pods,
        available: set.available, number: set.number, rejected: set.rejected,
        trouble: set.available < set.replicas && broken.contains(set.template) ? "CrashLoopBackOff" : nil)
      if set.available < set.replicas, unschedulable.contains(set.template) {
        view.isUnschedulable = true
        view.trouble = "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."
      }
      return view
    }
    seen.services = [
      ServiceView(
        name: "web", pin: service.pin,
        stable: service.stable.map { ServiceView.Generated(hash: $0, ready: ready($0)) },
        canary: service.canary.map { ServiceView.Generated(hash: $0, ready: ready($0)) })
    ]
    seen.routing = target.map { .present(target: $0, intact: intact) } ?? .absent
    seen.routeWriter = routeWriter
    seen.routedBy = routedBy
    seen.routingIsRetired = retired
    // Nothing of it is Sluice's before the first weight, nor after it was given back.
    if isInPlace { seen.routingIsRetired = target == nil }
    extra(&seen)
    return seen
  }

  private func ready(_ hash: String?) -> [String: Int] {
    var ready: [String: Int] = [:]
    for set in sets.values where set.available > 0 && (hash == nil || hash == set.hash) {
      ready[set.hash, default: 0] += set.available
    }
    return ready
  }

  func facts(rollout: RolloutState, run: RunState?, escaped: Bool, podsWereLost: Bool) -> ClusterFacts {
    ClusterFacts(
      ready: ready(nil), stableSelects: service.stable ?? nil, canarySelects: service.canary ?? nil, target: target,
      replicas: deployment?.replicas ?? 0,
      owned: Dictionary(
        sets.values.filter(\.owned).map { ($0.hash, $0.replicas) }, uniquingKeysWith: +),
      sets: Dictionary(sets.values.map { ($0.hash, $0.replicas) }, uniquingKeysWith: +),
      rejected: Set(sets.values.filter(\.rejected).map(\.hash)), stable: rollout.stable?.hash,
      canary: run.flatMap { $0.stage.isFinished ? nil : $0.revision },
      isVerifiedAtFull: run?.verifiedAt != nil && target?.weight.value == 100, escaped: escaped,
      podsWereLost: podsWereLost)
  }
}
