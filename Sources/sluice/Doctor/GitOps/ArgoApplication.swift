import KubernetesAPI

/// An Application of Argo CD.
/// Source: Argo CD 3.6, pkg/apis/application/v1alpha1/types.go, controller/state.go, util/argo/resource_tracking.go.
struct ArgoApplication: ManifestApplier {
  static let type = ResourceType(
    group: "argoproj.io", version: "v1alpha1", kind: "Application", plural: "applications")
  /// By which Argo CD knows what it applied, unless it is told otherwise: `<application>:<group>/<kind>:<namespace>/<name>`.
  static let trackingID = "argocd.argoproj.io/tracking-id"
  static let instance = "app.kubernetes.io/instance"
  private static let syncOptions = "argocd.argoproj.io/sync-options"
  private static let compareOptions = "argocd.argoproj.io/compare-options"

  let object: JSON
  /// Of Argo CD itself, `argocd-cm` and `argocd-cmd-params-cm` together; nil where they could not be read.
  let settings: [String: String]?

  /// - Returns: nil for an Application of another cluster.
  init?(_ object: JSON, settings: [String: String]?) {
    let destination = object[path: ["spec", "destination"]]
    let server = destination?["server"]?.string ?? ""
    let name = destination?["name"]?.string ?? ""
    guard server.isEmpty && name.isEmpty || server == "https://kubernetes.default.svc" || name == "in-cluster" else {
      return nil
    }
    self.object = object
    self.settings = settings
  }

  var title: String { "Application \(object.objectKey)" }
  var fieldManagers: Set<String> { ["argocd-controller"] }

  func applies(_ name: ObjectName, _ live: JSON?) -> Bool {
    guard !resources.isEmpty else { return isTracked(live, in: name.key.namespace) }
    return resources.contains { Self.name(of: $0) == name }
  }

  /// By the marks on an object, for an Application whose status says nothing.
  private func isTracked(_ live: JSON?, in namespace: String) -> Bool {
    guard let live else { return false }
    if let tracked = Self.trackedBy(live) { return tracked == object.name || tracked.hasSuffix("_\(object.name)") }
    return live.labels[settings?["application.instanceLabelKey"] ?? Self.instance] == object.name
      && object[path: ["spec", "destination", "namespace"]]?.string == namespace
  }

  /// The Application that an object says it is of: its name, after its namespace and `_` where that is not Argo CD's.
  static func trackedBy(_ live: JSON) -> String? {
    live.annotations[trackingID]?.split(separator: ":", maxSplits: 1).first.map(String.init)
  }

  private var resources: [JSON] { object[path: ["status", "resources"]]?.array ?? [] }

  private static func name(of resource: JSON) -> ObjectName {
    ObjectName(
      group: resource["group"]?.string ?? "", kind: resource["kind"]?.string ?? "",
      ObjectKey(namespace: resource["namespace"]?.string ?? "", name: resource["name"]?.string ?? ""))
  }

  func problems(with rollout: GitOpsRollout) -> [GitOpsProblem] {
    writing(rollout) + comparing(rollout) + pruning(rollout) + reading
  }

  // MARK: - How it writes

  private func writing(_ rollout: GitOpsRollout) -> [GitOpsProblem] {
    let replaces = has("Replace=true", rollout.deployment)
    if replaces, has("Force=true", rollout.deployment) {
      return [.recreated(rollout.workload, by: "sync options Force=true, Replace=true")]
    }
    return replaces && rollout.isPausedAtRest ? [.replaced(by: "sync option Replace=true")] : []
  }

  /// Whether a sync option is set, for the Application or for one of its objects.
  private func has(_ option: String, _ live: JSON?) -> Bool {
    let own = object[path: ["spec", "syncPolicy", "syncOptions"]]?.array?.compactMap(\.string) ?? []
    return own.contains(option) || Self.options(live, Self.syncOptions).contains(option)
  }

  private static func options(_ object: JSON?, _ annotation: String) -> [String] {
    (object?.annotations[annotation] ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }
  }

