import KubernetesAPI

extension BuiltIns {
  /// - Parameters:
  ///   - object: normalized, with defaults.
  ///   - old: `nil` for a creation.
  ///   - subresource: empty for the main resource.
  /// - Throws: 422 with a cause for each field that is not valid.
  static func validate(_ object: JSON, old: JSON?, type: ResourceType, subresource: String = "") throws(Status) {
    let causes = Validation.causes(object, old: old, type: type, subresource: subresource)
    guard !causes.isEmpty else { return }
    throw Status.invalid(kind: type.kind, group: type.group, name: object.name, causes)
  }
}

/// What a valid object is, beyond the types of its fields.
/// Source: the Kubernetes API reference; fields and reasons as servers report them.
enum Validation {
  static func causes(_ object: JSON, old: JSON?, type: ResourceType, subresource: String) -> [Status.Cause] {
    var causes = MetaValidation.causes(object, isCreation: old == nil, nameFault: nameFault(of: type))
    guard subresource.isEmpty else { return causes }
    let spec = object["spec"] ?? .emptyObject
    let before = old?["spec"]
    switch (type.group, type.kind) {
    case ("apps", "Deployment"): causes += WorkloadValidation.deployment(spec, old: before)
    case ("apps", "ReplicaSet"): causes += WorkloadValidation.replicaSet(spec, old: before)
    case ("apps", "StatefulSet"), ("apps", "DaemonSet"): causes += WorkloadValidation.set(spec, old: before)
    case ("", "Pod"): causes += PodValidation.pod(spec, old: before)
    case ("", "Service"): causes += ServiceValidation.service(spec, old: before)
    case ("discovery.k8s.io", "EndpointSlice"): causes += ServiceValidation.endpointSlice(object, old: old)
    case ("", "ConfigMap"): causes += config(object, old: old, fields: ["data", "binaryData"])
    case ("", "Secret"):
      causes += config(object, old: old, fields: ["data"])
      if let old, old["type"] != object["type"] {
        causes.append(.invalid("type", object["type"], "field is immutable"))
      }
    case ("coordination.k8s.io", "Lease"): causes += lease(spec)
    case ("", "Event"): causes += EventValidation.core(object)
    case ("events.k8s.io", "Event"): causes += EventValidation.events(object, old: old)
    case ("autoscaling", "HorizontalPodAutoscaler"): causes += autoscaler(spec)
    case ("policy", "PodDisruptionBudget"): causes += budget(spec)
    case ("", "ResourceQuota"): causes += Quotas.causes(spec)
    case ("rbac.authorization.k8s.io", "RoleBinding"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"):
      if let old, old["roleRef"] != object["roleRef"] {
        causes.append(.invalid("roleRef", object["roleRef"], "cannot change roleRef"))
      }
    default: break
    }
    return causes
  }

  private static func nameFault(of type: ResourceType) -> (String) -> String? {
    switch (type.group, type.kind) {
    case ("", "Namespace"): Names.labelFault
    case ("", "Service"): Names.startsWithLetterFault
    case ("rbac.authorization.k8s.io", _): Names.pathSegmentFault
    default: Names.subdomainFault
    }
  }

  private static func config(_ object: JSON, old: JSON?, fields: [String]) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    if let old, old["immutable"]?.bool == true {
      if object["immutable"]?.bool != true {
        causes.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
      }
      for field in fields where (old[field]?.object ?? [:]) != (object[field]?.object ?? [:]) {
        causes.append(.forbidden(field, "field is immutable when `immutable` is set"))
      }
    }
    var size = 0
    for field in fields {
      for (key, value) in (object[field]?.strings ?? [:]).sorted(by: { $0.key < $1.key }) {
        size += value.utf8.count
        if let fault = Names.configKeyFault(key) { causes.append(.invalid("\(field)[\(key)]", .string(key), fault)) }
        if field == "binaryData", object[path: ["data", key]] != nil {
          causes.append(.invalid("\(field)[\(key)]", .string(key), "duplicate of key present in data"))
        }
      }
    }
    let most = 1024 * 1024
    if size > most { causes.append(.tooLong("", most: most)) }
    return causes
  }

