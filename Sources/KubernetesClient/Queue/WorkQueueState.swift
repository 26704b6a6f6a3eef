import Collections

/// One key that is due, as a worker gets it.
public struct WorkItem<Key: Hashable & Sendable>: Sendable, Equatable {
  public var key: Key
  /// Why it is due, each reason once, in the order in which they came; at most eight.
  public var reasons: [String]
  /// How often in a row it failed.
  public var failures: Int
}

/// What came of an item.
public enum WorkOutcome: Sendable, Equatable {
  case done
  /// Look again after that time, although nothing changes.
  case again(after: Duration)
  /// Try again with a growing delay.
  case failed
}

/// The queue as a value: which keys are due, which wait, which are being worked on. A key is never worked on twice at the
/// same time; what comes for it meanwhile makes it due again once.
struct WorkQueueState<Key: Hashable & Sendable>: Sendable {
  private enum Phase: Sendable {
    case waiting(until: Duration)
    case due(urgent: Bool)
    /// - Parameter then: what came meanwhile.
    case running(then: Next?)
  }

  private enum Next: Sendable {
    case atOnce(urgent: Bool)
    case at(Duration)
  }

  private struct Entry: Sendable {
    var phase: Phase
    var reasons: [String]
    var failures = 0
  }

  private struct Delayed: Sendable, Comparable {
    var due: Duration
    /// Keeps the order of those that are due at the same time.
    var sequence: Int
    var key: Key

    static func < (left: Delayed, right: Delayed) -> Bool { (left.due, left.sequence) < (right.due, right.sequence) }
    static func == (left: Delayed, right: Delayed) -> Bool { left.sequence == right.sequence }
  }

  static var maxReasons: Int { 8 }

  let capacity: Int
  let backoff: Backoff
  private var entries: [Key: Entry] = [:]
  private var urgent: Deque<Key> = []
  private var normal: Deque<Key> = []
  /// May hold keys that became due otherwise; their entry then says so.
  private var delayed = Heap<Delayed>()
  private var sequence = 0

  init(capacity: Int, backoff: Backoff) {
    self.capacity = capacity
    self.backoff = backoff
  }

  /// Keys that are known: due, waiting or being worked on.
  var count: Int { entries.count }
  var dueCount: Int { urgent.count + normal.count }
  var hasUrgent: Bool { !urgent.isEmpty }

  /// Makes a key due at once.
  /// - Returns: `false` if the queue is full and the key is new.
  mutating func add(_ key: Key, reason: String, urgent isUrgent: Bool) -> Bool {
    guard var entry = entry(for: key, reason: reason) else { return false }
    switch entry.phase {
    case .waiting:
      entry.phase = .due(urgent: isUrgent)
      push(key, urgent: isUrgent)
    case .due(urgent: false) where isUrgent:
      entry.phase = .due(urgent: true)
      normal.removeAll { $0 == key }
      push(key, urgent: true)
    case .due:
      break
    case .running(then: .atOnce(urgent: true)):
      break
    case .running:
      entry.phase = .running(then: .atOnce(urgent: isUrgent))
    }
    entries[key] = entry
    return true
  }

  /// Makes a key due at a time, unless it is due sooner anyway.
  /// - Returns: `false` if the queue is full and the key is new.
  mutating func add(_ key: Key, reason: String, at due: Duration) -> Bool {
    guard var entry = entry(for: key, reason: reason) else { return false }
    switch entry.phase {
    case .waiting(let until) where until <= due:
      break
    case .waiting:
      entry.phase = .waiting(until: due)
      delay(key, until: due)
    case .due, .running(then: .atOnce):
      break
    case .running(then: .at(let other)):
      entry.phase = .running(then: .at(min(other, due)))
    case .running(then: nil):
      entry.phase = .running(then: .at(due))
    }
    entries[key] = entry
    return true
  }

  /// The next key that is due, urgent ones first.
  mutating func take(at now: Duration, urgentOnly: Bool = false) -> WorkItem<Key>? {
    promote(at: now)
    guard let key = urgent.popFirst() ?? (urgentOnly ? nil : normal.popFirst()), var entry = entries[key]
    else { return nil }
    let item = WorkItem(key: key, reasons: entry.reasons, failures: entry.failures)
    entry.phase = .running(then: nil)
    entry.reasons = []
    entries[key] = entry
    return item
  }

  /// - Parameter random: a number in `0..<1`, for the jitter of the backoff.
  mutating func finish(_ item: WorkItem<Key>, _ outcome: WorkOutcome, at now: Duration, random: Double) {
    guard var entry = entries[item.key], case .running(let next) = entry.phase else { return }
    var due: Duration?
    switch outcome {
    case .done:
      entry.failures = 0
    case .again(let delay):
      entry.failures = 0
      due = now + delay
    case .failed:
      due = now + backoff.delay(attempt: entry.failures, random: random)
      entry.failures += 1
    }
    switch next {
    case .atOnce(let isUrgent):
      entry.phase = .due(urgent: isUrgent)
      push(item.key, urgent: isUrgent)
    case .at(let other):
      wait(&entry, item, until: min(other, due ?? other))
    case nil:
      guard let due else {
        entries[item.key] = nil
        return
      }
      wait(&entry, item, until: due)
    }
    entries[item.key] = entry
  }

  /// When the next waiting key is due; `nil` if none waits.
  mutating func nextDue() -> Duration? {
    dropStale()
    return delayed.min?.due
  }

  /// Times that are kept, those of the past included.
  var delayedCount: Int { delayed.count }

  // MARK: -

  private mutating func entry(for key: Key, reason: String) -> Entry? {
    guard var entry = entries[key] else {
      // Due in the far future, until the caller says better.
      return entries.count < capacity ? Entry(phase: .waiting(until: .seconds(Int64.max / 4)), reasons: [reason]) : nil
    }
    if !entry.reasons.contains(reason), entry.reasons.count < Self.maxReasons { entry.reasons.append(reason) }
    return entry
  }

  private mutating func push(_ key: Key, urgent isUrgent: Bool) {
    if isUrgent { urgent.append(key) } else { normal.append(key) }
  }

  private mutating func wait(_ entry: inout Entry, _ item: WorkItem<Key>, until due: Duration) {
    entry.phase = .waiting(until: due)
    // What it was to do is still to be done.
    if entry.reasons.isEmpty { entry.reasons = entry.failures > 0 ? item.reasons : ["time"] }
    delay(item.key, until: due)
  }

  private mutating func delay(_ key: Key, until due: Duration) {
    sequence += 1
    delayed.insert(Delayed(due: due, sequence: sequence, key: key))
    // Keys that are brought forward again and again leave old times behind.
    if delayed.count > 2 * entries.count + 64 {
      delayed = Heap(delayed.unordered.filter { !isStale($0) || $0.sequence == sequence })
    }
  }

  private func isStale(_ delayed: Delayed) -> Bool {
    guard case .waiting(let until)? = entries[delayed.key]?.phase else { return true }
    return until != delayed.due
  }

  private mutating func dropStale() {
    while let first = delayed.min, isStale(first) { delayed.removeMin() }
  }

  private mutating func promote(at now: Duration) {
    while let first = delayed.min, first.due <= now || isStale(first) {
      delayed.removeMin()
      guard !isStale(first) else { continue }
      entries[first.key]?.phase = .due(urgent: false)
      push(first.key, urgent: false)
    }
  }
}
