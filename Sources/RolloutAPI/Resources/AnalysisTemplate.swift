import KubernetesAPI

/// Reusable SLOs. `$(name)` of an argument may stand in any text of an SLO.
public struct AnalysisTemplateSpec: Codable, Sendable, Hashable {
  public var args: [ArgumentSpec]?
  public var slos: [SLOSpec]

  public init(args: [ArgumentSpec]? = nil, slos: [SLOSpec]) {
    self.args = args
    self.slos = slos
  }
}

/// Reusable SLOs of one namespace.
public struct AnalysisTemplate: KubernetesResource, Hashable {
  public static let resource = ResourceType.analysisTemplates

  public var metadata: ObjectMeta
  public var spec: AnalysisTemplateSpec

  public init(metadata: ObjectMeta, spec: AnalysisTemplateSpec) {
    self.metadata = metadata
    self.spec = spec
  }
}

/// Reusable SLOs of the whole cluster.
public struct ClusterAnalysisTemplate: KubernetesResource, Hashable {
  public static let resource = ResourceType.clusterAnalysisTemplates

  public var metadata: ObjectMeta
  public var spec: AnalysisTemplateSpec

  public init(metadata: ObjectMeta, spec: AnalysisTemplateSpec) {
    self.metadata = metadata
    self.spec = spec
  }
}
