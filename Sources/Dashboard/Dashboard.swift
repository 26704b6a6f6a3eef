import Hummingbird
import KubernetesAPI
import KubernetesClient
import Logging
import RolloutAPI
import ServiceLifecycle

/// A page that shows Rollouts as they go, its JSON API, and a stream of events. It reads two kinds with the rights of
/// whoever runs it, and writes nothing.
public struct Dashboard: ServiceLifecycle.Service, CustomStringConvertible {
  public var description: String { "dashboard" }

  private let address: DashboardAddress
  private let rollouts: Informer<JSON>
  private let runs: Informer<JSON>
  private let feed: ChangeFeed
  private let time: TimeSource
  private let logger: Logger
  private let ready: @Sendable (Int) async -> Void

  /// - Parameters:
  ///   - namespace: only its Rollouts; all where `nil`.
  ///   - ready: told the port once it is listened on.
  public init(
    client: KubernetesClient, namespace: String?, address: DashboardAddress, logger: Logger,
    ready: @escaping @Sendable (Int) async -> Void = { _ in }
  ) {
    self.address = address
    self.logger = logger
    self.ready = ready
    time = client.time
    let feed = ChangeFeed()
    self.feed = feed
    let options = InformerOptions(namespace: namespace)
    rollouts = Informer<JSON>(
      .rollouts, client: client, options: options,
      handlers: [{ feed.changed($0.key) }])
    runs = Informer<JSON>(
      .rolloutRuns, client: client, options: options,
      handlers: [
        { change in
          let run: JSON
          switch change {
          case .added(let object), .updated(_, let object), .deleted(let object): run = object
          case .unreadable, .deletedUnreadable: return
          }
          guard let rollout = run[path: ["spec", "rolloutRef", "name"]]?.string else { return }
          feed.changed(ObjectKey(namespace: run.namespace, name: rollout))
        }
      ])
  }

  /// Serves until the shutdown.
  /// - Throws: where the address is taken.
  public func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for informer in [rollouts, runs] { group.addTask { try await informer.run() } }
        group.addTask { try await serve() }
        defer { group.cancelAll() }
        try await group.next()
      }
    } onGracefulShutdown: {
      feed.end()
    }
  }

  private func serve() async throws {
    let application = Application(
      router: DashboardRoutes(
        view: { RolloutView(rollouts: rollouts.cache.objects, runs: runs.cache.objects) },
        problem: { rollouts.cache.problem ?? runs.cache.problem },
        isSynced: { rollouts.cache.isSynced && runs.cache.isSynced }, feed: feed, hosts: address.hosts, time: time
      ).router,
      configuration: ApplicationConfiguration(address: .hostname(address.host, port: address.port), serverName: nil),
      onServerRunning: { channel in await ready(channel.localAddress?.port ?? address.port) }, logger: logger)
    try await application.run()
  }
}

/// Where the page is served, and under which names.
public struct DashboardAddress: Sendable, Hashable {
  public var host: String
  /// 0: any free one.
  public var port: Int
  /// Names, besides addresses and `localhost`, under which browsers may ask. Others are refused, since a page elsewhere
  /// could have its own name point here and read the answers.
  public var hosts: Set<String>

  public init(host: String = "127.0.0.1", port: Int, hosts: Set<String> = []) {
    self.host = host
    self.port = port
    self.hosts = hosts
  }
}
