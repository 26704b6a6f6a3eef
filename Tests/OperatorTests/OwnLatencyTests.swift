import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator
@testable import TrafficRouting

@Suite("Latency by a team's own histogram") struct OwnLatencyTests {
  static let seconds = "http_request_duration_seconds{pod=~\"$(pods)\"}"

  /// Both tracks' pods, whose application measures its own answers, asked once every ten seconds.
  private struct Shop {
    var judge: RunJudge
    let plan: Plan
    let start = Date(timeIntervalSince1970: 1_000_000)
    var time = 0.0
    var traffic = TrafficTarget.stableOnly
    var verified: Date?
    /// Answers of about 80 and of about 900 ms, by track.
    var fast: [Track: Double] = [:]
    var slow: [Track: Double] = [:]
    var schema: Int?
    var asked: [QueryQuestion: String] = [:]

    init(_ slo: SLOSpec) throws {
      plan = try OperatorTests.plan(slos: [slo])
      let scope = MetricsScope(
        namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
      // Without a mesh: nothing counts but the histogram.
      judge = RunJudge(plan: plan, scope: scope, metrics: nil)
    }

    /// - Parameter answers: what a track answered meanwhile, and how many of these slowly.
    mutating func look(_ answers: [Track: (all: Double, slow: Double)], failing: Bool = false) {
      time += 10
      for (track, (all, slow)) in answers {
        fast[track, default: 0] += all - slow
        self.slow[track, default: 0] += slow
      }
      let now = start + time
      let setting = QuerySetting(
        plan: plan, scope: judge.scope, hashes: [:], step: 0, namespaceLabel: "namespace")
      guard let round = judge.round(setting, now: now, traffic: traffic, writtenAt: verified, verifiedAt: verified)
      else {
        Issue.record("nothing is asked")
        return
      }
      asked = round.texts
      var series: [QueryQuestion: LookAnswers.Answer] = [:]
      for question in round.texts.keys {
        series[question] = failing ? .failed("timeout") : .series(buckets(question.track))
      }
      judge.record([:], series: series, of: round)
      judge.record(LookAnswers(), at: now, traffic: traffic, writtenAt: verified, verifiedAt: verified)
    }

    private func buckets(_ track: Track) -> [MetricSeries] {
      guard let fast = fast[track], let slow = slow[track] else { return [] }
      let labels = ["job": "web", "instance": "i", "pod": track == .stable ? "web-s1-aaaaa" : "web-abc-bbbbb"]
      guard let schema else {
        return [("0.1", fast), ("0.5", fast), ("1", fast + slow), ("+Inf", fast + slow)].map {
          MetricSeries(labels: labels.merging(["le": $0.0]) { $1 }, value: $0.1)
        }
      }
      let width = exp2(-Double(schema))
      let buckets = [(0.08, fast), (0.9, slow)].map { value, count in
        let end = (log2(value) / width).rounded(.up)
        return NativeHistogram.Bucket(
          rule: .openLeft, lower: exp2((end - 1) * width), upper: exp2(end * width), count: count)
      }
      return MetricSeries.series(
        labels, .nan, NativeHistogram(count: fast + slow, sum: 0, buckets: buckets.filter { $0.count > 0 }))
    }

    mutating func begin() {
      traffic = TrafficTarget(weight: Weight(50) ?? .none)
      verified = start + time
    }

    var report: CheckReport? { judge.latest.checks.first }
  }

  private static func slo(_ compare: CompareSpec? = nil, metric: String = seconds) -> SLOSpec {
    SLOSpec(
      name: "p99", latency: LatencySpec(quantile: "99", max: "500ms", metric: metric), compare: compare)
  }

  @Test("both tracks are asked for the buckets of their pods, classic or native, in the Rollout's namespace")
  func questions() throws {
    var shop = try Shop(Self.slo())
    shop.look([.stable: (1000, 1)])
    #expect(Set(shop.asked.keys.map(\.track)) == [.stable], "there is no canary yet")
    shop.begin()
    shop.look([.stable: (1000, 1)])
    let canary = try #require(shop.asked[QueryQuestion(slo: "p99", track: .canary, part: .buckets)])
    let matchers = "{pod=~\"web-abc-[a-z0-9]{5}\",namespace=\"shop\"}"
    #expect(
      canary == "sum by (le, job, instance, pod) (http_request_duration_seconds_bucket\(matchers)) or "
        + "sum by (job, instance, pod) (http_request_duration_seconds\(matchers))")
  }

