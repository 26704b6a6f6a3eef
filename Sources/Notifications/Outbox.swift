import Foundation
import HTTPTransport
import Logging
import RolloutAPI
import ServiceLifecycle
import Synchronization

/// Sends messages beside the reconcile path: taking one in never waits, whatever the receivers do.
///
/// A message is delivered at least once: where an answer was lost, it is sent again. Each channel gets its messages in
/// order, one at a time, and a channel that hangs delays no other. The queues are lost with the process; the caller's
/// keys decide what is the same news.
public final class Outbox<C: Clock>: Service where C.Duration == Duration {
  /// Looks up where messages of a channel go, from the NotificationChannel and its Secret, at the time of sending.
  /// - Returns: `nil` if the channel does not want this event.
  /// - Throws: if the channel, the Secret or its key is not there (yet); the attempt is repeated. The error is logged, so
  ///   it must not hold the URL.
  public typealias Lookup = @Sendable (ChannelID, NotificationEvent) async throws -> Destination?

  /// Told when a message is given up: to which channel it was to go, what, and why.
  public typealias GiveUpHandler = @Sendable (ChannelID, NotificationMessage, _ reason: String) -> Void

  private struct State: Sendable {
    var queues: OutboxState
    /// While draining: when it ends.
    var drainEnd: Duration?
  }

  private let state: Mutex<State>
  private let limits: OutboxLimits
  private let transport: any Transport
  private let lookup: Lookup
  private let onGiveUp: GiveUpHandler
  private let random: @Sendable () -> Double
  private let logger: Logger
  private let clock: C
  private let start: C.Instant
  private let bell = Bell()

  /// - Parameter random: spreads the retries; from 0 up to 1.
  public init(
    transport: any Transport, limits: OutboxLimits = OutboxLimits(), clock: C, logger: Logger,
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
    onGiveUp: @escaping GiveUpHandler = { _, _, _ in }, lookup: @escaping Lookup
  ) {
    self.state = Mutex(State(queues: OutboxState(limits: limits)))
    self.limits = limits
    self.transport = transport
    self.clock = clock
    self.start = clock.now
    self.logger = logger
    self.random = random
    self.onGiveUp = onGiveUp
    self.lookup = lookup
  }

  /// What became of the messages since the start.
  public var counts: OutboxCounts { state.withLock { $0.queues.counts } }

  /// How many messages wait or are under way.
  public var waiting: Int { state.withLock { $0.queues.waiting } }

  /// Takes a message in, without waiting.
  /// - Parameters:
  ///   - key: news of the same key goes to the same channel once.
  public func enqueue(_ message: NotificationMessage, to channel: ChannelID, key: String) {
    let now = now
    let lost = state.withLock { $0.queues.enqueue(message, to: channel, key: key, now: now) }
    report(lost)
    bell.ring()
  }

  /// Delivers until the service is shut down gracefully, and then for at most ``OutboxLimits/drainTime``; or until its
  /// task is cancelled.
  public func run() async throws {
    await withGracefulShutdownHandler {
      await deliverAll()
    } onGracefulShutdown: {
      let end = self.now + self.limits.drainTime
      self.state.withLock { $0.drainEnd = end }
      self.bell.ring()
    }
    report(state.withLock { $0.queues.abandon() })
  }

