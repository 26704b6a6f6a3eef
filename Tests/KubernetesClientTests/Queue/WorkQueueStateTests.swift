import Testing

@testable import KubernetesClient

@Suite("The work queue as a value")
struct WorkQueueStateTests {
  /// By reference, since the macros of the tests call no mutating functions.
  final class Queue {
    private var state: WorkQueueState<String>

    init(capacity: Int) {
      state = WorkQueueState(
        capacity: capacity, backoff: Backoff(initial: .seconds(1), maximum: .seconds(8), jitter: 0))
    }

    var count: Int { state.count }
    var delayedCount: Int { state.delayedCount }
    func add(_ key: String, reason: String, urgent: Bool) -> Bool { state.add(key, reason: reason, urgent: urgent) }
    func add(_ key: String, reason: String, at due: Duration) -> Bool { state.add(key, reason: reason, at: due) }
    func take(at now: Duration) -> WorkItem<String>? { state.take(at: now) }
    func nextDue() -> Duration? { state.nextDue() }
    func finish(_ item: WorkItem<String>, _ outcome: WorkOutcome, at now: Duration, random: Double) {
      state.finish(item, outcome, at: now, random: random)
    }
  }

  func queue(capacity: Int = 100) -> Queue { Queue(capacity: capacity) }

  @Test("a key is in the queue once and carries each of its reasons once, at most eight")
  func deduplication() {
    let queue = queue()
    for reason in ["spec", "pod", "spec"] { _ = queue.add("a", reason: reason, urgent: false) }
    _ = queue.add("b", reason: "spec", urgent: false)
    #expect(queue.take(at: .zero) == WorkItem(key: "a", reasons: ["spec", "pod"], failures: 0))
    #expect(queue.take(at: .zero)?.key == "b")
    #expect(queue.take(at: .zero) == nil)
    for number in 0..<20 { _ = queue.add("c", reason: "\(number)", urgent: false) }
    #expect(queue.take(at: .zero)?.reasons.count == 8)
  }

  @Test("a key that is being worked on is given to nobody else, and comes again once if something happened")
  func oneAtATime() throws {
    let queue = queue()
    _ = queue.add("a", reason: "first", urgent: false)
    let item = try #require(queue.take(at: .zero))
    _ = queue.add("a", reason: "meanwhile", urgent: false)
    _ = queue.add("a", reason: "again", urgent: false)
    #expect(queue.take(at: .zero) == nil)
    queue.finish(item, .done, at: .zero, random: 0)
    let second = try #require(queue.take(at: .zero))
    #expect(second.reasons == ["meanwhile", "again"])
    queue.finish(second, .done, at: .zero, random: 0)
    #expect(queue.take(at: .zero) == nil)
    #expect(queue.count == 0)
  }

  @Test("urgent keys go first, also those that were in the queue before")
  func urgent() throws {
    let queue = queue()
    for key in ["a", "b", "c"] { _ = queue.add(key, reason: "x", urgent: false) }
    _ = queue.add("d", reason: "x", urgent: true)
    _ = queue.add("b", reason: "abort", urgent: true)
    #expect((0..<4).compactMap { _ in queue.take(at: .zero)?.key } == ["d", "b", "a", "c"])
    let running = WorkItem(key: "a", reasons: [], failures: 0)
    _ = queue.add("e", reason: "x", urgent: false)
    _ = queue.add("a", reason: "abort", urgent: true)
    _ = queue.add("a", reason: "x", urgent: false)
    queue.finish(running, .done, at: .zero, random: 0)
    #expect(queue.take(at: .zero)?.key == "a")
  }

  @Test("a delayed key is due at its time, the earliest time counts, and an event brings it forward")
  func delays() throws {
    let queue = queue()
    _ = queue.add("a", reason: "later", at: .seconds(10))
    _ = queue.add("a", reason: "sooner", at: .seconds(5))
    _ = queue.add("a", reason: "much later", at: .seconds(50))
    #expect(queue.nextDue() == .seconds(5))
    #expect(queue.take(at: .seconds(4)) == nil)
    let item = try #require(queue.take(at: .seconds(5)))
    queue.finish(item, .done, at: .seconds(5), random: 0)
    #expect(queue.nextDue() == nil)
    #expect(queue.take(at: .seconds(100)) == nil)

    _ = queue.add("b", reason: "later", at: .seconds(200))
    _ = queue.add("b", reason: "event", urgent: false)
    let early = try #require(queue.take(at: .seconds(100)))
    #expect(early.reasons == ["later", "event"])
    queue.finish(early, .done, at: .seconds(100), random: 0)
    #expect(queue.take(at: .seconds(300)) == nil)
  }

