import RolloutAPI
import Testing

@testable import Notifications

@Suite struct OutboxStateTests {
  private func limits(_ change: (inout OutboxLimits) -> Void = { _ in }) -> OutboxLimits {
    var limits = OutboxLimits()
    change(&limits)
    return limits
  }

  private func summaries(_ items: [OutboxState.Item]) -> [String] { items.map(\.message.summary) }

  @Test("the same key goes to the same channel once, and to another channel too")
  func duplicates() {
    var state = OutboxState(limits: limits())
    for name in ["a", "a", "b"] {
      #expect(state.enqueue(message(), to: channel(name), key: "run/1", now: .zero) == [])
    }
    #expect(state.counts.accepted == 2)
    #expect(state.counts.duplicates == 1)
    #expect(state.take(now: .zero).due.map(\.channel.name) == ["a", "b"])
  }

  @Test("keys are remembered after delivery, up to a bound")
  func remembers() {
    var state = OutboxState(limits: limits { $0.rememberedKeys = 8 })
    for key in 0..<9 { _ = state.enqueue(message(), to: channel("a"), key: "\(key)", now: .zero) }
    _ = state.enqueue(message(), to: channel("a"), key: "8", now: .zero)
    #expect(state.counts.duplicates == 1)
    _ = state.enqueue(message(), to: channel("a"), key: "0", now: .zero)
    #expect(state.counts.duplicates == 1)
  }

  @Test("a channel gets its messages in order, one at a time, also across a retry")
  func order() {
    var state = OutboxState(limits: limits())
    for text in ["1", "2"] { _ = state.enqueue(message(.step, text), to: channel("a"), key: text, now: .zero) }
    let first = state.take(now: .zero).due
    #expect(summaries(first) == ["1"])
    #expect(summaries(state.take(now: .seconds(100)).due) == [])
    _ = state.finished(first[0], .retry(reason: "x", after: nil), now: .zero, random: 0)
    #expect(summaries(state.take(now: .milliseconds(499)).due) == [])
    #expect(state.nextDue == .milliseconds(500))
    let again = state.take(now: .milliseconds(500)).due
    #expect(summaries(again) == ["1"])
    _ = state.finished(again[0], .delivered, now: .seconds(1), random: 0)
    #expect(summaries(state.take(now: .seconds(1)).due) == ["2"])
  }

  @Test("the pause doubles up to its bound, and the random part never makes it longer than that")
  func backoff() {
    func pauses(random: Double) -> [Duration] {
      var state = OutboxState(limits: limits { $0.maxAge = .seconds(100_000) })
      _ = state.enqueue(message(), to: channel("a"), key: "1", now: .zero)
      var now = Duration.zero
      return (0..<8).map { _ in
        let due = state.take(now: now).due
        _ = state.finished(due[0], .retry(reason: "x", after: nil), now: now, random: random)
        let pause = (state.nextDue ?? .zero) - now
        now += pause
        return pause
      }
    }
    #expect(pauses(random: 0) == [0.5, 1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
    #expect(pauses(random: 1) == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
  }

  @Test("Retry-After is kept where it is longer than our own pause")
  func retryAfter() {
    for (after, pause) in [(30, 30.0), (0, 0.5)] {
      var state = OutboxState(limits: limits())
      _ = state.enqueue(message(), to: channel("a"), key: "1", now: .zero)
      let due = state.take(now: .zero).due
      _ = state.finished(due[0], .retry(reason: "x", after: .seconds(after)), now: .zero, random: 0)
      #expect(state.nextDue == .seconds(pause))
    }
  }

