import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import Synchronization

/// Finds out how Deployments can be held on this cluster, and whether a hold works: a policy that exists is not yet in
/// force, so a change of the template is tried with a dry run, and held if the answer is paused.
final class HoldProbe: Sendable {
  private struct State {
    /// Whether the policy is served and installed; nil before it was asked.
    var isInstalled: Bool?
    var askedAt: Duration?
    /// Deployments, by uid, whose probe was held.
    var held: Set<String> = []
  }

  /// The policy in deploy/policies that holds.
  static let policy = "sluice-hold"

  private static let policies = ResourceType(
    group: "admissionregistration.k8s.io", kind: "MutatingAdmissionPolicy", plural: "mutatingadmissionpolicies",
    namespaced: false)

  private let client: KubernetesClient
  private let logger: Logger
  private let state = Mutex(State())

  init(client: KubernetesClient, logger: Logger) {
    self.client = client
    self.logger = logger
  }

  func view(for plan: Plan, deployment: JSON?) async -> HoldView {
    guard plan.hold != .always else { return HoldView(mode: .always, ready: true) }
    // Without an answer it is not known how to hold: nothing is begun meanwhile.
    guard let isInstalled = await findPolicy() else { return HoldView(mode: .admission, ready: false) }
    if plan.hold == .auto, !isInstalled { return HoldView(mode: .always, ready: true) }
    // Before the label is there the policy cannot match, and a held Deployment needs no probe.
    guard let deployment, deployment.labels[Names.managed] != nil,
      deployment[path: ["spec", "paused"]]?.bool != true
    else { return HoldView(mode: .admission, ready: isInstalled) }
    return HoldView(mode: .admission, ready: await isHeld(deployment))
  }

  /// Asked again once a minute for as long as it is not there: a policy may be installed later.
  private func findPolicy() async -> Bool? {
    let uptime = client.time.uptime
    let known: Bool? = state.withLock { state in
      if state.isInstalled == true { return true }
      if let asked = state.askedAt, uptime - asked < .seconds(60) { return state.isInstalled }
      return nil
    }
    if let known { return known }
    let found: Bool
    do {
      found = try await client.find(Self.policies, ObjectKey(name: Self.policy)) != nil
    } catch let error as KubernetesError where error.status?.code == 403 {
      // What may not be read may still hold; the dry run tells.
      found = true
    } catch {
      logger.warning("the policy that holds cannot be looked up", metadata: ["problem": "\(error)"])
      return nil
    }
    state.withLock { state in
      state.isInstalled = found
      state.askedAt = uptime
    }
    return found
  }

  private func isHeld(_ deployment: JSON) async -> Bool {
    if state.withLock({ $0.held.contains(deployment.uid) }) { return true }
    let probe: JSON = ["spec": ["template": ["metadata": ["annotations": ["sluice.dev/probe": "dry-run"]]]]]
    do {
      let answer = try await client.patch(
        .deployments, deployment.objectKey, .merge(probe), WriteOptions(dryRun: true), urgent: true)
      let isHeld = answer[path: ["spec", "paused"]]?.bool == true
      if isHeld { state.withLock { _ = $0.held.insert(deployment.uid) } }
      return isHeld
    } catch {
      logger.warning("the dry run that probes the hold failed", metadata: ["problem": "\(error)"])
      return false
    }
  }
}
