import KubernetesAPI
import RolloutAPI

/// A Kustomization of Flux.
/// Source: kustomize-controller 1.9, api/v1/kustomization_types.go, inventory_types.go.
struct FluxKustomization: ManifestApplier {
  static let group = "kustomize.toolkit.fluxcd.io"
  static let type = ResourceType(group: group, version: "v1", kind: "Kustomization", plural: "kustomizations")

  let object: JSON

  /// - Returns: nil for one of another cluster, and for one that is suspended.
  init?(_ object: JSON) {
    guard object[path: ["spec", "kubeConfig"]] == nil, object[path: ["spec", "suspend"]]?.bool != true else {
      return nil
    }
    self.object = object
  }

  var title: String { "Kustomization \(object.objectKey)" }
  var fieldManagers: Set<String> { ["kustomize-controller"] }

  func applies(_ name: ObjectName, _ live: JSON?) -> Bool {
    if let entries = FluxInventory.entries(of: object) { return entries.contains(name) }
    return live.map { FluxInventory.owner($0, Self.group) == object.objectKey } ?? false
  }

  func problems(with rollout: GitOpsRollout) -> [GitOpsProblem] {
    var problems: [GitOpsProblem] = []
    let isForced = rollout.deployment.annotations["\(Self.group)/force"] == "enabled"
    if isForced || object[path: ["spec", "force"]]?.bool == true {
      problems.append(
        GitOpsProblem(
          verdict: .note,
          message:
            "deletes an object and creates it anew where a field changes that cannot be changed, as a Deployment's "
            + "selector (\(isForced ? "annotation \(Self.group)/force" : "spec.force")): all pods go at once",
          advice: "take that setting off what serves"))
    }
    problems += health(rollout)
    if let route = rollout.editedRoute, applies(route, nil), !ignores(route), let interval, interval < .seconds(100) {
      problems.append(
        .contestedRoute(
          route, how: "writes",
          advice: "raise spec.interval to two minutes at the least, or give it spec.ignore for that object"))
    }
    for name in FluxInventory.entries(of: object) ?? [] {
      guard rollout.generated[name] != nil else { continue }
      problems.append(
        .appliedToo(
          name, advice: "take it out of Git, after an annotation for it was applied: \(Self.group)/prune: disabled"))
    }
    return problems
  }

  private func health(_ rollout: GitOpsRollout) -> [GitOpsProblem] {
    if object[path: ["spec", "wait"]]?.bool == true {
      return [
        GitOpsProblem(
          verdict: .note,
          message:
            "waits for every object (spec.wait), also for the Deployment, which stays InProgress after an abort until "
            + "Git changes", advice: "leave spec.wait out, and name the Rollout in spec.healthChecks")
      ]
    }
    let isWatched = (object[path: ["spec", "healthChecks"]]?.array ?? []).contains {
      $0["kind"]?.string == "Rollout" && $0["name"]?.string == rollout.rollout.name
    }
    guard isWatched, let timeout = duration("timeout") ?? interval, timeout < rollout.shortestRun ?? timeout else {
      return []
    }
    return [
      GitOpsProblem(
        verdict: .note,
        message:
          "gives up after \(timeout.text) on a run that takes \((rollout.shortestRun ?? timeout).text) at the least",
        advice: "set spec.timeout longer than a run with its pauses")
    ]
  }

  private var interval: Duration? { duration("interval") }

  private func duration(_ field: String) -> Duration? {
    object[path: ["spec", field]]?.string.flatMap(FluxInventory.duration)
  }

  private func ignores(_ name: ObjectName) -> Bool {
    FluxInventory.ignores(name, rules: object[path: ["spec", "ignore"]])
  }
}

/// What Flux's kinds have in common.
enum FluxInventory {
  /// What is applied, `<namespace>_<name>_<group>_<kind>` each; nil where the object has no inventory.
  static func entries(of object: JSON) -> [ObjectName]? {
    object[path: ["status", "inventory", "entries"]]?.array?.compactMap { entry in
      let parts = (entry["id"]?.string ?? "").split(separator: "_", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 4 else { return nil }
      // Colons of RBAC names are written as two underscores there, in kinds that are none of ours.
      return ObjectName(group: parts[2], kind: parts[3], ObjectKey(namespace: parts[0], name: parts[1]))
    }
  }

  /// Whose object this is by its labels.
  static func owner(_ live: JSON, _ group: String) -> ObjectKey? {
    guard let name = live.labels["\(group)/name"], let namespace = live.labels["\(group)/namespace"] else { return nil }
    return ObjectKey(namespace: namespace, name: name)
  }

  /// Whether rules of `ignore` say anything of an object.
  static func ignores(_ name: ObjectName, rules: JSON?) -> Bool {
    (rules?.array ?? []).contains { rule in
      guard let target = rule["target"] else { return true }
      let fields = [
        ("group", name.group), ("kind", name.kind), ("name", name.key.name), ("namespace", name.key.namespace),
      ]
      return fields.allSatisfy { field, value in
        let wanted = target[field]?.string ?? ""
        return wanted.isEmpty || wanted == value || value.wholeMatches(wanted)
      }
    }
  }

  /// Go's form of a duration, as far as Flux's own pattern lets it: `1h30m`, `90s`, `1.5m`.
  static func duration(_ text: String) -> Duration? {
    var total = Duration.zero
    var rest = Substring(text)
    let units: [(String, Duration)] = [
      ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3600)),
    ]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isNumber || $0 == "." }
      guard let number = Double(digits) else { return nil }
      rest = rest.dropFirst(digits.count)
      guard let (unit, size) = units.first(where: { rest.hasPrefix($0.0) }) else { return nil }
      total += size * number
      rest = rest.dropFirst(unit.count)
    }
    return total
  }
}

extension String {
  /// Whether a regular expression of Flux's selectors matches all of this; false for one that cannot be read.
  fileprivate func wholeMatches(_ pattern: String) -> Bool {
    guard let expression = try? Regex(pattern) else { return false }
    return wholeMatch(of: expression) != nil
  }
}
