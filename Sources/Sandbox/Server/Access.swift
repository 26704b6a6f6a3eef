import KubernetesAPI

/// Who may do what.
extension APIServer {
  func user(of request: ServerRequest) throws(Status) -> UserInfo {
    guard let name = request.header("Impersonate-User"), !name.isEmpty else { return .administrator }
    var groups = request.headerValues("Impersonate-Group")
    if name.hasPrefix("system:serviceaccount:") {
      let namespace = name.split(separator: ":").dropFirst(2).first.map(String.init) ?? ""
      if groups.isEmpty { groups = ["system:serviceaccounts", "system:serviceaccounts:\(namespace)"] }
    }
    if !groups.contains("system:authenticated") { groups.append("system:authenticated") }
    return UserInfo(name: name, groups: groups)
  }

  func authorize(
    _ request: ServerRequest, _ target: ResourceTarget, _ user: UserInfo, _ state: StoreState
  ) throws(Status) {}

  func authorizeCreationByApply(_ call: Call, _ state: StoreState) throws(Status) {}

  /// Answers the kinds that are asked and never stored; `nil` for all others.
  func review(
    _ request: ServerRequest, _ target: ResourceTarget, _ user: UserInfo, _ state: StoreState
  ) throws(Status) -> ServerResponse? { nil }

  func issueToken(_ call: Call) throws(Status) -> ServerResponse { throw Refusal.unknownResource }
}
