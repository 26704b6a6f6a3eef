/// The metadata that every object has.
public struct ObjectMeta: Codable, Sendable, Hashable {
  public var name: String?
  public var generateName: String?
  public var namespace: String?
  public var uid: String?
  public var resourceVersion: String?
  public var generation: Int?
  public var creationTimestamp: Timestamp?
  public var deletionTimestamp: Timestamp?
  public var deletionGracePeriodSeconds: Int?
  public var labels: [String: String]?
  public var annotations: [String: String]?
  public var ownerReferences: [OwnerReference]?
  public var finalizers: [String]?

  public init(
    name: String? = nil, namespace: String? = nil, labels: [String: String]? = nil,
    annotations: [String: String]? = nil, ownerReferences: [OwnerReference]? = nil, finalizers: [String]? = nil
  ) {
    self.name = name
    self.namespace = namespace
    self.labels = labels
    self.annotations = annotations
    self.ownerReferences = ownerReferences
    self.finalizers = finalizers
  }

  public var key: ObjectKey { ObjectKey(namespace: namespace ?? "", name: name ?? "") }
  public var isBeingDeleted: Bool { deletionTimestamp != nil }
  /// The owner whose controller manages this object.
  public var controller: OwnerReference? { ownerReferences?.first { $0.controller == true } }
}

/// `metav1.OwnerReference`.
public struct OwnerReference: Codable, Sendable, Hashable {
  public var apiVersion: String
  public var kind: String
  public var name: String
  public var uid: String
  public var controller: Bool?
  public var blockOwnerDeletion: Bool?

  public init(
    apiVersion: String, kind: String, name: String, uid: String, controller: Bool? = nil,
    blockOwnerDeletion: Bool? = nil
  ) {
    self.apiVersion = apiVersion
    self.kind = kind
    self.name = name
    self.uid = uid
    self.controller = controller
    self.blockOwnerDeletion = blockOwnerDeletion
  }
}

/// Untyped access to the metadata of any object.
extension JSON {
  public var apiVersion: String { self["apiVersion"]?.string ?? "" }
  public var kind: String { self["kind"]?.string ?? "" }
  public var name: String { self[path: ["metadata", "name"]]?.string ?? "" }
  public var namespace: String { self[path: ["metadata", "namespace"]]?.string ?? "" }
  public var uid: String { self[path: ["metadata", "uid"]]?.string ?? "" }
  public var resourceVersion: String { self[path: ["metadata", "resourceVersion"]]?.string ?? "" }
  public var generation: Int { self[path: ["metadata", "generation"]]?.int ?? 0 }
  public var labels: [String: String] { self[path: ["metadata", "labels"]]?.strings ?? [:] }
  public var annotations: [String: String] { self[path: ["metadata", "annotations"]]?.strings ?? [:] }
  /// One label, without making a dictionary of all.
  public func label(_ name: String) -> String? { self[path: ["metadata", "labels", name]]?.string }
  /// One annotation, without making a dictionary of all.
  public func annotation(_ name: String) -> String? { self[path: ["metadata", "annotations", name]]?.string }
  public var finalizers: [String] { self[path: ["metadata", "finalizers"]]?.array?.compactMap(\.string) ?? [] }
  public var ownerReferences: [JSON] { self[path: ["metadata", "ownerReferences"]]?.array ?? [] }
  /// The reference to the owner that controls the object; the API server admits one at most.
  public var controllerReference: JSON? { ownerReferences.first { $0["controller"]?.bool == true } }
  public var controllerUID: String? { controllerReference?["uid"]?.string }
  public var isBeingDeleted: Bool { self[path: ["metadata", "deletionTimestamp"]] != nil }
  public var objectKey: ObjectKey { ObjectKey(namespace: namespace, name: name) }
}
