import Hummingbird
import Logging
import ServiceLifecycle

/// Serves a ``StatusPage`` at `/healthz`, `/readyz` and `/metrics`, for probes and for Prometheus.
struct StatusServer: ServiceLifecycle.Service {
  let page: StatusPage
  let address: StatusAddress
  let logger: Logger

  /// Serves until the shutdown.
  /// - Throws: where the address is taken.
  func run() async throws {
    let router = Router()
    let page = page
    router.get("/healthz") { _, _ in Self.response(page.health) }
    router.get("/readyz") { _, _ in Self.response(page.readiness) }
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: page.metrics)))
    }
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: address.port), serverName: nil),
      logger: logger)
    try await application.run()
  }

  private static func response(_ answer: StatusPage.Answer) -> Response {
    Response(
      status: answer.isFine ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain; charset=utf-8"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: answer.text)))
  }
}
