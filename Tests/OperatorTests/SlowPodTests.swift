import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("A slow pod by a mesh's metrics") struct SlowPodTests {
  /// The judgement of 40 looks, by pod how many of 250 answers took 50 to 100 ms; stable's 1000 are so in 300 cases.
  private static func judged(_ canary: [String: Double]) throws -> CheckReport {
    let plan = try plan(slos: [
      SLOSpec(
        name: "p99", latency: LatencySpec(quantile: "99", max: "400ms"),
        compare: CompareSpec(distribution: DistributionSpec(margin: "5%")))
    ])
    var judge = RunJudge(
      plan: plan,
      scope: MetricsScope(
        namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc"),
      metrics: IstioMetrics())
    let start = Date(timeIntervalSince1970: 1_000_000)
    func series(_ labels: [String: String], _ all: Double, slow: Double, _ kind: LookAnswers.Question.Kind)
      -> [MetricSeries]
    {
      let counts =
        kind == .requests
        ? [("response_code", "200", all)]
        : [("le", "50", all - slow), ("le", "100", all), ("le", "400", all), ("le", "+Inf", all)]
      return counts.map { MetricSeries(labels: labels.merging([$0.0: $0.1]) { $1 }, value: $0.2) }
    }
    for look in 0...40 {
      let looks = Double(look)
      var answers = LookAnswers()
      for question in LookAnswers.Question.all(IstioMetrics()) {
        func caller(_ service: String, _ all: Double, _ slow: Double) -> [MetricSeries] {
          let labels = [
            "destination_service_namespace": "shop", "destination_service_name": service, "instance": "i",
          ]
          return series(labels, all * looks, slow: slow * looks, question.kind)
        }
        func callee(_ pod: String, _ all: Double, _ slow: Double) -> [MetricSeries] {
          let labels = ["destination_workload_namespace": "shop", "pod": pod, "instance": pod]
          return series(labels, all * looks, slow: slow * looks, question.kind)
        }
        let found =
          question.view == .caller
          ? caller("web-stable", 1000, 300)
            + caller("web-canary", Double(canary.count) * 250, canary.values.reduce(0, +))
          : callee("web-s1-aaaaa", 1000, 300) + canary.flatMap { callee($0.key, 250, $0.value) }
        answers.answers[question] = .series(found)
      }
      judge.record(
        answers, at: start + looks * 10, traffic: TrafficTarget(weight: Weight(50) ?? .none), writtenAt: start,
        verifiedAt: start,
        places: [PodPlace(pod: "web-abc-aaaaa", node: "n1"), PodPlace(pod: "web-abc-bbbbb", node: "n2")])
    }
    return try #require(judge.latest.checks.first)
  }

  @Test("callers see the answers slower as a whole, callees see whose: one pod holds the run, all of them fail it")
  func named() throws {
    let one = try Self.judged(["web-abc-aaaaa": 200, "web-abc-bbbbb": 75, "web-abc-ccccc": 75, "web-abc-ddddd": 75])
    #expect(one.judgement?.finding == .onePod && one.verdict == .insufficient, "\(one.message)")
    #expect(
      one.message.contains(
        "the canary's slower answers come from pod web-abc-aaaaa on node n1: 80 % of its answers took more than 50 ms, "
          + "30 % of those of the other 3 canary pods, which are like stable"), "\(one.message)")
    #expect(one.message.contains("callers' metrics"))
    let several = try Self.judged([
      "web-abc-aaaaa": 200, "web-abc-bbbbb": 190, "web-abc-ccccc": 75, "web-abc-ddddd": 75,
    ])
    #expect(several.judgement?.finding == .slowerThanStable && several.verdict == .fail, "\(several.message)")
    #expect(several.judgement?.evidence.distribution?.pods == ["web-abc-aaaaa", "web-abc-bbbbb"])
    let revision = try Self.judged(["web-abc-aaaaa": 110, "web-abc-bbbbb": 110, "web-abc-ccccc": 110])
    #expect(revision.judgement?.finding == .slowerThanStable, "\(revision.message)")
    #expect(revision.judgement?.evidence.distribution?.pods == [], "\(revision.message)")
  }
}