  @Test("a full channel gives up its oldest news that is not final, and never what is under way")
  func fullChannel() {
    var state = OutboxState(limits: limits { $0.perChannel = 3 })
    _ = state.enqueue(message(.step, "sending"), to: channel("a"), key: "0", now: .zero)
    _ = state.take(now: .zero)
    for (text, event) in [("aborted", NotificationEvent.aborted), ("step", .step)] {
      _ = state.enqueue(message(event, text), to: channel("a"), key: text, now: .zero)
    }
    #expect(
      summaries(state.enqueue(message(.promoted, "p"), to: channel("a"), key: "p", now: .zero).map(\.item)) == ["step"])
    #expect(
      summaries(state.enqueue(message(.step, "s"), to: channel("a"), key: "s", now: .zero).map(\.item)) == ["s"])
    #expect(
      summaries(state.enqueue(message(.refused, "r"), to: channel("a"), key: "r", now: .zero).map(\.item))
        == ["aborted"])
    #expect(state.waiting == 3)
    #expect(state.counts.dropped == 3)
  }

  @Test("when all are too many, the longest queue gives")
  func fullOutbox() {
    var state = OutboxState(limits: limits { $0.total = 4 })
    for key in 0..<3 { _ = state.enqueue(message(.step, "\(key)"), to: channel("long"), key: "\(key)", now: .zero) }
    _ = state.enqueue(message(), to: channel("short"), key: "1", now: .zero)
    let lost = state.enqueue(message(), to: channel("short"), key: "2", now: .zero)
    #expect(summaries(lost.map(\.item)) == ["0"])
    #expect(state.waiting == 4)
  }

  @Test("news that is too old is not sent, and the next one is")
  func expiry() {
    var state = OutboxState(limits: limits { $0.maxAge = .seconds(60) })
    _ = state.enqueue(message(.step, "old"), to: channel("a"), key: "1", now: .zero)
    _ = state.enqueue(message(.step, "new"), to: channel("a"), key: "2", now: .seconds(30))
    let (due, expired) = state.take(now: .seconds(61))
    #expect(summaries(due) == ["new"])
    #expect(summaries(expired.map(\.item)) == ["old"])
    #expect(state.counts.expired == 1)
  }

  @Test("a retry that would come too late is not waited for")
  func expiryAhead() {
    var state = OutboxState(limits: limits { $0.maxAge = .seconds(60) })
    _ = state.enqueue(message(), to: channel("a"), key: "1", now: .zero)
    let due = state.take(now: .zero).due
    let lost = state.finished(due[0], .retry(reason: "status 429", after: .seconds(61)), now: .zero, random: 0)
    #expect(lost?.reason == "no success in 1 attempts, at last: status 429")
    #expect(state.waiting == 0)
  }

  @Test("what the receiver refuses for good is not repeated")
  func rejection() {
    var state = OutboxState(limits: limits())
    _ = state.enqueue(message(), to: channel("a"), key: "1", now: .zero)
    let due = state.take(now: .zero).due
    let lost = state.finished(due[0], .rejected(reason: "status 404"), now: .zero, random: 0)
    #expect(lost?.reason == "refused: status 404")
    #expect(state.counts.rejected == 1)
    #expect(state.nextDue == nil)
  }

  @Test("the counts add up after any history")
  func conservation() {
    for seed in 0..<60 {
      var generator = SplitMix(state: UInt64(seed))
      var state = OutboxState(limits: limits { ($0.perChannel, $0.total, $0.maxAge) = (3, 5, .seconds(20)) })
      var sending: [OutboxState.Item] = []
      var unwanted = 0
      for step in 0..<200 {
        let now = Duration.milliseconds(step * 300)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
          let event = NotificationEvent.allCases.randomElement(using: &generator) ?? .step
          let key = "\(Int.random(in: 0..<100, using: &generator))"
          _ = state.enqueue(
            message(event), to: channel(["a", "b", "c"].randomElement(using: &generator) ?? "a"), key: key, now: now)
        case 1: sending += state.take(now: now).due
        default:
          guard !sending.isEmpty else { continue }
          let item = sending.remove(at: Int.random(in: 0..<sending.count, using: &generator))
          let outcomes: [Outcome] = [
            .delivered, .unwanted, .rejected(reason: "x"), .retry(reason: "x", after: nil),
          ]
          let outcome = outcomes.randomElement(using: &generator) ?? .delivered
          if outcome == .unwanted { unwanted += 1 }
          _ = state.finished(item, outcome, now: now, random: 0.5)
        }
        #expect(Set(sending.map(\.channel)).count == sending.count)
        #expect(state.waiting <= 5)
        let counts = state.counts
        let gone = counts.delivered + counts.rejected + counts.expired + counts.dropped + unwanted
        #expect(counts.accepted == state.waiting + gone)
      }
    }
  }
}

/// The same numbers for the same seed, so that a failure can be repeated.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
