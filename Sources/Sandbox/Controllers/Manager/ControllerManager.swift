import Foundation
import KubernetesAPI
import Logging
import ServiceLifecycle
import Synchronization

/// Runs the built-in controllers. It pulls changes from the cluster, so that a test decides when they see them, and it
/// works in a fixed order, so that a run with a virtual clock can be repeated.
final class ControllerManager: ServiceLifecycle.Service {
  private struct State {
    var queue = DueQueue()
    /// The version of the store up to which changes have been seen.
    var version: UInt64?
    var isRunning = false
  }

  private let cluster: any ClusterAccess
  private let controllers: [any BuiltInController]
  private let logger: Logger
  private let state = Mutex(State())

  init(
    cluster: any ClusterAccess, controllers: [any BuiltInController],
    logger: Logger = Logger(label: "sandbox.controllers")
  ) {
    self.cluster = cluster
    self.controllers = controllers
    self.logger = logger
  }

  /// The controllers that a sandbox has.
  /// - Parameters:
  ///   - behaviour: what the pods of each image do.
  ///   - usages: what they use, for autoscalers.
  static func builtIn(
    cluster: any ClusterAccess, behaviour: any PodBehaviours = ImageBehaviours(),
    usages: any PodUsages = AnnotatedUsages(),
    logger: Logger = Logger(label: "sandbox.controllers")
  ) -> ControllerManager {
    ControllerManager(
      cluster: cluster,
      controllers: [
        NamespaceController(), ServiceAccountController(), DeploymentController(), ReplicaSetController(),
        NodeAgent(behaviours: behaviour), EndpointSliceController(), RouteStatusController(), GarbageCollector(),
        AutoscalerController(usages: usages), DisruptionController(), QuotaController(),
      ],
      logger: logger)
  }

  /// When something is due again although nothing changes; `nil` for never. Call it after ``runDue()``.
  var nextDue: Date? {
    let now = cluster.now
    return state.withLock { $0.queue.next(at: now) }
  }

  /// Does everything that is due at this moment, what it brings about itself included.
  /// - Parameter limit: after so many looks at objects it stops; the rest stays due.
  /// - Returns: how many objects were looked at; 0 also while another task is at it.
  @discardableResult
  func runDue(limit: Int = 100_000) -> Int {
    let starts = state.withLock { state in
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard starts else { return 0 }
    defer { state.withLock { $0.isRunning = false } }
    var count = 0
    while true {
      pull()
      let now = cluster.now
      let items = state.withLock { $0.queue.takeDue(at: now) }
      if items.isEmpty { return count }
      for item in items { sync(item) }
      count += items.count
      if count >= limit {
        logger.error("the controllers do not come to rest", metadata: ["looks": "\(count)"])
        return count
      }
    }
  }

  /// Lets virtual time pass until nothing is due within `quiet`.
  /// - Parameters:
  ///   - bound: no more time than this may pass.
  ///   - advance: sets the clock that ``ClusterAccess/now`` reads.
  /// - Returns: whether it has come to rest within the bound.
  @discardableResult
  func runUntilQuiet(for quiet: Duration, within bound: Duration = .seconds(600), advance: (Date) -> Void) -> Bool {
    let end = cluster.now.adding(bound)
    while true {
      runDue()
      guard let next = nextDue, next <= cluster.now.adding(quiet) else { return true }
      guard next <= end else { return false }
      advance(max(next, cluster.now))
    }
  }

  /// Lets virtual time pass up to a moment and does on the way what becomes due, each thing at its time.
  func run(until date: Date, advance: (Date) -> Void) {
    while true {
      runDue()
      guard let next = nextDue, next <= date else { break }
      advance(max(next, cluster.now))
    }
    if cluster.now < date { advance(date) }
  }

  /// Runs in real time until the service group shuts down.
  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        self.runDue()
        await self.waitForWork()
      }
    }
  }

  private func waitForWork() async {
    let version = state.withLock { $0.version } ?? 0
    let pause = nextDue.map { max($0.since(cluster.now), .milliseconds(1)) } ?? .seconds(60)
    await withTaskGroup { group in
      group.addTask { await self.cluster.waitForChange(after: version) }
      // Cancelled when a change comes first.
      group.addTask { try? await Task.sleep(for: pause) }
      await group.next()
      group.cancelAll()
    }
  }

  private func pull() {
    let batch = cluster.changes(after: state.withLock { $0.version })
    var items: [DueQueue.Item] = []
    for change in batch.changes {
      for (index, controller) in controllers.enumerated() {
        for object in controller.due(after: change, in: cluster) {
          items.append(DueQueue.Item(controller: index, object: object))
        }
      }
    }
    state.withLock { state in
      state.version = batch.version
      for item in items { state.queue.add(item) }
    }
  }

  private func sync(_ item: DueQueue.Item) {
    let controller = controllers[item.controller]
    do {
      let pause = try controller.sync(item.object, in: cluster)
      let again = pause.map { cluster.now.adding($0) }
      state.withLock { $0.queue.succeeded(item, lookAgainAt: again) }
    } catch {
      let now = cluster.now
      let delay = state.withLock { $0.queue.failed(item, at: now) }
      logger.debug(
        "could not bring an object up to date",
        metadata: [
          "controller": "\(controller.name)", "kind": "\(item.object.type.kind)", "object": "\(item.object.key)",
          "error": "\(error.message ?? error.reason ?? "unknown")", "again in": "\(delay)",
        ])
    }
  }
}