  private func deliverAll() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        let now = now
        let (due, expired) = state.withLock { $0.queues.take(now: now) }
        report(expired)
        for item in due { group.addTask { await self.deliver(item) } }
        if !due.isEmpty { continue }
        guard let patience = patience(now) else { break }
        await wait(patience)
      }
      group.cancelAll()
    }
  }

  private enum Patience {
    case untilRung
    case until(Duration)
  }

  /// How long there is nothing to do; `nil`: for ever.
  private func patience(_ now: Duration) -> Patience? {
    let (due, drainEnd, isIdle) = state.withLock {
      ($0.queues.nextDue, $0.drainEnd, $0.queues.waiting == 0)
    }
    if let drainEnd, isIdle || now >= drainEnd { return nil }
    return [due, drainEnd].compactMap { $0 }.min().map { .until($0) } ?? .untilRung
  }

  private func wait(_ patience: Patience) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.bell.wait() }
      if case .until(let moment) = patience {
        group.addTask { try? await self.clock.sleep(until: self.start.advanced(by: moment), tolerance: nil) }
      }
      await group.next()
      group.cancelAll()
    }
  }

  // MARK: One attempt

  private func deliver(_ item: OutboxState.Item) async {
    let outcome = await withinDeadline { await self.attempt(item) }
    let (now, random) = (now, random())
    let lost = state.withLock { $0.queues.finished(item, outcome, now: now, random: random) }
    if case .retry(let reason, _) = outcome, lost == nil, !Task.isCancelled {
      logger.info(
        "A notification is sent again later",
        metadata: ["channel": "\(item.channel)", "title": "\(item.message.title)", "reason": "\(reason)"])
    }
    if let lost { report([lost]) }
    bell.ring()
  }

  private func attempt(_ item: OutboxState.Item) async -> Outcome {
    let destination: Destination
    do {
      guard let found = try await lookup(item.channel, item.message.event) else { return .unwanted }
      destination = found
    } catch {
      return .retry(reason: "no address for the channel: \(error)", after: nil)
    }
    let body = destination.format.body(of: item.message)
    let request = HTTPRequest(
      .post, destination.url, headers: [("Content-Type", "application/json")], body: body.data,
      timeout: limits.sendTimeout, maxResponseBytes: 64 << 10, lane: .write, freshConnection: item.attempts > 0)
    do {
      return DeliveryRules.outcome(of: try await transport.send(request), secret: destination.url)
    } catch {
      return DeliveryRules.outcome(of: error, secret: destination.url)
    }
  }

  /// Look-up and transport must end when they are cancelled; both do.
  private func withinDeadline(_ attempt: @escaping @Sendable () async -> Outcome) async -> Outcome {
    await withTaskGroup(of: Outcome.self) { group in
      group.addTask(operation: attempt)
      group.addTask {
        do {
          try await self.clock.sleep(until: self.clock.now.advanced(by: self.limits.sendTimeout), tolerance: nil)
          return .retry(reason: "no answer within \(self.limits.sendTimeout)", after: nil)
        } catch {
          return .retry(reason: "the attempt was cut off", after: nil)
        }
      }
      defer { group.cancelAll() }
      return await group.next() ?? .retry(reason: "the attempt was cancelled", after: nil)
    }
  }

  private func report(_ lost: [OutboxState.GivenUp]) {
    for entry in lost {
      logger.warning(
        "A notification is given up",
        metadata: [
          "channel": "\(entry.item.channel)", "title": "\(entry.item.message.title)", "reason": "\(entry.reason)",
        ])
      onGiveUp(entry.item.channel, entry.item.message, entry.reason)
    }
  }

  private var now: Duration { start.duration(to: clock.now) }
}

/// Wakes the one task that waits; a ring that nobody hears is kept.
private final class Bell: Sendable {
  private enum State {
    case silent
    case rung
    case waiting(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.silent)

  func ring() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if case .waiting(let waiter) = state {
        state = .silent
        return waiter
      }
      state = .rung
      return nil
    }
    waiter?.resume()
  }

  /// Returns at the next ring, or when the task is cancelled.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isHeard = state.withLock { state in
          if case .rung = state {
            state = .silent
            return true
          }
          // A task that is cancelled before it waits gets no further ring from the handler.
          if Task.isCancelled { return true }
          state = .waiting(continuation)
          return false
        }
        if isHeard { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
        guard case .waiting(let waiter) = state else { return nil }
        state = .silent
        return waiter
      }
      waiter?.resume()
    }
  }
}
