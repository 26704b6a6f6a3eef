import KubernetesAPI
import RolloutAPI

/// One rule of a person's routing object that is Sluice's to weigh, and the rules that Sluice has put before it.
struct LentRule: Sendable {
  let object: JSON
  let type: ResourceType
  /// All rules of the object.
  let rules: [JSON]
  /// Where the rule stands in ``rules``.
  let index: Int
  /// Where rules of Sluice's stand, for the time of a run.
  let inserted: [Int]

  var rule: JSON { rules[index] }
  var title: String { Self.title(of: rule, in: object, type) }

  /// The rules besides Sluice's own.
  var others: [(index: Int, rule: JSON)] {
    rules.enumerated().filter { $0.offset != index && !inserted.contains($0.offset) }.map { ($0.offset, $0.element) }
  }

  static func title(of rule: JSON, in object: JSON, _ type: ResourceType) -> String {
    "rule \(rule["name"]?.string ?? "(unnamed)") of \(type.kind) \(object.objectKey)"
  }

  /// The name of a rule that Sluice puts before the person's.
  static func insertedName(_ rollout: String, _ what: String) -> String { "sluice-\(rollout)-\(what)" }

  /// What Sluice calls the rules that it puts before the person's.
  static let insertions = ["route", "sticky"]

  /// Where rules that bear the names of Sluice's stand in a list.
  static func inserted(in rules: [JSON], rollout: String) -> [Int] {
    let own = Set(insertions.map { insertedName(rollout, $0) })
    return rules.indices.filter { own.contains(rules[$0]["name"]?.string ?? "") }
  }

  init(object: JSON, type: ResourceType, rules: [JSON], index: Int, inserted: [Int]) {
    self.object = object
    self.type = type
    self.rules = rules
    self.index = index
    self.inserted = inserted
  }

  /// Finds the one rule of a name among those that are not Sluice's; without a name the only one that there is.
  /// - Parameter noun: what the kind of object calls such a rule.
  /// - Throws: ``RoutingRefusal`` where there is not exactly one.
  init(
    named name: String?, in object: JSON, _ type: ResourceType, rules: [JSON], inserted: [Int], noun: String
  ) throws(RoutingRefusal) {
    let theirs = rules.indices.filter { !inserted.contains($0) }
    let found = theirs.filter { name == nil || rules[$0]["name"]?.string == name }
    let names = theirs.map { rules[$0]["name"]?.string ?? "(unnamed)" }.joined(separator: ", ")
    let title = "\(type.kind) \(object.objectKey)"
    guard let first = found.first else {
      throw RoutingRefusal([
        name.map { "\(title) has no \(noun) named \($0); it has \(names.isEmpty ? "none" : names)" }
          ?? "\(title) has no \(noun)"
      ])
    }
    guard found.count == 1 else {
      throw RoutingRefusal([
        name.map { "\(title) has \(found.count) \(noun)s named \($0), and Sluice must know which one to edit" }
          ?? "\(title) has \(found.count) \(noun)s (\(names)): name one of them as route.rule"
      ])
    }
    self.init(object: object, type: type, rules: rules, index: first, inserted: inserted)
  }
}
