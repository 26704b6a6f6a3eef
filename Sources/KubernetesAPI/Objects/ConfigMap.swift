/// `v1` ConfigMap.
public struct ConfigMap: KubernetesResource, Hashable {
  public static let resource = ResourceType.configMaps

  public var metadata: ObjectMeta
  public var data: [String: String]?

  public init(metadata: ObjectMeta, data: [String: String]? = nil) {
    self.metadata = metadata
    self.data = data
  }
}
