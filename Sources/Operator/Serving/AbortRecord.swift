import KubernetesAPI
import KubernetesClient
import Synchronization

/// Times the way of an abort, from the answer that proves a canary bad until the API server has taken the route that goes
/// without it. For the metrics and the log: whoever finds an abort slow sees at once where.
final class AbortRecord: Sendable {
  /// The stages in their order, and all together.
  enum Stage: String, CaseIterable, Sendable {
    /// Reading the answers and judging the run.
    case judge = "Judge"
    /// Waiting for a worker, and for a turn of the same Rollout to end.
    case queue = "Queue"
    /// Observing, deciding, and making the routing object.
    case decide = "Decide"
    /// Sending the write, until the API server has answered.
    case write = "Write"
    case all = "All"
  }

  private struct Marks {
    var answered: Duration
    var judged: Duration
    var begun: Duration?
    var decided: Duration?

    func stages(until written: Duration) -> [Stage: Duration] {
      let begun = begun ?? judged
      let decided = decided ?? begun
      return [
        .judge: judged - answered, .queue: begun - judged, .decide: decided - begun, .write: written - decided,
        .all: written - answered,
      ]
    }
  }

  private struct State {
    var open: [ObjectKey: Marks] = [:]
    var histograms: [Stage: Histogram] = [:]
  }

  /// The upper bounds of the histograms, in seconds.
  static let bounds: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  private let time: TimeSource
  private let state = Mutex(State())

  init(time: TimeSource) { self.time = time }

  func histogram(of stage: Stage) -> Histogram {
    state.withLock { $0.histograms[stage] } ?? Histogram(bounds: Self.bounds)
  }

  /// A check fails now.
  /// - Parameter answered: the uptime at which the last of the answers came.
  func proved(_ rollout: ObjectKey, answered: Duration) {
    let now = time.uptime
    state.withLock { state in
      // Where it was proved before and nothing came of it yet, the time runs on.
      if state.open[rollout] == nil { state.open[rollout] = Marks(answered: answered, judged: now) }
    }
  }

  /// A turn of the Rollout begins.
  func begins(_ rollout: ObjectKey) { mark(rollout) { $0.begun = $0.begun ?? $1 } }

  /// The routing write goes out.
  func writes(_ rollout: ObjectKey) { mark(rollout) { $0.decided = $0.decided ?? $1 } }

  /// The routing write was taken.
  /// - Returns: how long the stages took; `nil` where no proof led to it.
  func wrote(_ rollout: ObjectKey) -> [Stage: Duration]? {
    let now = time.uptime
    return state.withLock { state in
      guard let stages = state.open.removeValue(forKey: rollout)?.stages(until: now) else { return nil }
      for (stage, duration) in stages {
        state.histograms[stage, default: Histogram(bounds: Self.bounds)].count(duration)
      }
      return stages
    }
  }

  /// The turns are over: a failed check that does not lead to an abort, as while stable fails too, is not one. Where they
  /// failed, the time runs on.
  func ends(_ rollout: ObjectKey) {
    state.withLock { state in
      // One that came while the turn was under way is for the next turn.
      if state.open[rollout]?.begun != nil { state.open[rollout] = nil }
    }
  }

  private func mark(_ rollout: ObjectKey, _ body: (inout Marks, Duration) -> Void) {
    let now = time.uptime
    state.withLock { state in
      guard var marks = state.open[rollout] else { return }
      body(&marks, now)
      state.open[rollout] = marks
    }
  }
}
