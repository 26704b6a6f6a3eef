import HTTPTransport
import Hummingbird
import Logging
import ServiceLifecycle

@testable import Dashboard

/// Serves routes on a free port while the body runs.
func withServer(
  _ routes: DashboardRoutes, feed: ChangeFeed, _ body: (CurlTransport, _ url: String) async throws -> Void
) async throws {
  let (ports, listening) = AsyncStream.makeStream(of: Int.self)
  let application = Application(
    router: routes.router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
    onServerRunning: { listening.yield($0.localAddress?.port ?? 0) },
    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  let transport = try CurlTransport(TransportConfiguration())
  let group = ServiceGroup(
    configuration: ServiceGroupConfiguration(services: [application], logger: Logger(label: "test")))
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask { try await group.run() }
    var iterator = ports.makeAsyncIterator()
    let port = await iterator.next() ?? 0
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(transport, "http://127.0.0.1:\(port)"))
    } catch {
      outcome = .failure(error)
    }
    feed.end()
    await transport.shutdown()
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
    try outcome.get()
  }
}
