import Synchronization

/// Wakes tasks that wait for something to change. Whoever waits says which change it has seen last, so that none between
/// looking and waiting is lost.
final class Signal: Sendable {
  private struct State {
    var version = 0
    var nextID = 0
    var waiters: [Int: CheckedContinuation<Void, any Error>] = [:]
    /// Cancelled before they began to wait.
    var cancelled: Set<Int> = []
  }

  private let state = Mutex(State())

  var version: Int { state.withLock { $0.version } }

  func raise() {
    let waiters = state.withLock { state in
      state.version += 1
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when the version is above `seen`.
  /// - Throws: `CancellationError`
  func wait(beyond seen: Int) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    defer { state.withLock { _ = $0.cancelled.remove(id) } }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let immediate: Result<Void, any Error>? = state.withLock { state in
          if state.cancelled.contains(id) { return .failure(CancellationError()) }
          if state.version > seen { return .success(()) }
          state.waiters[id] = continuation
          return nil
        }
        if let immediate { continuation.resume(with: immediate) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        let waiter = state.waiters.removeValue(forKey: id)
        if waiter == nil { state.cancelled.insert(id) }
        return waiter
      }
      waiter?.resume(throwing: CancellationError())
    }
  }

  /// Returns when the version is above `seen` or the time is over.
  /// - Throws: `CancellationError`
  func wait(beyond seen: Int, atMost limit: Duration?, _ time: TimeSource) async throws {
    guard let limit else { return try await wait(beyond: seen) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.wait(beyond: seen) }
      group.addTask { try await time.sleep(for: limit) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}
