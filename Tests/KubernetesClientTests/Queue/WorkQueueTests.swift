import Synchronization
import Testing

@testable import KubernetesClient

@Suite("The work queue and its workers")
struct WorkQueueTests {
  func queue(_ clock: ManualClock) -> WorkQueue<String> {
    WorkQueue(
      backoff: Backoff(initial: .seconds(1), maximum: .seconds(8), jitter: 0), time: clock.time,
      randomness: Randomness { 0 })
  }

  @Test("a worker for urgent keys leaves all others alone")
  func urgentOnly() async throws {
    let queue = queue(ManualClock())
    queue.add("shop/calm", reason: "time")
    async let first = queue.next(urgentOnly: true)
    queue.add("shop/urgent", reason: "a check failed", urgent: true)
    #expect(try await first?.key == "shop/urgent")
    #expect(try await queue.next()?.key == "shop/calm")
  }

  @Test("a waiting worker gets a key when it is added, and a delayed one when its time has come")
  func waiting() async throws {
    let clock = ManualClock()
    let queue = queue(clock)
    async let first = queue.next()
    queue.add("a", reason: "x")
    #expect(try await first?.key == "a")
    queue.add("b", reason: "x", after: .seconds(5))
    async let second = queue.next()
    await clock.sleepers()
    clock.advance(by: .seconds(5))
    #expect(try await second?.key == "b")
  }

  @Test("a key that is added sooner wakes a worker that sleeps for a later one")
  func sooner() async throws {
    let clock = ManualClock()
    let queue = queue(clock)
    queue.add("late", reason: "x", after: .seconds(60))
    async let next = queue.next()
    await clock.sleepers()
    queue.add("now", reason: "x")
    #expect(try await next?.key == "now")
  }

  @Test("of many workers that wait one is called, and another one watches the clock in its place")
  func callsOne() async throws {
    let clock = ManualClock()
    let queue = queue(clock)
    queue.add("late", reason: "x", after: .seconds(60))
    try await withThrowingTaskGroup(of: String?.self) { group async throws in
      for _ in 0..<8 { group.addTask { try await queue.next()?.key } }
      for _ in 0..<2 { group.addTask { try await queue.next(urgentOnly: true)?.key } }
      await clock.sleepers()
      // Each is due sooner than all before it, so that the clock is looked at anew again and again.
      for second in (1...50).reversed() {
        queue.add("at \(second)", reason: "x", after: .seconds(second))
        await Task.yield()
      }
      queue.add("urgent", reason: "x", urgent: true)
      let urgent = try await group.next()
      #expect(urgent == "urgent")
      queue.add("now", reason: "x")
      let now = try await group.next()
      #expect(now == "now")
      for second in 1...6 {
        await clock.sleepers()
        clock.advance(by: .seconds(1))
        let next = try await group.next()
        #expect(next == "at \(second)")
      }
      group.cancelAll()
      while let _ = try? await group.next() {}
    }
  }

  @Test("after the shutdown there is nothing more, and nothing is taken in")
  func shutdown() async throws {
    let queue = queue(ManualClock())
    async let waiting = queue.next()
    queue.shutDown()
    #expect(try await waiting == nil)
    #expect(!queue.add("a", reason: "x"))
    #expect(try await queue.next() == nil)
  }

  @Test("a waiting worker can be cancelled")
  func cancellation() async {
    let queue = queue(ManualClock())
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        do {
          _ = try await queue.next()
          return false
        } catch {
          return error is CancellationError
        }
      }
      group.cancelAll()
      for await wasCancelled in group { #expect(wasCancelled) }
    }
  }

  @Test("workers take all keys, never one key twice at once, and what throws comes again")
  func workers() async throws {
    struct Fault: Error {}
    let queue = queue(ManualClock(runsByItself: true))
    let running = Mutex<Set<String>>([])
    let calls = Mutex<[String: Int]>([:])
    for key in 0..<50 { queue.add("k\(key)", reason: "x") }
    let pool = WorkerPool(queue, workers: 4) { item in
      #expect(running.withLock { $0.insert(item.key).inserted })
      queue.add(item.key, reason: "meanwhile")
      await Task.yield()
      running.withLock { _ = $0.remove(item.key) }
      let (count, total) = calls.withLock { calls in
        calls[item.key, default: 0] += 1
        return (calls[item.key, default: 0], calls.values.reduce(0, +))
      }
      if total >= 400 { queue.shutDown() }
      if count == 1 { throw Fault() }
      return .done
    }
    try await pool.run()
    #expect(calls.withLock { $0.count } == 50)
    #expect(running.withLock { $0.isEmpty })
  }
}
