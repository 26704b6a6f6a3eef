import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

struct NodeAgentTests {
  private func container(_ pod: PodView) -> JSON { pod.json[path: ["status", "containerStatuses"]]?[0] ?? .null }

  @Test("a pod gets the node, an address of its own and becomes ready once")
  func ready() throws {
    let world = World()
    try world.deploy(replicas: 5)
    world.settle()
    let addresses = world.pods().compactMap { $0.json[path: ["status", "podIP"]]?.string }
    #expect(Set(addresses).count == 5 && addresses.allSatisfy { $0.hasPrefix("10.244.") })
    #expect(world.pods().allSatisfy { $0.nodeName == "n1" && $0.isReady && $0.phase == "Running" })
    // What someone else then writes about readiness stays.
    let name = world.pods()[0].name
    var pod = try world.object(.pods, name)
    pod[path: ["status", "conditions"]] = [["type": "Ready", "status": "False"]]
    _ = try world.cluster.update(.pods, pod, subresource: "status")
    world.settle()
    #expect(try !PodView(world.object(.pods, name)).isReady)
  }

  @Test("pods that are to be spread over zones are, each revision by itself, and evenly over the nodes of a zone")
  func zones() {
    func pod(_ hash: String, on node: String? = nil) -> JSON {
      [
        "metadata": ["name": "x", "labels": ["app": "web", "pod-template-hash": .string(hash)]],
        "spec": [
          "nodeName": node.map(JSON.string) ?? .null,
          "topologySpreadConstraints": [
            [
              "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": ["matchLabels": ["app": "web"]], "matchLabelKeys": ["pod-template-hash"],
            ]
          ],
        ],
      ]
    }
    var placed: [JSON] = [pod("old", on: "n2"), pod("old", on: "n2")]
    for _ in 0..<6 { placed.append(pod("new", on: SimulatedNodes.node(for: pod("new"), among: placed).name)) }
    #expect(placed.dropFirst(2).map { PodView($0).nodeName } == ["n2", "n3", "n4", "n5", "n2", "n3"])
    #expect(SimulatedNodes.named("n2")?.zone == "local-a" && SimulatedNodes.named("n3")?.zone == "local-b")
    #expect(SimulatedNodes.node(for: ["metadata": ["name": "y"]], among: placed).name == "n1")
  }

  @Test("readiness can take longer than the start")
  func slow() throws {
    let world = World(images: ["app:1": .serves(startsAfter: .seconds(1), readyAfter: .seconds(10))])
    try world.deploy(replicas: 1)
    world.pass(.seconds(9))
    #expect(world.pods().map(\.phase) == ["Running"] && world.pods().allSatisfy { !$0.isReady })
    world.pass(.seconds(2))
    #expect(world.pods().allSatisfy { $0.isReady })
  }

  @Test("a crash loop counts restarts, waits longer each time, and says CrashLoopBackOff meanwhile")
  func crashLoop() throws {
    let world = World(images: ["app:1": .crashing])
    try world.deploy(replicas: 1)
    // Starts at 0, 1, 2+10=12 s … each run takes a second; delays are 0, 10, 20, 40 s.
    world.pass(.milliseconds(2500))
    var status = container(world.pods()[0])
    #expect(status["restartCount"] == 1)
    #expect(status[path: ["state", "waiting", "reason"]] == "CrashLoopBackOff")
    #expect(status[path: ["state", "waiting", "message"]]?.string?.hasPrefix("back-off 10s restarting failed") == true)
    #expect(status[path: ["lastState", "terminated", "exitCode"]] == 1)
    world.pass(.seconds(10))
    status = container(world.pods()[0])
    #expect(status["restartCount"] == 2 && status[path: ["state", "running"]] != nil)
    world.pass(.seconds(300))
    status = container(world.pods()[0])
    #expect((status["restartCount"]?.int ?? 0) >= 5)
    #expect(world.pods().allSatisfy { !$0.isReady })
  }

  @Test("a crash after some good time makes a ready pod unready")
  func lateCrash() throws {
    let world = World(images: [
      "app:1": .crashLoop(runsFor: .seconds(30), readyAfter: .seconds(1), exitCode: 137)
    ])
    try world.deploy(replicas: 1)
    world.pass(.seconds(20))
    #expect(try world.status().availableReplicas == 1)
    // The first restart comes at once, the next crash 30 s later.
    world.pass(.seconds(45))
    #expect(container(world.pods()[0])["restartCount"] == 1)
    #expect(container(world.pods()[0])[path: ["lastState", "terminated", "exitCode"]] == 137)
    #expect(try world.status().availableReplicas == 0)
  }

  @Test("an image that cannot be pulled leaves the pod pending with the reason")
  func imagePull() throws {
    let world = World(images: ["app:1": .imagePullBackOff(error: "not found")])
    try world.deploy(replicas: 1)
    world.pass(.milliseconds(500))
    #expect(container(world.pods()[0])[path: ["state", "waiting", "reason"]] == "ErrImagePull")
    world.pass(.seconds(5))
    #expect(container(world.pods()[0])[path: ["state", "waiting", "reason"]] == "ImagePullBackOff")
    #expect(world.pods()[0].phase == "Pending")
  }

  @Test("a pod that finds no node says why and has none")
  func unschedulable() throws {
    let world = World(images: ["app:1": .unschedulable(message: "0/1 nodes are available")])
    try world.deploy(replicas: 1)
    world.settle()
    let pod = world.pods()[0]
    #expect(pod.nodeName.isEmpty)
    #expect(pod.condition("PodScheduled")?["reason"] == "Unschedulable")
  }

  @Test("addresses come back when their pods are gone, and none is given twice")
  func addresses() {
    var addresses = PodAddresses()
    var seen: Set<String> = []
    var count = 0
    while let address = addresses.take() {
      seen.insert(address)
      count += 1
    }
    #expect(count == 65_533 && seen.count == count)
    #expect(!seen.contains("10.244.0.0") && !seen.contains("10.244.255.255"))
    addresses.give(back: "10.244.3.7")
    #expect(addresses.take() == "10.244.3.7" && addresses.take() == nil)
  }

  @Test("a readiness gate holds a pod back until its condition is True")
  func gate() throws {
    let world = World()
    try world.create(
      .pods, "p",
      ["spec": ["readinessGates": [["conditionType": "x/ok"]], "containers": [["name": "c", "image": "a"]]]])
    world.settle()
    var pod = try world.object(.pods, "p")
    #expect(!PodView(pod).isReady && PodView(pod).condition("ContainersReady")?["status"] == "True")
    var conditions = pod[path: ["status", "conditions"]]?.array ?? []
    conditions.append(["type": "x/ok", "status": "True"])
    pod[path: ["status", "conditions"]] = .array(conditions)
    _ = try world.cluster.update(.pods, pod, subresource: "status")
    world.settle()
    #expect(try PodView(world.object(.pods, "p")).isReady)
  }
}
