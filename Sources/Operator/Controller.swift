import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Notifications
import Prometheus
import RolloutAPI
import ServiceLifecycle
import Synchronization
import TrafficRouting

/// The operator as one service: informers keep the view of the cluster, their changes make Rollouts due, and the process
/// that holds the lease reconciles them.
public struct Controller: ServiceLifecycle.Service, CustomStringConvertible {
  /// What logs show of it: its settings may hold credentials.
  public var description: String { "controller" }

  private let settings: OperatorSettings
  private let client: KubernetesClient
  private let outbound: any Transport
  private let requests: RequestCounts
  private let spans: SpanExporter?
  private let logger: Logger

  /// - Parameters:
  ///   - client: of the API server.
  ///   - outbound: for Prometheus and webhooks.
  ///   - requests: counts those of the client.
  ///   - spans: takes the traces of runs; nothing is traced where `nil`.
  public init(
    settings: OperatorSettings, client: KubernetesClient, outbound: any Transport,
    requests: RequestCounts = RequestCounts(), spans: SpanExporter? = nil, logger: Logger
  ) {
    self.settings = settings
    self.client = client
    self.outbound = outbound
    self.requests = requests
    self.spans = spans
    self.logger = logger
  }

  /// Runs until it is cancelled or shut down gracefully; then the lease is given back.
  public func run() async throws {
    let queue = WorkQueue<ObjectKey>(
      backoff: Backoff(initial: .milliseconds(200), maximum: .seconds(30)), time: client.time)
    let watches = Watches(client: client, namespace: settings.namespace, queue: queue, logger: logger)
    let board = JudgeBoard()
    let guards = GuardBoard()
    let fence = FenceBox()
    let writing = client.fenced(by: WriteFence { fence.timeLeft })
    let events = EventRecorder(client: writing, controller: "sluice.dev/controller", instance: settings.identity)
    let outbox = Outbox(transport: outbound, clock: ContinuousClock(), logger: logger, lookup: lookup(watches.view))
    let hold = HoldProbe(client: writing, view: watches.view, logger: logger) { rollout in
      queue.add(rollout, reason: "the hold was probed")
    }
    let aborts = AbortRecord(time: client.time)
    let reconciler = Reconciler(
      view: watches.view, client: writing, board: board, guards: guards, aborts: aborts,
      announcer: Announcer(events: events, outbox: outbox, time: client.time),
      tracing: RunTracing(spans?.tracer), hold: hold, quiet: QuietTimes(), settings: settings, logger: logger)
    let judge = Judge(
      board: board, queue: queue, prometheus: PrometheusClient(baseURL: settings.prometheusURL, transport: outbound),
      aborts: aborts, time: client.time, logger: logger)
    let guardian = Guardian(
      board: guards, queue: queue, prometheus: PrometheusClient(baseURL: settings.prometheusURL, transport: outbound),
      time: client.time, logger: logger)
    let reconciles = ReconcileRecord(time: client.time)
    let workers = WorkerPool(
      queue, workers: settings.workers, reserved: OperatorSettings.reservedWorkers, logger: logger
    ) { item in
      try await reconciles.measure { try await reconciler.reconcile(item) }
    }
    let logger = logger
    let elector = LeaderElector(
      client: client,
      options: LeaderElectionOptions(
        lease: settings.lease, identity: settings.identity, leaseDuration: settings.leaseDuration)
    ) {
      try await watches.waitUntilSynced(client.time)
      watches.addAll(to: queue)
      logger.info("reconciling")
      try await withThrowingTaskGroup(of: Void.self) { group in
        // The way from a proof to the routing write goes through these two.
        for service in [workers, judge] as [any ServiceLifecycle.Service] {
          group.addTask(priority: .high) { try await service.run() }
        }
        group.addTask { try await hold.run() }
        group.addTask { try await guardian.run() }
        try await group.waitForAll()
      }
    }
    fence.set(elector.fence)
    let page = StatusPage(
      version: settings.version, watches: watches, reconciles: reconciles, aborts: aborts, requests: requests,
      spans: spans,
      queueDepth: { queue.depth }, isLeading: { fence.timeLeft > .zero })

    try await withThrowingTaskGroup(of: Void.self) { group in
      let services: [any ServiceLifecycle.Service] = watches.informers + [events, outbox] + [spans].compactMap { $0 }
      for service in services {
        group.addTask {
          try await service.run()
          // They end with the shutdown, before the elector: were it cancelled then, it could not give the lease back.
          while !Task.isCancelled { try? await client.time.sleep(for: .seconds(3600)) }
        }
      }
      group.addTask { try await elector.run() }
      if let address = settings.status {
        group.addTask {
          try await StatusServer(page: page, address: address, logger: logger).run()
          // It ends with the shutdown, before what is under way has been finished; that must not end the rest.
          while !Task.isCancelled { try? await client.time.sleep(for: .seconds(3600)) }
        }
      }
      // Whichever ends first ends the rest: the elector on shutdown, any other by a fault.
      try await group.next()
      group.cancelAll()
    }
  }

  /// Where a channel's messages go; the address is read from its Secret each time, so that it can be changed.
  private func lookup(_ view: ClusterView) -> Outbox<ContinuousClock>.Lookup {
    let client = client
    return { channel, event in
      let key = ObjectKey(namespace: channel.namespace, name: channel.name)
      guard let object = view.object(.notificationChannels, key) else { return nil }
      let spec = try (object.decode() as NotificationChannel).spec
      if let events = spec.events, !events.contains(event) { return nil }
      guard let webhook = spec.slack ?? spec.webhook else { return nil }
      let reference = webhook.urlSecretRef
      let secret: Secret = try await client.get(
        Secret.self, ObjectKey(namespace: channel.namespace, name: reference.name))
      guard let data = secret.data?[reference.key ?? SecretKeyReference.defaultKey],
        let url = String(data: data, encoding: .utf8)?.trimmingCharacters(in: .whitespacesAndNewlines)
      else {
        throw EffectError(
          "notify channel \(channel)",
          "Secret \(reference.name) has no key \(reference.key ?? SecretKeyReference.defaultKey)")
      }
      return Destination(format: spec.slack != nil ? .slack : .webhook, url: url)
    }
  }
}

/// The elector makes the fence, and what it leads needs it before.
private final class FenceBox: Sendable {
  private let fence = Mutex<WriteFence?>(nil)

  func set(_ fence: WriteFence) { self.fence.withLock { $0 = fence } }

  var timeLeft: Duration { fence.withLock { $0 }?.timeLeft ?? .zero }
}
