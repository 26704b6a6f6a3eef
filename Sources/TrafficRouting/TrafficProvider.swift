import KubernetesAPI
import RolloutAPI

/// What the routing objects should say.
public enum Routing: Sendable, Hashable {
  /// Requests are split between the tracks' Services.
  case split(TrafficTarget)
  /// Everything goes to the callers' Services themselves: what is left behind when Sluice lets go.
  case released
}

/// An object to write, and where.
public struct RoutingObject: Sendable, Hashable {
  public var type: ResourceType
  public var object: JSON

  public init(type: ResourceType, object: JSON) {
    self.type = type
    self.object = object
  }

  public var key: ObjectKey { object.objectKey }
}

/// What the routing objects were found to say.
public enum ObservedRouting: Sendable, Hashable {
  /// All of them are there and are what Sluice writes for this routing.
  case routing(Routing)
  /// An object that belongs to the routing is not there.
  case missing(ObjectKey)
  /// An object of that name is not Sluice's.
  case foreign(ObjectKey)
  /// Sluice wrote `intended`, and somebody changed it; each difference names the field, what was found and what Sluice
  /// wrote. `canaryWeight` is the largest percentage that now goes to the canary, where the object tells.
  case changed(intended: Routing, differences: [String], canaryWeight: Int?)
  /// A person's object cannot be edited, and sends nothing to the canary; the text says why, and what would be right.
  case unusable(String)
}

/// A write that makes an object what it should be, decided on a state of it that the write names.
public enum RoutingWrite: Sendable, Hashable {
  case create(RoutingObject)
  /// A PUT; its resourceVersion is that of the object it was decided on, so that a change meanwhile is a conflict.
  case replace(RoutingObject)
  /// A change of parts of a person's object. Its first operations test the state that it was decided on: where that is
  /// another one now, the server refuses all of it.
  case patch(ResourceType, ObjectKey, [JSONPatchOperation])
}

/// Which object a routing lies in.
public struct RoutingKey: Sendable, Hashable {
  public var type: ResourceType
  public var key: ObjectKey

  public init(type: ResourceType, key: ObjectKey) {
    self.type = type
    self.key = key
  }
}

/// Why a plan cannot be carried out by a provider; each problem names the field or object, and what would be right.
public struct RoutingRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  public var problems: [String]

  public init(_ problems: [String]) { self.problems = problems }

  public var description: String { problems.joined(separator: "; ") }
}

/// Turns a traffic target into the routing objects that one mesh obeys, and reads them back. Pure: what is live comes in
/// as values, what to write goes out as values.
public protocol TrafficProvider: Sendable {
  var plan: Plan { get }

  /// The kinds of object that carry the routing, and those that go with them.
  var kinds: RoutingKinds { get }

  /// The mesh's numbers, by which a run is judged; `nil` where there are none but the plan's own queries.
  var metrics: (any MeshMetrics)? { get }

  /// Whether the share that arrives is measured. False only where the plan says that nobody's metrics tell it.
  var measuresShare: Bool { get }

  /// What this provider cannot do of a target, for people; empty where it can do all of it.
  func limits(_ target: TrafficTarget) -> [String]

  /// The routing objects that Sluice owns, the first being the one that an abort must write first; none where it edits a
  /// person's.
  func objects(for routing: Routing) -> [RoutingObject]

  /// The name of a person's object that Sluice takes over; `nil` where it does not.
  var adopted: String? { get }

  /// Why a person's object cannot be taken over: what it says and the plan does not.
  func losses(adopting object: JSON) -> [String]

  /// Why no request reaches this routing, where that can be told beforehand, and what to do.
  /// - Parameter existing: all routing objects of the cluster, or as many as the operator may see.
  func unreached(existing: [JSON]) -> String?

  /// Where the routing lies, whoever owns the objects.
  var keys: [RoutingKey] { get }

  /// What live objects of ``RoutingKinds/routes`` say. Those that are not of this routing are passed over.
  /// - Parameter owned: the objects are known to be Sluice's, whatever became of their labels.
  func observe(_ live: [JSON], owned: Bool) -> ObservedRouting

