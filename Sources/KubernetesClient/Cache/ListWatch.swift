import KubernetesAPI

/// The state machine that keeps a cache up to date: a list, then watches from its version on, a new list when the server
/// no longer knows the version. Pure: it is told what happened and says what to do next; ``Informer`` carries it out.
struct ListWatch: Sendable, Equatable {
  /// What to do now.
  enum Step: Sendable, Equatable {
    case list
    case watch(from: String)
    case wait(Duration)
  }

  /// What happened.
  enum Input: Sendable {
    case listed(version: String)
    case listFailed
    case watchBegan
    /// - Parameter lasted: since it began.
    case watchEnded(lasted: Duration)
    case watchFailed(isExpired: Bool)
    case event(WatchEvent)
    case waited
  }

  /// What an event means for the cache.
  enum Effect: Sendable, Equatable {
    case put(JSON)
    case remove(JSON)
    case report(MalformedWatchLine)
    /// The watch is over: the server said so in the stream.
    case endWatch(Status)
  }

  private enum Goal: Sendable, Equatable {
    case list
    case watch(from: String)
  }

  let backoff: Backoff
  private var goal = Goal.list
  /// Set while the goal has to wait.
  private var pause: Duration?
  /// Failures since something last went well.
  private var failures = 0
  /// A watch that ends sooner, without an event, was a failure of some kind.
  private static let shortWatch = Duration.seconds(1)
  private var sawEvent = false

  init(backoff: Backoff = Backoff(initial: .milliseconds(250), maximum: .seconds(30))) { self.backoff = backoff }

  var step: Step {
    if let pause { return .wait(pause) }
    switch goal {
    case .list: return .list
    case .watch(let version): return .watch(from: version)
    }
  }

  /// - Parameter random: a number in `0..<1`, for the jitter.
  mutating func handle(_ input: Input, random: Double) -> Effect? {
    switch input {
    case .listed(let version):
      goal = .watch(from: version)
    case .listFailed:
      fail(random)
    case .watchBegan:
      sawEvent = false
    case .watchEnded(let lasted):
      // The usual end: the server's or our timeout. A server that ends each watch at once is not to be hammered.
      if lasted >= Self.shortWatch {
        failures = 0
      } else if !sawEvent {
        fail(random)
      }
    case .watchFailed(let isExpired):
      if isExpired { goal = .list }
      fail(random)
    case .waited:
      pause = nil
    case .event(let event):
      return handle(event, random)
    }
    return nil
  }

  private mutating func handle(_ event: WatchEvent, _ random: Double) -> Effect? {
    if let version = event.resourceVersion, case .watch = goal {
      goal = .watch(from: version)
      // A list that succeeds proves little while the watch after it fails; an event proves that all is well.
      failures = 0
      sawEvent = true
    }
    switch event {
    case .added(let object), .modified(let object): return .put(object)
    case .deleted(let object): return .remove(object)
    case .bookmark: return nil
    case .malformed(let line): return .report(line)
    case .failed(let status):
      if status.failure == .expired { goal = .list }
      fail(random)
      return .endWatch(status)
    }
  }

  private mutating func fail(_ random: Double) {
    pause = backoff.delay(attempt: failures, random: random)
    failures += 1
    // Versions are opaque: if watching from this one keeps failing, perhaps the version is the reason.
    if failures >= 8, failures % 8 == 0 { goal = .list }
  }
}
