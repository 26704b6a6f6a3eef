import KubernetesAPI
import RolloutAPI

extension IstioInPlaceProvider {
  public func objects(for routing: Routing) -> [RoutingObject] { [] }

  public var keys: [RoutingKey] { [RoutingKey(type: .virtualServices, key: key)] }

  public func place(in live: [JSON]) -> RoutingPlace? { find(live).flatMap(record)?.place }

  // MARK: Reading

  public func observe(_ live: [JSON], owned: Bool) -> ObservedRouting {
    let found: IstioRule
    do throws(RoutingRefusal) {
      found = try rule(live)
    } catch {
      guard let object = find(live), !inserted(object).isEmpty else { return .unusable(error.description) }
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
        intended: .released, differences: ["VirtualService \(key) still has the annotation \(annotation)"],
        canaryWeight: 0)
    }
    guard let record else {
      return .changed(
        intended: .split(.stableOnly),
        differences: ["VirtualService \(key) has no annotation \(annotation) that Sluice can read"],
        canaryWeight: canaryWeight(found.rule))
    }
    let wanted = rules(record.target, found)
    var differences = Self.members.flatMap { member in
      JSONDifference.find(
        expected: wanted.rule[member], found: found.rule[member], at: "spec.http[\(found.index)].\(member)"
      ).map { "VirtualService \(key): \($0)" }
    }
    if !isInserted(wanted.inserted, found) {
      differences.append("\(found.title) has not the rules before it that Sluice put there")
    }
    if differences.isEmpty { return .routing(.split(record.target)) }
    return .changed(
      intended: .split(record.target), differences: differences, canaryWeight: canaryWeight(found.rule))
  }

  /// Where rules of Sluice's stand in an object.
  private func inserted(_ object: JSON) -> [Int] {
    IstioRule.inserted(in: object[path: ["spec", "http"]]?.array ?? [], rollout: plan.name)
  }

  /// Whether these rules, and no others of Sluice's, stand directly before the person's.
  private func isInserted(_ wanted: [JSON], _ found: IstioRule) -> Bool {
    found.inserted == Array(found.index - wanted.count..<found.index)
      && zip(wanted, found.inserted).allSatisfy {
        JSONDifference.find(expected: $0, found: found.http[$1], at: "rule").isEmpty
      }
  }

  private func canaryWeight(_ rule: JSON) -> Int {
    let route = rule["route"]?.array ?? []
    // One that stands alone gets everything.
    let weights = route.map { route.count == 1 ? 1 : max(0, $0["weight"]?.int ?? 0) }
    let total = weights.reduce(0, +)
    guard total > 0 else { return 0 }
    return zip(route, weights).filter { isCanary($0.0["destination"]) }.reduce(0) { $0 + $1.1 } * 100 / total
  }

  // MARK: Writing

  public func writes(
    for routing: Routing, live: [JSON], owned: Bool, place: RoutingPlace?
  ) throws(RoutingRefusal) -> [RoutingWrite] {
    let found: IstioRule
    do throws(RoutingRefusal) {
      found = try rule(live)
    } catch {
      // Whatever became of the person's rule, none of Sluice's may stay behind.
      guard let object = find(live), object.labels[RoutingNames.rollout] == nil,
        routing == .released || !inserted(object).isEmpty
      else {
        if routing == .released { return [] }
        throw error
      }
      return patch(object, rule: nil, removing: inserted(object), at: nil, record: nil)
    }
    switch routing {
    case .released:
      guard isLent(found.rule) || !found.inserted.isEmpty || found.object.annotations[annotation] != nil else {
        return []
      }
      var rule = found.rule
      let original = original(found)
      for member in Self.members { rule[member] = original[member] }
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
    _ object: JSON, rule: JSON?, removing: [Int], adding: [JSON] = [], at found: IstioRule?, record: RuleRecord?
  ) -> [RoutingWrite] {
    let http: JSONPointer = ["spec", "http"]
    var tests: [JSONPatchOperation] = [
      .test(["metadata", "resourceVersion"], .string(object.resourceVersion))
    ]
    var changes: [JSONPatchOperation] = removing.sorted(by: >).map { .remove(http.appending($0)) }
    if let found, let rule {
      if let name = found.rule["name"] { tests.append(.test(http.appending(found.index).appending("name"), name)) }
      let index = found.index - removing.filter { $0 < found.index }.count
      let place = http.appending(index)
      for member in Self.members {
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
    return changes.isEmpty ? [] : [.patch(.virtualServices, key, tests + changes)]
  }

  // MARK: Others

  /// VirtualServices that hide the person's from callers in the mesh: there one object for a host hides all younger ones.
  public func conflicts(existing: [JSON]) -> [RoutingConflict] {
    guard let own = find(existing) else { return [] }
    let hosts = base.meshHosts(of: own)
    func age(_ object: JSON) -> (String, ObjectKey) {
      (object[path: ["metadata", "creationTimestamp"]]?.string ?? "", object.objectKey)
    }
    return existing.filter { age($0) < age(own) }.sorted { $0.objectKey < $1.objectKey }.flatMap { other in
      guard base.isVisible(other) else { return [RoutingConflict]() }
      return base.meshHosts(of: other).filter(hosts.contains).map { host in
        RoutingConflict(
          object: other.objectKey, kind: ResourceType.virtualServices.kind,
          rollout: other.labels[RoutingNames.rollout], host: host, gateway: "mesh")
      }
    }
  }

  public func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] {
    try base.policies(existing: existing)
  }
}
