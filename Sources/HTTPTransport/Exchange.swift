import Foundation
import Synchronization

/// One request and its answer, shared by the task that reads and the event loop. All state is the state machine behind
/// the lock; what it asks for is done outside the lock.
final class Exchange: Sendable {
  typealias Waiter = CheckedContinuation<ExchangeEvent, any Error>
  typealias State = ExchangeState<Waiter>

  let request: PreparedRequest
  private let state: Mutex<State>
  private let mailbox: Mailbox

  init(_ request: PreparedRequest, mode: State.Mode, mailbox: Mailbox) {
    self.request = request
    self.state = Mutex(State(mode))
    self.mailbox = mailbox
  }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }
  var progress: String { state.withLock { $0.progress } }

  /// The next event, for one reader at a time. Cancelling the task ends the exchange.
  func next() async throws -> ExchangeEvent {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { waiter in
        carryOut(state.withLock { $0.wait(waiter) })
      }
    } onCancel: {
      cancel()
    }
  }

  func cancel() {
    carryOut(state.withLock { $0.cancel() })
  }

  func finished(_ ending: Ending) {
    carryOut(state.withLock { $0.finished(ending) })
  }

  func headerLine(_ line: Data) -> State.Verdict {
    let (verdict, effects) = state.withLock { $0.headerLine(line) }
    carryOut(effects)
    return verdict
  }

  func received(_ bytes: Data) -> State.Verdict {
    let (verdict, effects) = state.withLock { $0.received(bytes) }
    carryOut(effects)
    return verdict
  }

  private func carryOut(_ effects: State.Effects) {
    switch effects.order {
    case .resume: mailbox.post(.resume(self))
    case .abandon: mailbox.post(.abandon(self))
    case nil: break
    }
    if let (waiter, result) = effects.delivery { waiter.resume(with: result) }
  }
}
