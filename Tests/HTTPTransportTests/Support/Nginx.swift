import Foundation
import Testing

@testable import HTTPTransport

/// A real nginx with HTTP/2 and TLS in several tempers, running for one suite.
final class Nginx: Sendable {
  @TaskLocal static var shared: Nginx?

  /// The one that runs around the test.
  static var current: Nginx { get throws { try #require(shared) } }

  static let largeBody = 64 << 20

  let certificates: Certificates
  let plainPort: Int
  let port: Int
  let mutualPort: Int
  let namedPort: Int
  let oldPort: Int
  /// Stands behind `/hang` and never answers.
  private let hanging: RawServer
  private let folder: URL
  private let process: Process

  var url: String { "https://127.0.0.1:\(port)" }

  /// A configuration that trusts the test's authority.
  func configuration() throws -> TransportConfiguration {
    TransportConfiguration(tls: .init(caPEM: try certificates.authority.certificatePEM), proxy: .none)
  }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "sluice-nginx-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let program = try Tool.path("nginx")
    certificates = try Certificates(in: folder)
    (plainPort, port, mutualPort) = (try Sockets.freePort(), try Sockets.freePort(), try Sockets.freePort())
    hanging = try RawServer { $0.waitForClientToGo() }
    (namedPort, oldPort) = (try Sockets.freePort(), try Sockets.freePort())

    let large = folder.appending(path: "large")
    try Data().write(to: large)
    let file = try FileHandle(forWritingTo: large)
    try file.truncate(atOffset: UInt64(Self.largeBody))
    try file.close()
    try Data(String(repeating: "compress me ", count: 1000).utf8).write(to: folder.appending(path: "text.txt"))

    let settings = folder.appending(path: "nginx.conf")
    try Data(Self.settings(folder, certificates, plainPort, port, mutualPort, namedPort, oldPort, hanging.port).utf8)
      .write(
        to: settings)
    process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-p", folder.path, "-c", settings.path, "-e", folder.appending(path: "error.log").path]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    try waitUntilReady()
  }

  func stop() {
    process.terminate()
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  private func waitUntilReady() throws {
    for _ in 0..<1000 {
      if let socket = Sockets.connect(to: oldPort) {
        close(socket)
        return
      }
      guard process.isRunning else { break }
      usleep(5000)
    }
    let log = (try? String(contentsOf: folder.appending(path: "error.log"), encoding: .utf8)) ?? "no log"
    throw Tool.Failure(description: "nginx did not start: \(log)")
  }

  private static func settings(
    _ folder: URL, _ certificates: Certificates, _ plain: Int, _ port: Int, _ mutual: Int, _ named: Int, _ old: Int,
    _ hanging: Int
  ) -> String {
    func pair(_ pair: Certificates.Pair) -> String {
      "ssl_certificate \(pair.certificate.path); ssl_certificate_key \(pair.key.path);"
    }
    let places = """
      root \(folder.path);
      add_header X-Protocol $server_protocol always;
      add_header X-Connection $connection always;
      location /echo { return 200 "$request_method $host $http_host $ssl_client_s_dn"; }
      location /hang { proxy_pass http://127.0.0.1:\(hanging); }
      """
    return """
      daemon off; worker_processes 1; pid \(folder.path)/pid; error_log \(folder.path)/error.log;
      events { worker_connections 4096; }
      http {
        access_log off; default_type text/plain; keepalive_requests 100000; http2_max_concurrent_streams 100;
        client_body_temp_path \(folder.path)/t1; proxy_temp_path \(folder.path)/t2; fastcgi_temp_path \(folder.path)/t3;
        uwsgi_temp_path \(folder.path)/t4; scgi_temp_path \(folder.path)/t5;
        gzip on; gzip_min_length 100; gzip_types text/plain;
        ssl_protocols TLSv1.2 TLSv1.3;
        server { listen 127.0.0.1:\(plain); \(places) }
        server { listen 127.0.0.1:\(port) ssl http2; \(pair(certificates.server)) \(places) }
        server {
          listen 127.0.0.1:\(mutual) ssl http2; \(pair(certificates.server))
          ssl_client_certificate \(certificates.authority.certificate.path); ssl_verify_client on; \(places)
        }
        server { listen 127.0.0.1:\(named) ssl http2; \(pair(certificates.named)) \(places) }
        server {
          listen 127.0.0.1:\(old) ssl; \(pair(certificates.server))
          ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; \(places)
        }
      }
      """
  }
}

/// Runs one nginx around a suite.
struct NginxTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let nginx = try Nginx()
    defer { nginx.stop() }
    try await Nginx.$shared.withValue(nginx) { try await function() }
  }
}

extension Trait where Self == NginxTrait {
  static var nginx: NginxTrait { NginxTrait() }
}
