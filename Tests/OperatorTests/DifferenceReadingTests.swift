import CanaryAnalysis
import Foundation
import RolloutAPI
import Testing
import TrafficRouting

@testable import Operator

@Suite("What differed between the tracks, as Istio counts it") struct DifferenceReadingTests {
  private static let pods = [
    ("web-abc-ccccc", "n2", "local-a"), ("web-abc-ddddd", "n3", "local-b"), ("web-s1-aaaaa", "n2", "local-a"),
    ("web-s1-bbbbb", "n3", "local-b"),
  ].map { name, node, zone in
    var pod = PodFacts(name: name, track: name.hasPrefix("web-abc") ? .canary : .stable)
    pod.node = node
    pod.zone = zone
    return pod
  }

  /// 100 requests to each pod from each version of the caller; of the canary's, those of one version or in one zone fail.
  private static func differences(fails: (_ version: String, _ pod: String) -> Bool) throws -> [Difference] {
    let plan = try plan()
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    let series = pods.flatMap { pod in
      ["6.1", "7.0"].map { version in
        MetricSeries(
          labels: [
            "destination_workload_namespace": "shop", "pod": pod.name, "source_workload": "front",
            "source_workload_namespace": "shop", "source_version": version, "response_flags": "-",
            "response_code": pod.track == .canary && fails(version, pod.name) ? "503" : "200",
          ], value: 100)
      }
    }
    let answers = IstioMetrics().answers(series, of: scope, view: .callee)
    return DifferenceRanking.rank(DifferenceReading.breakdowns(answers, pods: pods))
  }

  @Test("callers of one version are named by their proxies' label, and the caller that has both is not")
  func callerVersion() throws {
    let found = try Self.differences { version, _ in version == "7.0" }
    #expect(found.map(\.aspect) == [.callerVersion, .responseCode])
    #expect(found.first?.value == "7.0" && found.first?.counts == Counts(requests: 200, bad: 200))
    #expect(DifferenceRanking.sentence(found) == "503, 100 % of them from callers of version 7.0")
  }

  @Test("a zone is named by the label that the API server puts on pods")
  func zone() throws {
    let found = try Self.differences { _, pod in pod == "web-abc-ddddd" }
    #expect(found.first { $0.aspect == .zone }?.value == "local-b")
    #expect(found.first { $0.aspect == .node }?.value == "n3")
    #expect(!found.contains { $0.aspect == .callerVersion })
  }
}
