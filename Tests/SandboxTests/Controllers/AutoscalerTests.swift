import Foundation
import KubernetesAPI
import Synchronization
import Testing

@testable import Sandbox

@Suite("The autoscaler")
struct AutoscalerTests {
  private typealias Pod = ReplicaCalculation.Pod

  private func pods(_ usages: [Double?], request: Double = 1000) -> [Pod] {
    usages.map { Pod(usage: $0, request: request) }
  }

  /// The cases of Kubernetes' replica_calculator_test.go.
  @Test("it calculates what kube-controller-manager calculates")
  func upstream() {
    let up = ReplicaCalculation(target: .utilization(30))
    #expect(up.replicas(current: 3, pods([300, 500, 700])) == 5)
    var unready = pods([300, 500, 700])
    unready[0].standing = .unready
    #expect(up.replicas(current: 3, unready) == 4)
    var cold = pods([400, 500, 700])
    cold[0].standing = .unready
    cold[2].standing = .unready
    #expect(up.replicas(current: 3, cold) == 3)
    cold[2].standing = .ignored
    #expect(up.replicas(current: 3, cold) == 3)
    let down = ReplicaCalculation(target: .utilization(50))
    #expect(down.replicas(current: 5, pods([100, 300, 500, 250, 250])) == 3)
    let level = ReplicaCalculation(target: .utilization(100))
    #expect(
      level.replicas(
        current: 3,
        [Pod(usage: 1010, request: 900), Pod(usage: 1030, request: 1000), Pod(usage: 1020, request: 1100)]) == 3)
    #expect(level.replicas(current: 2, pods([1000, nil])) == 2)
    #expect(ReplicaCalculation(target: .utilization(50)).replicas(current: 2, pods([100, nil])) == 2)
    #expect(level.replicas(current: 4, pods([2000, 2000, nil, nil])) == 4)
    #expect(level.replicas(current: 2, pods([nil, nil])) == nil)
  }

  @Test("pods beside the Deployment are counted, and only the Deployment is scaled: recorded of a real cluster")
  func recorded() {
    let half = ReplicaCalculation(target: .utilization(50))
    #expect(half.replicas(current: 4, pods([500, 500, 500, 500])) == 4)
    #expect(half.replicas(current: 4, pods([500, 500, 500, 500, 0, 0, 0, 0])) == 4)
    #expect(half.replicas(current: 4, pods(Array(repeating: 500, count: 8))) == 4)
  }

  @Test("a Deployment follows its pods' load every 15 s, up at once within the limit, down after five minutes")
  func followsLoad() throws {
    let usages = Usages(["app:1": 0.1])
    let cluster = FakeCluster()
    let manager = ControllerManager.builtIn(cluster: cluster, usages: usages)
    let world = World(cluster: cluster, manager: manager)
    try world.deploy(replicas: 4)
    world.settle()
    try world.create(
      .autoscalers, "web",
      [
        "spec": [
          "minReplicas": 2, "maxReplicas": 20,
          "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"],
          "metrics": [
            [
              "type": "Resource",
              "resource": ["name": "cpu", "target": ["type": "AverageValue", "averageValue": "100m"]],
            ]
          ],
        ]
      ])
    world.pass(.seconds(20))
    func replicas() throws -> Int? { try world.object(.deployments, "web")[path: ["spec", "replicas"]]?.int }
    #expect(try replicas() == 4)
    usages.set("app:1", 0.3)
    world.pass(.seconds(16))
    #expect(try replicas() == 8)
    world.pass(.seconds(16))
    #expect(try replicas() == 16)
    let limited = try world.object(.autoscalers, "web")[path: ["status", "conditions"]]?.array ?? []
    #expect(limited.contains { $0["type"] == "ScalingLimited" && $0["reason"] == "TooManyReplicas" })
    world.pass(.seconds(16))
    #expect(try replicas() == 20)
    usages.set("app:1", 0.02)
    world.pass(.seconds(250))
    #expect(try replicas() == 20)
    world.pass(.seconds(120))
    let text = try world.object(.autoscalers, "web").pretty
    #expect(try replicas() == 4, "\(text)")
    usages.set("app:1", nil)
    world.pass(.seconds(20))
    #expect(try replicas() == 4)
  }
}

final class Usages: PodUsages {
  private let byImage: Mutex<[String: Double]>

  init(_ byImage: [String: Double]) { self.byImage = Mutex(byImage) }

  func set(_ image: String, _ usage: Double?) { byImage.withLock { $0[image] = usage } }

  func usage(of pod: JSON, resource: String) -> Double? {
    let image = pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
    return byImage.withLock { $0[image] }
  }
}
