import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import ServiceLifecycle
import TrafficRouting

/// What is watched, and which Rollouts a change makes due.
struct Watches: Sendable {
  let view: ClusterView
  let informers: [any ServiceLifecycle.Service]
  private let caches: [ResourceType: ObjectCache<JSON>]

  private let kinds: ServedKinds

  /// Without these nothing can be decided.
  private static let needed: [ResourceType] = [
    .rollouts, .rolloutRuns, .deployments, .replicaSets, .pods, .services, .endpointSlices,
  ]
  private static let others: [ResourceType] = [
    .analysisTemplates, .clusterAnalysisTemplates, .notificationChannels,
    .mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings,
    .horizontalPodAutoscalers, .resourceQuotas, .limitRanges, .podDisruptionBudgets,
  ]
  /// Those of the meshes, of which a cluster may have none: watched once a plan routes by them.
  private static let ofMeshes = RoutingKinds.every.all
  static var kinds: [ResourceType] { needed + others + ofMeshes }

  /// Who writes a Deployment or a route is told to people; elsewhere managed fields are only large.
  static func keepsManagedFields(_ type: ResourceType) -> Bool {
    type == .deployments || RoutingKinds.every.routes.contains(type)
  }

  /// Of pods, of which a cluster has the most, only what they are, where, and how they fare is looked at.
  static func drops(_ type: ResourceType) -> [String] { type == .pods ? ["spec"] : [] }
  static func keeps(_ type: ResourceType) -> [[String]] { type == .pods ? [["spec", "nodeName"]] : [] }

  /// Of these only one object each is of interest.
  private static let named: [ResourceType: String] = [
    .mutatingAdmissionPolicies: HoldProbe.policy, .mutatingAdmissionPolicyBindings: HoldProbe.policy,
    .customResourceDefinitions: GatewayCluster.definition,
  ]

  init(client: KubernetesClient, namespace: String?, queue: WorkQueue<ObjectKey>, logger: Logger) {
    let index = RolloutIndex()
    let kinds = ServedKinds()
    var caches: [ResourceType: ObjectCache<JSON>] = [:]
    var informers: [any ServiceLifecycle.Service] = []
    for type in Self.kinds {
      let isOptional = Self.ofMeshes.contains(type)
      let informer = Informer<JSON>(
        type, client: client,
        options: InformerOptions(
          namespace: type.namespaced ? namespace : nil,
          fieldSelector: Self.named[type].map { "metadata.name=\($0)" },
          keepsManagedFields: Self.keepsManagedFields(type), drops: Self.drops(type), keeps: Self.keeps(type),
          endsWhereNotServed: isOptional),
        indexes: Self.indexes(of: type),
        handlers: [
          { change in
            for object in change.objects {
              kinds.want(Self.kindsOfMesh(object, type))
              for key in index.keys(for: object, type) {
                queue.add(key, reason: "\(type.kind) \(change.key.name)", urgent: change.isCommand)
              }
            }
          }
        ])
      caches[type] = informer.cache
      informers.append(
        isOptional
          ? OptionalWatch(type: type, informer: informer, kinds: kinds, client: client, logger: logger)
          : informer)
    }
    self.caches = caches
    self.informers = informers
    self.kinds = kinds
    view = ClusterView(caches: caches, kinds: kinds)
    index.follow(view)
  }

  /// The kinds that a Rollout, or a run by its own plan, routes by.
  private static func kindsOfMesh(_ object: JSON, _ type: ResourceType) -> [ResourceType] {
    switch type {
    case .rollouts:
      RoutingKinds.wanted(by: object[path: ["spec", "traffic"]])
        + RoutingKinds.routes(of: object[path: ["status", "provider"]]?.string)
    case .rolloutRuns: RoutingKinds.wanted(by: object[path: ["spec", "plan", "traffic"]])
    default: []
    }
  }

  private static func indexes(of type: ResourceType) -> [IndexName: @Sendable (JSON) -> [String]] {
    var indexes: [IndexName: @Sendable (JSON) -> [String]] = [ClusterView.byNamespace: { [$0.namespace] }]
    if type == .rollouts {
      indexes[ClusterView.byPhase] = { [$0[path: ["status", "phase"]]?.string].compactMap { $0 } }
    }
    return indexes
  }

  /// Waits for the needed ones, and a while for the others that the cluster may serve.
  func waitUntilSynced(_ time: TimeSource) async throws {
    for type in Self.needed { try await caches[type]?.waitUntilSynced() }
    let end = time.uptime + .seconds(10)
    for type in watched where !Self.needed.contains(type) {
      while let cache = caches[type], !cache.isSynced, cache.problem == nil, time.uptime < end {
        try await time.sleep(for: .milliseconds(50))
      }
    }
  }

  /// Those of the needed resources that have not been listed yet.
  var unsynced: [ResourceType] { Self.needed.filter { caches[$0]?.isSynced != true } }

  /// Whether each resource that is watched is up to date as far as is known.
  var states: [(type: ResourceType, isUp: Bool)] {
    watched.map { type in
      let cache = caches[type]
      return (type, cache?.isSynced == true && cache?.problem == nil)
    }
  }

  private var watched: [ResourceType] {
    Self.needed + Self.others + Self.ofMeshes.filter { kinds.isWanted($0) && !kinds.isAbsent($0) }
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
