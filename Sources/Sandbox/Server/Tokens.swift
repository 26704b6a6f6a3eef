import Foundation
import KubernetesAPI
import Synchronization

/// The tokens of service accounts that were asked for; they mean something to this server only.
final class Tokens: Sendable {
  struct Issued: Sendable {
    var user: UserInfo
    var expires: Date
    /// Names the token in audit logs.
    var identity: String
  }

  static let audience = "https://kubernetes.default.svc"
  /// The oldest ones are forgotten beyond this number.
  private static let limit = 10_000

  private let issued = Mutex<[String: Issued]>([:])

  func add(_ token: String, _ entry: Issued, now: Date) {
    issued.withLock { issued in
      if issued.count >= Self.limit {
        issued = issued.filter { $0.value.expires > now }
        if issued.count >= Self.limit, let oldest = issued.min(by: { $0.value.expires < $1.value.expires }) {
          issued[oldest.key] = nil
        }
      }
      issued[token] = entry
    }
  }

  func entry(_ token: String, now: Date) -> Issued? {
    issued.withLock { $0[token] }.flatMap { $0.expires > now ? $0 : nil }
  }

  func user(of token: String, now: Date) -> UserInfo? { entry(token, now: now)?.user }
}

/// The kinds that are asked and never stored.
extension APIServer {
  /// `POST …/serviceaccounts/NAME/token`.
  func issueToken(_ call: Call) throws(Status) -> ServerResponse {
    let request = try RequestBody(call.request, expecting: "TokenRequest").value
    guard let account = store.state.object(call.kind.stored, call.key) else {
      throw Refusal.notFound(call.type, call.target.name)
    }
    let seconds = request[path: ["spec", "expirationSeconds"]]?.int ?? 3600
    guard seconds >= 600 else {
      throw Refusal.invalid(
        kind: "TokenRequest", group: "authentication.k8s.io", name: "",
        [
          Refusal.invalidValue(
            "spec.expirationSeconds", JSON(seconds), "may not specify a duration less than 10 minutes")
        ])
    }
    let namespace = call.target.namespace
    let user = UserInfo(
      name: "system:serviceaccount:\(namespace):\(account.name)",
      groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"],
      uid: account.uid)
    let expires = call.now.addingTimeInterval(TimeInterval(seconds))
    let secret = (0..<4).map { _ in String(randomNumber(), radix: 16) }.joined()
    let token = "sandbox.\(secret)"
    tokens.add(token, .init(user: user, expires: expires, identity: newUID()), now: call.now)
    let audiences = request[path: ["spec", "audiences"]]?.array.flatMap { $0.isEmpty ? nil : JSON.array($0) }
    var asked = request
    asked["apiVersion"] = "authentication.k8s.io/v1"
    let managed = Reviews.managed(asked, call.request, subresource: "token", now: call.now)
    var answer: JSON =
      [
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": [
          "name": .string(account.name), "namespace": .string(namespace), "uid": .string(account.uid),
          "creationTimestamp": .string(Timestamp(call.now).description),
        ],
        "spec": [
          "audiences": audiences ?? [.string(Tokens.audience)], "expirationSeconds": JSON(seconds),
          "boundObjectRef": request[path: ["spec", "boundObjectRef"]] ?? .null,
        ],
        "status": ["token": .string(token), "expirationTimestamp": .string(Timestamp(expires).description)],
      ]
    answer.managedFields = managed.managedFields
    return .json(201, answer)
  }

  /// - Returns: `nil` for all other kinds.
  func review(
    _ request: ServerRequest, _ target: ResourceTarget, _ user: UserInfo, _ state: StoreState
  ) throws(Status) -> ServerResponse? {
    guard KindRules.reviewGroups.contains(target.group),
      let kind = Reviews.kinds.first(where: { $0.type.group == target.group && $0.type.plural == target.plural })
    else { return nil }
    guard request.method == "POST", target.name.isEmpty else { throw Refusal.methodNotAllowed }
    var review = try RequestBody(request, expecting: kind.type.kind).value
    review["kind"] = .string(kind.type.kind)
    review["apiVersion"] = .string(kind.type.apiVersion)
    review["metadata"] = [:]
    review = Reviews.managed(review, request, now: now)
    switch kind.type.kind {
    case "SelfSubjectReview":
      review["metadata"] = ["creationTimestamp": .string(Timestamp(now).description)]
      review["spec"] = nil
      review["status"] = ["userInfo": Self.info(user)]
    case "TokenReview": review["status"] = try tokenStatus(review)
    case "SelfSubjectAccessReview": review["status"] = accessStatus(review, user, state)
    case "SubjectAccessReview", "LocalSubjectAccessReview":
      let name = review[path: ["spec", "user"]]?.string ?? ""
      let groups = review[path: ["spec", "groups"]]?.array?.compactMap(\.string) ?? []
      guard !name.isEmpty || !groups.isEmpty else {
        throw Refusal.invalid(
          kind: "", group: "authorization.k8s.io", name: "",
          [Refusal.invalidValue("spec.user", "", "at least one of user or group must be specified")])
      }
      review["status"] = accessStatus(review, UserInfo(name: name, groups: groups), state)
    default:
      throw Refusal.unknownResource
    }
    return .json(201, review)
  }

  private static func info(_ user: UserInfo) -> JSON {
    var info: JSON = ["username": .string(user.name), "groups": .array(user.groups.map(JSON.string))]
    if !user.uid.isEmpty { info["uid"] = .string(user.uid) }
    return info
  }

  private func tokenStatus(_ review: JSON) throws(Status) -> JSON {
    let token = review[path: ["spec", "token"]]?.string ?? ""
    guard !token.isEmpty else {
      throw Refusal.badRequest("token is required for TokenReview in authentication")
    }
    let audiences = review[path: ["spec", "audiences"]]?.array?.compactMap(\.string) ?? [Tokens.audience]
    guard let entry = tokens.entry(token, now: now), audiences.contains(Tokens.audience) else {
      return ["user": [:], "error": "invalid bearer token"]
    }
    var info = Self.info(entry.user)
    info["extra"] = ["authentication.kubernetes.io/credential-id": [.string("JTI=\(entry.identity)")]]
    return ["authenticated": true, "user": info, "audiences": [.string(Tokens.audience)]]
  }

  private func accessStatus(_ review: JSON, _ user: UserInfo, _ state: StoreState) -> JSON {
    let object: AccessAttempt.Object
    let verb: String
    if let resource = review[path: ["spec", "resourceAttributes"]] {
      func text(_ key: String) -> String { resource[key]?.string ?? "" }
      object = .resource(
        group: text("group"), plural: text("resource"), subresource: text("subresource"),
        namespace: text("namespace"), name: text("name"))
      verb = text("verb")
    } else {
      let attributes = review[path: ["spec", "nonResourceAttributes"]]
      object = .path(attributes?["path"]?.string ?? "")
      verb = attributes?["verb"]?.string ?? ""
    }
    guard let reason = AccessRules(state: state).reason(for: .init(user: user, verb: verb, object: object)) else {
      return ["allowed": false]
    }
    return reason.isEmpty ? ["allowed": true] : ["allowed": true, "reason": .string(reason)]
  }
}
