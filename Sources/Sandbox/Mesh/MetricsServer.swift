import Hummingbird
import KubernetesAPI
import Logging

/// What a mesh serves on the loopback address.
enum MetricsServer {
  /// - Parameters:
  ///   - exposition: the metrics of all proxies, which `/metrics` answers, for a Prometheus to scrape.
  ///   - network: where pods really listen, which `/network` answers; nil where they do not.
  static func application(
    port: Int, logger: Logger, exposition: @escaping @Sendable () -> String,
    network: (@Sendable () -> JSON)? = nil, onListening: @escaping @Sendable (Int) -> Void
  ) -> some ApplicationProtocol {
    let router = Router()
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: exposition())))
    }
    if let network {
      router.get("/network") { _, _ in
        Response(
          status: .ok, headers: [.contentType: "application/json"],
          body: ResponseBody(byteBuffer: ByteBuffer(bytes: network().bytes)))
      }
    }
    return Application(
      router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: logger)
  }
}
