import Foundation
import Glibc
import HTTPTransport
import Testing

/// A real Prometheus without targets: it knows what is computed from a query, and the samples that it is given.
final class PrometheusServer {
  let url: String
  private let process = Process()
  private let folder: URL

  /// - Parameter openMetrics: samples with their times, in the OpenMetrics text format.
  init(openMetrics: String? = nil) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "sluice-prometheus-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let settings = folder.appending(path: "prometheus.yml")
    try Data("global: {}\n".utf8).write(to: settings)
    let data = folder.appending(path: "data").path
    if let openMetrics {
      let file = folder.appending(path: "samples.txt")
      try Data(openMetrics.utf8).write(to: file)
      let importing = Process()
      importing.executableURL = try Self.program("promtool")
      importing.arguments = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", file.path, data]
      importing.standardOutput = FileHandle.nullDevice
      try importing.run()
      importing.waitUntilExit()
      try #require(importing.terminationStatus == 0)
    }
    let port = try Self.freePort()
    url = "http://127.0.0.1:\(port)/prefix"
    process.executableURL = try Self.program("prometheus")
    process.arguments = [
      "--config.file=\(settings.path)", "--storage.tsdb.path=\(data)", "--storage.tsdb.retention.time=90y",
      "--web.listen-address=127.0.0.1:\(port)", "--web.external-url=\(url)", "--log.level=error",
    ]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
  }

  private static func program(_ name: String) throws -> URL {
    let path = try #require(
      ["/usr/bin/\(name)", "/usr/local/bin/\(name)"].first(where: FileManager.default.isExecutableFile),
      "these tests need a Prometheus: apt-get install prometheus")
    return URL(fileURLWithPath: path)
  }

  func stop() {
    process.terminate()
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  func waitUntilReady(_ transport: CurlTransport) async throws {
    for _ in 0..<400 {
      let response = try? await transport.send(HTTPRequest(.get, url + "/-/ready", timeout: .seconds(1)))
      if response?.status == 200 { return }
      try await Task.sleep(for: .milliseconds(25))
    }
    Issue.record("Prometheus was not ready within 10 s")
  }

  /// Below the ports that the system gives out: other tests of this process take those all the time.
  private static func freePort() throws -> Int {
    for _ in 0..<100 {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(listener) }
      let port = UInt16.random(in: 20_000..<30_000)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = port.bigEndian
      let result = withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      if result == 0 { return Int(port) }
    }
    throw CancellationError()
  }
}
