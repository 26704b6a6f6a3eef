import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// A cluster that does at once what the engine asks of it, with pods that take their time to start: enough for a plan to
/// be tried without one.
struct ImaginedCluster: Sendable {
  static let stable = Revision(set: "imagined-stable", hash: "stable")
  static let revision = "canary"

  private struct PodSet: Sendable {
    var hash: String
    var isOwned: Bool
    var replicas: Int
    var number: Int?
    var rejected = false
    /// When pods of its present size are available.
    var readyAt: Date
    /// Pods that were available before.
    var before = 0

    func available(_ now: Date) -> Int { now >= readyAt ? replicas : min(before, replicas) }
  }

  private let replicas: Int
  private let podStart: Duration
  private let division: PodDivision?
  private var sets: [String: PodSet]
  private var deployment: DeploymentView
  private var services: [ServiceView]
  private(set) var target: TrafficTarget?

  init(plan: Plan, replicas: Int, podStart: Duration, now: Date) {
    self.replicas = replicas
    self.podStart = podStart
    division = plan.division
    sets = [
      Self.stable.set: PodSet(hash: Self.stable.hash, isOwned: true, replicas: replicas, number: 1, readyAt: now)
    ]
    deployment = DeploymentView(replicas: replicas, managed: true, revision: Self.revision)
    services = plan.services.map { ServiceView(name: $0.name) }
  }

  /// When the next pods are available, if any are on their way.
  func nextChange(after now: Date) -> Date? { sets.values.map(\.readyAt).filter { $0 > now }.min() }

  /// The available pods of each track.
  func pods(_ now: Date) -> [Track: Int] {
    var pods: [Track: Int] = [:]
    for set in sets.values {
      pods[set.hash == Self.stable.hash ? .stable : .canary, default: 0] += set.available(now)
    }
    return pods
  }

  mutating func carryOut(_ effect: Effect, now: Date) {
    switch effect {
    case .setTraffic(let target):
      self.target = target
      guard division == .bySelector else { return }
      for index in services.indices {
        services[index].pin = (target == .allToCanary ? services[index].canary : services[index].stable)?.hash
      }
    case .renderServices(let stable, let canary):
      for index in services.indices {
        services[index].stable = ServiceView.Generated(hash: stable)
        services[index].canary = ServiceView.Generated(hash: canary)
      }
    case .pin(let hash): for index in services.indices { services[index].pin = hash }
    case .unpin: for index in services.indices { services[index].pin = nil }
    case .manage: deployment.managed = true
    case .unmanage: deployment.managed = false
    case .hold(let name):
      deployment.paused = true
      deployment.heldBy = name
    case .releaseHold:
      deployment.paused = false
      deployment.heldBy = nil
    case .createSet(let revision, let replicas):
      guard sets[name(revision)] == nil else { return }
      sets[name(revision)] = PodSet(
        hash: revision, isOwned: false, replicas: replicas, readyAt: now.addingTimeInterval(podStart / .seconds(1)))
    case .scale(let name, let replicas): scale(name, to: replicas, now)
    case .releaseSets(let names): for name in names { sets[name]?.isOwned = false }
    case .adopt(let name, let number):
      sets[name]?.isOwned = true
      sets[name]?.number = number
    case .giveBack(let names): for name in names { sets[name]?.isOwned = true }
    case .markRejected(let name, let rejected): sets[name]?.rejected = rejected
    case .deleteSet(let name): sets[name] = nil
    case .retireRouting, .selectPods, .deleteServices, .renderPolicies, .createRun, .dropRunFinalizer,
      .dropRolloutFinalizer, .announce:
      break
    }
  }

  private func name(_ revision: String) -> String { "imagined-\(revision)" }

  private mutating func scale(_ name: String, to replicas: Int, _ now: Date) {
    guard var set = sets[name], set.replicas != replicas else { return }
    set.before = set.available(now)
    set.readyAt = replicas > set.before ? now.addingTimeInterval(podStart / .seconds(1)) : now
    set.replicas = replicas
    sets[name] = set
  }

  func observe(_ now: Date) -> Observation {
    var ready: [String: Int] = [:]
    for set in sets.values where set.available(now) > 0 { ready[set.hash, default: 0] += set.available(now) }
    let views = sets.sorted { $0.key < $1.key }.map { name, set in
      SetView(
        name: name, hash: set.hash, owner: set.isOwned ? .deployment : .sluice,
        matchesTemplate: set.hash == Self.revision, replicas: set.replicas, available: set.available(now),
        number: set.number, rejected: set.rejected)
    }
    func endpoints(_ hash: String?) -> [String: Int] { ready.filter { hash == nil || $0.key == hash } }
    let services = services.map { service in
      var view = ServiceView(
        name: service.name, pin: service.pin,
        stable: service.stable.map { ServiceView.Generated(hash: $0.hash, ready: endpoints($0.hash)) },
        canary: service.canary.map { ServiceView.Generated(hash: $0.hash, ready: endpoints($0.hash)) })
      view.ready = endpoints(service.pin)
      return view
    }
    return Observation(
      deployment: deployment, sets: views, services: services,
      routing: target.map { .present(target: $0, intact: true) } ?? .absent)
  }
}
