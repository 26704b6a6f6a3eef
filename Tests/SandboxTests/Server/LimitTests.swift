import KubernetesAPI
import Testing

@testable import Sandbox

/// What the recorded transcripts do not show.
@Suite("Limits of pods") struct LimitTests {
  private func pod(_ name: String, _ resources: JSON = .emptyObject) -> JSON {
    [
      "metadata": ["name": .string(name), "labels": ["app": "lone"]],
      "spec": ["containers": [["name": "c", "image": "app:1", "resources": resources]]],
    ]
  }

  @Test("amounts are added in the form of the first, and written as short as can be")
  func sums() throws {
    func sum(_ left: String, _ right: String) throws -> String {
      try #require(Quantity(left)).adding(try #require(Quantity(right))).description
    }
    #expect(try sum("600m", "100m") == "700m")
    #expect(try sum("600m", "400m") == "1")
    #expect(try sum("0", "64Mi") == "64Mi")
    #expect(try sum("64Mi", "960Mi") == "1Gi")
    #expect(try sum("1Gi", "512Mi") == "1536Mi")
    #expect(try sum("500", "500") == "1k")
    #expect(try sum("0", "0") == "0")
  }

  @Test("a quota counts objects of any kind, by either name, and gives back what is deleted")
  func objects() throws {
    let world = SandboxWorld()
    let place = "/api/v1/namespaces/default"
    let hard: JSON = ["count/deployments.apps": "1", "configmaps": "1"]
    world.send("POST", "\(place)/resourcequotas", body: ["metadata": ["name": "few"], "spec": ["hard": hard]])
    world.pass(1)
    func configMap(_ name: String) -> (status: Int, body: JSON) {
      world.send("POST", "\(place)/configmaps", body: ["metadata": ["name": .string(name)]])
    }
    #expect(configMap("one").status == 201)
    let refused = configMap("two")
    #expect(refused.status == 403)
    #expect(
      refused.body["message"]?.string
        == "configmaps \"two\" is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"
    )
    world.send("DELETE", "\(place)/configmaps/one")
    world.pass(1)
    #expect(configMap("two").status == 201)
  }

  @Test("a range for whole pods adds up their containers")
  func wholePods() throws {
    let world = SandboxWorld()
    let place = "/api/v1/namespaces/default"
    let limit: JSON = ["type": "Pod", "max": ["cpu": "1"], "min": ["memory": "64Mi"]]
    world.send(
      "POST", "\(place)/limitranges", body: ["metadata": ["name": "pods"], "spec": ["limits": [limit]]])
    let fine = world.send(
      "POST", "\(place)/pods",
      body: pod("fine", ["requests": ["memory": "64Mi"], "limits": ["cpu": "1", "memory": "1Gi"]]))
    #expect(fine.status == 201, "\(fine.body)")
    let silent = world.send("POST", "\(place)/pods", body: pod("silent"))
    #expect(silent.status == 403)
    let message = silent.body["message"]?.string ?? ""
    #expect(message.contains("minimum memory usage per Pod is 64Mi.  No request is specified"), "\(message)")
    #expect(message.contains("maximum cpu usage per Pod is 1.  No limit is specified"), "\(message)")
  }

  @Test("a budget that nobody has looked at yet lets nothing go, and one whose pod is ready and enough lets others go")
  func budgets() throws {
    let world = SandboxWorld()
    let place = "/api/v1/namespaces/default"
    world.send("POST", "\(place)/pods", body: pod("lone"))
    world.pass(3)
    let budget: JSON = ["minAvailable": 1, "selector": ["matchLabels": ["app": "lone"]]]
    world.send(
      "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
      body: ["metadata": ["name": "b"], "spec": budget])
    func evict() -> (status: Int, body: JSON) {
      world.send(
        "POST", "\(place)/pods/lone/eviction",
        body: ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "lone"]])
    }
    let early = evict()
    #expect(early.status == 429)
    #expect(early.body[path: ["details", "retryAfterSeconds"]] == 10)
    world.pass(1)
    let late = evict()
    #expect(late.status == 429)
    let cause = late.body[path: ["details", "causes"]]?[0]?["message"]?.string
    #expect(cause == "The disruption budget b needs 1 healthy pods and has 1 currently")
  }
}
