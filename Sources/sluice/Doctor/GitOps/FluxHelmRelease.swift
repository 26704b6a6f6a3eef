import KubernetesAPI
import RolloutAPI

/// A HelmRelease of Flux.
/// Source: helm-controller 1.6, api/v2/helmrelease_types.go.
struct FluxHelmRelease: ManifestApplier {
  static let group = "helm.toolkit.fluxcd.io"
  static let type = ResourceType(group: group, version: "v2", kind: "HelmRelease", plural: "helmreleases")

  let object: JSON

  /// - Returns: nil for one of another cluster, and for one that is suspended.
  init?(_ object: JSON) {
    guard object[path: ["spec", "kubeConfig"]] == nil, object[path: ["spec", "suspend"]]?.bool != true else {
      return nil
    }
    self.object = object
  }

  var title: String { "HelmRelease \(object.objectKey)" }
  var fieldManagers: Set<String> { ["helm-controller", "helm"] }

  func applies(_ name: ObjectName, _ live: JSON?) -> Bool {
    if let entries = FluxInventory.entries(of: object) { return entries.contains(name) }
    return live.map { FluxInventory.owner($0, Self.group) == object.objectKey } ?? false
  }

  private func spec(_ path: String...) -> JSON? { object[path: ["spec"] + path] }

  func problems(with rollout: GitOpsRollout) -> [GitOpsProblem] {
    var problems = waiting(rollout)
    // Server-side apply, the default of new releases, ignores it.
    if spec("upgrade", "force")?.bool == true, rollout.isPausedAtRest {
      problems.append(.replaced(by: "spec.upgrade.force"))
    }
    if let route = rollout.editedRoute, spec("driftDetection", "mode")?.string == "enabled", applies(route, nil),
      !FluxInventory.ignores(route, rules: spec("driftDetection", "ignore"))
    {
      problems.append(
        .contestedRoute(
          route, how: "corrects drift, and so writes", advice: "give it spec.driftDetection.ignore for that object"))
    }
    for name in FluxInventory.entries(of: object) ?? [] where rollout.generated[name] != nil {
      problems.append(.appliedToo(name, advice: "take it out of the chart"))
    }
    return problems
  }

  /// An upgrade that waits by kstatus waits for the end of a run, and gives up at its timeout.
  private func waiting(_ rollout: GitOpsRollout) -> [GitOpsProblem] {
    guard spec("upgrade", "disableWait")?.bool != true else { return [] }
    if spec("waitStrategy", "name")?.string == "legacy" {
      return [
        GitOpsProblem(
          verdict: .note,
          message: "takes a held Deployment for ready (waitStrategy legacy), and is Ready when a run has only begun",
          advice: "leave spec.waitStrategy out, or look at the Rollout for the outcome")
      ]
    }
    let timeout =
      (spec("upgrade", "timeout") ?? spec("timeout"))?.string.flatMap(FluxInventory.duration) ?? .seconds(300)
    guard let shortest = rollout.shortestRun, shortest < timeout else {
      return [tooShort(timeout, rollout.shortestRun)]
    }
    return []
  }

  private func tooShort(_ timeout: Duration, _ shortest: Duration?) -> GitOpsProblem {
    let run = shortest.map { "takes \($0.text) at the least" } ?? "waits for a person"
    let retries = spec("upgrade", "remediation", "retries")?.int ?? 0
    let last = spec("upgrade", "remediation", "remediateLastFailure")?.bool ?? (retries != 0)
    let advice = "set spec.upgrade.timeout longer than a run with its pauses, or spec.upgrade.disableWait: true"
    guard retries != 0 || last else {
      return GitOpsProblem(
        verdict: .note, message: "calls an upgrade failed after \(timeout.text), while a run \(run)", advice: advice)
    }
    let remedy = spec("upgrade", "remediation", "strategy")?.string ?? "rollback"
    return GitOpsProblem(
      verdict: .fault,
      message:
        "remedies an upgrade that is not done after \(timeout.text) (\(remedy)), and so ends a run, which \(run)",
      advice: advice)
  }
}
