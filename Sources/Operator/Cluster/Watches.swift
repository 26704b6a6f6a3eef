import KubernetesAPI
import KubernetesClient
import RolloutAPI
import ServiceLifecycle
import TrafficRouting

/// What is watched, and which Rollouts a change makes due.
struct Watches: Sendable {
  let view: ClusterView
  let informers: [any ServiceLifecycle.Service]
  private let caches: [ResourceType: ObjectCache<JSON>]

  /// Without these nothing can be decided. Those of a mesh may be missing on a cluster that does not have it.
  private static let needed: [ResourceType] = [
    .rollouts, .rolloutRuns, .deployments, .replicaSets, .pods, .services, .endpointSlices,
  ]
  private static let others: [ResourceType] = [
    .virtualServices, .destinationRules, .analysisTemplates, .clusterAnalysisTemplates, .notificationChannels,
    .mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings,
  ]
  static var kinds: [ResourceType] { needed + others }

  /// Who writes a Deployment or a route is told to people; elsewhere managed fields are only large.
  static func keepsManagedFields(_ type: ResourceType) -> Bool { type == .deployments || type == .virtualServices }

  /// Of these only one object each is of interest.
  private static let named: [ResourceType: String] = [
    .mutatingAdmissionPolicies: HoldProbe.policy, .mutatingAdmissionPolicyBindings: HoldProbe.policy,
  ]

  init(client: KubernetesClient, namespace: String?, queue: WorkQueue<ObjectKey>) {
    let index = RolloutIndex()
    var caches: [ResourceType: ObjectCache<JSON>] = [:]
    var informers: [any ServiceLifecycle.Service] = []
    for type in Self.kinds {
      let informer = Informer<JSON>(
        type, client: client,
        options: InformerOptions(
          namespace: type.namespaced ? namespace : nil,
          fieldSelector: Self.named[type].map { "metadata.name=\($0)" },
          keepsManagedFields: Self.keepsManagedFields(type)),
        indexes: Self.indexes(of: type),
        handlers: [
          { change in
            for object in change.objects {
              for key in index.keys(for: object, type) {
                queue.add(key, reason: "\(type.kind) \(change.key.name)", urgent: change.isCommand)
              }
            }
          }
        ])
      caches[type] = informer.cache
      informers.append(informer)
    }
    self.caches = caches
    self.informers = informers
    view = ClusterView(caches: caches)
    index.follow(view)
  }

  private static func indexes(of type: ResourceType) -> [IndexName: @Sendable (JSON) -> [String]] {
    var indexes: [IndexName: @Sendable (JSON) -> [String]] = [ClusterView.byNamespace: { [$0.namespace] }]
    if type == .rollouts {
      indexes[ClusterView.byPhase] = { [$0[path: ["status", "phase"]]?.string].compactMap { $0 } }
    }
    return indexes
  }

  /// Waits for the needed ones, and a while for those of a mesh that the cluster may serve: until they are listed, a
  /// route that is there would be taken for one that is missing.
  func waitUntilSynced(_ time: TimeSource) async throws {
    for type in Self.needed { try await caches[type]?.waitUntilSynced() }
    let end = time.uptime + .seconds(10)
    for type in Self.others {
      while let cache = caches[type], !cache.isSynced, cache.problem == nil, time.uptime < end {
        try await time.sleep(for: .milliseconds(50))
      }
    }
  }

  /// Those of the needed resources that have not been listed yet.
  var unsynced: [ResourceType] { Self.needed.filter { caches[$0]?.isSynced != true } }

  /// Whether each resource that is watched is up to date as far as is known.
  var states: [(type: ResourceType, isUp: Bool)] {
    (Self.needed + Self.others).map { type in
      let cache = caches[type]
      return (type, cache?.isSynced == true && cache?.problem == nil)
    }
  }

  func addAll(to queue: WorkQueue<ObjectKey>) {
    for rollout in view.all(.rollouts) { queue.add(rollout.objectKey, reason: "start") }
  }
}

extension CacheChange where Object == JSON {
  /// A person decided something about a run.
  fileprivate var isCommand: Bool {
    guard case .updated(let old, let new) = self else { return false }
    return old[path: ["spec", "command"]] != new[path: ["spec", "command"]]
  }

  /// The states that the change speaks of: a Service that loses a label still concerns the Rollout that it named.
  fileprivate var objects: [JSON] {
    switch self {
    case .added(let object), .deleted(let object): [object]
    case .updated(let old, let new): [old, new]
    case .unreadable, .deletedUnreadable: []
    }
  }
}
