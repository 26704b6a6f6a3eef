import Foundation
import Synchronization

/// A value that server threads change and that a test waits on.
final class Watched<Value: Sendable>: Sendable {
  private struct Waiter: Sendable {
    var holds: @Sendable (Value) -> Bool
    var continuation: CheckedContinuation<Value, Never>
  }

  private let state: Mutex<(value: Value, waiters: [Waiter])>

  init(_ value: Value) {
    state = Mutex((value, []))
  }

  var value: Value { state.withLock { $0.value } }

  func change(_ body: @Sendable (inout Value) -> Void) {
    let ready = state.withLock { state in
      body(&state.value)
      let value = state.value
      let ready = state.waiters.filter { $0.holds(value) }
      state.waiters.removeAll { $0.holds(value) }
      return ready.map { ($0.continuation, value) }
    }
    for (continuation, value) in ready { continuation.resume(returning: value) }
  }

  /// Waits until it holds; the test's time limit is the bound.
  @discardableResult
  func wait(_ holds: @escaping @Sendable (Value) -> Bool) async -> Value {
    await withCheckedContinuation { continuation in
      let now = state.withLock { state -> Value? in
        if holds(state.value) { return state.value }
        state.waiters.append(Waiter(holds: holds, continuation: continuation))
        return nil
      }
      if let now { continuation.resume(returning: now) }
    }
  }
}
