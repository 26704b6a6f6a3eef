import Foundation
import Testing

@testable import Sandbox

@Suite("kubectl against the sandbox")
struct KubectlCreateTests {
  private static let kubectl = ["/usr/bin/kubectl", "/usr/local/bin/kubectl"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  private func run(_ words: String, _ config: URL) async throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: try #require(Self.kubectl))
    process.arguments = ["--kubeconfig", config.path, "--cache-dir", config.path + ".cache"]
    process.arguments? += words.split(separator: " ").map(String.init)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in done.resume() }
      do { try process.run() } catch { done.resume(throwing: error) }
    }
    return (process.terminationStatus, String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
  }

  @Test(
    "kubectl's create commands create what they say", .enabled(if: kubectl != nil, "kubectl is not installed"),
    .timeLimit(.minutes(3)))
  func create() async throws {
    let (ports, tell) = AsyncStream.makeStream(of: Int.self)
    let cluster = SandboxCluster(onListening: { _ = tell.yield($0) })
    let config = FileManager.default.temporaryDirectory.appending(path: "kubectl-create-\(UUID().uuidString)")
    defer {
      try? FileManager.default.removeItem(at: config)
      try? FileManager.default.removeItem(atPath: config.path + ".cache")
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await cluster.run() }
      var iterator = ports.makeAsyncIterator()
      let port = try #require(await iterator.next())
      try Data(SandboxCluster.kubeconfig(port: port).utf8).write(to: config)
      for recorded in RecordedBody.created {
        let (status, output) = try await run(recorded.command, config)
        #expect(status == 0 && output.contains(" created"), "\(recorded.command): \(output)")
      }
      let deployment = try await run(
        "get deployment web -o jsonpath={.spec.replicas}{.spec.template.spec.containers[*].image}", config)
      #expect(deployment.output == "3nginx:1.27 busybox")
      let secret = try await run("get secret token -o jsonpath={.data.password}", config)
      #expect(secret.output == "czNjcmV0")
      let service = try await run("get service web -o jsonpath={.spec.ports[*].targetPort}", config)
      #expect(service.output == "8080 https")
      let review = try await run("auth can-i get pods", config)
      #expect(review.output.hasSuffix("yes\n"), "\(review.output)")
      group.cancelAll()
    }
  }
}
