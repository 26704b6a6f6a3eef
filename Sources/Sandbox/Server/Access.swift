import KubernetesAPI

/// What somebody wants to do, in the terms in which rights are given.
struct AccessAttempt: Sendable {
  enum Object: Sendable {
    /// Empty strings where the request names none.
    case resource(group: String, plural: String, subresource: String, namespace: String, name: String)
    case path(String)
  }

  var user: UserInfo
  var verb: String
  var object: Object
}

/// Role-based access control by the roles and bindings in the store.
/// Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
struct AccessRules: Sendable {
  private static let rbac = "rbac.authorization.k8s.io"
  /// What every user may read without any binding, as by the role `system:discovery`.
  private static let openPaths = ["/api", "/apis", "/healthz", "/livez", "/openapi", "/readyz", "/version"]

  let state: StoreState

  /// Why the attempt is allowed; `nil` where it is not. Administrators need no reason, so theirs is empty.
  func reason(for attempt: AccessAttempt) -> String? {
    if attempt.user.groups.contains("system:masters") { return "" }
    if case .path(let path) = attempt.object, attempt.verb == "get",
      Self.openPaths.contains(where: { path == $0 || path.hasPrefix($0 + "/") })
    {
      return
        "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""
    }
    if case .resource(_, let plural, "", _, _) = attempt.object, attempt.verb == "create",
      ["selfsubjectreviews", "selfsubjectaccessreviews"].contains(plural)
    {
      return
        "RBAC: allowed by ClusterRoleBinding \"system:basic-user\" of ClusterRole \"system:basic-user\" to Group \"system:authenticated\""
    }
    for binding in bindings("clusterrolebindings", namespace: nil) {
      if let reason = reason(by: binding, for: attempt, namespace: "") { return reason }
    }
    guard case .resource(_, _, _, let namespace, _) = attempt.object, !namespace.isEmpty else { return nil }
    for binding in bindings("rolebindings", namespace: namespace) {
      if let reason = reason(by: binding, for: attempt, namespace: namespace) { return reason }
    }
    return nil
  }

  private func bindings(_ plural: String, namespace: String?) -> [JSON] {
    state.objects(StoredResource(group: Self.rbac, plural: plural), namespace: namespace)
  }

  private func reason(by binding: JSON, for attempt: AccessAttempt, namespace: String) -> String? {
    guard let subject = (binding["subjects"]?.array ?? []).first(where: { covers($0, attempt.user, namespace) }),
      rules(of: binding, namespace: namespace).contains(where: { allows($0, attempt) })
    else { return nil }
    let role = binding["roleRef"] ?? .emptyObject
    func place(_ object: JSON) -> String {
      object.namespace.isEmpty ? object.name : "\(object.name)/\(object.namespace)"
    }
    let subjectNamespace = subject["namespace"]?.string ?? namespace
    let name = subject["name"]?.string ?? ""
    let who = subject.kind == "ServiceAccount" ? "\(name)/\(subjectNamespace)" : name
    return "RBAC: allowed by \(namespace.isEmpty ? "ClusterRoleBinding" : "RoleBinding") \"\(place(binding))\" of "
      + "\(role.kind) \"\(role["name"]?.string ?? "")\" to \(subject.kind) \"\(who)\""
  }

  private func covers(_ subject: JSON, _ user: UserInfo, _ namespace: String) -> Bool {
    let name = subject["name"]?.string ?? ""
    switch subject.kind {
    case "User": return name == user.name
    case "Group": return user.groups.contains(name)
    case "ServiceAccount":
      return user.name == "system:serviceaccount:\(subject["namespace"]?.string ?? namespace):\(name)"
    default: return false
    }
  }

  private func rules(of binding: JSON, namespace: String) -> [JSON] {
    let name = binding[path: ["roleRef", "name"]]?.string ?? ""
    let isCluster = binding[path: ["roleRef", "kind"]]?.string == "ClusterRole"
    let role = state.object(
      StoredResource(group: Self.rbac, plural: isCluster ? "clusterroles" : "roles"),
      ObjectKey(namespace: isCluster ? "" : namespace, name: name))
    return role?["rules"]?.array ?? []
  }

  private func allows(_ rule: JSON, _ attempt: AccessAttempt) -> Bool {
    func list(_ key: String) -> [String] { rule[key]?.array?.compactMap(\.string) ?? [] }
    func has(_ key: String, _ value: String) -> Bool { list(key).contains { $0 == "*" || $0 == value } }
    guard has("verbs", attempt.verb) else { return false }
    switch attempt.object {
    case .resource(let group, let plural, let subresource, _, let name):
      let full = subresource.isEmpty ? plural : "\(plural)/\(subresource)"
      let names = list("resourceNames")
      return has("apiGroups", group) && (has("resources", full) || has("resources", "*/\(subresource)"))
        && (names.isEmpty || names.contains(name))
    case .path(let path):
      return list("nonResourceURLs").contains { pattern in
        pattern == path || pattern == "*" || (pattern.hasSuffix("*") && path.hasPrefix(pattern.dropLast()))
      }
    }
  }
}

