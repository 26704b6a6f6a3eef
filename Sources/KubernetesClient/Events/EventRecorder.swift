import Collections
import KubernetesAPI
import Logging
import ServiceLifecycle
import Synchronization

/// Writes Events about objects. Recording never waits for the network; what does not fit into the queue is dropped and
/// counted, since an Event is never worth a delay.
public final class EventRecorder: ServiceLifecycle.Service {
  private struct State {
    var aggregator: EventAggregator
    var queue: Deque<EventAggregator.Write> = []
    var dropped = 0
  }

  private let client: KubernetesClient
  private let capacity: Int
  private let state: Mutex<State>
  private let signal = Signal()
  private static let maxAttempts = 3

  /// - Parameters:
  ///   - controller: who reports, as `sluice.dev/controller`.
  ///   - instance: which process of it.
  ///   - capacity: how many writes may wait.
  public init(client: KubernetesClient, controller: String, instance: String, capacity: Int = 1000) {
    self.client = client
    self.capacity = capacity
    state = Mutex(
      State(aggregator: EventAggregator(reportingController: controller, reportingInstance: instance)))
  }

  /// Events that were lost because too many waited or the server did not take them.
  public var droppedCount: Int { state.withLock { $0.dropped } }

  /// Never blocks.
  public func record(_ occurrence: Occurrence) {
    let uptime = client.time.uptime
    let now = MicroTime(client.time.now)
    state.withLock { state in
      guard let write = state.aggregator.record(occurrence, at: uptime, now: now) else { return }
      if state.queue.count < capacity { state.queue.append(write) } else { state.dropped += 1 }
    }
    signal.raise()
  }

  /// Writes until it is cancelled or shut down gracefully; then what still waits, for at most three seconds.
  public func run() async throws {
    await cancelWhenGracefulShutdown {
      while true {
        let seen = self.signal.version
        while let write = self.next() {
          // A write that the shutdown cut short goes out with the rest.
          if await self.send(write, attempts: Self.maxAttempts) == .cancelled {
            self.putBack(write)
            return
          }
        }
        guard (try? await self.signal.wait(beyond: seen)) != nil else { return }
      }
    }
    let end = client.time.uptime + .seconds(3)
    while !Task.isCancelled, client.time.uptime < end, let write = next() {
      _ = await send(write, attempts: 1, deadline: end - client.time.uptime)
    }
  }

  private func next() -> EventAggregator.Write? { state.withLock { $0.queue.popFirst() } }
  private func putBack(_ write: EventAggregator.Write) { state.withLock { $0.queue.prepend(write) } }

  private enum Sent { case done, cancelled }

  private func send(_ write: EventAggregator.Write, attempts: Int, deadline: Duration? = nil) async -> Sent {
    let backoff = Backoff(initial: .seconds(1), maximum: .seconds(10))
    for attempt in 0..<attempts {
      do {
        try await send(write, deadline: deadline)
        return .done
      } catch let error as KubernetesError {
        // The first attempt of an Event that got no answer may have been carried out.
        if error.isAlreadyExists { return .done }
        if case .series(let key, _) = write, error.isNotFound {
          state.withLock { $0.aggregator.forget(key) }
          return .done
        }
        let goesOn = error.isRetriable && attempt + 1 < attempts
        client.logger.debug("an Event was not written", metadata: ["problem": "\(error)", "again": "\(goesOn)"])
        guard goesOn else { break }
        let pause = backoff.delay(attempt: attempt, random: client.randomness.next)
        guard (try? await client.time.sleep(for: pause)) != nil else { return .cancelled }
      } catch is CancellationError {
        return .cancelled
      } catch {
        client.logger.debug("an Event was not written", metadata: ["problem": "\(error)"])
        break
      }
    }
    state.withLock { $0.dropped += 1 }
    return .done
  }

  private func send(_ write: EventAggregator.Write, deadline: Duration?) async throws {
    switch write {
    case .create(let event):
      _ = try await client.send(.create(.eventsV1, try JSON(encoding: event)), deadline: deadline)
    case .series(let key, let series):
      let patch = Patch.merge(["series": try JSON(encoding: series)])
      _ = try await client.send(.patch(.eventsV1, key, patch), deadline: deadline)
    }
  }
}
