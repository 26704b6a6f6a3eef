import Logging
import ServiceLifecycle

/// Works on the keys of a queue, several at a time. On graceful shutdown it takes no more keys and ends when those under
/// way are finished.
public struct WorkerPool<Key: Hashable & Sendable>: ServiceLifecycle.Service {
  private let queue: WorkQueue<Key>
  private let workers: Int
  private let reserved: Int
  private let logger: Logger
  private let work: @Sendable (WorkItem<Key>) async throws -> WorkOutcome

  /// - Parameters:
  ///   - workers: how many keys at a time, at least one.
  ///   - reserved: how many urgent keys besides, so that none waits for others to end.
  ///   - work: brings one key up to date. What it throws is logged and counts as failed.
  public init(
    _ queue: WorkQueue<Key>, workers: Int = 4, reserved: Int = 0, logger: Logger = Logger(label: "workers"),
    work: @escaping @Sendable (WorkItem<Key>) async throws -> WorkOutcome
  ) {
    self.queue = queue
    self.workers = max(1, workers)
    self.reserved = max(0, reserved)
    self.logger = logger
    self.work = work
  }

  public func run() async throws {
    await withGracefulShutdownHandler {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<workers { group.addTask(priority: .medium) { await worker() } }
        for _ in 0..<reserved { group.addTask(priority: .high) { await worker(urgentOnly: true) } }
      }
    } onGracefulShutdown: {
      queue.shutDown()
    }
  }

  private func worker(urgentOnly: Bool = false) async {
    while let item = try? await queue.next(urgentOnly: urgentOnly) {
      do {
        queue.finish(item, try await work(item))
      } catch {
        if !(error is CancellationError) {
          logger.warning(
            "a key failed and is tried again",
            metadata: [
              "key": "\(item.key)", "failures": "\(item.failures + 1)", "reasons": "\(item.reasons)",
              "problem": "\(error)",
            ])
        }
        queue.finish(item, .failed)
      }
    }
  }
}
