import KubernetesAPI
import RolloutAPI

/// What a workload's proxies take: plain text too, unless a PeerAuthentication says otherwise. One that selects pods comes
/// before that of the namespace, and this one before that of the mesh; of several the oldest one decides
/// (https://istio.io/latest/docs/reference/config/security/peer_authentication/).
struct PeerAuthentications {
  /// Where the ones for the whole mesh lie, unless an installation says otherwise.
  static let root = "istio-system"

  private let policies: [JSON]
  private let namespace: String

  init(_ surroundings: [JSON], namespace: String) {
    policies = surroundings.filter { $0.kind == ResourceType.peerAuthentications.kind }.sorted {
      ($0[path: ["metadata", "creationTimestamp"]]?.string ?? "", $0.objectKey)
        < ($1[path: ["metadata", "creationTimestamp"]]?.string ?? "", $1.objectKey)
    }
    self.namespace = namespace
  }

  /// Why the pods behind Services would take plain text, and what would be right.
  func problems(of workload: JSON, _ services: [RoutedService]) -> [String] {
    let labels = workload[path: ["spec", "template", "metadata", "labels"]]?.strings ?? [:]
    let ports = services.flatMap(\.targets).uniqued.compactMap { Self.number($0, in: workload) }
    return (ports.isEmpty ? [nil] : ports.map(Optional.some)).compactMap { port in
      let (mode, source) = mode(labels, port: port)
      guard mode != "STRICT" else { return nil }
      let from =
        source.map { "by PeerAuthentication \($0.objectKey) it is \(mode)" } ?? "no PeerAuthentication says STRICT"
      return "traffic.mtls: Strict: the pods of Deployment \(workload.objectKey) take plain text"
        + (port.map { " at port \($0)" } ?? "") + " (\(from)): make it STRICT for them, or ask for mtls: Verify"
    }.uniqued
  }

  /// The mode in force, and who says so.
  private func mode(_ labels: [String: String], port: Int?) -> (String, JSON?) {
    func selector(_ policy: JSON) -> [String: String] {
      policy[path: ["spec", "selector", "matchLabels"]]?.strings ?? [:]
    }
    let own = policies.filter { $0.namespace == namespace }
    let levels = [
      own.first { !selector($0).isEmpty && selector($0).allSatisfy { labels[$0.key] == $0.value } },
      own.first { selector($0).isEmpty },
      policies.first { $0.namespace == Self.root && selector($0).isEmpty },
    ]
    for policy in levels.compactMap(\.self) {
      let ofPort = port.flatMap { policy[path: ["spec", "portLevelMtls", String($0), "mode"]]?.string }
      let mode = [ofPort, policy[path: ["spec", "mtls", "mode"]]?.string].compactMap(\.self).first { $0 != "UNSET" }
      if let mode { return (mode, policy) }
    }
    return ("PERMISSIVE", nil)
  }

  private static func number(_ port: IntOrString, in workload: JSON) -> Int? {
    switch port {
    case .int(let number): return number
    case .string(let name):
      let containers = workload[path: ["spec", "template", "spec", "containers"]]?.array ?? []
      return containers.flatMap { $0["ports"]?.array ?? [] }.first { $0["name"]?.string == name }?["containerPort"]?.int
    }
  }
}
