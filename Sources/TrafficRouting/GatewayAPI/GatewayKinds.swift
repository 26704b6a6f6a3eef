import KubernetesAPI

extension ResourceType {
  private static let gatewayGroup = "gateway.networking.k8s.io"

  public static let httpRoutes = ResourceType(group: gatewayGroup, kind: "HTTPRoute", plural: "httproutes")
  /// Looked at alone: Sluice routes gRPC by HTTPRoutes.
  public static let grpcRoutes = ResourceType(group: gatewayGroup, kind: "GRPCRoute", plural: "grpcroutes")
  public static let gateways = ResourceType(group: gatewayGroup, kind: "Gateway", plural: "gateways")
  public static let gatewayClasses = ResourceType(
    group: gatewayGroup, kind: "GatewayClass", plural: "gatewayclasses", namespaced: false)
  /// Served in this version since Gateway API v1.4.
  public static let backendTLSPolicies = ResourceType(
    group: gatewayGroup, kind: "BackendTLSPolicy", plural: "backendtlspolicies")
  public static let serviceProfiles = ResourceType(
    group: "linkerd.io", version: "v1alpha2", kind: "ServiceProfile", plural: "serviceprofiles")
  public static let customResourceDefinitions = ResourceType(
    group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions",
    namespaced: false)
}
