import Foundation
import KubernetesAPI
import Synchronization

/// The store of the sandbox: one value behind a lock. Every write is a transaction of its own, so no reader sees half
/// of one, and watchers see the changes of all in one order.
final class Store: Sendable {
  private struct Guarded {
    var state: StoreState
    var subscriptions: [UInt64: StoreSubscription] = [:]
    var lastSubscription: UInt64 = 0
  }

  private let guarded: Mutex<Guarded>

  init(historyLimit: Int = 10_000) {
    guarded = Mutex(Guarded(state: StoreState(historyLimit: historyLimit)))
  }

  /// The state of this moment; cheap, since it is a value that is copied on write.
  var state: StoreState { guarded.withLock { $0.state } }

  /// Changes the state; the changes reach the subscriptions before anyone else can write.
  /// What was changed before an error was thrown stays: check first, then write.
  func write<Result: Sendable, Failure: Error>(
    _ body: (inout StoreState) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // `withLock` carries the error as its own generic type only from a closure that says so.
    try guarded.withLock { guarded throws(Failure) -> Result in
      let before = guarded.state.resourceVersion
      defer {
        if guarded.state.resourceVersion > before {
          let changes = guarded.state.changes(after: before) ?? []
          for subscription in guarded.subscriptions.values { subscription.receive(changes) }
        }
      }
      return try body(&guarded.state)
    }
  }

  /// Removes what was to go by a time.
  func removeExpired(at time: Date) {
    guard nextExpiry.map({ $0 <= time }) ?? false else { return }
    write { state throws(Never) in state.removeExpired(at: time) }
  }

  /// When the next object goes by itself; `nil` for never.
  var nextExpiry: Date? { guarded.withLock { $0.state.nextExpiry } }

  /// Takes part in what is written from now on; `body` sees the state that the subscription begins with.
  /// - Parameter resource: `nil` for the changes of all collections.
  func subscribe<Result: Sendable>(
    to resource: StoredResource?, bufferLimit: Int = 1000,
    _ body: (StoreState) throws(Status) -> Result
  ) throws(Status) -> (subscription: StoreSubscription, start: Result) {
    try guarded.withLock { guarded throws(Status) -> (subscription: StoreSubscription, start: Result) in
      let start = try body(guarded.state)
      guarded.lastSubscription += 1
      let number = guarded.lastSubscription
      let subscription = StoreSubscription(resource: resource, limit: bufferLimit) { [weak self] in
        self?.guarded.withLock { _ = $0.subscriptions.removeValue(forKey: number) }
      }
      guarded.subscriptions[number] = subscription
      return (subscription, start)
    }
  }

  /// How many subscriptions are open.
  var subscriptionCount: Int { guarded.withLock { $0.subscriptions.count } }
}