  private static func lease(_ spec: JSON) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    if let seconds = spec["leaseDurationSeconds"]?.int, seconds <= 0 {
      causes.append(.invalid("spec.leaseDurationSeconds", JSON(seconds), "must be greater than 0"))
    }
    if let count = spec["leaseTransitions"]?.int, count < 0 {
      causes.append(.invalid("spec.leaseTransitions", JSON(count), "must be greater than or equal to 0"))
    }
    return causes
  }

  private static func autoscaler(_ spec: JSON) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let most = spec["maxReplicas"]?.int ?? 0
    let least = spec["minReplicas"]?.int ?? 1
    if least < 1 { causes.append(.invalid("spec.minReplicas", JSON(least), "must be greater than or equal to 1")) }
    if most < 1 { causes.append(.required("spec.maxReplicas", "must be set and greater than 0")) }
    if most < least {
      causes.append(
        .invalid("spec.maxReplicas", JSON(most), "must be greater than or equal to `minReplicas`"))
    }
    for field in ["kind", "name"] where (spec["scaleTargetRef"]?[field]?.string ?? "").isEmpty {
      causes.append(.required("spec.scaleTargetRef.\(field)"))
    }
    return causes
  }

  private static func budget(_ spec: JSON) -> [Status.Cause] {
    var causes = MetaValidation.selector(spec["selector"], at: "spec.selector")
    if spec["minAvailable"] != nil, spec["maxUnavailable"] != nil {
      causes.append(
        .invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    }
    for field in ["minAvailable", "maxUnavailable"] { causes += countOrPercent(spec[field], at: "spec.\(field)") }
    return causes
  }

  /// A count that is not negative.
  static func notNegative(_ value: JSON?, at field: String) -> [Status.Cause] {
    guard let number = value?.int, number < 0 else { return [] }
    return [.invalid(field, JSON(number), "must be greater than or equal to 0")]
  }

  /// `3` or `25%`.
  static func countOrPercent(_ value: JSON?, at field: String) -> [Status.Cause] {
    guard let text = value?.string else { return notNegative(value, at: field) }
    let digits = text.dropLast()
    guard text.hasSuffix("%"), !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
      return [
        .invalid(field, .string(text), "a valid percent string must be a numeric string followed by an ending '%'")
      ]
    }
    return []
  }
}

enum EventValidation {
  static func core(_ object: JSON) -> [Status.Cause] {
    let namespace = object["involvedObject"]?["namespace"]?.string ?? ""
    // Events of objects without a namespace live in `default`.
    if namespace.isEmpty ? object.namespace != "default" : object.namespace != namespace {
      return [
        .invalid("involvedObject.namespace", .string(namespace), "does not match event.namespace")
      ]
    }
    return []
  }

  /// The most bytes that the texts of an Event may have.
  private static let lengths = [
    ("reportingController", 128), ("reportingInstance", 128), ("action", 128), ("reason", 128), ("note", 1024),
  ]

  static func events(_ object: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    func text(_ field: String) -> String { object[field]?.string ?? "" }
    if let old {
      // The causes carry the names of the stored form.
      let fields = [
        ("regarding", "involvedObject"), ("reason", "reason"), ("note", "message"), ("eventTime", "eventTime"),
        ("action", "action"), ("related", "related"), ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"), ("type", "type"),
      ]
      for (field, stored) in fields where object[field] != old[field] {
        causes.append(.invalid(stored, object[field], "field is immutable"))
      }
    } else {
      if (object["eventTime"] ?? .null).isNull { causes.append(.required("eventTime")) }
      let controller = text("reportingController")
      causes += Names.qualifiedNameFaults(controller).map { .invalid("reportingController", .string(controller), $0) }
      for field in ["reportingController", "reportingInstance", "action", "reason"] where text(field).isEmpty {
        causes.append(.required(field))
      }
      for (field, most) in lengths where text(field).utf8.count > most {
        causes.append(.invalid(field, "", "can have at most \(most) characters"))
      }
      if text("type") != "Normal", text("type") != "Warning" {
        causes.append(.invalid("type", "", "has invalid value: \(text("type"))"))
      }
    }
    if let series = object["series"], series.object != nil {
      if (series["count"]?.int ?? 0) < 2 {
        causes.append(.invalid("series.count", "", "should be at least 2"))
      }
      if (series["lastObservedTime"] ?? .null).isNull { causes.append(.required("series.lastObservedTime")) }
    }
    return causes
  }
}
