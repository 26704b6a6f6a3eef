/// A kind of object and where the API serves it.
public struct ResourceType: Sendable, Hashable {
  /// Empty for the core group.
  public var group: String
  public var version: String
  public var kind: String
  /// The name in paths: `deployments`.
  public var plural: String
  public var namespaced: Bool

  public init(group: String = "", version: String = "v1", kind: String, plural: String, namespaced: Bool = true) {
    self.group = group
    self.version = version
    self.kind = kind
    self.plural = plural
    self.namespaced = namespaced
  }

  /// `apps/v1`, or `v1` in the core group.
  public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

  /// As the server and RBAC write it: `deployments.apps`, `pods`.
  public var qualifiedName: String { group.isEmpty ? plural : "\(plural).\(group)" }

  /// The path of a collection (`name` nil), an object, or one of its subresources.
  public func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
    var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    if namespaced, let namespace { path += "/namespaces/\(namespace)" }
    path += "/\(plural)"
    if let name { path += "/\(name)" }
    if let subresource { path += "/\(subresource)" }
    return path
  }
}

/// An object that has a type of its own here; unknown members are lost on decoding, so such a value is never written
/// back whole: changes go as patches, or by way of ``JSON``.
public protocol KubernetesResource: Codable, Sendable {
  static var resource: ResourceType { get }
  var metadata: ObjectMeta { get }
}

extension ResourceType {
  public static let pods = ResourceType(kind: "Pod", plural: "pods")
  public static let services = ResourceType(kind: "Service", plural: "services")
  public static let secrets = ResourceType(kind: "Secret", plural: "secrets")
  public static let configMaps = ResourceType(kind: "ConfigMap", plural: "configmaps")
  public static let events = ResourceType(kind: "Event", plural: "events")
  /// The newer of the two views of the same objects.
  public static let eventsV1 = ResourceType(group: "events.k8s.io", kind: "Event", plural: "events")
  public static let namespaces = ResourceType(kind: "Namespace", plural: "namespaces", namespaced: false)
  public static let deployments = ResourceType(group: "apps", kind: "Deployment", plural: "deployments")
  public static let replicaSets = ResourceType(group: "apps", kind: "ReplicaSet", plural: "replicasets")
  public static let endpointSlices = ResourceType(
    group: "discovery.k8s.io", kind: "EndpointSlice", plural: "endpointslices")
  public static let leases = ResourceType(group: "coordination.k8s.io", kind: "Lease", plural: "leases")
}

/// Names one object of a known kind.
public struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Empty for objects without a namespace.
  public var namespace: String
  public var name: String

  public init(namespace: String = "", name: String) {
    self.namespace = namespace
    self.name = name
  }

  public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

  public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
    (left.namespace, left.name) < (right.namespace, right.name)
  }
}
