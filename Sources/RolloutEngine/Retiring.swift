import Foundation
import RolloutAPI

/// The end of a Rollout: traffic first, then what it rested on, then the hold.
extension Turn {
  mutating func retire() {
    rollout.situation = .waiting(.deleting, "handing traffic back to the callers' Services")
    guard let deployment = seen.deployment, rollout.stable != nil else { return letGo() }
    guard ensureUnpinned() else { return }
    if !seen.routingIsRetired {
      // The callers' Service selects stable pods only: runs are over and their canaries are gone.
      return effects.append(.retireRouting(delete: plan.deletionPolicy == .delete))
    }
    if seen.services.contains(where: { $0.stable != nil || $0.canary != nil }) {
      guard isUnused() else { return }
      return effects.append(.deleteServices)
    }
    let isStable = seen.setOfTemplate?.name == rollout.stable?.set
    if deployment.managed { effects.append(.unmanage) }
    if deployment.heldBy != nil {
      if isStable {
        effects.append(.releaseHold)
      } else {
        announce(
          .released,
          "the Deployment stays paused: its template holds revision \(deployment.revision), which was rejected or never tested; change the template, or resume it by hand",
          "retired-held", isWarning: true)
      }
    }
    effects.append(.dropRolloutFinalizer)
  }

  /// Whether the generated Services have had no route for long enough: proxies learn of a changed route later than of a
  /// Service that is gone, and answer 503 in between.
  private mutating func isUnused() -> Bool {
    let since = rollout.retiredAt ?? now
    rollout.retiredAt = since
    let drain = min(plan.scaleDownDelay, Self.longestDrain)
    if now.isOver(drain, since: since) { return true }
    look(in: now.remaining(of: drain, since: since))
    return false
  }

  /// A plan that keeps old pods for hours means pods, and not the end of the Rollout.
  static let longestDrain = Duration.seconds(60)

  private mutating func letGo() {
    if !seen.routingIsRetired { effects.append(.retireRouting(delete: plan.deletionPolicy == .delete)) }
    if seen.services.contains(where: { $0.stable != nil || $0.canary != nil }) { effects.append(.deleteServices) }
    if seen.deployment?.managed == true { effects.append(.unmanage) }
    effects.append(.dropRolloutFinalizer)
  }
}
