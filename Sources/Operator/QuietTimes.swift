import Foundation
import KubernetesAPI
import Synchronization

/// Since when the objects of a Rollout have been as they are. Lost with the process: after a restart a run starts a
/// little later.
final class QuietTimes: Sendable {
  private let known = Mutex<[ObjectKey: (specs: [JSON], since: Date)]>([:])

  func since(_ rollout: ObjectKey, specs: [JSON], now: Date) -> Date {
    known.withLock { known in
      if let entry = known[rollout], entry.specs == specs { return entry.since }
      known[rollout] = (specs, now)
      return now
    }
  }

  func forget(_ rollout: ObjectKey) {
    known.withLock { $0[rollout] = nil }
  }
}