  @Test(
    "a canary like stable passes and a slower one fails, from its verification on", arguments: [nil, 3, 0] as [Int?])
  func judged(schema: Int?) throws {
    for (slow, verdict) in [(1.0, Verdict.pass), (50, .fail)] {
      var shop = try Shop(Self.slo())
      shop.schema = schema
      for _ in 0..<3 { shop.look([.stable: (1000, 1)]) }
      #expect(shop.judge.latest.baseline == .present)
      // What the pods answered before any traffic, slowly as pods that start, is not counted.
      shop.fast[.canary] = 0
      shop.slow[.canary] = 500
      shop.begin()
      for _ in 0..<40 { shop.look([.stable: (1000, 1), .canary: (1000, slow)]) }
      let report = try #require(shop.report)
      #expect(report.verdict == verdict, "\(report.message)")
      let latency = try #require(report.judgement?.evidence.latency)
      #expect(latency.max == 500)
      // 39 looks: the first one is what the others are counted from.
      #expect(report.judgement?.evidence.canary.counts.requests == 39_000 || report.verdict == .fail)
      if verdict == .pass {
        #expect(latency.canaryInterval?.upper ?? 999 <= 128, "seconds are read as milliseconds: \(latency)")
      }
      #expect(report.judgement?.evidence.queries.count == 2)
    }
  }

  @Test("a look that failed is made good by the next one, and no series of stable is no baseline")
  func gaps() throws {
    var shop = try Shop(Self.slo())
    shop.look([:])
    guard case .missing(let text) = shop.judge.latest.baseline else {
      Issue.record("found \(shop.judge.latest.baseline)")
      return
    }
    #expect(text == "the histogram of p99, asked for the stable track: the query returned no series")
    shop.look([.stable: (1000, 1)])
    shop.begin()
    for _ in 0..<3 { shop.look([.stable: (1000, 1), .canary: (1000, 1)]) }
    let before = shop.report?.judgement?.evidence.canary.counts.requests
    shop.look([.stable: (1000, 1), .canary: (1000, 1)], failing: true)
    #expect(shop.report?.verdict == .unknown)
    shop.look([.stable: (1000, 1), .canary: (1000, 1)])
    #expect(shop.report?.judgement?.evidence.canary.counts.requests == (before ?? 0) + 2000)
  }

  @Test("its answers are compared as a whole too, where the plan says so")
  func distribution() throws {
    var shop = try Shop(Self.slo(CompareSpec(distribution: DistributionSpec())))
    shop.schema = 3
    for _ in 0..<12 { shop.look([.stable: (1000, 100)]) }
    shop.begin()
    // p99 is broken by both tracks; but a third of the canary's answers are slow, and a tenth of stable's.
    for _ in 0..<20 { shop.look([.stable: (1000, 100), .canary: (300, 100)]) }
    #expect(shop.report?.verdict == .fail)
    #expect(shop.report?.judgement?.evidence.distribution != nil)
  }

  @Test("histograms with custom boundaries are refused, with what to change")
  func customBoundaries() {
    let keys = [MetricsKey(track: .stable, process: "a", bucket: "+Inf", isNative: true)]
    #expect(NativeBuckets.hasCustomBoundaries(keys))
    #expect(!NativeBuckets.hasCustomBoundaries([MetricsKey(track: .stable, process: "a", bucket: "+Inf")]))
  }

  @Test("a plan with a histogram of its own is tried with invented answers")
  func simulated() throws {
    let plan = try OperatorTests.plan(slos: [Self.slo()])
    var model = TrafficModel(
      rate: 200, stable: .init(errors: 0.001, latency: 50), canary: .init(errors: 0.001, latency: 50))
    #expect(Rehearsal(plan, model: model, seed: 1).result().outcome == .promoted)
    model.canary.latency = 400
    let bad = Rehearsal(plan, model: model, seed: 1).result()
    #expect(bad.outcome == .aborted && bad.reason.hasPrefix("p99: requests slower than 500 ms"), "\(bad.reason)")
  }
}
