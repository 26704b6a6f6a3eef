import KubernetesAPI

/// Deployments and other sets of pods.
enum WorkloadValidation {
  private static let template = "spec.template"

  static func deployment(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    var causes = Validation.notNegative(spec["replicas"], at: "spec.replicas")
    causes += selectorAndTemplate(spec, old: old)
    causes += strategy(spec["strategy"] ?? .emptyObject)
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
      causes += Validation.notNegative(spec[field], at: "spec.\(field)")
    }
    if let deadline = spec["progressDeadlineSeconds"]?.int {
      causes += Validation.notNegative(spec["progressDeadlineSeconds"], at: "spec.progressDeadlineSeconds")
      if deadline <= spec["minReadySeconds"]?.int ?? 0 {
        causes.append(
          .invalid("spec.progressDeadlineSeconds", JSON(deadline), "must be greater than minReadySeconds"))
      }
    }
    return causes
  }

  static func replicaSet(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    Validation.notNegative(spec["replicas"], at: "spec.replicas")
      + Validation.notNegative(spec["minReadySeconds"], at: "spec.minReadySeconds")
      + selectorAndTemplate(spec, old: old)
  }

  static func set(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    Validation.notNegative(spec["replicas"], at: "spec.replicas") + selectorAndTemplate(spec, old: old)
  }

  private static func selectorAndTemplate(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let selector = spec["selector"].flatMap { $0.isNull ? nil : $0 }
    if let old, old["selector"] != spec["selector"] {
      causes.append(
        .init(
          reason: "FieldValueInvalid", message: "Invalid value: \(spec["selector"] ?? .null): field is immutable",
          field: "spec.selector"))
    }
    if let selector {
      causes += MetaValidation.selector(selector, at: "spec.selector")
      if (selector["matchLabels"]?.object ?? [:]).isEmpty, (selector["matchExpressions"]?.array ?? []).isEmpty {
        causes.append(.invalid("spec.selector", selector, "empty selector is invalid for deployment"))
      }
    } else {
      causes.append(.required("spec.selector"))
    }
    let template = spec["template"] ?? .emptyObject
    let labels = template.labels
    let matches = selector.flatMap { try? $0.decode(KubernetesAPI.LabelSelector.self) }?.matches(labels) ?? false
    if !matches {
      causes.append(
        .init(
          reason: "FieldValueInvalid",
          message: "Invalid value: \(JSON(labels)): `selector` does not match template `labels`",
          field: "\(Self.template).metadata.labels"))
    }
    causes += MetaValidation.labels(labels, at: "\(Self.template).metadata.labels")
    let podSpec = template["spec"] ?? .emptyObject
    causes += PodValidation.spec(podSpec, at: "\(Self.template).spec")
    if let policy = podSpec["restartPolicy"]?.string, policy != "Always" {
      causes.append(.notSupported("\(Self.template).spec.restartPolicy", .string(policy), among: ["Always"]))
    }
    return causes
  }

  private static func strategy(_ strategy: JSON) -> [Status.Cause] {
    let field = "spec.strategy"
    let update = strategy["rollingUpdate"]
    switch strategy["type"]?.string {
    case "Recreate":
      guard update != nil else { return [] }
      return [.forbidden("\(field).rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    case "RollingUpdate":
      guard let update else {
        return [.required("\(field).rollingUpdate", "this should be defaulted and never be nil")]
      }
      var causes: [Status.Cause] = []
      for name in ["maxUnavailable", "maxSurge"] {
        causes += Validation.countOrPercent(update[name], at: "\(field).rollingUpdate.\(name)")
      }
      func isNothing(_ value: JSON?) -> Bool { value == 0 || value == "0%" }
      if isNothing(update["maxUnavailable"]), isNothing(update["maxSurge"]) {
        causes.append(
          .invalid(
            "\(field).rollingUpdate.maxUnavailable", update["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
      }
      return causes
    default:
      return [.notSupported(field, strategy, among: ["Recreate", "RollingUpdate"])]
    }
  }
}

/// Pods and pod templates.
enum PodValidation {
  static func pod(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    var causes = Self.spec(spec, at: "spec")
    guard let old else { return causes }
    if mutable(removedFrom: old) != mutable(removedFrom: spec) {
      causes.append(
        .forbidden(
          "spec",
          "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"))
    }
    return causes
  }

  /// A pod's spec without what may change after its creation.
  private static func mutable(removedFrom spec: JSON) -> JSON {
    var spec = spec
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"] {
      spec[field] = nil
    }
    // Binding sets the node.
    spec["nodeName"] = nil
    for list in ["containers", "initContainers"] {
      guard let containers = spec[list]?.array else { continue }
      spec[list] = .array(
        containers.map { container in
          var container = container
          container["image"] = nil
          return container
        })
    }
    return spec
  }

  static func spec(_ spec: JSON, at field: String) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let volumes = spec["volumes"]?.array ?? []
    causes += self.volumes(volumes, at: "\(field).volumes")
    let known = Set(volumes.compactMap { $0["name"]?.string })
    let containers = spec["containers"]?.array ?? []
    if containers.isEmpty { causes.append(.required("\(field).containers")) }
    var names: Set<String> = []
    for list in ["initContainers", "containers"] {
      for (index, container) in (spec[list]?.array ?? []).enumerated() {
        let place = "\(field).\(list)[\(index)]"
        causes += self.container(container, at: place, volumes: known)
        if let name = container["name"], !(name.string ?? "").isEmpty, !names.insert(name.string ?? "").inserted {
          causes.append(.duplicate("\(place).name", name))
        }
      }
    }
    for (name, allowed) in enumerations where spec[name] != nil {
      guard let value = spec[name], !allowed.contains(value) else { continue }
      causes.append(.notSupported("\(field).\(name)", value, among: allowed))
    }
    causes += Validation.notNegative(
      spec["terminationGracePeriodSeconds"], at: "\(field).terminationGracePeriodSeconds")
    if let account = spec["serviceAccountName"]?.string, let fault = Names.subdomainFault(account) {
      causes.append(.invalid("\(field).serviceAccountName", .string(account), fault))
    }
    causes += MetaValidation.labels(spec["nodeSelector"]?.strings ?? [:], at: "\(field).nodeSelector")
    return causes
  }

  private static let enumerations: [(String, [JSON])] = [
    ("restartPolicy", ["Always", "OnFailure", "Never"]),
    ("dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
  ]

  private static func volumes(_ volumes: [JSON], at field: String) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    var names: Set<JSON> = []
    for (index, volume) in volumes.enumerated() {
      let place = "\(field)[\(index)]"
      let name = volume["name"]?.string ?? ""
      if name.isEmpty {
        causes.append(.required("\(place).name"))
      } else if let fault = Names.labelFault(name) {
        causes.append(.invalid("\(place).name", .string(name), fault))
      } else if !names.insert(.string(name)).inserted {
        causes.append(.duplicate("\(place).name", .string(name)))
      }
      let sources = sourceOrder.filter { volume[$0] != nil }
      for extra in sources.dropFirst() {
        causes.append(.forbidden("\(place).\(extra)", "may not specify more than 1 volume type"))
      }
    }
    return causes
  }

  /// The first source that a volume has is the one that counts, in this order.
  private static let sourceOrder =
    ["emptyDir", "hostPath", "gitRepo"]
    + VolumeSchemas.sources.keys.sorted().filter { !["emptyDir", "hostPath", "gitRepo"].contains($0) }

  private static func container(_ container: JSON, at field: String, volumes: Set<String>) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let name = container["name"]?.string ?? ""
    if name.isEmpty {
      causes.append(.required("\(field).name"))
    } else if let fault = Names.labelFault(name) {
      causes.append(.invalid("\(field).name", .string(name), fault))
    }
    if (container["image"]?.string ?? "").isEmpty { causes.append(.required("\(field).image")) }
    var portNames: Set<String> = []
    for (index, port) in (container["ports"]?.array ?? []).enumerated() {
      let place = "\(field).ports[\(index)]"
      if let name = port["name"]?.string {
        if let fault = Names.portNameFault(name) {
          causes.append(.invalid("\(place).name", .string(name), fault))
        } else if !portNames.insert(name).inserted {
          causes.append(.duplicate("\(place).name", .string(name)))
        }
      }
      let number = port["containerPort"]?.int ?? 0
      if number == 0 {
        causes.append(.required("\(place).containerPort"))
      } else if !Names.isPort(number) {
        causes.append(.invalid("\(place).containerPort", JSON(number), Names.portRange))
      }
      if let value = port["protocol"], !ServiceValidation.protocols.contains(value) {
        causes.append(.notSupported("\(place).protocol", value, among: ServiceValidation.protocols))
      }
    }
    for (index, variable) in (container["env"]?.array ?? []).enumerated() {
      let place = "\(field).env[\(index)]"
      if (variable["name"]?.string ?? "").isEmpty { causes.append(.required("\(place).name")) }
      if !(variable["value"]?.string ?? "").isEmpty, variable["valueFrom"] != nil {
        causes.append(.invalid("\(place).valueFrom", "", "may not be specified when `value` is not empty"))
      }
    }
    for (index, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
      let place = "\(field).volumeMounts[\(index)]"
      let volume = mount["name"]?.string ?? ""
      if volume.isEmpty {
        causes.append(.required("\(place).name"))
      } else if !volumes.contains(volume) {
        causes.append(
          .init(
            reason: "FieldValueNotFound", message: "Not found: \"\(volume)\"", field: "\(place).name"))
      }
      if (mount["mountPath"]?.string ?? "").isEmpty { causes.append(.required("\(place).mountPath")) }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
      if let probe = container[name] {
        causes += self.probe(probe, at: "\(field).\(name)", isReadiness: name == "readinessProbe")
      }
    }
    causes += resources(container["resources"], at: "\(field).resources")
    let policies: [JSON] = ["Always", "IfNotPresent", "Never"]
    if let policy = container["imagePullPolicy"], !policies.contains(policy) {
      causes.append(.notSupported("\(field).imagePullPolicy", policy, among: policies))
    }
    return causes
  }

  private static func probe(_ probe: JSON, at field: String, isReadiness: Bool) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"].filter { probe[$0] != nil }
    if handlers.isEmpty { causes.append(.required(field, "must specify a handler type")) }
    for extra in handlers.dropFirst() {
      causes.append(.forbidden("\(field).\(extra)", "may not specify more than 1 handler type"))
    }
    for name in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
      causes += Validation.notNegative(probe[name], at: "\(field).\(name)")
    }
    if !isReadiness, let threshold = probe["successThreshold"]?.int, threshold != 1 {
      causes.append(.invalid("\(field).successThreshold", JSON(threshold), "must be 1"))
    }
    return causes
  }

  private static func resources(_ resources: JSON?, at field: String) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let limits = resources?["limits"]?.strings ?? [:]
    for list in ["limits", "requests"] {
      for (name, text) in (resources?[list]?.strings ?? [:]).sorted(by: { $0.key < $1.key }) {
        let place = "\(field).\(list)[\(name)]"
        guard let quantity = Quantity(text) else {
          causes.append(.invalid(place, .string(text), "must be a quantity such as 100m or 1Gi"))
          continue
        }
        if quantity.value < 0 {
          causes.append(.invalid(place, .string(text), "must be greater than or equal to 0"))
        }
        if list == "requests", let limit = limits[name].flatMap(Quantity.init), limit < quantity {
          causes.append(
            .invalid("\(field).requests", .string(text), "must be less than or equal to \(name) limit of \(limit)"))
        }
      }
    }
    return causes
  }
}
