import Foundation
import KubernetesAPI
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("Credential plugins", .timeLimit(.minutes(1)))
struct ExecCredentialsTests {
  private static let start = Date(timeIntervalSince1970: 1_000_000)
  private static let plugin = ExecPlugin(command: "helper", source: "users[0]")

  private static func answer(_ status: JSON, version: String = "client.authentication.k8s.io/v1") -> Data {
    (["kind": "ExecCredential", "apiVersion": .string(version), "status": status] as JSON).data
  }

  /// A plugin that answers with token-1, token-2 … of some lifetime, and a wall clock to turn.
  private final class Issuer: Sendable {
    let runs = Mutex(0)
    let now = Mutex(ExecCredentialsTests.start)
    let lifetime: TimeInterval?

    init(lifetime: TimeInterval?) { self.lifetime = lifetime }

    func credentials() -> ExecCredentials {
      ExecCredentials(ExecCredentialsTests.plugin, now: { self.now.withLock { $0 } }) { _ in
        let number = self.runs.withLock { runs in
          runs += 1
          return runs
        }
        var status: JSON = ["token": .string("token-\(number)")]
        if let lifetime = self.lifetime {
          let expiry = self.now.withLock { $0 }.addingTimeInterval(lifetime)
          status["expirationTimestamp"] = .string(Timestamp(expiry).description)
        }
        return ExecCredentialsTests.answer(status)
      }
    }
  }

  @Test("a token is kept until shortly before it expires, halfway where it lives for a minute only")
  func expiry() async throws {
    let issuer = Issuer(lifetime: 600)
    let credentials = issuer.credentials()
    #expect(try await credentials.authorization(at: .zero) == "Bearer token-1")
    issuer.now.withLock { $0 = Self.start.addingTimeInterval(539) }
    #expect(try await credentials.authorization(at: .seconds(539)) == "Bearer token-1")
    issuer.now.withLock { $0 = Self.start.addingTimeInterval(540) }
    #expect(try await credentials.authorization(at: .seconds(540)) == "Bearer token-2")

    let brief = Issuer(lifetime: 60)
    let short = brief.credentials()
    _ = try await short.authorization(at: .zero)
    brief.now.withLock { $0 = Self.start.addingTimeInterval(29) }
    #expect(try await short.authorization(at: .seconds(29)) == "Bearer token-1")
    brief.now.withLock { $0 = Self.start.addingTimeInterval(30) }
    #expect(try await short.authorization(at: .seconds(30)) == "Bearer token-2")
  }

  @Test("a token without expiry is kept until the server refuses it")
  func invalidated() async throws {
    let credentials = Issuer(lifetime: nil).credentials()
    _ = try await credentials.authorization(at: .zero)
    #expect(try await credentials.authorization(at: .seconds(100_000)) == "Bearer token-1")
    credentials.invalidate()
    #expect(try await credentials.authorization(at: .seconds(100_000)) == "Bearer token-2")
  }

  @Test("fifty requests that need a token at once run the plugin once")
  func once() async throws {
    let issuer = Issuer(lifetime: nil)
    let credentials = issuer.credentials()
    let shown = try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<50 { group.addTask { try await credentials.authorization(at: .zero) } }
      return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(shown == ["Bearer token-1"])
    #expect(issuer.runs.withLock { $0 } == 1)
  }