  private var healsItself: Bool {
    let automated = object[path: ["spec", "syncPolicy", "automated"]]
    return automated?["selfHeal"]?.bool == true && automated?["enabled"]?.bool != false
  }

  // MARK: - What it takes for a difference

  private func comparing(_ rollout: GitOpsRollout) -> [GitOpsProblem] {
    var problems: [GitOpsProblem] = []
    if let route = rollout.editedRoute, applies(route, nil) {
      if has("RespectIgnoreDifferences=true", nil), ignores(route) {
        problems.append(
          GitOpsProblem(
            verdict: .note,
            message:
              "puts the whole live list in Git's place for \(route) (sync option RespectIgnoreDifferences=true), so "
              + "that changes of its other rules in Git never arrive", advice: "take that sync option off",
            concernsAny: true))
      } else if healsItself, !ignores(route) {
        problems.append(
          .contestedRoute(
            route, how: "heals itself, and so writes", advice: "give it ignoreDifferences for that object"))
      }
    }
    let services = rollout.services.filter { applies($0, nil) && !ignores($0) }
    if rollout.isPinned, !services.isEmpty, has("ServerSideApply=true", nil), !comparesOnServer {
      problems.append(
        GitOpsProblem(
          verdict: .note,
          message: "compares without the server (sync option ServerSideApply=true), and so calls "
            + "\(services.map(\.description).joined(separator: ", ")) OutOfSync while a run pins it",
          advice: "annotate the Application with \(Self.compareOptions): ServerSideDiff=true", concernsAny: true))
    }
    return problems
  }

  private var comparesOnServer: Bool {
    let options = Self.options(object, Self.compareOptions)
    if options.contains("ServerSideDiff=false") { return false }
    return options.contains("ServerSideDiff=true") || settings?["controller.diff.server.side"] == "true"
  }

  private func ignores(_ name: ObjectName) -> Bool {
    let kind = "\(name.group.isEmpty ? "" : "\(name.group)_")\(name.kind)"
    if settings?["resource.customizations.ignoreDifferences.\(kind)"] != nil { return true }
    return (object[path: ["spec", "ignoreDifferences"]]?.array ?? []).contains { rule in
      func fits(_ field: String, _ value: String, isPattern: Bool) -> Bool {
        let wanted = rule[field]?.string ?? ""
        return wanted == value || wanted == "*" && isPattern || wanted.isEmpty && !isPattern
      }
      return fits("group", name.group, isPattern: true) && fits("kind", name.kind, isPattern: true)
        && fits("name", name.key.name, isPattern: false) && fits("namespace", name.key.namespace, isPattern: false)
    }
  }

  // MARK: - What it would delete

  private func pruning(_ rollout: GitOpsRollout) -> [GitOpsProblem] {
    resources.compactMap { resource in
      let name = Self.name(of: resource)
      guard let live = rollout.generated[name] else { return nil }
      if resource["requiresPruning"]?.bool != true {
        return .appliedToo(name, advice: "take it out of Git")
      }
      let isKept = ["Prune=false", "Prune=confirm"].contains { has($0, live) }
      return isKept
        ? nil
        : GitOpsProblem(
          verdict: .fault, message: "deletes \(name) when it prunes, and with it what carries traffic",
          advice: "annotate that object: \(Self.syncOptions): Prune=false", concernsAny: true)
    }
  }

  // MARK: - How it reads health

  private var reading: [GitOpsProblem] {
    guard let settings else { return [] }
    let missing = ["sluice.dev_Rollout", "apps_Deployment"].filter {
      settings["resource.customizations.health.\($0)"] == nil && settings["resource.customizations"] == nil
    }
    guard !missing.isEmpty else { return [] }
    return [
      GitOpsProblem(
        verdict: .note,
        message: "cannot tell how a run goes: Argo CD has no health check of \(missing.joined(separator: " and "))",
        advice: "add the component deploy/gitops/argocd to the kustomization that installs Argo CD")
    ]
  }
}
