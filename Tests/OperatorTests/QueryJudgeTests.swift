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

  // MARK: - Events

  private let orders = SLOSpec(
    name: "orders", query: "sum(increase(orders_total{pod=~\"$(pods)\"}[$(window)]))", kind: .events,
    per: "sum(increase(carts_total{pod=~\"$(pods)\"}[$(window)]))", compare: CompareSpec(ratio: BoundsSpec(min: "0.8")))

  /// A judge and the counters that it reads, look after look.
  private struct Shop {
    var judge: QueryJudge
    let setting: QuerySetting
    let start: Date
    let traffic: TrafficTarget
    var now: Double = 0
    /// By pod, or `nil` for a series that is not there.
    var orders: [String: Double] = [:]
    var carts: [String: Double] = [:]
    var up: [String] = []
    var failsFor: Track?

    mutating func look() throws {
      now += 10
      let round = try #require(
        judge.round(
          setting, now: start + now, traffic: traffic, writtenAt: start, verifiedAt: start))
      var series: [QueryQuestion: LookAnswers.Answer] = [:]
      for (question, text) in round.texts {
        func found(_ values: [String: Double]) -> LookAnswers.Answer {
          if question.track == failsFor { return .failed("Prometheus is not available") }
          let prefix = text.contains("web-abc-") ? "web-abc" : "web-s1"
          return .series(
            values.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
              .map { MetricSeries(labels: ["pod": $0.key, "job": "shop"], value: $0.value) })
        }
        switch question.part {
        case .value, .buckets: Issue.record("neither a value nor a histogram is asked for")
        case .amount: series[question] = found(orders)
        case .per: series[question] = found(carts)
        case .presence: series[question] = found(Dictionary(uniqueKeysWithValues: up.map { ($0, 1) }))
        }
      }
      judge.record([:], series: series, of: round)
    }

    var amounts: (canary: Evidence.Amount?, stable: Evidence.Amount?) {
      let values = judge.reports.first?.judgement?.evidence.values
      return (values?.canaryAmount, values?.stableAmount)
    }
  }

  private func shop() throws -> Shop {
    let plan = try OperatorTests.plan(slos: [orders])
    return Shop(judge: QueryJudge(plan.analysis), setting: setting(plan), start: now, traffic: traffic)
  }

  @Test("each event counts once, from the first look after the verification on, also when a process starts anew")
  func eventsOnce() throws {
    var shop = try shop()
    shop.orders = ["web-s1-aaaaa": 1000, "web-abc-ccccc": 50]
    shop.carts = ["web-s1-aaaaa": 9000, "web-abc-ccccc": 400]
    try shop.look()
    #expect(shop.judge.reports.first?.verdict == .unknown, "the first look is what others are counted from")
    shop.orders = ["web-s1-aaaaa": 1100, "web-abc-ccccc": 60]
    shop.carts = ["web-s1-aaaaa": 10_000, "web-abc-ccccc": 500]
    try shop.look()
    #expect(shop.amounts.canary?.amount == 10 && shop.amounts.canary?.per == 100)
    #expect(shop.amounts.stable?.amount == 100 && shop.amounts.stable?.per == 1000)
    // The canary's process was restarted, and another of its pods appears: both began at zero.
    shop.orders = ["web-s1-aaaaa": 1200, "web-abc-ccccc": 3, "web-abc-ddddd": 7]
    shop.carts = ["web-s1-aaaaa": 11_000, "web-abc-ccccc": 30, "web-abc-ddddd": 70]
    try shop.look()
    #expect(shop.amounts.canary?.amount == 20 && shop.amounts.canary?.per == 200)
    // A pod of stable that was not seen before may be old: what it has counted until then is not of this run.
    shop.orders["web-s1-bbbbb"] = 5000
    shop.carts["web-s1-bbbbb"] = 50_000
    try shop.look()
    #expect(shop.amounts.stable?.amount == 200 && shop.amounts.stable?.per == 2000)
  }

  @Test("what one track's failed answer leaves out is made up for by the next one, on both tracks")
  func eventsAcrossGaps() throws {
    var shop = try shop()
    shop.orders = ["web-s1-aaaaa": 0, "web-abc-ccccc": 0]
    shop.carts = shop.orders
    try shop.look()
    for look in 1...3 {
      shop.orders = ["web-s1-aaaaa": Double(look) * 20, "web-abc-ccccc": Double(look) * 2]
      shop.carts = ["web-s1-aaaaa": Double(look) * 200, "web-abc-ccccc": Double(look) * 20]
      shop.failsFor = look == 2 ? .stable : nil
      try shop.look()
      if look == 2 {
        #expect(shop.judge.reports.first?.verdict == .unknown)
        #expect(shop.judge.reports.first?.message.contains("stable: the source of metrics failed") == true)
        #expect(shop.amounts.canary?.amount == 2, "the canary alone says nothing")
      }
    }
    #expect(shop.amounts.canary?.amount == 6 && shop.amounts.stable?.amount == 60)
  }

  @Test("a canary that is scraped and has no series of events has had none; one that is not scraped is unknown")
  func noSeries() throws {
    var shop = try shop()
    shop.orders = ["web-s1-aaaaa": 1000]
    shop.carts = ["web-s1-aaaaa": 5000, "web-abc-ccccc": 0]
    try shop.look()
    try shop.look()
    #expect(shop.judge.reports.first?.verdict == .unknown)
    #expect(shop.judge.reports.first?.message.contains("canary: the query returned no series") == true)
    shop.up = ["web-abc-ccccc"]
    for _ in 0..<40 {
      shop.orders["web-s1-aaaaa", default: 0] += 100
      shop.carts["web-s1-aaaaa", default: 0] += 500
      shop.carts["web-abc-ccccc", default: 0] += 50
      try shop.look()
    }
    let report = try #require(shop.judge.reports.first)
    #expect(report.verdict == .fail, "\(report.message)")
    #expect(report.judgement?.finding == .worseThanStable)
    #expect(shop.amounts.canary?.amount == 0)
    let record = CheckRecord(report, now: now)
    #expect(record.evidence?.risk == "0.001" && record.evidence?.budget == "0.001")
    #expect(record.evidence?.canary?.amount == "0" && record.evidence?.canary?.requests == "1950")
  }

  @Test("before any traffic the counters of stable must have series")
  func eventsBaseline() throws {
    let plan = try plan(slos: [orders])
    var judge = QueryJudge(plan.analysis)
    let round = try #require(
      judge.round(setting(plan), now: now, traffic: .stableOnly, writtenAt: nil, verifiedAt: nil))
    #expect(round.texts.keys.allSatisfy { $0.track == .stable })
    judge.record([:], series: round.texts.mapValues { _ in .series([]) }, of: round)
    #expect(
      judge.baseline == .missing("the query of orders, asked for the stable track: the query returned no series"))
    let series = MetricSeries(labels: ["pod": "web-s1-aaaaa"], value: 3)
    judge.record([:], series: round.texts.mapValues { _ in .series([series]) }, of: round)
    #expect(judge.baseline == .present)
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
