import Collections
import Synchronization

/// A place in the stream of changes. It holds a bounded number of them: whoever reads too slowly is cut off and has
/// to list anew, as with a real API server.
final class StoreSubscription: Sendable {
  private struct Guarded {
    var pending: Deque<StoreChange> = []
    var isCutOff = false
    var isCancelled = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let guarded = Mutex(Guarded())
  private let resource: StoredResource?
  private let limit: Int
  private let onCancel: @Sendable () -> Void

  init(resource: StoredResource?, limit: Int, onCancel: @escaping @Sendable () -> Void) {
    self.resource = resource
    self.limit = limit
    self.onCancel = onCancel
  }

  /// Called by the store, in the order of the changes.
  func receive(_ changes: [StoreChange]) {
    let waiter = guarded.withLock { guarded -> CheckedContinuation<Void, Never>? in
      guard !guarded.isCutOff, !guarded.isCancelled else { return nil }
      for change in changes where resource == nil || change.resource == resource {
        guard guarded.pending.count < limit else {
          guarded.isCutOff = true
          guarded.pending = []
          break
        }
        guarded.pending.append(change)
      }
      guard guarded.isCutOff || !guarded.pending.isEmpty else { return nil }
      return guarded.waiter.take()
    }
    waiter?.resume()
  }

  /// What has come since the last call.
  /// - Returns: `nil` when the reader was too slow, or has cancelled.
  func take() -> [StoreChange]? {
    guarded.withLock { guarded in
      if guarded.isCutOff || guarded.isCancelled { return nil }
      defer { guarded.pending = [] }
      return Array(guarded.pending)
    }
  }

  /// Returns when there is something to take, the subscription has ended, or the task is cancelled. One at a time.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        let resumed = guarded.withLock { guarded -> CheckedContinuation<Void, Never>? in
          if Task.isCancelled || guarded.isCutOff || guarded.isCancelled || !guarded.pending.isEmpty {
            return continuation
          }
          defer { guarded.waiter = continuation }
          return guarded.waiter.take()
        }
        resumed?.resume()
      }
    } onCancel: {
      guarded.withLock { $0.waiter.take() }?.resume()
    }
  }

  /// Ends it: nothing more is buffered.
  func cancel() {
    onCancel()
    guarded.withLock { guarded in
      guarded.isCancelled = true
      guarded.pending = []
      return guarded.waiter.take()
    }?.resume()
  }
}
