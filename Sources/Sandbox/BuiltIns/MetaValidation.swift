import KubernetesAPI

/// The faults of `metadata`, the same for all kinds.
enum MetaValidation {
  static func causes(_ object: JSON, isCreation: Bool, nameFault: (String) -> String?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    if isCreation {
      if object.name.isEmpty {
        causes.append(.required("metadata.name", "name or generateName is required"))
      } else if let fault = nameFault(object.name) {
        causes.append(.invalid("metadata.name", .string(object.name), fault))
      }
    }
    causes += labels(object.labels, at: "metadata.labels")
    causes += annotations(object.annotations)
    causes += owners(object.ownerReferences)
    for (index, finalizer) in object.finalizers.enumerated() {
      let field = "metadata.finalizers[\(index)]"
      for fault in Names.qualifiedNameFaults(finalizer) { causes.append(.invalid(field, .string(finalizer), fault)) }
      if !finalizer.contains("/"), !standardFinalizers.contains(finalizer) {
        causes.append(
          .invalid(
            field, .string(finalizer), "name is neither a standard finalizer name nor is it fully qualified"))
      }
    }
    return causes
  }

  private static let standardFinalizers: Set<String> = [
    "orphan", "foregroundDeletion", "kubernetes", "customresourcecleanup.apiextensions.k8s.io",
  ]

  static func labels(_ labels: [String: String], at field: String) -> [Status.Cause] {
    labels.sorted { $0.key < $1.key }.flatMap { key, value in
      var causes = Names.qualifiedNameFaults(key).map { Status.Cause.invalid(field, .string(key), $0) }
      if let fault = Names.labelValueFault(value) { causes.append(.invalid(field, .string(value), fault)) }
      return causes
    }
  }

  private static func annotations(_ annotations: [String: String]) -> [Status.Cause] {
    let field = "metadata.annotations"
    var causes = annotations.keys.sorted().flatMap { key in
      Names.qualifiedNameFaults(key.lowercased()).map { Status.Cause.invalid(field, .string(key), $0) }
    }
    let most = 256 * 1024
    if annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > most {
      causes.append(.tooLong(field, most: most))
    }
    return causes
  }

  private static func owners(_ references: [JSON]) -> [Status.Cause] {
    let field = "metadata.ownerReferences"
    var causes: [Status.Cause] = []
    for reference in references {
      for name in ["apiVersion", "kind", "name", "uid"] where (reference[name]?.string ?? "").isEmpty {
        causes.append(.invalid("\(field).\(name)", "", "must not be empty"))
      }
    }
    let controllers = references.filter { $0["controller"]?.bool == true }
    if controllers.count > 1 {
      let names = controllers.map { "\($0["kind"]?.string ?? "")/\($0["name"]?.string ?? "")" }
      causes.append(
        .invalid(
          field, .array(references),
          "Only one reference can have Controller set to true. Found \"true\" in references for "
            + names.joined(separator: " and ")))
    }
    return causes
  }

  /// The faults of a label selector.
  static func selector(_ selector: JSON?, at field: String) -> [Status.Cause] {
    guard let selector else { return [] }
    var causes = labels(selector["matchLabels"]?.strings ?? [:], at: "\(field).matchLabels")
    for (index, requirement) in (selector["matchExpressions"]?.array ?? []).enumerated() {
      let place = "\(field).matchExpressions[\(index)]"
      let values = requirement["values"]?.array ?? []
      switch requirement["operator"]?.string {
      case "In", "NotIn":
        if values.isEmpty {
          causes.append(.required("\(place).values", "must be specified when `operator` is 'In' or 'NotIn'"))
        }
      case "Exists", "DoesNotExist":
        if !values.isEmpty {
          causes.append(
            .forbidden("\(place).values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
      default:
        causes.append(
          .invalid("\(place).operator", requirement["operator"], "not a valid selector operator"))
      }
      let key = requirement["key"]?.string ?? ""
      causes += Names.qualifiedNameFaults(key).map { .invalid("\(place).key", .string(key), $0) }
    }
    return causes
  }
}
