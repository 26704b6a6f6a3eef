import KubernetesAPI
import RolloutAPI

/// One rule in the `http` list of a person's VirtualService, found by the name that the plan gives, and the rules that
/// Sluice has put before it.
struct IstioRule: Sendable {
  let object: JSON
  let http: [JSON]
  /// Where the rule stands in ``http``.
  let index: Int
  /// Where rules of Sluice's stand, for the time of a run.
  let inserted: [Int]

  var rule: JSON { http[index] }
  var title: String { Self.title(of: rule, in: object) }

  /// The rules besides Sluice's own.
  var others: [(index: Int, rule: JSON)] {
    http.enumerated().filter { $0.offset != index && !inserted.contains($0.offset) }.map { ($0.offset, $0.element) }
  }

  static func title(of rule: JSON, in object: JSON) -> String {
    "rule \(rule["name"]?.string ?? "(unnamed)") of VirtualService \(object.objectKey)"
  }

  /// The name of a rule that Sluice puts before the person's.
  static func insertedName(_ rollout: String, _ what: String) -> String { "sluice-\(rollout)-\(what)" }

  /// What Sluice calls the rules that it puts before the person's.
  static let insertions = ["route", "sticky"]

  /// - Throws: ``RoutingRefusal`` where there is not exactly one rule of that name.
  init(_ route: RouteReference, in object: JSON, rollout: String) throws(RoutingRefusal) {
    let http = object[path: ["spec", "http"]]?.array ?? []
    let inserted = Self.inserted(in: http, rollout: rollout)
    let theirs = http.indices.filter { !inserted.contains($0) }
    let found = theirs.filter { route.rule == nil || http[$0]["name"]?.string == route.rule }
    let names = theirs.map { http[$0]["name"]?.string ?? "(unnamed)" }.joined(separator: ", ")
    let title = "VirtualService \(object.objectKey)"
    guard let first = found.first else {
      throw RoutingRefusal([
        route.rule.map { "\(title) has no http rule named \($0); it has \(names.isEmpty ? "none" : names)" }
          ?? "\(title) has no http rule"
      ])
    }
    guard found.count == 1 else {
      throw RoutingRefusal([
        route.rule.map { "\(title) has \(found.count) http rules named \($0), and Sluice must know which one to edit" }
          ?? "\(title) has \(found.count) http rules (\(names)): name one of them as route.rule"
      ])
    }
    self.object = object
    self.http = http
    self.inserted = inserted
    index = first
  }

  /// Where rules of Sluice's stand in a list.
  static func inserted(in http: [JSON], rollout: String) -> [Int] {
    let own = Set(insertions.map { insertedName(rollout, $0) })
    return http.indices.filter { own.contains(http[$0]["name"]?.string ?? "") }
  }
}