  @Test("a failure stands for five seconds, and is then tried again")
  func failures() async throws {
    let runs = Mutex(0)
    let credentials = ExecCredentials(Self.plugin, now: { Self.start }) { plugin in
      let number = runs.withLock { runs in
        runs += 1
        return runs
      }
      if number == 1 { throw plugin.failure("failed with exit code 1") }
      return Self.answer(["token": "good"])
    }
    for uptime in [Duration.zero, .seconds(4)] {
      await #expect(throws: CredentialsError("the credential plugin 'helper' (users[0]) failed with exit code 1")) {
        try await credentials.authorization(at: uptime)
      }
    }
    #expect(runs.withLock { $0 } == 1)
    #expect(try await credentials.authorization(at: .seconds(5)) == "Bearer good")
  }

  @Test(
    "an answer that cannot be used says what is wrong with it and shows nothing of it",
    arguments: [
      (Data("hunter2".utf8), "printed 7 bytes that are no JSON object"),
      (Data("{\"token\": \"hunter2\"}".utf8), "answered without kind: ExecCredential"),
      (answer(["token": "hunter2"], version: "client.authentication.k8s.io/v1beta1"), "the kubeconfig asks for"),
      (answer(["token": ""]), "answered without status.token"),
      (answer(["clientCertificateData": "hunter2"]), "answered with a client certificate; only tokens can be used"),
      (answer(["token": "hunter2\n"]), "a status.token that cannot stand in a header"),
      (answer(["token": "hunter2", "expirationTimestamp": "soon"]), "expirationTimestamp that is no RFC 3339 time"),
      (
        answer(["token": "hunter2", "expirationTimestamp": "1970-01-01T00:00:00Z"]),
        "answered with a token that has expired already"
      ),
    ])
  func refused(output: Data, message: String) async {
    let credentials = ExecCredentials(Self.plugin, now: { Self.start }) { _ in output }
    let error = await #expect(throws: CredentialsError.self) { try await credentials.authorization(at: .zero) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("hunter2") == false)
  }

  // MARK: Real programs

  private func shell(_ script: String, environment: [String: String] = [:]) -> ExecPlugin {
    ExecPlugin(command: "sh", arguments: ["-c", script], environment: environment, cluster: ["server": "https://a"])
  }

  @Test("a program gets its arguments, its environment, the cluster, and no input")
  func program() async throws {
    let script = #"read -r line && exit 9; printf '%s' "$GREETING $KUBERNETES_EXEC_INFO"; echo oops >&2"#
    let output = try await ExecProcess.run(shell(script, environment: ["GREETING": "hello"]), timeout: .seconds(10))
    let text = String(decoding: output, as: UTF8.self)
    #expect(text.hasPrefix("hello "))
    let info = try JSON(parsing: Data(text.dropFirst(6).utf8))
    #expect(info["kind"] == "ExecCredential")
    #expect(info["spec"] == ["interactive": false, "cluster": ["server": "https://a"]])
  }

  @Test("a program that is missing, fails, hangs or talks too much is named with the reason and left")
  func badPrograms() async throws {
    func failure(_ plugin: ExecPlugin, timeout: Duration = .seconds(10)) async -> String {
      let error = await #expect(throws: CredentialsError.self) { try await ExecProcess.run(plugin, timeout: timeout) }
      return error?.description ?? ""
    }
    let missing = ExecPlugin(command: "no-such-helper", installHint: "brew install helper")
    #expect(
      await failure(missing)
        == "the credential plugin 'no-such-helper' cannot be run: No such file or directory; its installHint says: "
        + "brew install helper")
    #expect(
      await failure(shell("echo hunter2; exit 3")).hasSuffix("failed with exit code 3; run it by hand to see why"))
    #expect(await failure(shell("kill -9 $$")).contains("signal 9"))
    #expect(await failure(shell("exec yes")).contains("printed more than"))
    let start = ContinuousClock.now
    // What it started holds its output open, and must go with it.
    #expect(await failure(shell("sleep 600 & sleep 600"), timeout: .milliseconds(200)).contains("did not end within"))
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test("a cancelled request kills the program")
  func cancelled() async throws {
    let start = ContinuousClock.now
    await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [plugin = shell("sleep 600")] in _ = try await ExecProcess.run(plugin, timeout: .seconds(600)) }
      group.cancelAll()
      await #expect(throws: CancellationError.self) { try await group.next() }
    }
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test("a kubeconfig's plugin is run with what the kubeconfig says, and its token is shown")
  func kubeconfig() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-exec-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let helper = folder.appending(path: "helper")
    let script = """
      #!/bin/sh
      printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"%s-%s"}}' "$1" "$A"
      """
    // By a process of its own: what another test starts meanwhile would have our open file too, and nobody may run a file
    // that somebody writes.
    let writing = shell(
      #"printf '%s' "$SCRIPT" >"$HELPER" && chmod 755 "$HELPER""#,
      environment: ["SCRIPT": script, "HELPER": helper.path])
    _ = try await ExecProcess.run(writing, timeout: .seconds(10))
    let text = KubeconfigTests.config(
      user: "exec: {command: ./helper, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "
        + "provideClusterInfo: true, args: [tok], env: [{name: A, value: b}]}")
    let settings = try Kubeconfig([(folder.appending(path: "config").path, text)]).settings()
    #expect(try await settings.credentials.authorization(at: .zero) == "Bearer tok-b")
  }
}
