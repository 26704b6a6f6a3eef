import KubernetesAPI

/// How the GitOps tools of a cluster get on with the Rollouts there.
struct GitOpsDiagnosis: Sendable {
  var rollouts: [GitOpsRollout]
  var appliers: [any ManifestApplier]
  /// The kinds of tools' objects that could not be listed, and those that are served.
  var unread: [String] = []
  var served: [String] = []

  private static let subject = "gitops"
  /// Rollouts that a sentence names.
  private static let named = 3

  var findings: [Finding] {
    var findings: [Finding] = []
    var fine: [ObjectKey] = []
    var titles: Set<String> = []
    var problems: [String: (problem: GitOpsProblem, title: String, rollouts: [ObjectKey])] = [:]
    var order: [String] = []
    for rollout in rollouts {
      let holders = appliers.filter { $0.applies(rollout.workload, rollout.deployment) }
      titles.formUnion(holders.map(\.title))
      // What is Sluice's may have come into another object's inventory.
      let found = appliers.flatMap { applier in
        let isHolder = holders.contains { $0.title == applier.title }
        return (applier.problems(with: rollout) + Self.pause(applier, rollout)).filter { isHolder || $0.concernsAny }
          .map { (applier.title, $0) }
      }
      if found.isEmpty, !holders.isEmpty { fine.append(rollout.rollout) }
      for (title, problem) in found {
        let key = "\(title)\n\(problem.message)\n\(problem.advice)"
        if problems[key] == nil { order.append(key) }
        problems[key, default: (problem, title, [])].rollouts.append(rollout.rollout)
      }
      if holders.isEmpty, let finding = Self.unseen(rollout) { findings.append(finding) }
    }
    let told = order.compactMap { problems[$0] }.map { entry in
      Finding(
        subject: Self.subject, verdict: entry.problem.verdict,
        message: "\(entry.title) \(entry.problem.message) (\(Self.list(entry.rollouts)))", advice: entry.problem.advice)
    }
    findings = told + findings
    if !unread.isEmpty {
      findings.append(
        Finding(
          subject: Self.subject, verdict: .note,
          message: "you may not list \(unread.joined(separator: ", ")), so that they were not looked at",
          advice: "run it as somebody who may read them"))
    }
    if !fine.isEmpty || findings.isEmpty, let finding = whole(fine, titles) { findings.append(finding) }
    return findings
  }

  private func whole(_ fine: [ObjectKey], _ titles: Set<String>) -> Finding? {
    if !fine.isEmpty {
      let names = titles.sorted()
      let rest = names.count > Self.named ? " and \(names.count - Self.named) more" : ""
      return Finding(
        subject: Self.subject, verdict: .fine,
        message: "applied as deploy/gitops asks: \(Self.list(fine)), by "
          + names.prefix(Self.named).joined(separator: ", ") + rest)
    }
    guard titles.isEmpty else { return nil }
    return Finding(
      subject: Self.subject, verdict: .fine,
      message: served.isEmpty
        ? "neither Argo CD's nor Flux's kinds are served"
        : "no \(served.joined(separator: ", no ")) applies the Deployment of a Rollout")
  }

  private static func list(_ rollouts: [ObjectKey]) -> String {
    let names = Set(rollouts.map(\.description)).sorted()
    let rest = names.count > named ? " and \(names.count - named) more" : ""
    return "\(names.count == 1 ? "Rollout" : "Rollouts") \(names.prefix(named).joined(separator: ", "))\(rest)"
  }

  /// A manifest that says `paused`, by the ownership of the field: also `paused: false`, which is not stored.
  private static func pause(_ applier: any ManifestApplier, _ rollout: GitOpsRollout) -> [GitOpsProblem] {
    let entries = rollout.deployment[path: ["metadata", "managedFields"]]?.array ?? []
    let isSet = entries.contains { entry in
      applier.fieldManagers.contains(entry["manager"]?.string ?? "")
        && entry[path: ["fieldsV1", "f:spec", "f:paused"]] != nil
    }
    guard isSet else { return [] }
    return [
      GitOpsProblem(
        verdict: rollout.isPausedAtRest ? .fault : .note,
        message: "sets spec.paused of \(rollout.workload), which is Sluice's to write",
        advice: "leave spec.paused out of the manifest")
    ]
  }

  /// A Deployment with the marks of a tool whose object is not in this cluster, or not to be read.
  private static func unseen(_ rollout: GitOpsRollout) -> Finding? {
    let live = rollout.deployment
    let holder =
      ArgoApplication.trackedBy(live).map { "Argo CD's Application \($0)" }
      ?? FluxInventory.owner(live, FluxKustomization.group).map { "Flux's Kustomization \($0)" }
      ?? FluxInventory.owner(live, FluxHelmRelease.group).map { "Flux's HelmRelease \($0)" }
    guard let holder else { return nil }
    return Finding(
      subject: subject, verdict: .note,
      message:
        "\(rollout.workload) says that it is of \(holder), which was not found here (\(list([rollout.rollout])))",
      advice: "look at its settings where it is: deploy/gitops/README.md")
  }
}
