import KubernetesAPI
import RolloutEngine
import Synchronization

/// Slows down a Rollout whose decisions ask for the same effects again and again, because the cluster is slow to follow or
/// undoes them. A change of the cluster still makes it due at once.
final class Repeats: Sendable {
  private let known = Mutex<[ObjectKey: (effects: [Effect], times: Int)]>([:])

  /// - Returns: how long to wait before the next turn.
  func delay(_ rollout: ObjectKey, after effects: [Effect]) -> Duration {
    known.withLock { known in
      let times = known[rollout].map { $0.effects == effects ? $0.times + 1 : 0 } ?? 0
      known[rollout] = (effects, times)
      return times == 0 ? .zero : min(.milliseconds(50) * (1 << min(times - 1, 10)), .seconds(10))
    }
  }

  func forget(_ rollout: ObjectKey) {
    known.withLock { $0[rollout] = nil }
  }
}
