import KubernetesAPI
import RolloutAPI

/// A callers' Service as routing needs it: its ports as numbers, and which of them the plan covers.
public struct RoutedService: Sendable, Hashable {
  public var name: String
  /// The ports that the plan names, in its order; at least one.
  public var ports: [Int]
  /// The Service's other ports, which go to stable only.
  public var otherPorts: [Int]
  /// What the pods call ``ports``.
  public var targets: [IntOrString] = []

  public init(name: String, ports: [Int], otherPorts: [Int], targets: [IntOrString] = []) {
    self.name = name
    self.ports = ports
    self.otherPorts = otherPorts
    self.targets = targets
  }

  public var stableName: String { "\(name)-stable" }
  public var canaryName: String { "\(name)-canary" }

  /// Looks up the plan's ports in the live Services.
  /// - Parameter live: the Services of the plan's namespace.
  /// - Throws: ``RoutingRefusal`` with every Service or port that is not there.
  public static func resolve(_ plan: Plan, live: [JSON]) throws(RoutingRefusal) -> [RoutedService] {
    var routed: [RoutedService] = []
    var problems: [String] = []
    for service in plan.services {
      let title = "Service \(plan.namespace)/\(service.name)"
      guard let object = live.first(where: { $0.name == service.name && $0.namespace == plan.namespace }) else {
        problems.append("\(title) is not there; the plan's serviceRefs name it")
        continue
      }
      let ports = (object[path: ["spec", "ports"]]?.array ?? []).map {
        (name: $0["name"]?.string, port: $0["port"]?.int, target: $0["targetPort"])
      }
      let found =
        switch service.port {
        case .int(let number): ports.first { $0.port == number }
        case .string(let name): ports.first { $0.name == name }
        }
      guard let number = found?.port else {
        let known = ports.map { "\($0.name ?? "unnamed") (\($0.port ?? 0))" }.joined(separator: ", ")
        problems.append("\(title) has no port \(service.port); it has \(known.isEmpty ? "none" : known)")
        continue
      }
      let all = ports.compactMap(\.port)
      let target = found?.target?.string.map(IntOrString.string) ?? .int(found?.target?.int ?? number)
      if let index = routed.firstIndex(where: { $0.name == service.name }) {
        if !routed[index].ports.contains(number) {
          routed[index].ports.append(number)
          routed[index].targets.append(target)
        }
        routed[index].otherPorts.removeAll { $0 == number }
      } else {
        routed.append(
          RoutedService(
            name: service.name, ports: [number], otherPorts: all.filter { $0 != number }, targets: [target]))
      }
    }
    if !problems.isEmpty { throw RoutingRefusal(problems) }
    return routed
  }
}
