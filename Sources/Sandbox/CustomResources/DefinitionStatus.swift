import KubernetesAPI

/// The life of a CustomResourceDefinition: what the server accepts and reports.
enum DefinitionStatus {
  static let cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io"

  /// The status of a definition that was just created.
  static func initial(_ crd: JSON) -> JSON {
    let storage = crd[path: ["spec", "versions"]]?.array?.first { $0["storage"]?.bool == true }
    return [
      "conditions": .null, "acceptedNames": ["plural": "", "kind": ""],
      "storedVersions": .array(storage?["name"].map { [$0] } ?? []),
    ]
  }

  /// The definition after the server has compared its names with those of the others in its group.
  static func accepted(_ crd: JSON, among others: [JSON], now: Timestamp) -> JSON {
    var crd = crd
    let group = crd[path: ["spec", "group"]]
    let names = CustomResourceDefinition.Names(crd[path: ["spec", "names"]])
    let taken = others.filter { $0.name != crd.name && $0[path: ["spec", "group"]] == group }
      .compactMap { $0[path: ["status", "acceptedNames"]] }
    var conflict: (reason: String, message: String)?
    for accepted in taken {
      let theirs = CustomResourceDefinition.Names(accepted)
      let resources = Set([theirs.plural, theirs.singular] + theirs.shortNames)
      let kinds: Set = [theirs.kind, theirs.listKind]
      func refuse(_ reason: String, _ name: String) { conflict = (reason, "\"\(name)\" is already in use") }
      if kinds.contains(names.listKind) { refuse("ListKindConflict", names.listKind) }
      if kinds.contains(names.kind) { refuse("KindConflict", names.kind) }
      for name in names.shortNames where resources.contains(name) { refuse("ShortNamesConflict", name) }
      if resources.contains(names.singular) { refuse("SingularConflict", names.singular) }
      if resources.contains(names.plural) { refuse("PluralConflict", names.plural) }
    }
    let wasEstablished = condition("Established", of: crd)?["status"]?.string == "True"
    if let conflict {
      set("NamesAccepted", false, conflict.reason, conflict.message, on: &crd, now)
      if !wasEstablished {
        set("Established", false, "NotAccepted", "not all names are accepted", on: &crd, now)
      }
    } else {
      crd[path: ["status", "acceptedNames"]] = crd[path: ["spec", "names"]]
      set("NamesAccepted", true, "NoConflicts", "no conflicts found", on: &crd, now)
      if !wasEstablished {
        set("Established", true, "InitialNamesAccepted", "the initial names have been accepted", on: &crd, now)
      }
    }
    return crd
  }

  /// The definition when its deletion begins: its objects go first, for which a finalizer holds it.
  static func terminating(_ crd: JSON, now: Timestamp) -> JSON {
    var crd = crd
    if !crd.finalizers.contains(cleanupFinalizer) {
      crd[path: ["metadata", "finalizers"]] = .array((crd.finalizers + [cleanupFinalizer]).map(JSON.string))
    }
    set(
      "Terminating", true, "InstanceDeletionPending",
      "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", on: &crd, now)
    return crd
  }

  /// The versions in which objects may be stored: the present one joins those that were.
  static func recordStoredVersion(_ crd: inout JSON) {
    let storage = crd[path: ["spec", "versions"]]?.array?.first { $0["storage"]?.bool == true }?["name"]
    var stored = crd[path: ["status", "storedVersions"]]?.array ?? []
    guard let storage, !stored.contains(storage) else { return }
    stored.append(storage)
    crd[path: ["status", "storedVersions"]] = .array(stored)
  }

  private static func condition(_ type: String, of crd: JSON) -> JSON? {
    crd[path: ["status", "conditions"]]?.array?.first { $0["type"]?.string == type }
  }

  private static func set(
    _ type: String, _ isTrue: Bool, _ reason: String, _ message: String, on crd: inout JSON, _ now: Timestamp
  ) {
    var conditions = crd[path: ["status", "conditions"]]?.array ?? []
    let status: JSON = isTrue ? "True" : "False"
    let old = condition(type, of: crd)
    let since = old?["status"] == status ? old?["lastTransitionTime"] : nil
    let new: JSON = [
      "type": .string(type), "status": status, "lastTransitionTime": since ?? .string(now.description),
      "reason": .string(reason), "message": .string(message),
    ]
    if let index = conditions.firstIndex(where: { $0["type"]?.string == type }) {
      conditions[index] = new
    } else {
      conditions.append(new)
    }
    crd[path: ["status", "conditions"]] = .array(conditions)
  }
}
