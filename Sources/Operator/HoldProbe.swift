import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import RolloutEngine
import ServiceLifecycle
import Synchronization

extension ResourceType {
  static let mutatingAdmissionPolicies = ResourceType(
    group: "admissionregistration.k8s.io", kind: "MutatingAdmissionPolicy", plural: "mutatingadmissionpolicies",
    namespaced: false)
  static let mutatingAdmissionPolicyBindings = ResourceType(
    group: "admissionregistration.k8s.io", kind: "MutatingAdmissionPolicyBinding",
    plural: "mutatingadmissionpolicybindings", namespaced: false)
}

/// Finds out how Deployments can be held on this cluster, and whether a hold works: a policy that exists is not yet in
/// force, so a change of the template is tried with a dry run, and held if the answer is paused.
///
/// Reconciles only read what is known: all requests are made here, beside them, and an answer that is news makes its
/// Rollout due. So nothing that a slow API server leaves open can stand before a routing write.
final class HoldProbe: ServiceLifecycle.Service {
  /// A question to the API server.
  enum Question: Hashable, Sendable {
    case policy
    /// Whether a change of this Deployment's template would be held.
    case hold(deployment: ObjectKey, uid: String)
  }

  private struct State {
    /// Whether the policy is installed, where that was asked for, and when.
    var asked: (isInstalled: Bool, at: Duration)?
    /// The probes of Deployments, by uid.
    var probes: [String: Probe] = [:]
    /// Whom answers concern, by Rollout.
    var open: [Question: Set<ObjectKey>] = [:]
  }

  private struct Probe {
    var isHeld: Bool
    var at: Duration
    /// The versions of the policy and its binding that it was made with.
    var version: String
  }

  /// The policy in deploy/policies that holds, and its binding.
  static let policy = "sluice-hold"

  /// How long an answer counts where nothing would tell that it has changed.
  private static let lifetime = Duration.seconds(60)
  /// A policy takes about a second to be in force; until then a dry run says no.
  private static let pause = Duration.seconds(2)
  private static let capacity = 10_000

  private let client: KubernetesClient
  private let view: ClusterView
  private let notify: @Sendable (ObjectKey) -> Void
  private let logger: Logger
  private let state = Mutex(State())
  let questions: WorkQueue<Question>

  /// - Parameter notify: makes a Rollout due, since an answer that concerns it has come.
  init(
    client: KubernetesClient, view: ClusterView, logger: Logger, notify: @escaping @Sendable (ObjectKey) -> Void
  ) {
    self.client = client
    self.view = view
    self.notify = notify
    self.logger = logger
    questions = WorkQueue(capacity: Self.capacity, time: client.time)
  }

  // MARK: - What is known

  /// - Parameters:
  ///   - recorded: what was known when the Rollout's status was last written.
  ///   - isUnderWay: a run is on, which keeps the mode that it began with.
  func view(
    for plan: Plan, deployment: JSON?, recorded: HoldStatus?, isUnderWay: Bool
  ) -> HoldView {
    guard plan.hold != .always else { return HoldView(mode: .always, ready: true) }
    let known: HoldView.Mode? = recorded.map { $0.mode == .always ? .always : .admission }
    if isUnderWay, let known { return HoldView(mode: known, ready: recorded?.ready ?? false) }
    // Without an answer it is not known how to hold: nothing is begun meanwhile.
    guard let isInstalled = isPolicyInstalled(plan.key) else {
      return HoldView(mode: known ?? .admission, ready: recorded?.ready ?? false)
    }
    if plan.hold == .auto, !isInstalled { return HoldView(mode: .always, ready: true) }
    // Before the label is there the policy cannot match, and a held Deployment needs no probe.
    guard isInstalled, let deployment, deployment.labels[Names.managed] != nil,
      deployment[path: ["spec", "paused"]]?.bool != true
    else { return HoldView(mode: .admission, ready: isInstalled) }
    let isHeld = isHeld(deployment, plan.key) ?? (known == .admission && recorded?.ready == true)
    return HoldView(mode: .admission, ready: isHeld)
  }

