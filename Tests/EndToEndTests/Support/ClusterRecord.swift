import Foundation
import KubernetesAPI
import Synchronization

/// Every version of every object that `kubectl get --watch` showed. The resource versions of all kinds come from one
/// counter, so that the order of changes to different objects can be told.
final class ClusterRecord: Sendable {
  struct Version: Sendable {
    var resource: String
    var isDeleted: Bool
    var object: JSON
    /// Its resource version.
    var number: Int
  }

  /// The kinds that scenarios look at, as kubectl names them.
  static let resources = [
    "rollouts.sluice.dev", "rolloutruns.sluice.dev", "deployments.apps", "replicasets.apps", "pods", "services",
    "virtualservices.networking.istio.io", "events",
  ]
  /// Those of a mesh that a given cluster may lack.
  static let ofGateways = "httproutes.gateway.networking.k8s.io"

  private struct State {
    var watched: [String] = []
    var partial: [String: Data] = [:]
    var versions: [String: [Version]] = [:]
    var live: [String: JSON] = [:]
    var faults: [String] = []
  }

  private let state = Mutex(State())
  private let watches: Mutex<[Daemon]> = Mutex([])

  /// Watches all resources with `kubectl`.
  /// - Parameter hasGateways: whether the Gateway API is served.
  func start(_ kubectl: Program, hasGateways: Bool, logs: URL) throws {
    for resource in Self.resources + (hasGateways ? [Self.ofGateways] : []) {
      state.withLock { $0.watched.append(resource) }
      let arguments = [
        "get", resource, "--all-namespaces", "--watch", "--output-watch-events", "--output=json",
      ]
      let watch = try Daemon(
        "watch of \(resource)", kubectl, arguments, log: logs.appending(path: "watch-\(resource).log")
      ) { [weak self] in self?.take($0, resource) }
      watches.withLock { $0.append(watch) }
    }
  }

  func stop() async {
    for watch in watches.withLock({ $0 }) { await watch.stop() }
  }

  private func take(_ data: Data, _ resource: String) {
    state.withLock { state in
      var buffer = state.partial[resource, default: Data()] + data
      while let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        Self.read(buffer[buffer.startIndex..<end], resource, into: &state)
        buffer = buffer[buffer.index(after: end)...]
      }
      state.partial[resource] = Data(buffer)
      if data.isEmpty { state.faults.append("the watch of \(resource) has ended") }
    }
  }

  private static func read(_ line: Data, _ resource: String, into state: inout State) {
    guard let event = try? JSON(parsing: line), let object = event["object"], let type = event["type"]?.string,
      let number = Int(object.resourceVersion)
    else {
      return state.faults.append(
        "not a watch event of \(resource): \(String(decoding: line.prefix(200), as: UTF8.self))")
    }
    let key = "\(resource)/\(object.namespace)/\(object.name)"
    let version = Version(resource: resource, isDeleted: type == "DELETED", object: object, number: number)
    state.versions[object.namespace, default: []].append(version)
    state.live[key] = version.isDeleted ? nil : object
  }

  /// The resources that are watched.
  var watched: [String] { state.withLock { $0.watched } }

  /// Whether every one of these objects is held as it is here, or newer.
  func holds(_ objects: [JSON], in namespace: String) -> Bool {
    let held = Dictionary(versions(in: namespace).map { ($0.object.uid, $0.number) }, uniquingKeysWith: max)
    return objects.allSatisfy { held[$0.uid, default: -1] >= Int($0.resourceVersion) ?? 0 }
  }

  /// What went wrong with the watches.
  var faults: [String] { state.withLock { $0.faults } }

  /// All versions of a namespace in the order in which they were written.
  func versions(in namespace: String) -> [Version] {
    state.withLock { $0.versions[namespace] ?? [] }.sorted { $0.number < $1.number }
  }

  /// The objects that there are now.
  func live(_ resource: String, in namespace: String) -> [JSON] {
    let prefix = "\(resource)/\(namespace)/"
    return state.withLock { $0.live.filter { $0.key.hasPrefix(prefix) }.map(\.value) }.sorted { $0.name < $1.name }
  }

  func live(_ resource: String, _ name: String, in namespace: String) -> JSON? {
    state.withLock { $0.live["\(resource)/\(namespace)/\(name)"] }
  }
}
