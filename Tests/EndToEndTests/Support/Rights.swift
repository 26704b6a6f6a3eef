import Foundation
import KubernetesAPI

/// A right to do something to a kind of object, as roles grant it and as an audit log shows it used.
struct Rights: Hashable, CustomStringConvertible {
  var verb: String
  /// `deployments.apps`, `rollouts.sluice.dev/status`.
  var resource: String
  /// The objects' names that it is bound to; empty for all.
  var names: Set<String> = []

  var text: String { "\(verb) \(resource)" }
  var description: String { names.isEmpty ? text : "\(text) \(names.sorted())" }

  func covers(_ other: Rights) -> Bool {
    verb == other.verb && resource == other.resource && (names.isEmpty || other.names.isSubset(of: names))
  }

  /// What is granted though no test sees it used, and why.
  static let kept: [String: String] = [
    "update deployments.apps/finalizers": "only where OwnerReferencesPermissionEnforcement is on",
    "get deployments.apps": "reads past the cache after a conflict",
    "get services": "reads past the cache after a conflict",
    "get virtualservices.networking.istio.io": "reads past the cache after a conflict",
    "get destinationrules.networking.istio.io": "reads past the cache after a conflict",
    "get replicasets.apps": "reads a set that somebody else made under the same name",
    "get rollouts.sluice.dev": "reads past the cache after a conflict",
    "delete rolloutruns.sluice.dev": "finished runs beyond runHistoryLimit",
    "get rolloutruns.sluice.dev": "reads past the cache after a conflict",
    "patch events.events.k8s.io": "counts an Event that comes again",
    "delete replicasets.apps": "history beyond revisionHistoryLimit",
    "get secrets": "bound by a team in its namespace",
    "create destinationrules.networking.istio.io": "a plan with a traffic policy, or a rule to be copied",
    "update destinationrules.networking.istio.io": "a plan with a traffic policy, or a rule to be copied",
    "delete destinationrules.networking.istio.io": "a plan with a traffic policy, or a rule to be copied",
    "delete virtualservices.networking.istio.io": "deletionPolicy: Delete",
    "get httproutes.gateway.networking.k8s.io": "reads past the cache after a conflict",
    "delete httproutes.gateway.networking.k8s.io": "deletionPolicy: Delete",
    "get backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "list backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "watch backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "create backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "update backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "delete backendtlspolicies.gateway.networking.k8s.io": "where the cluster has them, to be copied",
    "list peerauthentications.security.istio.io": "where the cluster has Istio",
    "watch peerauthentications.security.istio.io": "where the cluster has Istio",
    "list grpcroutes.gateway.networking.k8s.io": "where the cluster has them",
    "watch grpcroutes.gateway.networking.k8s.io": "where the cluster has them",
    "list serviceprofiles.linkerd.io": "where the cluster has Linkerd",
    "watch serviceprofiles.linkerd.io": "where the cluster has Linkerd",
  ]

  /// The scenarios that together use all the rest.
  static let telling: Set<String> = [
    "good", "bad-errors", "deleted", "run-deleted", "undo", "retry", "supersede", "in-place", "in-place-gateway",
    "gateway",
  ]

  /// What a user did by an audit log, and what was refused; `nil` where there is no log.
  static func used(in log: URL, by user: String) throws -> (done: Set<Rights>, refused: Set<String>)? {
    guard let data = try? Data(contentsOf: log) else { return nil }
    var done: Set<Rights> = []
    var refused: Set<String> = []
    for line in data.split(separator: UInt8(ascii: "\n")) {
      let event = try JSON(parsing: Data(line))
      guard event[path: ["user", "username"]]?.string == user, let object = event["objectRef"] else { continue }
      let right = Rights(
        verb: event["verb"]?.string ?? "",
        resource: resource(object["resource"]?.string ?? "", object["apiGroup"]?.string, object["subresource"]?.string),
        names: object["name"]?.string.map { [$0] } ?? [])
      // A namespace that is on its way out is also a reason for 403; the authorizer's own word says which it was.
      let decision = event[path: ["annotations", "authorization.k8s.io/decision"]]?.string
      if event[path: ["responseStatus", "code"]]?.int == 403, decision ?? "forbid" == "forbid" {
        refused.insert(right.description)
      }
      done.insert(right)
    }
    return (done, refused)
  }

  /// What the roles of deploy/ for the controller grant, one right for each verb and resource.
  static func granted(_ roles: JSON) throws -> [Rights] {
    let names = ["sluice-controller", "sluice-controller-cluster", "sluice-lease", "sluice-notification-secrets"]
    return (roles["items"]?.array ?? []).filter { names.contains($0.name) }.flatMap { role in
      (role["rules"]?.array ?? []).flatMap { rule in
        strings(rule["apiGroups"]).flatMap { group in
          strings(rule["resources"]).flatMap { resource in
            strings(rule["verbs"]).map { verb in
              let parts = resource.split(separator: "/").map(String.init)
              return Rights(
                verb: verb, resource: self.resource(parts[0], group, parts.count > 1 ? parts[1] : nil),
                names: Set(strings(rule["resourceNames"])))
            }
          }
        }
      }
    }
  }

  private static func strings(_ json: JSON?) -> [String] { json?.array?.compactMap(\.string) ?? [] }

  private static func resource(_ plural: String, _ group: String?, _ subresource: String?) -> String {
    plural + (group.map { $0.isEmpty ? "" : ".\($0)" } ?? "") + (subresource.map { "/\($0)" } ?? "")
  }
}