  /// The writes that lead from live objects to a routing, in order; empty where nothing differs.
  /// - Parameters:
  ///   - owned: the objects are known to be Sluice's, whatever became of their labels: nobody who takes one away in the
  ///     middle of a run may block an abort.
  ///   - place: for what the routing is written, where that is a step.
  /// - Throws: ``RoutingRefusal`` where an object of that name is not Sluice's, or a person's cannot be edited.
  func writes(
    for routing: Routing, live: [JSON], owned: Bool, place: RoutingPlace?
  ) throws(RoutingRefusal) -> [RoutingWrite]

  /// For what live objects were written, as they say themselves.
  func place(in live: [JSON]) -> RoutingPlace?

  /// Routing objects of others that would fight with this routing, by name.
  /// - Parameter existing: all of the cluster, or as many as the operator may see.
  func conflicts(existing: [JSON]) -> [RoutingConflict]

  /// What of the plan this cluster cannot carry out now, for people; no run starts meanwhile. What is routed already can
  /// still be written.
  var obstacles: [String] { get }

  /// What keeps the mesh from having taken over what live routing objects say, by their status; empty where it has, and
  /// where it tells nobody.
  func pending(_ live: [JSON]) -> [String]

  /// The policies that the generated Services need: those of the callers' Services, with the plan's over them. The same
  /// on both tracks, or the comparison is not fair.
  /// - Parameter existing: all objects of ``RoutingKinds/policies`` that callers in the plan's namespace can see.
  /// - Throws: ``RoutingRefusal`` naming the policies that cannot be copied.
  func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject]
}

extension TrafficProvider {
  public var kinds: RoutingKinds { plan.provider.kinds }

  public var measuresShare: Bool { true }

  public var obstacles: [String] { [] }

  public func pending(_ live: [JSON]) -> [String] { [] }

  public func policies(existing: [JSON]) throws(RoutingRefusal) -> [RoutingObject] { [] }

  /// What of the plan's steps and of its policy this provider, on this cluster, cannot do.
  public var problems: [String] { limitsOfSteps + obstacles }

  var limitsOfSteps: [String] {
    plan.steps.enumerated().filter(\.element.setsTraffic).flatMap { index, step in
      limits(step.traffic).map { "step \(index + 1)\(step.title): \($0)" }
    }
  }

  public func observe(_ live: [JSON]) -> ObservedRouting { observe(live, owned: false) }

  public var adopted: String? { nil }

  public func losses(adopting object: JSON) -> [String] { [] }

  public func unreached(existing: [JSON]) -> String? { nil }

  /// What an object is that has the name of one of Sluice's, and is not known to be that.
  func strange(_ object: JSON) -> ObservedRouting {
    guard object.name == adopted, Adoption.isPersons(object) else { return .foreign(object.objectKey) }
    let losses = losses(adopting: object)
    return losses.isEmpty ? .missing(object.objectKey) : .unusable(losses.joined(separator: "; "))
  }

  public var keys: [RoutingKey] { objects(for: .released).map { RoutingKey(type: $0.type, key: $0.key) } }

  public func place(in live: [JSON]) -> RoutingPlace? {
    let own = keys.lazy.compactMap { name in live.first { $0.objectKey == name.key } }.first
    return own.flatMap { RoutingPlace(annotations: $0.annotations) }
  }

  public func writes(
    for routing: Routing, live: [JSON], owned: Bool = false
  ) throws(RoutingRefusal) -> [RoutingWrite] {
    try writes(for: routing, live: live, owned: owned, place: nil)
  }

  public func writes(
    for routing: Routing, live: [JSON], owned: Bool, place: RoutingPlace?
  ) throws(RoutingRefusal) -> [RoutingWrite] {
    var writes: [RoutingWrite] = []
    for wanted in objects(for: routing) {
      let object = live.first { $0.isSame(as: wanted) }
      var write = try adoption(wanted, over: object, routing, owned: owned)
      if write == nil, !(routing == .released && isReturned(object, wanted)) {
        write = try wanted.write(over: object, owned: owned)
      }
      if let write { writes.append(write.by(place)) }
    }
    return writes
  }
}