  @Test("times that events brought forward do not pile up")
  func stale() throws {
    let queue = queue()
    for second in 0..<5000 {
      _ = queue.add("a", reason: "event", urgent: false)
      let item = try #require(queue.take(at: .seconds(second)))
      queue.finish(item, .again(after: .seconds(100_000 + second)), at: .seconds(second), random: 0)
    }
    #expect(queue.delayedCount < 100)
    #expect(queue.nextDue() == .seconds(4999 + 104_999))
  }

  @Test("keys that became due in the meantime come in the order of their times")
  func order() {
    let queue = queue()
    _ = queue.add("late", reason: "x", at: .seconds(3))
    _ = queue.add("early", reason: "x", at: .seconds(1))
    _ = queue.add("early too", reason: "x", at: .seconds(1))
    #expect((0..<3).compactMap { _ in queue.take(at: .seconds(9))?.key } == ["early", "early too", "late"])
  }

  @Test("a key that fails waits longer each time, keeps its reasons, and success makes it new")
  func failures() throws {
    let queue = queue()
    _ = queue.add("a", reason: "spec", urgent: false)
    var now = Duration.zero
    var waits: [Duration] = []
    for failure in 0..<5 {
      let item = try #require(queue.take(at: now))
      #expect(item.failures == failure)
      #expect(item.reasons == ["spec"])
      queue.finish(item, .failed, at: now, random: 0)
      let due = try #require(queue.nextDue())
      waits.append(due - now)
      now = due
    }
    #expect(waits == [1, 2, 4, 8, 8].map { .seconds($0) })
    queue.finish(try #require(queue.take(at: now)), .again(after: .seconds(3)), at: now, random: 0)
    let item = try #require(queue.take(at: now + .seconds(3)))
    #expect(item.failures == 0)
    #expect(item.reasons == ["time"])
  }

  @Test("what is asked for while a key is worked on counts with what came of it: the sooner wins")
  func sooner() throws {
    let queue = queue()
    _ = queue.add("a", reason: "x", urgent: false)
    let item = try #require(queue.take(at: .zero))
    _ = queue.add("a", reason: "deadline", at: .seconds(5))
    queue.finish(item, .again(after: .seconds(30)), at: .zero, random: 0)
    #expect(queue.nextDue() == .seconds(5))
    #expect(try #require(queue.take(at: .seconds(5))).reasons == ["deadline"])
  }

  @Test("a full queue refuses new keys and still takes what concerns those that it has")
  func capacity() {
    let queue = queue(capacity: 2)
    #expect(queue.add("a", reason: "x", urgent: false))
    #expect(queue.add("b", reason: "x", at: .seconds(1)))
    #expect(!queue.add("c", reason: "x", urgent: true))
    #expect(!queue.add("c", reason: "x", at: .seconds(1)))
    #expect(queue.add("b", reason: "y", urgent: false))
    #expect(queue.count == 2)
  }

  @Test("no key is lost, doubled or worked on twice at once, whatever happens in whatever order", arguments: 0..<40)
  func random(seed: UInt64) {
    var generator = SplitMix(state: seed)
    let queue = queue(capacity: 6)
    var now = Duration.zero
    var running: [String: WorkItem<String>] = [:]
    var owed: Set<String> = []
    for _ in 0..<400 {
      let key = "k\(Int.random(in: 0..<6, using: &generator))"
      switch Int.random(in: 0..<6, using: &generator) {
      case 0:
        #expect(queue.add(key, reason: "r", urgent: Bool.random(using: &generator)))
        owed.insert(key)
      case 1:
        #expect(queue.add(key, reason: "r", at: now + .seconds(Int.random(in: 0..<9, using: &generator))))
        owed.insert(key)
      case 2, 3:
        if let item = queue.take(at: now) {
          #expect(running[item.key] == nil)
          #expect(!item.reasons.isEmpty)
          running[item.key] = item
          owed.remove(item.key)
        }
      case 4:
        if let item = running.sorted(by: { $0.key < $1.key }).first?.value {
          running[item.key] = nil
          let outcome: [WorkOutcome] = [.done, .failed, .again(after: .seconds(2))]
          let chosen = outcome[Int.random(in: 0..<3, using: &generator)]
          queue.finish(item, chosen, at: now, random: 0)
          if chosen != .done { owed.insert(item.key) }
        }
      default:
        now += .milliseconds(Int.random(in: 0..<2000, using: &generator))
      }
      #expect(queue.count <= 6)
    }
    for item in running.sorted(by: { $0.key < $1.key }).map(\.value) {
      queue.finish(item, .done, at: now, random: 0)
    }
    while let item = queue.take(at: now + .seconds(1000)) {
      owed.remove(item.key)
      queue.finish(item, .done, at: now, random: 0)
    }
    #expect(owed.isEmpty)
    #expect(queue.count == 0)
    #expect(queue.nextDue() == nil)
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
