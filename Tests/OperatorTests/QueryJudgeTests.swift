import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator
@testable import TrafficRouting

@Suite("Judging a team's own queries") struct QueryJudgeTests {
  private let now = Date(timeIntervalSince1970: 1_000_000)
  private let traffic = TrafficTarget(weight: Weight(20) ?? .none)

  private func setting(_ plan: Plan, label: String? = "namespace") -> QuerySetting {
    QuerySetting(
      plan: plan, scope: scope(plan), hashes: [.stable: "s1", .canary: "abc"], step: 0, namespaceLabel: label)
  }

  private func scope(_ plan: Plan) -> MetricsScope {
    MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
  }

  private let conversion = SLOSpec(
    name: "conversion", query: "sum(rate(orders_total{pod=~\"$(pods)\"}[$(window)]))",
    compare: CompareSpec(ratio: BoundsSpec(min: "0.95")))

  @Test("both tracks are asked, each for its own pods, in the Rollout's namespace, since the verification")
  func questions() throws {
    let plan = try OperatorTests.plan(slos: [conversion])
    let judge = QueryJudge(plan.analysis)
    let early = judge.round(
      setting(plan), now: now + 5, traffic: traffic, writtenAt: now, verifiedAt: now)
    #expect(early == nil, "no window lies wholly after the verification yet")
    let round = try #require(
      judge.round(setting(plan), now: now + 42.5, traffic: traffic, writtenAt: now, verifiedAt: now))
    #expect(
      round.texts[QueryQuestion(slo: "conversion", track: .canary)]
        == "sum(rate(orders_total{pod=~\"web-abc-[a-z0-9]{5}\",namespace=\"shop\"}[42s]))")
    #expect(round.texts[QueryQuestion(slo: "conversion", track: .stable)]?.contains("web-s1-[a-z0-9]{5}") == true)
    let late = judge.round(setting(plan), now: now + 9999, traffic: traffic, writtenAt: now, verifiedAt: now)
    #expect(late?.window == .seconds(120), "the step's analysis is shorter")
    let free = judge.round(setting(plan, label: nil), now: now + 60, traffic: traffic, writtenAt: now, verifiedAt: now)
    #expect(free?.texts.values.allSatisfy { !$0.contains("namespace") } == true)
  }

  @Test("before any traffic a comparison needs a value of stable, and says which query has none")
  func baseline() throws {
    let plan = try OperatorTests.plan(slos: [conversion])
    var judge = QueryJudge(plan.analysis)
    #expect(judge.baseline == .missing("the query of conversion has not been asked yet"))
    let round = try #require(
      judge.round(setting(plan), now: now, traffic: .stableOnly, writtenAt: nil, verifiedAt: nil))
    #expect(Set(round.texts.keys) == [QueryQuestion(slo: "conversion", track: .stable)])
    judge.record([QueryQuestion(slo: "conversion", track: .stable): .missing], of: round)
    #expect(
      judge.baseline
        == .missing("the query of conversion, asked for the stable track: the query returned no series"))
    judge.record([QueryQuestion(slo: "conversion", track: .stable): .value(3)], of: round)
    #expect(judge.baseline == .present)
  }

  @Test("sums of rates are compared per request, so that a smaller weight is no worse conversion")
  func perRequest() throws {
    let plan = try OperatorTests.plan(slos: [conversion])
    var judge = QueryJudge(plan.analysis)
    let keys = Track.allCases.map { MetricsKey(track: $0, process: "") }
    judge.count(.value([keys[0]: 8000, keys[1]: 2000]), since: now)
    for look in 1...3 {
      let round = try #require(
        judge.round(
          setting(plan), now: now + Double(look) * 30, traffic: traffic, writtenAt: now, verifiedAt: now))
      judge.record(
        [
          QueryQuestion(slo: "conversion", track: .canary): .value(0.2),
          QueryQuestion(slo: "conversion", track: .stable): .value(0.8),
        ], of: round)
    }
    let report = try #require(judge.reports.first)
    #expect(report.verdict == .pass)
    #expect(report.judgement?.evidence.values?.ratio == 1)
    #expect(report.judgement?.evidence.queries.count == 2)
    let record = CheckRecord(report, now: now)
    #expect(record.evidence?.canary == EvidenceRecord.Track(value: "0.2"))
    #expect(record.evidence?.wanted == "canary ÷ stable at least 0.95")
    #expect(record.evidence?.risk == nil)
  }

  @Test("new traffic begins the count of looks anew, and a dry run says that it is one")
  func newTraffic() throws {
    let queue = SLOSpec(name: "queue", mode: .dryRun, query: "max(queue)", value: BoundsSpec(max: "5"))
    let errors = SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))
    let plan = try OperatorTests.plan(slos: [errors, queue])
    var judge = QueryJudge(plan.analysis)
    func look(_ seconds: Double, since verified: Date) throws {
      judge.count(.value([MetricsKey(track: .canary, process: ""): 1000]), since: verified)
      let round = try #require(
        judge.round(
          setting(plan), now: verified + seconds, traffic: traffic, writtenAt: verified, verifiedAt: verified))
      judge.record([QueryQuestion(slo: "queue", track: .canary): .value(1)], of: round)
    }
    for second in [30.0, 40, 50] { try look(second, since: now) }
    #expect(judge.reports.first?.verdict == .pass)
    #expect(judge.reports.first?.isDryRun == true)
    try look(30, since: now + 100)
    #expect(judge.reports.first?.verdict == .insufficient)
  }

  @Test("with too few requests a value decides nothing, neither for nor against")
  func tooFew() throws {
    let plan = try plan(slos: [SLOSpec(name: "queue", query: "max(queue)", value: BoundsSpec(max: "5"))])
    var judge = QueryJudge(plan.analysis)
    judge.count(.value([MetricsKey(track: .canary, process: ""): 49]), since: now)
    for second in [30.0, 40, 50, 60] {
      let round = try #require(
        judge.round(setting(plan), now: now + second, traffic: traffic, writtenAt: now, verifiedAt: now))
      judge.record([QueryQuestion(slo: "queue", track: .canary): .value(second)], of: round)
    }
    #expect(judge.reports.first?.judgement?.finding == .tooFewRequests)
    #expect(judge.reports.first?.message.contains("49 of the 50 requests") == true)
  }

  @Test("only one number counts as an answer")
  func answers() {
    let sample = Sample(time: now, value: 2)
    let series = InstantSample(labels: [:], sample: sample)
    #expect(Judge.value(.scalar(sample)) == .value(2))
    #expect(Judge.value(.vector([series])) == .value(2))
    #expect(Judge.value(.vector([])) == .missing)
    #expect(Judge.value(.vector([series, series])) == .severalSeries(2))
    #expect(Judge.value(.scalar(Sample(time: now, value: .nan))) == .notANumber)
    #expect(Judge.value(.scalar(Sample(time: now, value: .infinity))) == .notANumber)
    #expect(Judge.value(.matrix([])).problem?.contains("a matrix instead of a number") == true)
  }
}
