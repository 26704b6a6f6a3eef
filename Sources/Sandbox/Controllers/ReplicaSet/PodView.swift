import Foundation
import KubernetesAPI

/// A Pod as the controllers see it.
struct PodView {
  static let deletionCost = "controller.kubernetes.io/pod-deletion-cost"

  var json: JSON

  init(_ json: JSON) { self.json = json }

  var name: String { json.name }
  var uid: String { json.uid }
  var nodeName: String { json[path: ["spec", "nodeName"]]?.string ?? "" }
  var phase: String { json[path: ["status", "phase"]]?.string ?? "Pending" }
  var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }
  /// Counts for its ReplicaSet: neither finished nor marked for deletion.
  var isActive: Bool { !isFinished && !json.isBeingDeleted }
  var isReady: Bool { condition("Ready")?["status"]?.string == "True" }
  var readySince: Date? { isReady ? ControllerTime.date(condition("Ready")?["lastTransitionTime"]) : nil }

  var restarts: Int {
    let containers = json[path: ["status", "containerStatuses"]]?.array ?? []
    return containers.map { $0["restartCount"]?.int ?? 0 }.max() ?? 0
  }

  var cost: Int { json.annotations[Self.deletionCost].flatMap(Int.init) ?? 0 }

  func condition(_ type: String) -> JSON? {
    json[path: ["status", "conditions"]]?.array?.first { $0["type"]?.string == type }
  }

  /// Ready, and for at least so long.
  /// - Parameter minReady: seconds.
  func isAvailable(minReady: Int, now: Date) -> Bool {
    guard isReady else { return false }
    if minReady == 0 { return true }
    guard let readySince else { return false }
    return readySince.adding(.seconds(minReady)) <= now
  }

  /// All addresses of a family.
  func addresses(ofFamily family: String) -> [String] {
    var addresses = (json[path: ["status", "podIPs"]]?.array ?? []).compactMap { $0["ip"]?.string }
    if addresses.isEmpty, let address = json[path: ["status", "podIP"]]?.string { addresses = [address] }
    return addresses.filter { !$0.isEmpty && ($0.contains(":") ? "IPv6" : "IPv4") == family }
  }
}
