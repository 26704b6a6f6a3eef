import Foundation
import KubernetesAPI

/// What the controllers have to look at, and when: at once, later, or again after a failure. Each item is there once,
/// so the queue is bounded by the number of objects.
struct DueQueue {
  struct Item: Hashable, Comparable {
    /// The place of the controller in the manager's list.
    var controller: Int
    var object: TypedKey

    static func < (left: Self, right: Self) -> Bool {
      (left.controller, left.object) < (right.controller, right.object)
    }
  }

  private var now: Set<Item> = []
  private var later: [Item: Date] = [:]
  private var failures: [Item: Int] = [:]

  mutating func add(_ item: Item) { now.insert(item) }

  /// Removes and returns what is due, in a fixed order.
  mutating func takeDue(at date: Date) -> [Item] {
    let ripe = later.filter { $0.value <= date }.keys
    for item in ripe { later[item] = nil }
    defer { now = [] }
    return now.union(ripe).sorted()
  }

  /// The next time at which something is due; `date` itself when that is now.
  func next(at date: Date) -> Date? { now.isEmpty ? later.values.min() : date }

  mutating func succeeded(_ item: Item, lookAgainAt date: Date?) {
    failures[item] = nil
    later[item] = date
  }

  /// - Returns: the delay until the next attempt.
  mutating func failed(_ item: Item, at date: Date) -> Duration {
    let count = failures[item, default: 0]
    failures[item] = min(count + 1, 30)
    let delay = Self.backoff(afterFailures: count, seed: StableHash.fnv1a("\(item.object.key)/\(count)"))
    later[item] = date.adding(delay)
    return delay
  }

  /// 10 ms, doubled with each failure up to 30 s, plus up to a fifth that spreads the items. The spread comes from
  /// the item's name, so that a run can be repeated exactly.
  static func backoff(afterFailures count: Int, seed: UInt32) -> Duration {
    let base = min(10 << min(count, 12), 30_000)
    return .milliseconds(base + base * Int(seed % 100) / 500)
  }
}
