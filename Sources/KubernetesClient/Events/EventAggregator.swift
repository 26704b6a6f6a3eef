import KubernetesAPI

/// Something worth telling about an object.
public struct Occurrence: Sendable, Hashable {
  public var regarding: ObjectReference
  public var type: Event.Severity
  /// Why, one CamelCase word.
  public var reason: String
  /// What was done about it, one CamelCase word.
  public var action: String
  /// For people.
  public var note: String

  public init(_ type: Event.Severity, regarding: ObjectReference, reason: String, action: String, note: String) {
    self.regarding = regarding
    self.type = type
    self.reason = reason
    self.action = action
    self.note = note
  }
}

/// Turns occurrences into Events: the same one again becomes a series of the first, and what repeats too often is
/// counted, not written. A function of what came before; bounded.
struct EventAggregator: Sendable {
  enum Write: Sendable, Equatable {
    case create(Event)
    case series(ObjectKey, Event.Series)
  }

  private struct Known: Sendable {
    var key: ObjectKey
    var count: Int
    var seen: Duration
    var written: Duration
  }

  /// An occurrence after so long a silence is a new Event (as in client-go).
  static let seriesEnds = Duration.seconds(360)
  /// A series is written no more often.
  static let seriesInterval = Duration.seconds(30)
  /// New Events per object: 25 at once, one every five minutes in the long run (as in client-go).
  private static let burst = 25
  private static let rate = 1.0 / 300
  private static let maxKnown = 2048

  let reportingController: String
  let reportingInstance: String
  private var known: [Occurrence: Known] = [:]
  private var buckets: [ObjectReference: TokenBucket] = [:]

  init(reportingController: String, reportingInstance: String) {
    self.reportingController = reportingController
    self.reportingInstance = String(reportingInstance.prefix(128))
  }

  /// - Returns: what to write now; `nil` if this one is only counted.
  mutating func record(_ occurrence: Occurrence, at uptime: Duration, now: MicroTime) -> Write? {
    var occurrence = occurrence
    // Two versions of an object are the same object.
    occurrence.regarding.resourceVersion = nil
    if var same = known[occurrence], uptime - same.seen < Self.seriesEnds {
      same.count += 1
      same.seen = uptime
      let isDue = uptime - same.written >= Self.seriesInterval
      if isDue { same.written = uptime }
      known[occurrence] = same
      return isDue ? .series(same.key, Event.Series(count: same.count, lastObservedTime: now)) : nil
    }
    if known.count >= Self.maxKnown { forget(at: uptime) }
    var bucket =
      buckets[occurrence.regarding] ?? TokenBucket(rate: Self.rate, burst: Self.burst, at: uptime)
    let isAllowed = bucket.take(at: uptime, urgent: false, limit: .zero) != nil
    buckets[occurrence.regarding] = bucket
    guard isAllowed else { return nil }
    let event = event(occurrence, now: now)
    known[occurrence] = Known(key: event.metadata.key, count: 1, seen: uptime, written: uptime)
    return .create(event)
  }

  /// The series whose Event is gone begins anew with its next occurrence.
  mutating func forget(_ key: ObjectKey) {
    for (occurrence, entry) in known where entry.key == key { known[occurrence] = nil }
  }

  private mutating func forget(at uptime: Duration) {
    known = known.filter { uptime - $0.value.seen < Self.seriesEnds }
    if known.count >= Self.maxKnown {
      let oldest = known.sorted { $0.value.seen < $1.value.seen }.prefix(Self.maxKnown / 4)
      for entry in oldest { known[entry.key] = nil }
    }
    let regarded = Set(known.keys.map(\.regarding))
    buckets = buckets.filter { regarded.contains($0.key) }
  }

  private func event(_ occurrence: Occurrence, now: MicroTime) -> Event {
    let object = occurrence.regarding
    let namespace = object.namespace.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
    // As client-go names them; a name may have 253 characters.
    let suffix = String(UInt64(bitPattern: now.microsecondsSince1970) &* 1000, radix: 16)
    let content = String(UInt64(truncatingIfNeeded: Self.fingerprint(occurrence)), radix: 16)
    let name = "\((object.name ?? "unknown").prefix(200)).\(suffix)\(content)"
    return Event(
      metadata: ObjectMeta(name: name, namespace: namespace), eventTime: now,
      reportingController: reportingController, reportingInstance: reportingInstance,
      action: String(occurrence.action.prefix(128)), reason: String(occurrence.reason.prefix(128)), regarding: object,
      note: Self.cut(occurrence.note, to: 1024), type: occurrence.type)
  }

  /// Tells two occurrences of the same microsecond apart (FNV-1a, 32 bits).
  private static func fingerprint(_ occurrence: Occurrence) -> UInt32 {
    let text = "\(occurrence.reason)\u{0}\(occurrence.action)\u{0}\(occurrence.note)"
    return text.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
  }

  /// At most so many bytes, never half a character.
  static func cut(_ text: String, to bytes: Int) -> String {
    guard text.utf8.count > bytes else { return text }
    var kept = ""
    var size = 0
    for character in text {
      size += character.utf8.count
      guard size <= bytes - 3 else { break }
      kept.append(character)
    }
    return kept + "…"
  }
}