  /// The watch tells, where policies may be watched; else the policy is asked for once a minute.
  private func isPolicyInstalled(_ rollout: ObjectKey) -> Bool? {
    if isWatched {
      return [.mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings].allSatisfy {
        view.object($0, ObjectKey(name: Self.policy)) != nil
      }
    }
    let uptime = client.time.uptime
    let asked = state.withLock { $0.asked }
    if asked.map({ uptime - $0.at >= Self.lifetime }) ?? true { put(.policy, for: rollout) }
    return asked?.isInstalled
  }

  private var isWatched: Bool {
    view.isSynced(.mutatingAdmissionPolicies) && view.isSynced(.mutatingAdmissionPolicyBindings)
  }

  private func isHeld(_ deployment: JSON, _ rollout: ObjectKey) -> Bool? {
    let uptime = client.time.uptime
    let version = version
    let probe = state.withLock { $0.probes[deployment.uid] }
    let age = probe.map { uptime - $0.at } ?? .zero
    if let probe, probe.version == version, probe.isHeld ? isWatched || age < Self.lifetime : age < Self.pause {
      return probe.isHeld
    }
    put(.hold(deployment: deployment.objectKey, uid: deployment.uid), for: rollout)
    return probe?.version == version ? probe?.isHeld : nil
  }

  private var version: String {
    [.mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings]
      .map { view.object($0, ObjectKey(name: Self.policy))?.resourceVersion ?? "" }.joined(separator: "/")
  }

  private func put(_ question: Question, for rollout: ObjectKey) {
    let isOpen = state.withLock { state in
      defer { state.open[question, default: []].insert(rollout) }
      return state.open[question] != nil
    }
    if !isOpen, !questions.add(question, reason: "\(rollout)") { state.withLock { $0.open[question] = nil } }
  }

  // MARK: - Asking

  /// Runs until it is cancelled or shut down gracefully.
  func run() async throws {
    let pool = WorkerPool(questions, workers: Self.concurrency, logger: logger) { item in
      await self.answer(item.key)
      return .done
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { await cancelWhenGracefulShutdown { await self.repeatUnwatched() } }
      try await group.waitForAll()
    }
  }

  private static let concurrency = 4

  /// Where nothing tells of a change, Rollouts at rest look again once in a while.
  private func repeatUnwatched() async {
    while true {
      do { try await client.time.sleep(for: Self.lifetime) } catch { return }
      guard !isWatched else { continue }
      for rollout in view.all(.rollouts) { notify(rollout.objectKey) }
    }
  }

  func answer(_ question: Question) async {
    let isNews =
      switch question {
      case .policy: await lookUpPolicy()
      case .hold(let deployment, let uid): await probe(deployment, uid)
      }
    let concerned = state.withLock { $0.open.removeValue(forKey: question) } ?? []
    if isNews { for rollout in concerned.sorted() { notify(rollout) } }
  }

  /// - Returns: whether the answer says anything new.
  private func lookUpPolicy() async -> Bool {
    let found: Bool
    do {
      found = try await client.find(.mutatingAdmissionPolicies, ObjectKey(name: Self.policy)) != nil
    } catch let error as KubernetesError where error.status?.code == 403 {
      // What may not be read may still hold; the dry run tells.
      found = true
    } catch {
      logger.warning("the policy that holds cannot be looked up", metadata: ["problem": "\(error)"])
      return false
    }
    return state.withLock { state in
      let before = state.asked?.isInstalled
      state.asked = (found, client.time.uptime)
      return before != found
    }
  }

  private func probe(_ deployment: ObjectKey, _ uid: String) async -> Bool {
    let version = version
    let change: JSON = ["spec": ["template": ["metadata": ["annotations": ["sluice.dev/probe": "dry-run"]]]]]
    var isHeld = false
    do {
      let answer = try await client.patch(
        .deployments, deployment, .merge(change), WriteOptions(dryRun: true), urgent: true)
      isHeld = answer[path: ["spec", "paused"]]?.bool == true
    } catch {
      logger.warning(
        "the dry run that probes the hold failed",
        metadata: ["deployment": "\(deployment)", "problem": "\(error)"])
    }
    return state.withLock { state in
      let before = state.probes[uid]
      state.probes[uid] = Probe(isHeld: isHeld, at: client.time.uptime, version: version)
      if state.probes.count > Self.capacity { state.probes = state.probes.filter { $0.key == uid } }
      return before?.isHeld != isHeld || before?.version != version
    }
  }
}
