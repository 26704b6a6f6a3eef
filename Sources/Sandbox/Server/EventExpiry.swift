import Foundation
import KubernetesAPI

/// Events are kept for an hour after they were last written, as the real server's flag `--event-ttl` has it.
extension APIServer {
  static let eventLifetime: TimeInterval = 3600
  static let events = StoredResource(group: "", plural: "events")

  /// Makes what was just written go when its time is up, where it is of a kind that does.
  func limitLifetime(_ written: JSON, _ kind: ServedKind, in state: inout StoreState) {
    guard kind.stored == Self.events else { return }
    state.expire(written, in: Self.events, at: now.addingTimeInterval(Self.eventLifetime))
  }

  /// Called before anything is read, so that nobody sees what should be gone; its watchers are told then too.
  func removeExpired() { store.removeExpired(at: now) }
}
