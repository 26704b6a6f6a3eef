import KubernetesAPI
import KubernetesClient
import Synchronization

/// Writes statuses, as few as tell all: what only moves along waits for a moment, so that one write takes several such
/// changes; what people or a next leader must know goes out at once.
final class StatusWriter: Sendable {
  /// How long a change may wait that is not urgent.
  static let patience = Duration.seconds(5)

  private struct Waiting {
    /// What the API server has, and what the waiting status was made from.
    var stored: JSON
    var status: JSON
    var since: Duration
  }

  private struct Place: Hashable {
    var type: ResourceType
    var key: ObjectKey
  }

  private let waiting = Mutex<[Place: Waiting]>([:])

  /// The object with the status that is to be written soon, where there is one. One that was made from another status than
  /// the object now has is void: another process wrote meanwhile.
  func current(_ object: JSON, _ type: ResourceType) -> JSON {
    let place = Place(type: type, key: object.objectKey)
    return waiting.withLock { waiting in
      guard let entry = waiting[place], entry.stored == object["status"] ?? .emptyObject else { return object }
      var object = object
      object["status"] = entry.status
      return object
    }
  }

  /// - Parameter live: the object as the API server has it.
  /// - Returns: the time after which it must be called again, or nil where nothing waits.
  func write(
    _ status: some Encodable, over live: JSON, _ type: ResourceType, by writer: any ClusterWriter,
    uptime: Duration
  ) async throws -> Duration? {
    let new = try JSON(encoding: status)
    let stored = live["status"] ?? .emptyObject
    let place = Place(type: type, key: live.objectKey)
    let news = StatusNews(new, since: stored, of: type)
    let remaining = waiting.withLock { waiting -> Duration? in
      let entry = waiting.removeValue(forKey: place)
      guard news == .canWait else { return nil }
      let since = entry.flatMap { $0.stored == stored ? $0.since : nil } ?? uptime
      let remaining = since + Self.patience - uptime
      guard remaining > .zero else { return nil }
      waiting[place] = Waiting(stored: stored, status: new, since: since)
      return remaining
    }
    guard news != .nothing, remaining == nil else { return remaining }
    var object = live
    object["status"] = new
    do {
      try await writer.replace(type, object, subresource: "status")
    } catch let error as KubernetesError where error.isNotFound {
      // It went with its finalizer, a moment ago.
    }
    return nil
  }

  func forget(_ key: ObjectKey, _ type: ResourceType) {
    waiting.withLock { $0[Place(type: type, key: key)] = nil }
  }
}

/// How much a status says that the one before did not.
enum StatusNews: Equatable {
  /// At most numbers, which go along with the next news.
  case nothing
  case canWait
  case urgent

  init(_ new: JSON, since old: JSON, of type: ResourceType) {
    guard Self.news(new) != Self.news(old) else {
      self = .nothing
      return
    }
    let isMovingOn = type == .rolloutRuns ? Self.isProgressing(new, old) : new["phase"]?.string == "Running"
    let canWait = type == .rolloutRuns ? Self.runs : Self.rollouts
    self = isMovingOn && Self.without(canWait, new) == Self.without(canWait, old) ? .canWait : .urgent
  }

  /// What of a run is found again after a crash: the traffic tells how far it was, and its share is measured anew.
  private static let runs = [
    "autopilot", "checks", "message", "observedGeneration", "progress", "shortSince", "stage", "stageSince", "step",
    "timeline",
    "traffic", "trafficVerifiedAt", "trafficWrittenAt",
  ]
  /// A bypass that matters pauses the run, which is news of its own.
  private static let rollouts = ["bypass", "message", "replicas", "step"]

  /// Both speak of steps that nobody has stopped.
  private static func isProgressing(_ new: JSON, _ old: JSON) -> Bool {
    [new, old].allSatisfy { $0["phase"]?.string == "Progressing" && $0["step"] != nil }
  }

  private static func without(_ fields: [String], _ status: JSON) -> JSON {
    var status = news(status)
    for field in fields { status[field] = nil }
    for track in ["stable", "canary"] where status[track]?.object != nil {
      status[path: [track, "available"]] = nil
      status[path: [track, "desired"]] = nil
    }
    if let conditions = status["conditions"]?.array {
      status["conditions"] = .array(
        conditions.map { condition in
          var condition = condition
          condition["message"] = nil
          return condition
        })
    }
    return status
  }

  private static func news(_ status: JSON) -> JSON {
    var news = status
    // Pods come and go one by one; that they are all there, or are not any more, is the news.
    for track in ["stable", "canary"] {
      guard let revision = news[track] else { continue }
      news[path: [track, "available"]] = .bool(revision["available"] == revision["desired"])
      news[path: [track, "pods"]] = nil
    }
    if let share = news[path: ["bypass", "share"]] { news[path: ["bypass", "share"]] = .bool(!share.isNull) }
    for number in ["harmed", "excess", "rate", "measuredAt"] where news["autopilot"]?.object != nil {
      news[path: ["autopilot", number]] = nil
    }
    if let checks = news["checks"]?.array {
      news["checks"] = .array(checks.map { ["name": $0["name"] ?? .null, "verdict": $0["verdict"] ?? .null] })
    }
    return news
  }
}
