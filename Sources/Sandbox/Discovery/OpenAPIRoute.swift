import KubernetesAPI

/// `/openapi/v3`: the schemas of what is served, for validation in clients and `kubectl explain`.
extension APIServer {
  func openAPI(_ request: ServerRequest, _ segments: [String]) throws(Status) -> ServerResponse {
    let notFound = ServerResponse.text(404, "404 page not found\n")
    guard segments.count >= 2, segments[1] == "v3" else { return notFound }
    let groups = openAPIGroups(store.state)
    let path = segments.dropFirst(2).joined(separator: "/")
    if path.isEmpty { return .json(200, openAPIDocuments.index(groups)) }
    guard let group = groups.first(where: { $0.path == path }) else { return notFound }
    return .json(200, openAPIDocuments.document(group))
  }

  private func openAPIGroups(_ state: StoreState) -> [OpenAPIGroup] {
    var groups: [Kinds.GroupVersion: [ServedKind]] = [:]
    for kind in kinds.all(state) {
      groups[.init(group: kind.type.group, version: kind.type.version), default: []].append(kind)
    }
    let revisions = state.objects(Kinds.definitions).map { definition in
      (group: definition[path: ["spec", "group"]]?.string ?? "", version: definition.resourceVersion)
    }
    return groups.sorted { ($0.key.group, $0.key.version) < ($1.key.group, $1.key.version) }.map { key, kinds in
      OpenAPIGroup(
        group: key.group, version: key.version, kinds: kinds.map(Self.described),
        revision: revisions.filter { $0.group == key.group }.map(\.version).joined(separator: ","))
    }
  }

  private static func described(_ kind: ServedKind) -> OpenAPIGroup.Kind {
    OpenAPIGroup.Kind(
      type: kind.type, schema: kind.schema, isCustom: kind.isCustom, verbs: kind.verbs,
      subresources: kind.subresources.map { part in
        let shown =
          part.kind == kind.type.kind
          ? nil : ResourceType(group: part.group, version: part.version, kind: part.kind, plural: part.name)
        return .init(name: part.name, kind: shown, verbs: part.verbs)
      })
  }
}
