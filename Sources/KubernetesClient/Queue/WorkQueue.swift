import KubernetesAPI
import Synchronization

/// A queue of keys between what notices changes and what acts on them. Each key is in it at most once and is worked on by
/// one worker at a time.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
  private struct State {
    var queue: WorkQueueState<Key>
    var isShutDown = false
  }

  private let state: Mutex<State>
  private let signal = Signal()
  private let time: TimeSource
  private let randomness: Randomness

  /// - Parameters:
  ///   - capacity: how many keys it holds; new ones beyond it are refused.
  ///   - backoff: between the attempts of a key that fails.
  public init(
    capacity: Int = 100_000, backoff: Backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(60)),
    time: TimeSource = .system, randomness: Randomness = .system
  ) {
    state = Mutex(State(queue: WorkQueueState(capacity: capacity, backoff: backoff)))
    self.time = time
    self.randomness = randomness
  }

  /// Keys that are due and not yet taken.
  public var depth: Int { state.withLock { $0.queue.dueCount } }

  /// Makes a key due at once. Never blocks.
  /// - Parameters:
  ///   - reason: what happened, for the log.
  ///   - urgent: goes before all that are not.
  /// - Returns: `false` if the queue is full or shut down, and the key is not in it.
  @discardableResult
  public func add(_ key: Key, reason: String, urgent: Bool = false) -> Bool {
    let isTaken = state.withLock { !$0.isShutDown && $0.queue.add(key, reason: reason, urgent: urgent) }
    if isTaken { signal.raise() }
    return isTaken
  }

  /// Makes a key due after a time, unless it is due sooner anyway.
  @discardableResult
  public func add(_ key: Key, reason: String, after delay: Duration) -> Bool {
    let due = time.uptime + delay
    let isTaken = state.withLock { !$0.isShutDown && $0.queue.add(key, reason: reason, at: due) }
    if isTaken { signal.raise() }
    return isTaken
  }

  /// Waits for a key that is due. Each item that is taken must be finished.
  /// - Parameter urgentOnly: waits for an urgent one.
  /// - Returns: `nil` after the shutdown.
  /// - Throws: `CancellationError`
  public func next(urgentOnly: Bool = false) async throws -> WorkItem<Key>? {
    while true {
      try Task.checkCancellation()
      let seen = signal.version
      let now = time.uptime
      let (item, isShutDown, due) = state.withLock { state in
        if state.isShutDown { return (WorkItem<Key>?.none, true, Duration?.none) }
        let item = state.queue.take(at: now, urgentOnly: urgentOnly)
        // What waits for its time is not urgent.
        return (item, false, item == nil && !urgentOnly ? state.queue.nextDue() : nil)
      }
      if let item { return item }
      if isShutDown { return nil }
      try await signal.wait(beyond: seen, atMost: due.map { $0 - now }, time)
    }
  }

  /// Says what came of an item.
  public func finish(_ item: WorkItem<Key>, _ outcome: WorkOutcome) {
    let now = time.uptime
    let random = randomness.next
    state.withLock { $0.queue.finish(item, outcome, at: now, random: random) }
    signal.raise()
  }

  /// No more items are given out; items that are being worked on may be finished.
  public func shutDown() {
    state.withLock { $0.isShutDown = true }
    signal.raise()
  }
}
