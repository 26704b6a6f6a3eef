import Collections
import RolloutAPI

/// Bounds and paces of an outbox.
public struct OutboxLimits: Sendable, Equatable {
  /// Messages that may wait for one channel, and for all.
  public var perChannel = 100
  public var total = 2000
  /// Keys that are remembered so as not to tell the same news twice.
  public var rememberedKeys = 20_000
  /// Time for one attempt, the look-up of the URL included.
  public var sendTimeout = Duration.seconds(10)
  /// News older than this is not sent any more.
  public var maxAge = Duration.seconds(15 * 60)
  /// The pause after the first failure; it doubles with each further one, up to `maxBackoff`.
  public var firstBackoff = Duration.seconds(1)
  public var maxBackoff = Duration.seconds(60)
  /// How long a shutdown waits for what is left.
  public var drainTime = Duration.seconds(5)

  public init() {}
}

/// What became of the messages since the start.
public struct OutboxCounts: Sendable, Equatable {
  public var accepted = 0
  /// Not accepted since the same news was there before.
  public var duplicates = 0
  public var delivered = 0
  /// Attempts that failed and were to be repeated.
  public var retries = 0
  /// Given up since the receiver refused them for good.
  public var rejected = 0
  /// Given up since they were too old.
  public var expired = 0
  /// Given up since the queue was full, or unsent at shutdown.
  public var dropped = 0

  public init() {}
}

/// The queues of an outbox: pure, with time as the duration since a start. Per channel one message is under way at most,
/// so that they arrive in order.
struct OutboxState: Sendable {
  struct Item: Sendable, Equatable {
    var id: Int
    var channel: ChannelID
    var message: NotificationMessage
    var attempts = 0
    var accepted: Duration
    var notBefore: Duration
  }

  /// A message that is given up, for the log.
  struct GivenUp: Sendable, Equatable {
    var item: Item
    var reason: String
  }

  private struct Queue: Sendable {
    var items = Deque<Item>()
    /// The first one is under way.
    var isSending = false
  }

  private let limits: OutboxLimits
  /// Ordered, so that the same history always leads to the same deliveries.
  private var queues = OrderedDictionary<ChannelID, Queue>()
  private var seen = OrderedSet<String>()
  private var nextID = 0
  private(set) var waiting = 0
  private(set) var counts = OutboxCounts()

  init(limits: OutboxLimits) {
    self.limits = limits
  }

  /// Takes a message in.
  /// - Returns: those given up to make room, possibly the new one itself.
  mutating func enqueue(_ message: NotificationMessage, to channel: ChannelID, key: String, now: Duration) -> [GivenUp]
  {
    guard remember("\(channel)#\(key)") else {
      counts.duplicates += 1
      return []
    }
    counts.accepted += 1
    let item = Item(id: nextID, channel: channel, message: message, accepted: now, notBefore: now)
    nextID += 1
    queues[channel, default: Queue()].items.append(item)
    waiting += 1
    var lost: [GivenUp] = []
    if let queue = queues[channel], queue.items.count > limits.perChannel {
      lost += giveUp(in: channel, "more than \(limits.perChannel) messages wait for the channel")
    }
    if waiting > limits.total, let longest = longestQueue() {
      lost += giveUp(in: longest, "more than \(limits.total) messages wait for all channels")
    }
    return lost
  }

  /// The messages to send now: of each idle channel the first, if its time has come. They count as under way.
  mutating func take(now: Duration) -> (due: [Item], expired: [GivenUp]) {
    var due: [Item] = []
    var expired: [GivenUp] = []
    for channel in queues.keys {
      guard var queue = queues[channel], !queue.isSending else { continue }
      while let first = queue.items.first, now - first.accepted > limits.maxAge {
        queue.items.removeFirst()
        waiting -= 1
        counts.expired += 1
        expired.append(GivenUp(item: first, reason: "older than \(limits.maxAge)"))
      }
      if let first = queue.items.first, first.notBefore <= now {
        queue.isSending = true
        due.append(first)
      }
      queues[channel] = queue
    }
    dropEmptyQueues()
    return (due, expired)
  }

  /// An attempt has ended.
  /// - Parameter random: from 0 up to 1, spreads the retries.
  mutating func finished(_ item: Item, _ outcome: Outcome, now: Duration, random: Double) -> GivenUp? {
    guard var queue = queues[item.channel], queue.isSending, var first = queue.items.first, first.id == item.id else {
      return nil
    }
    queue.isSending = false
    var givenUp: GivenUp?
    if case .retry(let reason, let after) = outcome {
      first.attempts += 1
      first.notBefore = now + max(backoff(first.attempts, random), after ?? .zero)
      if first.notBefore - first.accepted > limits.maxAge {
        counts.expired += 1
        givenUp = GivenUp(item: first, reason: "no success in \(first.attempts) attempts, at last: \(reason)")
        queue.items.removeFirst()
        waiting -= 1
      } else {
        counts.retries += 1
        queue.items[0] = first
      }
    } else {
      queue.items.removeFirst()
      waiting -= 1
      switch outcome {
      case .delivered: counts.delivered += 1
      case .rejected(let reason):
        counts.rejected += 1
        givenUp = GivenUp(item: first, reason: "refused: \(reason)")
      case .unwanted, .retry: break
      }
    }
    queues[item.channel] = queue
    dropEmptyQueues()
    return givenUp
  }

  /// When something of an idle channel is due next; `nil`: nothing waits but for the end of an attempt.
  var nextDue: Duration? {
    queues.values.compactMap { $0.isSending ? nil : $0.items.first?.notBefore }.min()
  }

  /// Gives up everything, at the end of a shutdown.
  mutating func abandon() -> [GivenUp] {
    let lost = queues.values.flatMap(\.items).map { GivenUp(item: $0, reason: "unsent at shutdown") }
    counts.dropped += lost.count
    queues = [:]
    waiting = 0
    return lost
  }

  // MARK: Details

  private mutating func remember(_ key: String) -> Bool {
    guard seen.append(key).inserted else { return false }
    if seen.count > limits.rememberedKeys { seen.removeFirst(seen.count - limits.rememberedKeys * 3 / 4) }
    return true
  }

  private func longestQueue() -> ChannelID? {
    queues.max { $0.value.items.count < $1.value.items.count }?.key
  }

  /// The oldest that is not final goes, or the oldest where all are. One that is under way stays.
  private mutating func giveUp(in channel: ChannelID, _ reason: String) -> [GivenUp] {
    guard var queue = queues[channel] else { return [] }
    let movable = queue.items.indices.dropFirst(queue.isSending ? 1 : 0)
    guard let index = movable.first(where: { !queue.items[$0].message.event.isFinal }) ?? movable.first else {
      return []
    }
    let item = queue.items.remove(at: index)
    queues[channel] = queue
    waiting -= 1
    counts.dropped += 1
    dropEmptyQueues()
    return [GivenUp(item: item, reason: reason)]
  }

  private mutating func dropEmptyQueues() {
    queues.removeAll { $0.value.items.isEmpty && !$0.value.isSending }
  }

  /// Between half and the whole of a pause that doubles with each attempt.
  private func backoff(_ attempts: Int, _ random: Double) -> Duration {
    let doubled = limits.firstBackoff * (1 << min(attempts - 1, 20))
    return min(doubled, limits.maxBackoff) * (0.5 + random / 2)
  }
}