extension TrafficProvider {
  /// Whether an object that was to be taken over is a person's: given back, or never taken.
  private func isReturned(_ live: JSON?, _ wanted: RoutingObject) -> Bool {
    wanted.key.name == adopted && live.map(Adoption.isPersons) ?? false
  }

  /// The write that takes a person's object over, or gives it back; `nil` where it is neither.
  private func adoption(
    _ wanted: RoutingObject, over live: JSON?, _ routing: Routing, owned: Bool
  ) throws(RoutingRefusal) -> RoutingWrite? {
    guard let live, wanted.key.name == adopted else { return nil }
    if routing == .released { return Adoption.giveBack(live, wanted.type) }
    guard Adoption.isPersons(live) else { return nil }
    let losses = owned ? [] : losses(adopting: live)
    if !losses.isEmpty { throw RoutingRefusal(losses) }
    return try Adoption.takeOver(live, as: wanted)
  }
}

extension RoutingWrite {
  /// The same write of an object of Sluice's own, with the place in the run that it is made for on it.
  fileprivate func by(_ place: RoutingPlace?) -> RoutingWrite {
    func marked(_ write: RoutingObject) -> RoutingObject {
      var write = write
      let step = place.map { String($0.step + 1) }
      for (name, value) in [(RoutingNames.run, place?.run), (RoutingNames.step, step)] {
        write.object[path: ["metadata", "annotations", name]] = value.map(JSON.string)
      }
      return write
    }
    return switch self {
    case .create(let object): .create(marked(object))
    case .replace(let object): .replace(marked(object))
    case .patch: self
    }
  }
}

extension JSON {
  /// Whether it is the live state of an object: of that name, and of that kind where it names one.
  public func isSame(as wanted: RoutingObject) -> Bool {
    objectKey == wanted.key && (kind.isEmpty || kind == wanted.type.kind)
  }
}

extension RoutingObject {
  /// The write that makes a live object, or none, this one; `nil` where nothing differs. Metadata of others stays.
  /// - Throws: ``RoutingRefusal`` where the live one lacks the label that names this one's Rollout, and is not known to be
  ///   its own all the same.
  public func write(over live: JSON?, owned: Bool = false) throws(RoutingRefusal) -> RoutingWrite? {
    guard let live else { return .create(self) }
    guard owned || live.labels[RoutingNames.rollout] == object.labels[RoutingNames.rollout] else {
      throw RoutingRefusal([
        "\(type.kind) \(key) exists and is not this Rollout's (label \(RoutingNames.rollout) is "
          + "\(live.labels[RoutingNames.rollout].map { "\"\($0)\"" } ?? "absent")): rename or delete it"
      ])
    }
    var next = live
    next["apiVersion"] = .string(type.apiVersion)
    next["kind"] = .string(type.kind)
    next["spec"] = object["spec"]
    next["status"] = nil
    for (field, values) in [("labels", object.labels), ("annotations", object.annotations)] {
      for (name, value) in values { next[path: ["metadata", field, name]] = .string(value) }
    }
    let isEqual =
      JSONDifference.find(expected: object["spec"], found: live["spec"], at: "spec").isEmpty
      && object.labels.allSatisfy { live.labels[$0.key] == $0.value }
      && object.annotations.allSatisfy { live.annotations[$0.key] == $0.value }
    return isEqual ? nil : .replace(RoutingObject(type: type, object: next))
  }
}

/// Names that routing objects carry.
public enum RoutingNames {
  /// The label that ties an object to its Rollout.
  public static let rollout = "sluice.dev/rollout"
  /// The annotation that holds the target which Sluice wrote, as JSON; `released` where everything goes to the callers'
  /// Services.
  public static let target = "sluice.dev/traffic"
  /// The annotations that name the run and the step, counted from 1, for which it was written.
  public static let run = "sluice.dev/run"
  public static let step = "sluice.dev/step"
}
