import KubernetesAPI
import RolloutAPI

/// A provider that weighs one rule of a routing object which a person keeps. For the time of a run the callers' Service
/// gives way in it to the tracks' Services with weights; before and afterwards the rule is what the person wrote, so that
/// Git and cluster differ only while a run is on.
///
/// Nothing else of the object is touched: a write is a JSON patch of the rule's own members, tested against the rule's
/// name and the resourceVersion that it was decided on. Rules for routes and stickiness are put directly before the
/// person's rule, and take only requests that it would have got.
protocol InPlaceProvider: TrafficProvider {
  /// The kind of the object.
  var type: ResourceType { get }
  /// The member of the object's spec that lists rules.
  var list: String { get }
  /// The members of a rule that Sluice changes.
  var members: [String] { get }

  var route: RouteReference { get }

  /// The rule that the plan means.
  /// - Throws: ``RoutingRefusal`` where it is not clear which one that is.
  func rule(in object: JSON) throws(RoutingRefusal) -> LentRule
  /// Where rules of Sluice's stand in an object whose person's rule is not to be found.
  func inserted(in object: JSON) -> [Int]
  /// Whether a rule sends anything to the tracks' Services.
  func isLent(_ rule: JSON) -> Bool
  /// The percentage that a rule gives to the canary.
  func canaryWeight(_ rule: JSON) -> Int
  /// Why a person's rule cannot be edited; empty where it can. Each problem names the object, the rule and the field.
  func problems(_ found: LentRule) -> [String]
  /// What a step's target asks for and this rule cannot be given.
  func targetProblems(_ target: TrafficTarget, _ found: LentRule) -> [String]
  /// What the person's rule says, without what Sluice made of it.
  func original(_ found: LentRule) -> JSON
  /// The rule for a target, and the rules that go before it.
  func rules(_ target: TrafficTarget, _ found: LentRule) -> (inserted: [JSON], rule: JSON)
}

extension InPlaceProvider {
  var key: ObjectKey { ObjectKey(namespace: plan.namespace, name: route.name) }
  var annotation: String { RuleRecord.annotation(of: plan.name) }

  func find(_ live: [JSON]) -> JSON? {
    live.first { $0.objectKey == key && ($0.kind.isEmpty || $0.kind == type.kind) }
  }

  /// The rule in the live object.
  func rule(_ live: [JSON]) throws(RoutingRefusal) -> LentRule {
    let field = "traffic.\(plan.provider.member).route"
    guard let object = find(live) else {
      throw RoutingRefusal(["\(type.kind) \(key), which \(field) names, is not there"])
    }
    if let owner = object.labels[RoutingNames.rollout] {
      throw RoutingRefusal([
        "\(type.kind) \(key), which \(field) names, is Rollout \(plan.namespace)/\(owner)'s own; name one "
          + "of yours, or leave route out"
      ])
    }
    return try rule(in: object)
  }

  func record(_ object: JSON) -> RuleRecord? { object.annotations[annotation].flatMap(RuleRecord.init) }

  /// What of a rule Sluice changes.
  func members(of rule: JSON) -> JSON {
    .object((rule.object ?? [:]).filter { members.contains($0.key) })
  }

  /// What the plan's steps ask for and this rule cannot be given.
  func stepProblems(_ found: LentRule) -> [String] {
    plan.steps.enumerated().filter(\.element.setsTraffic).flatMap { index, step in
      targetProblems(step.traffic, found).map { "spec.steps[\(index)]: \($0)" }
    }
  }

  /// The objects that come before the person's where two ask for the same requests, in the order of their names.
  func older(than own: JSON, among objects: [JSON]) -> [JSON] {
    func age(_ object: JSON) -> (String, ObjectKey) {
      (object[path: ["metadata", "creationTimestamp"]]?.string ?? "", object.objectKey)
    }
    return objects.filter { age($0) < age(own) }.sorted { $0.objectKey < $1.objectKey }
  }

  func objects(for routing: Routing) -> [RoutingObject] { [] }

  var keys: [RoutingKey] { [RoutingKey(type: type, key: key)] }

  func place(in live: [JSON]) -> RoutingPlace? { find(live).flatMap(record)?.place }

  // MARK: Reading

