import Foundation
import KubernetesAPI

/// What one more pod of a template would be charged for by quotas.
struct PodNeeds: Equatable {
  /// By resource: what the pod asks for, and the most that it may use. A resource that is not named has neither.
  var requests: [String: Decimal] = [:]
  var limits: [String: Decimal] = [:]

  /// Containers that webhooks add to pods are not in a template, and so not counted: where they make the difference, the
  /// quota's refusal tells.
  /// - Parameter ranges: the LimitRanges of the namespace, whose defaults a pod is given when it is made.
  init(of template: JSON, ranges: [JSON]) {
    let spec = template["spec"] ?? .emptyObject
    let defaults = ranges.flatMap { $0[path: ["spec", "limits"]]?.array ?? [] }.filter { $0["type"] == "Container" }
    func amounts(_ container: JSON, _ field: String) -> [String: Decimal] {
      let own = (container[path: ["resources", field]] ?? .emptyObject).quantities
      // What is limited and asks for nothing asks for its limit.
      let limits = field == "requests" ? (container[path: ["resources", "limits"]] ?? .emptyObject).quantities : [:]
      var all: [String: Decimal] = [:]
      for range in defaults {
        for name in field == "requests" ? ["defaultRequest", "default"] : ["default"] {
          all.merge((range[name] ?? .emptyObject).quantities) { first, _ in first }
        }
      }
      return all.merging(limits) { $1 }.merging(own) { $1 }
    }
    for field in ["requests", "limits"] {
      var running: [String: Decimal] = [:]
      var starting: [String: Decimal] = [:]
      for container in spec["containers"]?.array ?? [] {
        running.merge(amounts(container, field)) { $0 + $1 }
      }
      for container in spec["initContainers"]?.array ?? [] {
        let own = amounts(container, field)
        if container["restartPolicy"] == "Always" {
          running.merge(own) { $0 + $1 }
        } else {
          starting.merge(own) { max($0, $1) }
        }
      }
      var all = running.merging(starting) { max($0, $1) }
      for (name, amount) in (spec["overhead"] ?? .emptyObject).quantities where field == "requests" || all[name] != nil
      {
        all[name, default: 0] += amount
      }
      if field == "requests" { requests = all } else { limits = all }
    }
  }

  /// The amount that a quota's resource counts: `pods`, `requests.cpu`, `limits.memory` …; `nil` where it counts
  /// something else than pods.
  func charge(_ resource: String) -> Charge? {
    switch resource {
    case "pods", "count/pods": return .amount(1)
    case "cpu", "memory", "ephemeral-storage": return charge("requests.\(resource)")
    default: break
    }
    for (prefix, amounts) in [("requests.", requests), ("limits.", limits)] where resource.hasPrefix(prefix) {
      let name = String(resource.dropFirst(prefix.count))
      if let amount = amounts[name] { return amount == 0 ? nil : .amount(amount) }
      // Of cpu and memory a pod must say how much, where a quota counts them; anything else it need not have.
      return name == "cpu" || name == "memory" ? .unnamed : nil
    }
    return nil
  }

  enum Charge: Equatable {
    case amount(Decimal)
    /// The pod must name an amount and does not.
    case unnamed
  }

  /// Whether the pod has neither requests nor limits of cpu and memory.
  var isBestEffort: Bool {
    ["cpu", "memory"].allSatisfy { (requests[$0] ?? 0) == 0 && (limits[$0] ?? 0) == 0 }
  }
}

extension JSON {
  fileprivate var quantities: [String: Decimal] {
    var all: [String: Decimal] = [:]
    for (name, amount) in object ?? [:] {
      if let quantity = (amount.string ?? amount.int.map(String.init)).flatMap({ Quantity($0) }) {
        all[name] = quantity.value
      }
    }
    return all
  }
}
