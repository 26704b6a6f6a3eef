import KubernetesAPI
import RolloutAPI

/// What a cluster's own objects say of its Gateway API: which version, and who implements the plan's Gateways.
public struct GatewayCluster: Sendable {
  /// The release of the installed definitions, from the annotations of HTTPRoute's; `nil` where it is not known.
  var version: (major: Int, minor: Int)?
  /// Whether the definitions are of the experimental channel, which has more fields; `nil` where it is not known.
  var isExperimental: Bool?
  /// The plan's Gateways in its order.
  var parents: [Parent] = []
  /// Whose metrics judge the tracks; `nil` where nothing tells.
  var metrics: MetricsSource?

  struct Parent: Sendable {
    var key: ObjectKey
    /// `nil` where there is no such Gateway, or it is not known.
    var className: String?
    var isThere: Bool
    var controller: String?
    /// What its class claims to support; `nil` where it claims nothing.
    var features: Set<String>?
  }

  /// The name of the definition whose annotations say which version is installed.
  public static let definition = "httproutes.gateway.networking.k8s.io"

  /// - Parameter surroundings: the live Gateways, GatewayClasses, and the definition of HTTPRoute.
  init(_ surroundings: [JSON], gateway: GatewayTraffic, namespace: String) {
    func of(_ type: ResourceType) -> [JSON] { surroundings.filter { $0.kind == type.kind } }
    if let definition = of(.customResourceDefinitions).first(where: { $0.name == Self.definition }) {
      version = Self.version(definition.annotations["gateway.networking.k8s.io/bundle-version"] ?? "")
      isExperimental = definition.annotations["gateway.networking.k8s.io/channel"].map { $0 == "experimental" }
    }
    let (gateways, classes) = (of(.gateways), of(.gatewayClasses))
    parents = gateway.parents.map { parent in
      let key = ObjectKey(namespace: parent.namespace ?? namespace, name: parent.name)
      let live = gateways.first { $0.objectKey == key }
      let className = live?[path: ["spec", "gatewayClassName"]]?.string
      let type = classes.first { $0.name == className }
      return Parent(
        // Other kinds, such as a ListenerSet, are not looked up; of another namespace nothing may be readable.
        key: key, className: className,
        isThere: live != nil || surroundings.isEmpty || (parent.kind ?? Defaults.parentKind) != "Gateway"
          || (key.namespace != namespace && !gateways.contains { $0.namespace == key.namespace }),
        controller: type?[path: ["spec", "controllerName"]]?.string, features: type.flatMap(Self.features))
    }
    metrics = gateway.metrics ?? Self.metrics(of: parents.compactMap(\.controller))
  }

  /// `v1.2.1`, `v1.3.0-rc.1`.
  private static func version(_ text: String) -> (major: Int, minor: Int)? {
    guard text.hasPrefix("v") else { return nil }
    let parts = text.dropFirst().split(separator: ".").prefix(2).compactMap { Int($0) }
    return parts.count == 2 ? (parts[0], parts[1]) : nil
  }

  /// Names alone up to v1.2, objects with a name since.
  private static func features(_ type: JSON) -> Set<String>? {
    let list = type[path: ["status", "supportedFeatures"]]?.array ?? []
    let names = list.compactMap { $0.string ?? $0["name"]?.string }
    return names.isEmpty ? nil : Set(names)
  }

  private static let controllers: [(name: String, metrics: MetricsSource)] = [
    ("istio.io/", .istio), ("linkerd.io/", .linkerd), ("gateway.envoyproxy.io/", .envoyGateway),
  ]

  static func metrics(of controllers: [String]) -> MetricsSource? {
    let found = controllers.map { controller in
      Self.controllers.first { controller.hasPrefix($0.name) }?.metrics
    }
    guard let first = found.first, found.allSatisfy({ $0 == first }) else { return nil }
    return first
  }

  /// Whether a field is there that came into the standard channel with a minor version of 1.
  func hasField(since minor: Int?) -> Bool {
    if isExperimental == true { return true }
    guard let minor else { return isExperimental == nil }
    guard let version else { return true }
    return version.major > 1 || version.minor >= minor
  }

  var title: String {
    let release = version.map { "v\($0.major).\($0.minor)" } ?? "of an unknown version"
    let channel = isExperimental.map { $0 ? ", experimental channel" : ", standard channel" } ?? ""
    return "the cluster's Gateway API is \(release)\(channel)"
  }
}
