import KubernetesClient
import Synchronization

/// Counts the reconciles of this process, and knows those under way.
final class ReconcileRecord: Sendable {
  struct Counts: Sendable, Equatable {
    /// By outcome.
    var total: [String: Int] = [:]
    var took = Histogram(bounds: ReconcileRecord.bounds)
    /// The uptime at which each one under way began.
    fileprivate(set) var began: [Int: Duration] = [:]
    fileprivate var next = 0
  }

  /// The upper bounds of the histogram, in seconds.
  static let bounds: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

  private let time: TimeSource
  private let state = Mutex(Counts())

  init(time: TimeSource) { self.time = time }

  var counts: Counts { state.withLock { $0 } }

  /// How long the oldest one under way has been going on.
  var longest: Duration? {
    let now = time.uptime
    return state.withLock { $0.began.values.min() }.map { now - $0 }
  }

  func measure(_ work: () async throws -> WorkOutcome) async throws -> WorkOutcome {
    let number = begin()
    do {
      let outcome = try await work()
      end(number, outcome: "succeeded")
      return outcome
    } catch {
      end(number, outcome: error is CancellationError ? "cancelled" : "failed")
      throw error
    }
  }

  private func begin() -> Int {
    let now = time.uptime
    return state.withLock { counts in
      counts.next += 1
      counts.began[counts.next] = now
      return counts.next
    }
  }

  private func end(_ number: Int, outcome: String) {
    let now = time.uptime
    state.withLock { counts in
      guard let began = counts.began.removeValue(forKey: number) else { return }
      counts.total[outcome, default: 0] += 1
      counts.took.count(now - began)
    }
  }
}
