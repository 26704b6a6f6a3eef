import KubernetesAPI

/// Where an observation reads objects: the informers' caches, brought forward by our own writes. Reading costs no request.
protocol ClusterSnapshot: Sendable {
  func object(_ type: ResourceType, _ key: ObjectKey) -> JSON?

  /// Sorted by name.
  func objects(_ type: ResourceType, namespace: String) -> [JSON]

  /// Of every namespace.
  func all(_ type: ResourceType) -> [JSON]
}

extension ClusterSnapshot {
  /// Objects of several kinds, which they name.
  func objects(_ types: [ResourceType], namespace: String) -> [JSON] {
    types.flatMap { type in objects(type, namespace: namespace).map { $0.typed(type) } }
  }
}
