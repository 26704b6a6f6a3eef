/// The workers that wait at a queue, to be called one by one. Of each kind the one that came last goes first: what it
/// works with is still at hand.
struct WaitingLine: Sendable {
  typealias Waiter = CheckedContinuation<Void, Never>

  enum Kind: Sendable {
    /// For urgent keys only.
    case urgent
    case any
    /// The one that also waits for a time.
    case clock
  }

  private var waiting: [(ticket: Int, kind: Kind, waiter: Waiter)] = []
  private var tickets = 0

  /// A number to leave by.
  mutating func ticket() -> Int {
    tickets += 1
    return tickets
  }

  mutating func enter(_ ticket: Int, _ kind: Kind, _ waiter: Waiter) { waiting.append((ticket, kind, waiter)) }

  mutating func call(_ kind: Kind) -> Waiter? {
    waiting.lastIndex { $0.kind == kind }.map { waiting.remove(at: $0).waiter }
  }

  mutating func leave(_ ticket: Int) -> Waiter? {
    waiting.firstIndex { $0.ticket == ticket }.map { waiting.remove(at: $0).waiter }
  }

  /// All of them.
  mutating func leave() -> [Waiter] {
    defer { waiting = [] }
    return waiting.map(\.waiter)
  }
}
