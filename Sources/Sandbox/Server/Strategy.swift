import Foundation
import KubernetesAPI

/// What the built-in kinds do of their own when they are written or deleted.
enum Strategy {
  static let customResourceCleanup = DefinitionStatus.cleanupFinalizer

  /// Before a new object is validated.
  /// - Parameter allocate: gives a cluster IP that is free.
  static func prepareForCreate(
    _ object: inout JSON, _ call: Call, in state: StoreState, allocate: () -> String
  ) throws(Status) {
    if call.kind.isCustom {
      if call.kind.hasStatusSubresource { object["status"] = nil }
      return
    }
    switch (call.type.group, call.type.plural) {
    case ("apps", "deployments"), ("batch", "cronjobs"), ("", "resourcequotas"),
      ("admissionregistration.k8s.io", "validatingadmissionpolicies"):
      object["status"] = [:]
    case ("policy", "poddisruptionbudgets"):
      object["status"] = ["disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0]
    case ("autoscaling", "horizontalpodautoscalers"):
      object["status"] =
        call.type.version == "v1"
        ? ["currentReplicas": 0, "desiredReplicas": 0] : ["desiredReplicas": 0, "currentMetrics": .null]
    case ("apps", "replicasets"):
      object["status"] = ["replicas": 0]
    case ("", "services"):
      object["status"] = ["loadBalancer": [:]]
      prepareService(&object, allocate: allocate)
    case ("batch", "jobs"):
      object["status"] = [:]
      prepareJob(&object)
    case ("networking.k8s.io", "ingresses"):
      object["status"] = ["loadBalancer": [:]]
    case ("", "namespaces"):
      object["spec"] = ["finalizers": ["kubernetes"]]
      object["status"] = ["phase": "Active"]
    case ("", "pods"):
      preparePod(&object)
    case ("apiextensions.k8s.io", "customresourcedefinitions"):
      object["status"] = DefinitionStatus.initial(object)
    default: break
    }
  }

  /// Before a changed object is validated: each of the main resource and its subresources takes its own part only.
  static func prepareForUpdate(_ object: inout JSON, old: JSON, _ call: Call) throws(Status) {
    let isStatus = call.target.subresource == "status"
    if call.kind.isCustom {
      guard call.kind.hasStatusSubresource else { return }
      if isStatus {
        let managed = object[path: ["metadata", "managedFields"]]
        let version = object[path: ["metadata", "resourceVersion"]]
        let status = object["status"]
        object = old
        object["status"] = status
        object[path: ["metadata", "managedFields"]] = managed
        object[path: ["metadata", "resourceVersion"]] = version
      } else if call.target.subresource.isEmpty {
        object["status"] = old["status"]
      }
      return
    }
    switch (call.type.group, call.type.plural) {
    case ("apps", "deployments") where isStatus:
      object["spec"] = old["spec"]
      object[path: ["metadata", "labels"]] = old[path: ["metadata", "labels"]]
    case ("", "pods") where isStatus:
      object["spec"] = old["spec"]
      object[path: ["metadata", "ownerReferences"]] = old[path: ["metadata", "ownerReferences"]]
    case ("apiextensions.k8s.io", "customresourcedefinitions") where isStatus:
      let status = object["status"]
      let managed = object[path: ["metadata", "managedFields"]]
      object = old
      object["status"] = status
      object[path: ["metadata", "managedFields"]] = managed
    case ("apiextensions.k8s.io", "customresourcedefinitions"):
      object["status"] = old["status"]
    case _ where isStatus:
      object["spec"] = old["spec"]
    case ("", "namespaces"):
      if call.target.subresource != "finalize" {
        object[path: ["spec", "finalizers"]] = old[path: ["spec", "finalizers"]]
      }
      object["status"] = old["status"]
      object[path: ["metadata", "labels", "kubernetes.io/metadata.name"]] = .string(old.name)
    case ("", "services"):
      object["status"] = old["status"]
      keepServiceAllocations(&object, old: old)
    default:
      if call.kind.hasStatusSubresource { object["status"] = old["status"] }
    }
  }

  // MARK: Services

  private static func prepareService(_ object: inout JSON, allocate: () -> String) {
    var spec = object["spec"] ?? .emptyObject
    defer { object["spec"] = spec }
    guard spec["type"]?.string != "ExternalName" else { return }
    var address = spec["clusterIP"]?.string ?? ""
    if address.isEmpty { address = spec["clusterIPs"]?[0]?.string ?? "" }
    if address.isEmpty { address = allocate() }
    spec["clusterIP"] = .string(address)
    if (spec["clusterIPs"]?.array ?? []).isEmpty { spec["clusterIPs"] = [.string(address)] }
    if (spec["ipFamilies"]?.array ?? []).isEmpty { spec["ipFamilies"] = ["IPv4"] }
    if spec["ipFamilyPolicy"] == nil { spec["ipFamilyPolicy"] = "SingleStack" }
  }

  private static func keepServiceAllocations(_ object: inout JSON, old: JSON) {
    var spec = object["spec"] ?? .emptyObject
    defer { object["spec"] = spec }
    guard let before = old["spec"] else { return }
    if spec["type"]?.string == "ExternalName" {
      if before["type"]?.string != "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
        where spec[field] == before[field] {
          spec[field] = nil
        }
      }
      return
    }
    if (spec["clusterIP"]?.string ?? "").isEmpty, (spec["clusterIPs"]?.array ?? []).isEmpty {
      spec["clusterIP"] = before["clusterIP"]
      spec["clusterIPs"] = before["clusterIPs"]
    } else if spec["clusterIP"] != before["clusterIP"], spec["clusterIPs"] == before["clusterIPs"],
      let address = spec["clusterIP"]
    {
      // The old field was changed: the list follows.
      spec["clusterIPs"] = [address]
    } else if spec["clusterIPs"] == nil, let address = spec["clusterIP"] {
      spec["clusterIPs"] = [address]
    }
    for field in ["ipFamilies", "ipFamilyPolicy"] where spec[field] == nil { spec[field] = before[field] }
  }

