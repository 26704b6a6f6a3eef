import KubernetesAPI

extension APIServer {
  /// The namespaces that every cluster has, and its first node.
  func bootstrap() {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
      plant(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]], .namespaces)
    }
    plant(SimulatedNodes.all[0].object(now: now), .nodes)
    let rbac = "rbac.authorization.k8s.io"
    plant(
      [
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "cluster-admin"],
        "rules": [
          ["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]], ["nonResourceURLs": ["*"], "verbs": ["*"]],
        ],
      ], ResourceType(group: rbac, kind: "ClusterRole", plural: "clusterroles", namespaced: false))
  }

  /// Creates an object that the server begins with.
  func plant(_ object: JSON, _ type: ResourceType, namespace: String = "") {
    guard let kind = kinds.kind(type, state: store.state) else { return }
    let target = ResourceTarget(group: type.group, version: type.version, plural: type.plural, namespace: namespace)
    var call = Call(
      request: ServerRequest("POST", type.path()), target: target, kind: kind, user: .controllerManager,
      media: NegotiatedType(), now: now)
    let options = WriteOptions(fieldManager: "kube-apiserver")
    // What the server begins with is valid; were it not, it would be missing, and the first test would say so.
    _ = try? store.write { state throws(Status) in
      let decoded = try KindRules.decode(RequestBody(object), &call, options)
      return try self.create(decoded, &call, options, in: &state)
    }
  }
}