/// Who may do what.
extension APIServer {
  /// Who sends a request. Without credentials that is an administrator: the sandbox serves one person's machine.
  /// - Throws: 401 for a token that is not known or has expired, 403 for somebody who acts as another and may not.
  func user(of request: ServerRequest) throws(Status) -> UserInfo {
    var user = UserInfo.administrator
    if let token = Self.bearerToken(request) {
      guard let known = tokens.user(of: token, now: now) else {
        throw Status(code: 401, reason: "Unauthorized", message: "Unauthorized")
      }
      user = known
    }
    guard let name = request.header("Impersonate-User"), !name.isEmpty else { return user }
    var groups = request.headerValues("Impersonate-Group")
    try authorizeImpersonation(of: name, groups, by: user)
    if name.hasPrefix("system:serviceaccount:"), groups.isEmpty {
      let namespace = name.split(separator: ":").dropFirst(2).first.map(String.init) ?? ""
      groups = ["system:serviceaccounts", "system:serviceaccounts:\(namespace)"]
    }
    if !groups.contains("system:authenticated") { groups.append("system:authenticated") }
    return UserInfo(name: name, groups: groups, uid: request.header("Impersonate-Uid") ?? "")
  }

  /// Whoever acts as another needs the verb `impersonate` on the user, or service account, and on each group.
  private func authorizeImpersonation(of name: String, _ groups: [String], by user: UserInfo) throws(Status) {
    let state = store.state
    let words = name.split(separator: ":", maxSplits: 3).map(String.init)
    var targets = groups.map { ResourceTarget(group: "", version: "v1", plural: "groups", name: $0) }
    if words.count == 4, name.hasPrefix("system:serviceaccount:") {
      targets.append(
        ResourceTarget(group: "", version: "v1", plural: "serviceaccounts", namespace: words[2], name: words[3]))
    } else {
      targets.append(ResourceTarget(group: "", version: "v1", plural: "users", name: name))
    }
    for target in targets { try authorize("impersonate", target, user, state) }
  }

  private static func bearerToken(_ request: ServerRequest) -> String? {
    guard let header = request.header("Authorization"), header.hasPrefix("Bearer ") else { return nil }
    return String(header.dropFirst("Bearer ".count))
  }

  /// - Throws: 403, in the words that clients show.
  func authorize(
    _ request: ServerRequest, _ target: ResourceTarget, _ user: UserInfo, _ state: StoreState
  ) throws(Status) {
    try authorize(Self.verb(of: request, target), Self.named(target, by: request), user, state)
  }

  /// A list or watch that a field selector limits to one name is of that object, so that a right to the name is enough.
  static func named(_ target: ResourceTarget, by request: ServerRequest) -> ResourceTarget {
    guard target.name.isEmpty, request.method == "GET", let selector = request.parameter("fieldSelector") else {
      return target
    }
    var target = target
    for term in selector.split(separator: ",") where !term.contains("!=") {
      let sides = term.split(separator: "=").map(String.init)
      if sides.count == 2, sides[0] == "metadata.name" { target.name = sides[1] }
    }
    return target
  }

  /// What a request does, in the terms in which rights are given.
  static func verb(of request: ServerRequest, _ target: ResourceTarget) -> String {
    let isCollection = target.name.isEmpty
    let isWatch = target.isWatchPath || ["1", "true"].contains(request.parameter("watch") ?? "")
    return switch request.method {
    case "GET": isCollection ? (isWatch ? "watch" : "list") : "get"
    case "POST": "create"
    case "PUT": "update"
    case "PATCH": "patch"
    case "DELETE": isCollection ? "deletecollection" : "delete"
    default: request.method.lowercased()
    }
  }

  func authorize(
    _ verb: String, _ target: ResourceTarget, _ user: UserInfo, _ state: StoreState
  ) throws(Status) {
    let attempt = AccessAttempt(
      user: user, verb: verb,
      object: .resource(
        group: target.group, plural: target.plural, subresource: target.subresource, namespace: target.namespace,
        name: target.name))
    guard AccessRules(state: state).reason(for: attempt) == nil else { return }
    let resource = target.subresource.isEmpty ? target.plural : "\(target.plural)/\(target.subresource)"
    let place = target.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(target.namespace)\""
    throw Refusal.forbidden(
      ResourceType(group: target.group, version: target.version, kind: "", plural: target.plural), target.name,
      "User \"\(user.name)\" cannot \(verb) resource \"\(resource)\" in API group \"\(target.group)\" \(place)")
  }

  /// Paths outside the API groups.
  func authorize(path: String, _ user: UserInfo, _ state: StoreState) throws(Status) {
    let attempt = AccessAttempt(user: user, verb: "get", object: .path(path))
    guard AccessRules(state: state).reason(for: attempt) == nil else { return }
    throw Status(
      code: 403, reason: "Forbidden", message: "forbidden: User \"\(user.name)\" cannot get path \"\(path)\"",
      details: .init())
  }

  /// An apply that makes a new object needs the right to create, too.
  func authorizeCreationByApply(_ call: Call, _ state: StoreState) throws(Status) {
    try authorize("create", call.target, call.user, state)
  }
}
