import KubernetesAPI
import RolloutAPI

extension GatewayProvider {
  /// What keeps the implementations from having taken over the newest state of the routes: for each parent that the
  /// plan names, an entry of `status.parents` must say `Accepted` and `ResolvedRefs`, and no `PartiallyInvalid`, of the
  /// present generation. It is the control plane's word: whether proxies have the route, the share that arrives tells.
  public func pending(_ live: [JSON]) -> [String] {
    entrances.flatMap { entrance -> [String] in
      let key = ObjectKey(namespace: plan.namespace, name: entrance.name)
      guard let object = live.first(where: { $0.objectKey == key }) else { return [] }
      return pending(object, parents(entrance))
    }
  }

  func pending(_ object: JSON, _ parents: [ParentReference]) -> [String] {
    parents.compactMap { parent in
      pending(object, parent).map { "HTTPRoute \(object.objectKey), parent \(title(parent)): \($0)" }
    }
  }

  private func title(_ parent: ParentReference) -> String {
    let section = parent.sectionName.map { " listener \($0)" } ?? ""
    let port = parent.port.map { " port \($0)" } ?? ""
    return "\(parent.kind ?? "") \(parent.namespace ?? plan.namespace)/\(parent.name)\(section)\(port)"
  }

  private func pending(_ object: JSON, _ parent: ParentReference) -> String? {
    let entries = (object[path: ["status", "parents"]]?.array ?? []).filter { entry in
      isSame(entry["parentRef"] ?? .null, parent)
    }
    guard !entries.isEmpty else { return "no controller has taken it" }
    // Several may speak of one Service, as two meshes do; one that takes it is enough.
    let problems = entries.map { pending($0, generation: object.generation) }
    return problems.contains(nil) ? nil : problems.compactMap(\.self).first
  }

  private func pending(_ entry: JSON, generation: Int) -> String? {
    let controller = entry["controllerName"]?.string ?? "a controller without a name"
    func condition(_ type: String) -> JSON? {
      entry["conditions"]?.array?.first { $0["type"]?.string == type }
    }
    func text(_ condition: JSON) -> String {
      let reason = condition["reason"]?.string ?? ""
      let message = condition["message"]?.string ?? ""
      return message.isEmpty ? reason : "\(reason), \(message)"
    }
    for type in ["Accepted", "ResolvedRefs"] {
      guard let found = condition(type) else { return "\(controller) does not say \(type) yet" }
      if Self.setsGeneration(controller), (found["observedGeneration"]?.int ?? 0) < generation {
        return "\(controller) has not seen the newest state yet"
      }
      if found["status"]?.string != "True" { return "\(controller) says not \(type): \(text(found))" }
    }
    if let partly = condition("PartiallyInvalid"), partly["status"]?.string == "True" {
      return "\(controller) took only a part of it: \(text(partly))"
    }
    return nil
  }

  /// Linkerd leaves `observedGeneration` out in all its versions up to now (linkerd2 issue 14964); its word is about some
  /// state of the route, and the share that arrives tells of which.
  private static func setsGeneration(_ controller: String) -> Bool { !controller.hasPrefix("linkerd.io/") }

  /// Whether a status speaks of a parent, with what is left out filled in; the core group has two spellings.
  private func isSame(_ entry: JSON, _ parent: ParentReference) -> Bool {
    func group(_ text: String?) -> String { text == "core" ? "" : text ?? Defaults.parentGroup }
    return group(entry["group"]?.string) == group(parent.group)
      && entry["kind"]?.string ?? Defaults.parentKind == parent.kind ?? Defaults.parentKind
      && entry["namespace"]?.string ?? plan.namespace == parent.namespace ?? plan.namespace
      && entry["name"]?.string == parent.name && entry["sectionName"]?.string == parent.sectionName
      && entry["port"]?.int == parent.port
  }
}
