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

    init(_ slo: SLOSpec, bake: String? = nil) throws {
      var spec = spec(slos: [slo])
      spec.bake = bake.map { BakeSpec(for: $0) }
      plan = try Plan(Rollout(metadata: rollout().metadata, spec: spec))
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

    /// The canary's, which share the quick answers equally; so many of them do the slow ones.
    var pods = ["web-abc-bbbbb"]
    var slowPods = 1

    private func buckets(_ track: Track) -> [MetricSeries] {
      guard let fast = fast[track], let slow = slow[track] else { return [] }
      guard track == .canary else { return buckets("web-s1-aaaaa", fast, slow) }
      let part = fast / Double(pods.count)
      return pods.enumerated().flatMap { buckets($1, part, $0 < slowPods ? slow / Double(slowPods) : 0) }
    }

    private func buckets(_ pod: String, _ fast: Double, _ slow: Double) -> [MetricSeries] {
      let labels = ["job": "web", "instance": "i", "pod": pod]
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

    mutating func begin(weight: Int = 50) {
      traffic = TrafficTarget(weight: Weight(weight) ?? .none)
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

  @Test(
    "once it has all traffic a canary is judged by what stable's histogram said before", arguments: [nil, 3] as [Int?])
  func bake(schema: Int?) throws {
    for bake in ["10m", nil] {
      var shop = try Shop(Self.slo(), bake: bake)
      shop.schema = schema
      for _ in 0..<3 { shop.look([.stable: (1000, 1)]) }
      shop.begin()
      for _ in 0..<41 { shop.look([.stable: (1000, 1), .canary: (1000, 1)]) }
      #expect(shop.report?.verdict == .pass)
      shop.begin(weight: 100)
      // 8 in a thousand keep the limit of 1 %, and are beyond stable's 1 and what is tolerated.
      for _ in 0..<21 { shop.look([.canary: (1000, 8)]) }
      #expect(Set(shop.asked.keys.map(\.track)) == [.canary])
      let report = try #require(shop.report)
      guard bake != nil else {
        #expect(report.verdict != .fail, "\(report.message)")
        continue
      }
      #expect(report.verdict == .fail && report.judgement?.finding == .worseThanStable, "\(report.message)")
      // The first look with a canary is what the others are counted from.
      #expect(report.message.contains("since then 168 of 21000 were slower than "), "\(report.message)")
      #expect(report.message.contains("by stable's rate before (40 of 40000)"), "\(report.message)")
    }
  }

  @Test("one pod of the canary's that is slow alone is named, and the revision is not blamed")
  func onePod() throws {
    var shop = try Shop(Self.slo())
    shop.pods = ["web-abc-bbbbb", "web-abc-ccccc"]
    for _ in 0..<3 { shop.look([.stable: (10_000, 10)]) }
    shop.begin()
    for _ in 0..<20 { shop.look([.stable: (10_000, 10), .canary: (1000, 30)]) }
    let report = try #require(shop.report)
    #expect(report.judgement?.finding == .onePod, "\(report.message)")
    #expect(
      report.message.contains("100 % of the canary's bad requests come from pod web-abc-bbbbb"), "\(report.message)")
  }

  @Test(
    "where answers are slower as a whole, one pod that is so alone is named and held, and a slow revision is blamed")
  func onePodAsAWhole() throws {
    func report(slowPods: Int) throws -> CheckReport {
      let slo = SLOSpec(
        name: "p50", latency: LatencySpec(quantile: "50", max: "500ms", metric: Self.seconds),
        compare: CompareSpec(margin: "50%", distribution: DistributionSpec(margin: "5%")))
      var shop = try Shop(slo)
      shop.pods = ["web-abc-bbbbb", "web-abc-ccccc"]
      shop.slowPods = slowPods
      for _ in 0..<12 { shop.look([.stable: (1000, 100)]) }
      shop.begin()
      for _ in 0..<20 { shop.look([.stable: (1000, 100), .canary: (1000, 300)]) }
      return try #require(shop.report)
    }
    // Of one pod 300 of 650 answers a look are slow, of the other none of 350, and of stable's a tenth.
    let one = try report(slowPods: 1)
    #expect(one.judgement?.finding == .onePod && one.verdict == .insufficient, "\(one.message)")
    #expect(one.judgement?.evidence.distribution?.pods == ["web-abc-bbbbb"])
    #expect(
      one.message.contains(
        "the canary's slower answers come from pod web-abc-bbbbb: 46.2 % of its answers took more than 100 ms, 0 % of "
          + "those of the other canary pod, which is like stable; the revision is not blamed"), "\(one.message)")
    #expect(EvidenceRecord(try #require(one.judgement?.evidence)).distribution?.pods == ["web-abc-bbbbb"])
    let both = try report(slowPods: 2)
    #expect(both.judgement?.finding == .slowerThanStable && both.verdict == .fail, "\(both.message)")
    #expect(both.judgement?.evidence.distribution?.pods == [])
  }

  @Test("histograms with custom boundaries are refused, with what to change")
  func customBoundaries() {
    let keys = [MetricsKey(track: .stable, process: "a", bucket: "+Inf", isNative: true)]
    #expect(NativeBuckets.hasCustomBoundaries(keys))
    #expect(!NativeBuckets.hasCustomBoundaries([MetricsKey(track: .stable, process: "a", bucket: "+Inf")]))
  }

  @Test("a judge that reads the past again, bake and all, has the evidence of the one that saw it")
  func restart() async throws {
    let shop = try Shop(Self.slo(), bake: "10m")
    let plan = shop.plan
    let start = shop.start
    let run = JudgedRun(
      name: "web-1", plan: plan, scope: shop.judge.scope, metrics: nil,
      queries: QuerySetting(plan: plan, scope: shop.judge.scope, hashes: [:], step: 0, namespaceLabel: nil),
      traffic: .allToCanary)
    // 100 answers a second of each track, of which one in five hundred is slow, and from 800 s on one in a hundred of the
    // canary's.
    @Sendable func answer(_ text: String, at time: Date) -> [MetricSeries] {
      let seconds = time.timeIntervalSince(start)
      let isCanary = text.contains("web-abc")
      let all = seconds * 100
      let slow = (seconds / 5).rounded(.down) + (isCanary ? max(0, seconds - 800).rounded(.down) : 0)
      let labels = ["job": "web", "instance": "i", "pod": isCanary ? "web-abc-bbbbb" : "web-s1-aaaaa"]
      return [("0.5", all - slow), ("1", all), ("+Inf", all)].map {
        MetricSeries(labels: labels.merging(["le": $0.0]) { $1 }, value: $0.1)
      }
    }
    let spans = [
      TrafficSpan(traffic: TrafficTarget(weight: Weight(50) ?? .none), from: start + 100, until: start + 700),
      TrafficSpan(traffic: .allToCanary, from: start + 750, until: start + 1000),
    ]
    var live = RunJudge(plan: plan, scope: run.scope, metrics: nil)
    for span in spans {
      for now in stride(from: span.from, through: span.until, by: 10) {
        live.record(LookAnswers(), at: now, traffic: span.traffic, writtenAt: span.from, verifiedAt: span.from)
        let round = try #require(
          live.round(run.queries, now: now, traffic: span.traffic, writtenAt: span.from, verifiedAt: span.from))
        live.record([:], series: round.texts.mapValues { .series(answer($0, at: now)) }, of: round)
      }
    }
    let again = try await PastLooks.judge(run, spans) { text, times, step in
      var values: PastLooks.Values = [:]
      for time in stride(from: times.lowerBound, through: times.upperBound, by: step / .seconds(1)) {
        values[PastLooks.milliseconds(time)] = answer(text, at: time)
      }
      return values
    }
    let (before, after) = (live.latest.checks.first, again.latest.checks.first)
    #expect(before?.message.contains("by stable's rate before (120 of 60000)") == true, "\(before?.message ?? "")")
    #expect(before?.verdict == .fail)
    #expect(after?.message == before?.message)
    #expect(after?.judgement?.evidence.comparisonEValue == before?.judgement?.evidence.comparisonEValue)
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
