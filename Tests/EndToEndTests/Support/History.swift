import KubernetesAPI
import Testing

/// What was true of a namespace at one moment of its history.
struct Moment {
  private(set) var objects: [String: JSON] = [:]

  mutating func take(_ version: ClusterRecord.Version) {
    objects["\(version.resource)/\(version.object.name)"] = version.isDeleted ? nil : version.object
  }

  func all(_ resource: String) -> [JSON] {
    objects.filter { $0.key.hasPrefix("\(resource)/") }.map(\.value)
  }

  func object(_ resource: String, _ name: String) -> JSON? { objects["\(resource)/\(name)"] }

  /// The ReplicaSets with pods that the Deployment owns.
  var ownedSetsWithPods: [String] {
    guard let owner = object("deployments.apps", "checkout")?.uid else { return [] }
    return all("replicasets.apps").filter { $0.controllerUID == owner && ($0.replicas ?? 0) > 0 }.map(\.name).sorted()
  }

  var canaryWeight: Int { all(Shop.virtualServices).map(\.canaryWeight).max() ?? gatewayWeight }
  private var gatewayWeight: Int {
    (object(Shop.httpRoutes, "checkout") ?? object(Shop.httpRoutes, "shop"))?.canaryWeight ?? 0
  }

  /// The ReplicaSet behind the canary's Service.
  var canarySet: JSON? {
    let hash = object("services", "checkout-canary")?.selector["pod-template-hash"]
    return all("replicasets.apps").first { $0.hash == hash && hash != nil }
  }
}

extension Shop {
  /// What must hold after every single write of a scenario, whatever else it is about; the first breach is told.
  func checkHistory(mayRollByItself: Bool = false) {
    var moment = Moment()
    for version in history() where version.resource != "events" {
      moment.take(version)
      if let breach = breach(version, moment, mayRollByItself) {
        Issue.record("\(namespace) at \(version.number), \(version.resource)/\(version.object.name): \(breach)")
        return
      }
    }
  }

  private func breach(
    _ version: ClusterRecord.Version, _ moment: Moment, _ mayRollByItself: Bool
  ) -> String? {
    if version.resource == Self.virtualServices, !version.isDeleted {
      for rule in version.object[path: ["spec", "http"]]?.array ?? [] where rule["route"] != nil {
        let sum = (rule["route"]?.array ?? []).map { $0["weight"]?.int ?? 100 }.reduce(0, +)
        if sum != 100 { return "the weights of rule \(rule["name"]?.string ?? "?") add up to \(sum)" }
      }
    }
    if version.resource == Self.httpRoutes, !version.isDeleted {
      for rule in version.object[path: ["spec", "rules"]]?.array ?? []
      where rule["backendRefs"]?.array?.count ?? 0 > 1 {
        let sum = (rule["backendRefs"]?.array ?? []).map { $0["weight"]?.int ?? 1 }.reduce(0, +)
        if sum != 100 { return "the weights of a rule add up to \(sum)" }
      }
    }
    let owned = moment.ownedSetsWithPods
    if owned.count > 1, !mayRollByItself { return "the Deployment owns two sets with pods: \(owned)" }
    if moment.canaryWeight > 0, (moment.canarySet?[path: ["status", "readyReplicas"]]?.int ?? 0) == 0 {
      return "weight \(moment.canaryWeight) goes to a canary without ready pods"
    }
    if version.resource == "rollouts.sluice.dev", version.object.isAlive,
      version.object.condition("Ready")?["status"]?.string == "True",
      moment.object("deployments.apps", "checkout")?.labels["sluice.dev/managed"] == nil
    {
      return "the Rollout is Ready, and yet nothing would hold a changed template"
    }
    return nil
  }

  /// The moments after each version that fits, the oldest first.
  func moments(_ isWanted: (ClusterRecord.Version, Moment) -> Bool) -> [Moment] {
    var moment = Moment()
    return history().compactMap { version in
      moment.take(version)
      return isWanted(version, moment) ? moment : nil
    }
  }

  /// The number of the first write that fits, after another one.
  func firstWrite(
    _ what: String, to resource: String, after start: Int = 0, sourceLocation: SourceLocation = #_sourceLocation,
    _ holds: (JSON) -> Bool
  ) throws -> Int {
    let version = history(resource).first { $0.number > start && !$0.isDeleted && holds($0.object) }
    return try #require(version, "never seen: \(what)", sourceLocation: sourceLocation).number
  }
}