  // MARK: Jobs

  /// The labels and the selector by which a Job knows its pods, unless somebody chose them.
  private static func prepareJob(_ object: inout JSON) {
    guard object[path: ["spec", "manualSelector"]]?.bool != true else { return }
    let labels = [
      "batch.kubernetes.io/controller-uid": object.uid, "batch.kubernetes.io/job-name": object.name,
      "controller-uid": object.uid, "job-name": object.name,
    ]
    for (label, value) in labels {
      object[path: ["spec", "template", "metadata", "labels", label]] = .string(value)
    }
    object[path: ["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"]] = .string(object.uid)
  }

  // MARK: Pods

  /// What the admission plugins Priority and DefaultTolerationSeconds add, and the first status.
  private static func preparePod(_ object: inout JSON) {
    var spec = object["spec"] ?? .emptyObject
    if spec["priority"] == nil { spec["priority"] = 0 }
    if spec["preemptionPolicy"] == nil { spec["preemptionPolicy"] = "PreemptLowerPriority" }
    var tolerations = spec["tolerations"]?.array ?? []
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
      let isCovered = tolerations.contains { toleration in
        let effect = toleration["effect"]?.string ?? ""
        let name = toleration["key"]?.string ?? ""
        return (name == key || name.isEmpty) && (effect == "NoExecute" || effect.isEmpty)
      }
      guard !isCovered else { continue }
      tolerations.append(
        ["key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300])
    }
    spec["tolerations"] = .array(tolerations)
    object["spec"] = spec
    object["status"] = ["phase": "Pending", "qosClass": .string(qualityOfService(spec))]
  }

  /// `Guaranteed` where all containers limit CPU and memory to what they request, `BestEffort` where none says
  /// anything, else `Burstable`.
  private static func qualityOfService(_ spec: JSON) -> String {
    let containers = (spec["containers"]?.array ?? []) + (spec["initContainers"]?.array ?? [])
    let resources = containers.map { $0["resources"] ?? .emptyObject }
    if resources.allSatisfy({ ($0["requests"]?.object ?? [:]).isEmpty && ($0["limits"]?.object ?? [:]).isEmpty }) {
      return "BestEffort"
    }
    let isGuaranteed = resources.allSatisfy { resource in
      ["cpu", "memory"].allSatisfy { name in
        let limit = resource[path: ["limits", name]]
        return limit != nil && (resource[path: ["requests", name]] ?? limit) == limit
      }
    }
    return isGuaranteed ? "Guaranteed" : "Burstable"
  }

  // MARK: Deletion

  /// Whether a deletion at once is answered with the object rather than with a `Status`.
  static func returnsDeletedObject(_ type: ResourceType) -> Bool {
    [
      "pods", "services", "serviceaccounts", "persistentvolumeclaims", "persistentvolumes", "podtemplates",
      "resourcequotas",
    ].contains(type.plural) && type.group.isEmpty
  }

  /// The finalizers that a propagation policy asks for; without one they stay as they are.
  static func markFinalizers(_ object: inout JSON, _ propagation: DeletionPropagation?, _ kind: ServedKind) {
    var finalizers = object.finalizers
    if let propagation {
      finalizers.removeAll { $0 == "orphan" || $0 == "foregroundDeletion" }
      switch propagation {
      case .orphan: finalizers.append("orphan")
      case .foreground: finalizers.append("foregroundDeletion")
      case .background: break
      }
    }
    if isDefinition(kind), !finalizers.contains(customResourceCleanup) { finalizers.append(customResourceCleanup) }
    if finalizers != object.finalizers {
      object[path: ["metadata", "finalizers"]] = finalizers.isEmpty ? nil : .array(finalizers.map(JSON.string))
    }
  }

  /// Seconds that an object is left after its deletion: pods that are on a node.
  static func gracePeriod(_ object: JSON, _ options: DeleteOptions, _ kind: ServedKind) -> Int {
    guard kind.type == .pods else { return 0 }
    let phase = object[path: ["status", "phase"]]?.string
    guard !(object[path: ["spec", "nodeName"]]?.string ?? "").isEmpty, phase != "Succeeded", phase != "Failed" else {
      return 0
    }
    return options.gracePeriodSeconds ?? object[path: ["spec", "terminationGracePeriodSeconds"]]?.int ?? 30
  }

  /// A namespace is held by finalizers in its spec.
  static func isHeldWithoutFinalizers(_ object: JSON, _ kind: ServedKind) -> Bool {
    kind.type == .namespaces && !(object[path: ["spec", "finalizers"]]?.array ?? []).isEmpty
  }

  static func isDefinition(_ kind: ServedKind) -> Bool {
    kind.type.group == "apiextensions.k8s.io" && kind.type.plural == "customresourcedefinitions"
  }

  /// Namespaces and definitions are marked by their own code, which writes less.
  static func hasGracePeriodField(_ kind: ServedKind) -> Bool { kind.type != .namespaces && !isDefinition(kind) }

  static func countsDeletion(_ kind: ServedKind) -> Bool { hasGracePeriodField(kind) }

  static func markTerminating(_ object: inout JSON, _ kind: ServedKind, now: Date) {
    if kind.type == .namespaces { object[path: ["status", "phase"]] = "Terminating" }
    if isDefinition(kind) { object = DefinitionStatus.terminating(object, now: Timestamp(now)) }
  }
}

extension APIServer {
  /// An address of 10.96.0.0/16 that no Service has.
  func clusterIP(in state: StoreState) -> String {
    let start = Int(randomNumber() % 65_000)
    for offset in 0..<65_000 {
      let number = 10 + (start + offset) % 65_000
      let address = "10.96.\(number / 256).\(number % 256)"
      if !state.hasService(at: address) { return address }
    }
    return "None"
  }
}
