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

  /// A command, what to get afterwards, and what that says.
  private static let others: [(String, String, String)] = [
    (
      "create job once --image=busybox -- date",
      "job once -o jsonpath={.spec.completions}{.spec.template.spec.containers[0].command[0]}", "1date"
    ),
    (
      "create cronjob hourly --image=busybox --schedule=@hourly -- date",
      "cronjob hourly -o jsonpath={.spec.schedule}{.spec.concurrencyPolicy}", "@hourlyAllow"
    ),
    (
      "create job now --from=cronjob/hourly",
      "job now -o jsonpath={.spec.template.spec.restartPolicy}{.metadata.ownerReferences[0].kind}", "OnFailureCronJob"
    ),
    (
      "create ingress front --class=public --default-backend=other:http --rule=a.example/shop*=web:8080,tls=secret",
      "ingress front -o jsonpath={.spec.rules[0].http.paths[0].backend.service.port.number}"
        + "{.spec.tls[0].secretName}{.spec.defaultBackend.service.port.name}", "8080secrethttp"
    ),
    (
      "create priorityclass urgent --value=10 --preemption-policy=Never",
      "priorityclass urgent -o jsonpath={.value}{.preemptionPolicy}", "10Never"
    ),
    (
      "autoscale deployment web --min=2 --max=5 --cpu-percent=70",
      "hpa.v2.autoscaling web -o jsonpath={.spec.maxReplicas}"
        + "{.spec.metrics[0].resource.target.averageUtilization}", "570"
    ),
    ("expose deployment web --port=80 --name=exposed", "svc exposed -o jsonpath={.spec.selector.app}", "web"),
    // With a quota for cpu a pod would have to say how much of it.
    ("delete quota q", "quota --ignore-not-found", ""),
    ("run lone --image=busybox --port=80", "pod lone -o jsonpath={.spec.containers[0].image}", "busybox"),
    (
      "create secret docker-registry pull --docker-server=r.example --docker-username=u --docker-password=p",
      "secret pull -o jsonpath={.type}", "kubernetes.io/dockerconfigjson"
    ),
    (
      "create service loadbalancer out --tcp=80:8080", "svc out -o jsonpath={.spec.ports[0].targetPort}", "8080"
    ),
    (
      "create quota few --hard=pods=2 --scopes=BestEffort", "quota few -o jsonpath={.spec.scopes[0]}", "BestEffort"
    ),
  ]

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
      for (command, check, expected) in Self.others {
        let (status, output) = try await run(command, config)
        #expect(status == 0, "\(command): \(output)")
        let found = try await run("get \(check)", config)
        #expect(found.output == expected, "\(command)")
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
      let who = try await run("auth whoami --as=jane --as-group=devs -o jsonpath={.status.userInfo.username}", config)
      #expect(who.output == "jane")
      group.cancelAll()
    }
  }
}