  func observe(_ live: [JSON], owned: Bool) -> ObservedRouting {
    let found: LentRule
    do throws(RoutingRefusal) {
      found = try rule(live)
    } catch {
      guard let object = find(live), !inserted(in: object).isEmpty else { return .unusable(error.description) }
      // The rule is gone, and rules that Sluice put before it are not.
      return .changed(intended: .split(.stableOnly), differences: error.problems, canaryWeight: nil)
    }
    let record = record(found.object)
    guard isLent(found.rule) || !found.inserted.isEmpty else {
      let problems = problems(found)
      if !problems.isEmpty { return .unusable(problems.joined(separator: "; ")) }
      guard let record else { return .routing(.released) }
      if owned {
        return .changed(
          intended: .split(record.target), differences: ["\(found.title) was set back to what it was before the run"],
          canaryWeight: 0)
      }
      return .changed(
        intended: .released, differences: ["\(type.kind) \(key) still has the annotation \(annotation)"],
        canaryWeight: 0)
    }
    guard let record else {
      return .changed(
        intended: .split(.stableOnly),
        differences: ["\(type.kind) \(key) has no annotation \(annotation) that Sluice can read"],
        canaryWeight: canaryWeight(found.rule))
    }
    let wanted = rules(record.target, found)
    var differences = members.flatMap { member in
      JSONDifference.find(
        expected: wanted.rule[member], found: found.rule[member], at: "spec.\(list)[\(found.index)].\(member)"
      ).map { "\(type.kind) \(key): \($0)" }
    }
    if !isInserted(wanted.inserted, found) {
      differences.append("\(found.title) has not the rules before it that Sluice put there")
    }
    if differences.isEmpty { return .routing(.split(record.target)) }
    return .changed(
      intended: .split(record.target), differences: differences, canaryWeight: canaryWeight(found.rule))
  }

  /// Whether these rules, and no others of Sluice's, stand directly before the person's.
  private func isInserted(_ wanted: [JSON], _ found: LentRule) -> Bool {
    found.inserted == Array(found.index - wanted.count..<found.index)
      && zip(wanted, found.inserted).allSatisfy {
        JSONDifference.find(expected: $0, found: found.rules[$1], at: "rule").isEmpty
      }
  }

  // MARK: Writing

  func writes(
    for routing: Routing, live: [JSON], owned: Bool, place: RoutingPlace?
  ) throws(RoutingRefusal) -> [RoutingWrite] {
    let found: LentRule
    do throws(RoutingRefusal) {
      found = try rule(live)
    } catch {
      // Whatever became of the person's rule, none of Sluice's may stay behind.
      guard let object = find(live), object.labels[RoutingNames.rollout] == nil,
        routing == .released || !inserted(in: object).isEmpty
      else {
        if routing == .released { return [] }
        throw error
      }
      return patch(object, rule: nil, removing: inserted(in: object), at: nil, record: nil)
    }
    switch routing {
    case .released:
      guard isLent(found.rule) || !found.inserted.isEmpty || found.object.annotations[annotation] != nil else {
        return []
      }
      var rule = found.rule
      let original = original(found)
      for member in members { rule[member] = original[member] }
      return patch(found.object, rule: rule, removing: found.inserted, at: found, record: nil)
    case .split(let target):
      if !isLent(found.rule), found.inserted.isEmpty {
        let problems = problems(found)
        if !problems.isEmpty { throw RoutingRefusal(problems) }
      }
      let wanted = rules(target, found)
      var record = RuleRecord(target: target, place: place, original: original(found))
      // Where only the place differs there is nothing to write.
      if let before = self.record(found.object), before.target == target, before.original == record.original {
        record.place = before.place
      }
      if isInserted(wanted.inserted, found) {
        return patch(found.object, rule: wanted.rule, removing: [], at: found, record: record)
      }
      return patch(
        found.object, rule: wanted.rule, removing: found.inserted, adding: wanted.inserted, at: found, record: record)
    }
  }

  /// One patch that changes a rule's members, takes rules away and puts others before it, and keeps the record; none
  /// where nothing differs. It fails as a whole where the object is another one than it was decided on.
  private func patch(
    _ object: JSON, rule: JSON?, removing: [Int], adding: [JSON] = [], at found: LentRule?, record: RuleRecord?
  ) -> [RoutingWrite] {
    let rules: JSONPointer = ["spec", list]
    var tests: [JSONPatchOperation] = [
      .test(["metadata", "resourceVersion"], .string(object.resourceVersion))
    ]
    var changes: [JSONPatchOperation] = removing.sorted(by: >).map { .remove(rules.appending($0)) }
    if let found, let rule {
      if let name = found.rule["name"] { tests.append(.test(rules.appending(found.index).appending("name"), name)) }
      let index = found.index - removing.filter { $0 < found.index }.count
      let place = rules.appending(index)
      for member in members {
        let (live, wanted) = (found.rule[member], rule[member])
        guard !JSONDifference.find(expected: wanted, found: live, at: member).isEmpty else { continue }
        switch (live, wanted) {
        case (_, nil): changes.append(.remove(place.appending(member)))
        case (nil, let wanted?): changes.append(.add(place.appending(member), wanted))
        case (_, let wanted?): changes.append(.replace(place.appending(member), wanted))
        }
      }
      changes += adding.reversed().map { .add(place, $0) }
    }
    let annotations: JSONPointer = ["metadata", "annotations"]
    let before = object.annotations[annotation]
    switch record?.text {
    case before: break
    case nil: changes.append(.remove(annotations.appending(annotation)))
    case let text? where object[path: annotations.parts] == nil:
      changes.append(.add(annotations, [annotation: .string(text)]))
    case let text?: changes.append(.add(annotations.appending(annotation), .string(text)))
    }
    return changes.isEmpty ? [] : [.patch(type, key, tests + changes)]
  }
}
