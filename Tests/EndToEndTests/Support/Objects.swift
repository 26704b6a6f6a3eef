import KubernetesAPI

/// The members of objects that scenarios ask for.
extension JSON {
  private func text(_ path: String...) -> String? { self[path: path]?.string }

  var image: String? { self[path: ["spec", "template", "spec", "containers"]]?[0]?["image"]?.string }
  var podImage: String? { self[path: ["spec", "containers"]]?[0]?["image"]?.string }
  var hash: String? { labels["pod-template-hash"] }
  var replicas: Int? { self[path: ["spec", "replicas"]]?.int }
  var isPaused: Bool { self[path: ["spec", "paused"]]?.bool ?? false }
  var selector: [String: String] { self[path: ["spec", "selector"]]?.strings ?? [:] }
  var phase: String? { text("status", "phase") }
  var message: String? { text("status", "message") }

  var creation: String { text("metadata", "creationTimestamp") ?? "" }

  /// Not on its way out.
  var isAlive: Bool { self[path: ["metadata", "deletionTimestamp"]] == nil }

  var restarts: Int {
    (self[path: ["status", "containerStatuses"]]?.array ?? []).compactMap { $0["restartCount"]?.int }.reduce(0, +)
  }

  func condition(_ type: String) -> JSON? {
    (self[path: ["status", "conditions"]]?.array ?? []).first { $0["type"]?.string == type }
  }

  /// Of a VirtualService: the weight of each destination of its rules. Of an HTTPRoute: of the rule `checkout`, or else its last.
  var destinations: [(host: String, weight: Int)] {
    if let rules = self[path: ["spec", "rules"]]?.array {
      let rule = rules.first { $0["name"]?.string == "checkout" } ?? rules.last
      return (rule?["backendRefs"]?.array ?? []).map {
        (($0["name"]?.string ?? "") + ".", $0["weight"]?.int ?? 1)
      }
    }
    return (self[path: ["spec", "http"]]?.array ?? []).flatMap { $0["route"]?.array ?? [] }.map {
      ($0[path: ["destination", "host"]]?.string ?? "", $0["weight"]?.int ?? 100)
    }
  }

  var canaryWeight: Int {
    destinations.filter { $0.host.split(separator: ".").first == "checkout-canary" }.map(\.weight).reduce(0, +)
  }
}
