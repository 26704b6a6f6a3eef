import Foundation
import RolloutAPI

/// What must hold before the canary gets any traffic, and before it gets more.
extension Turn {
  /// Each query must have series for stable before the first weight.
  mutating func hasBaseline(_ run: inout RunState) -> Bool {
    switch seen.measured?.baseline {
    case .present: return true
    case .missing where !stableHasPods(run):
      // A broken stable must not block its own fix.
      announce(
        .stableDown, "revision \(run.stable.hash) has no available pod, so the canary is judged by its own objectives",
        "\(run.name)-stable-down", isWarning: true)
      return true
    case .missing(let text): rollout.situation = .running("MetricsMissing: \(text)")
    case nil: rollout.situation = .running("waiting for the first measurement")
    }
    expire(&run, "metrics of the stable track")
    return false
  }

  private func stableHasPods(_ run: RunState) -> Bool { seen.set(named: run.stable.set)?.available ?? 0 > 0 }

  /// Whether too many requests reach the canary beside the route, so that the run waits for a person before its weight
  /// grows. Where a policy pins the callers' Services, there is no way around the route but one that people have made.
  mutating func isBypassed(_ run: inout RunState) -> Bool {
    if case .bypass(let text) = run.pause {
      rollout.situation = .paused(text)
      return true
    }
    guard runPlan.division == nil, seen.hold.mode == .always, !run.acceptsBypass, let bypass = seen.measured?.bypass,
      bypass.exceeds(runPlan.maxBypass)
    else { return false }
    let percent = (bypass.fraction * 1000).rounded() / 10
    let others =
      seen.otherServices.isEmpty ? "" : ", for instance by Service \(seen.otherServices.joined(separator: ", "))"
    let text =
      "\(percent)% of all requests reach the canary beside the route\(others), more than traffic.maxBypass "
      + "(\(runPlan.maxBypass)): give these callers a proxy, or accept it with 'sluice resume'"
    run.pause = .bypass(text)
    announce(.paused, text, "\(run.name)-bypass", isWarning: true)
    rollout.situation = .paused(text)
    return true
  }

  /// Whether the plan wants to see mutual TLS and not all requests come by it, so that the run waits for a person before
  /// its weight grows.
  mutating func lacksMutualTLS(_ run: inout RunState) -> Bool {
    if case .plainText(let text) = run.pause {
      rollout.situation = .paused(text)
      return true
    }
    guard runPlan.policy.mtls != nil, runPlan.division == nil, !run.acceptsPlainText else { return false }
    let share: SecurityShare
    switch seen.measured?.security {
    case .counted(let counted): share = counted
    case .unknown(let why):
      rollout.situation = .running("it is not known whether requests come by mutual TLS: \(why)")
      expire(&run, "mutual TLS")
      return true
    case nil:
      rollout.situation = .running("waiting for the first measurement of mutual TLS")
      expire(&run, "mutual TLS")
      return true
    }
    guard share.other > 0 else { return false }
    // Rounded down, since it is not all of them.
    let percent = (share.fraction * 1000).rounded(.down) / 10
    let callers =
      share.callers.isEmpty
      ? "callers without a proxy, whom the metrics do not name" : share.callers.prefix(5).joined(separator: ", ")
    let text =
      "\(percent)% of the requests of the last minute came by mutual TLS, and traffic.mtls wants all of them; the others are "
      + "from \(callers): bring these into the mesh, or accept it with 'sluice resume'"
    run.pause = .plainText(text)
    announce(.paused, text, "\(run.name)-plain-text", isWarning: true)
    rollout.situation = .paused(text)
    return true
  }
}
