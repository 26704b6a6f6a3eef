import Synchronization

/// A queue of keys between what notices changes and what acts on them. Each key is in it at most once and is worked on by
/// one worker at a time.
///
/// What becomes due calls one worker that waits, not all of them, and an urgent key one of those that are kept for it.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
  fileprivate struct State {
    var queue: WorkQueueState<Key>
    var isShutDown = false
    var line = WaitingLine()
    /// When the one worker that waits for delayed keys looks at the time again; nil where none does.
    var alarm: Duration?
  }

  private let state: Mutex<State>
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
    change { state in !state.isShutDown && state.queue.add(key, reason: reason, urgent: urgent) }
  }

  /// Makes a key due after a time, unless it is due sooner anyway.
  @discardableResult
  public func add(_ key: Key, reason: String, after delay: Duration) -> Bool {
    let due = time.uptime + delay
    return change { state in !state.isShutDown && state.queue.add(key, reason: reason, at: due) }
  }

  /// Waits for a key that is due. Each item that is taken must be finished.
  /// - Parameter urgentOnly: waits for an urgent one.
  /// - Returns: `nil` after the shutdown.
  /// - Throws: `CancellationError`
  public func next(urgentOnly: Bool = false) async throws -> WorkItem<Key>? {
    var watchesClock = false
    while true {
      let now = time.uptime
      let look = change { state -> Look in
        if watchesClock { state.alarm = nil }
        if Task.isCancelled { return .cancelled }
        if state.isShutDown { return .over }
        if let item = state.queue.take(at: now, urgentOnly: urgentOnly) { return .item(item) }
        // What waits for its time is not urgent, and one worker is enough to watch the clock.
        guard !urgentOnly, state.alarm == nil, let due = state.queue.nextDue() else { return .wait(until: nil) }
        state.alarm = due
        return .wait(until: due)
      }
      switch look {
      case .item(let item): return item
      case .over: return nil
      case .cancelled: throw CancellationError()
      case .wait(let alarm):
        watchesClock = alarm != nil
        // Cancelled or not, the next look says so, and calls another worker where this one leaves something.
        if let alarm { await wait(until: alarm) } else { await wait(urgentOnly ? .urgent : .any) }
      }
    }
  }

  private enum Look {
    case item(WorkItem<Key>)
    case wait(until: Duration?)
    case over
    case cancelled
  }

  /// Says what came of an item.
  public func finish(_ item: WorkItem<Key>, _ outcome: WorkOutcome) {
    let now = time.uptime
    let random = randomness.next
    change { $0.queue.finish(item, outcome, at: now, random: random) }
  }

  /// No more items are given out; items that are being worked on may be finished.
  public func shutDown() {
    let waiting = state.withLock { state in
      state.isShutDown = true
      return state.line.leave()
    }
    for waiter in waiting { waiter.resume() }
  }

  // MARK: - Waiting

  /// Changes the state and calls whoever now has something to do. Whoever was called looks again, and calls the next one
  /// where it leaves something: so each key that is due has a worker under way to it while any waits.
  @discardableResult
  private func change<Answer>(_ body: (inout State) -> Answer) -> Answer {
    let (answer, called) = state.withLock { state in
      let answer = body(&state)
      return (answer, state.call())
    }
    called?.resume()
    return answer
  }

  private func wait(until alarm: Duration) async {
    let pause = alarm - time.uptime
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(.clock) }
      group.addTask { try? await self.time.sleep(for: pause) }
      await group.next()
      group.cancelAll()
    }
  }

  /// Waits to be called, or cancelled.
  private func wait(_ kind: WaitingLine.Kind) async {
    let ticket = state.withLock { $0.line.ticket() }
    await withTaskCancellationHandler {
      await withCheckedContinuation { waiter in
        let mayEnter = state.withLock { state in
          // The handler below has come too early, or still comes; and since the last look something may have changed.
          guard !Task.isCancelled, !state.hasNews(for: kind) else { return false }
          state.line.enter(ticket, kind, waiter)
          return true
        }
        if !mayEnter { waiter.resume() }
      }
    } onCancel: {
      state.withLock { $0.line.leave(ticket) }?.resume()
    }
  }
}

extension WorkQueue.State {
  /// The worker to be called now, taken out of the line.
  fileprivate mutating func call() -> WaitingLine.Waiter? {
    guard !isShutDown else { return nil }
    if queue.hasUrgent { return line.call(.urgent) ?? line.call(.any) ?? line.call(.clock) }
    if queue.dueCount > 0 { return line.call(.any) ?? line.call(.clock) }
    guard let due = queue.nextDue() else { return nil }
    // Somebody has to watch the clock, and to look at it sooner than was thought.
    if let alarm { return due < alarm ? line.call(.clock) : nil }
    return line.call(.any)
  }

  /// Whether a worker that is about to wait has to look again instead.
  fileprivate mutating func hasNews(for kind: WaitingLine.Kind) -> Bool {
    if isShutDown || queue.hasUrgent { return true }
    guard kind != .urgent else { return false }
    if queue.dueCount > 0 { return true }
    guard let due = queue.nextDue() else { return false }
    // That it is due sooner than was thought concerns the one who watches the clock, and nobody else.
    return alarm.map { kind == .clock && due < $0 } ?? true
  }
}
