@testable import CanaryAnalysis
import Foundation
import KubernetesAPI
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

/// A run with two pods of each track, looked at every ten seconds.
private struct Guarded {
  var judge: GuardJudge
  var now = Date(timeIntervalSince1970: 1_800_000_000)
  var pods: [PodFacts]
  var traffic = TrafficTarget(weight: Weight(50) ?? .none)
  /// By track: CPU of a second and of memory what a pod adds in one.
  var cpu: [Track: Double] = [.stable: 0.1, .canary: 0.1]
  var growth: [Track: Double] = [:]
  var collection: [Track: Double] = [.stable: 0.01, .canary: 0.01]
  var throttled: [Track: Double] = [:]
  /// Requests per look, and of these with another code than 200.
  var requests: [Track: Double] = [.stable: 500, .canary: 500]
  var codes: [Track: [String: Double]] = [:]
  /// Bytes with which a pod begins.
  var memory: [Track: Double] = [:]
  /// The share of its requests that one endpoint of many fails, which gets 20 in a look.
  var failing: [Track: Double] = [:]
  /// Per look, of the canary.
  var failedConnections = 0.0
  var exports = true

  private var containers: [String: [String: Double]] = [:]
  private var answers: [AnswerKey: Double] = [:]
  private var looks = 0

  init(risk: Double = 0.01) throws {
    let plan = try plan()
    judge = GuardJudge(
      scope: MetricsScope(
        namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc"),
      risk: risk)
    pods = ["web-s1-aaaaa", "web-s1-bbbbb", "web-abc-ccccc", "web-abc-ddddd"].map {
      PodFacts(name: $0, track: $0.hasPrefix("web-s1") ? .stable : .canary)
    }
    for index in pods.indices {
      pods[index].node = "n\(index)"
      pods[index].startedAt = now.addingTimeInterval(pods[index].track == .stable ? -86_400 : -10)
      pods[index].memoryLimit = 512 * 1024 * 1024
    }
  }

  mutating func look(times: Int = 1) {
    for _ in 0..<times {
      now += 10
      looks += 1
      for pod in pods {
        var own = containers[pod.name] ?? [ContainerMetrics.memory: memory[pod.track] ?? 100 * 1024 * 1024]
        func grow(_ name: String, _ perSecond: Double) { own[name, default: 0] += perSecond * 10 }
        grow(ContainerMetrics.cpu, cpu[pod.track] ?? 0)
        grow(ContainerMetrics.periods, 10)
        grow(ContainerMetrics.throttled, 10 * (throttled[pod.track] ?? 0))
        grow("go_gc_duration_seconds_sum", collection[pod.track] ?? 0)
        // It breathes by a few bytes.
        own[ContainerMetrics.memory, default: 0] += (growth[pod.track] ?? 0) * 10 + (looks.isMultiple(of: 2) ? 7 : -7)
        containers[pod.name] = own
      }
      for track in Track.allCases {
        let all = requests[track] ?? 0
        let other = codes[track] ?? [:]
        for (code, share) in other { count(track, code, all * share) }
        count(track, "200", all * (1 - other.values.reduce(0, +)))
        if let share = failing[track] {
          count(track, "503", 20 * share, of: "/pay")
          count(track, "200", 20 * (1 - share), of: "/pay")
        }
      }
      if failedConnections > 0 {
        answers[
          AnswerKey(track: .canary, process: "caller", isRequest: false, labels: [.flags: "cx_connect_fail"]),
          default: 0] += failedConnections
      }
      judge.record(
        GuardLook(containers: exports ? containers : [:], answers: answers), pods: pods, traffic: traffic, at: now,
        isCounted: looks > 1)
    }
  }

  private mutating func count(_ track: Track, _ code: String, _ value: Double, of endpoint: String = "/") {
    let labels = failing.isEmpty ? [AnswerLabel.code: code] : [.code: code, .endpoint: endpoint]
    answers[
      AnswerKey(track: track, process: "caller", isError: code.hasPrefix("5"), labels: labels), default: 0] += value
  }

  func report(_ kind: GuardKind) -> GuardReport? { judge.reports().first { $0.name == kind.rawValue } }
  var anomalies: [String] { judge.reports().filter { $0.finding == .anomaly }.map(\.name) }
}

@Suite("Guards of a run")
struct GuardJudgeTests {
  @Test("a good canary raises no alarm, and every guard with metrics is active")
  func good() throws {
    var run = try Guarded()
    run.look(times: 200)
    #expect(run.anomalies == [])
    let inactive = run.judge.reports().filter { $0.finding == .inactive }.map(\.name)
    // The mesh labels no endpoint, and there is no past.
    #expect(inactive == ["endpoints", "request-volume"])
  }

  @Test("without metrics the guards are inactive and nothing fails; the API server's restarts remain")
  func absent() throws {
    var run = try Guarded()
    run.exports = false
    run.requests = [:]
    run.look(times: 60)
    #expect(run.anomalies == [])
    #expect(
      run.judge.reports().filter { $0.finding != .inactive }.map(\.name) == ["restarts", "out-of-memory"])
    run = try Guarded()
    run.exports = false
    run.pods = []
    run.look(times: 60)
    #expect(run.judge.reports().filter { [.anomaly, .unusualService].contains($0.finding) }.isEmpty)
  }

  @Test("a leak is found within ten minutes, with the time until the limit")
  func leak() throws {
    var run = try Guarded()
    run.growth[.canary] = 100_000
    run.look(times: 60)
    #expect(run.anomalies == ["memory-growth"])
    let message = try #require(run.report(.memoryGrowth)?.message)
    #expect(message.contains("grows by 5.72 MiB a minute"))
    #expect(message.contains("its limit of 512 MiB is reached in 1h"))
  }

  @Test("growth of both tracks is the service's, and no leak of the canary")
  func sharedGrowth() throws {
    var run = try Guarded()
    run.growth = [.canary: 100_000, .stable: 100_000]
    run.look(times: 120)
    #expect(run.anomalies == [])
  }

  @Test("a restart storm is found by the API server's word alone, and the pod that makes most of it is named")
  func restarts() throws {
    var run = try Guarded()
    run.exports = false
    run.look(times: 6)
    for restart in 1...6 {
      run.pods[2].restarts = restart
      run.look(times: 2)
    }
    #expect(run.anomalies == ["restarts"])
    let report = try #require(run.report(.restarts))
    #expect(report.message.contains("canary 6 in"))
    #expect(report.notes.contains { $0.contains("6 of 6 are of pod web-abc-ccccc on node n2") })
  }

  @Test("kills for want of memory are told from other restarts")
  func outOfMemory() throws {
    var run = try Guarded()
    run.look(times: 3)
    for restart in 1...6 {
      run.pods[3].restarts = restart
      run.pods[3].wasKilledForMemory = true
      run.look(times: 2)
    }
    #expect(run.anomalies == ["restarts", "out-of-memory"])
  }

  @Test("restarts of both tracks are not the canary's")
  func bothRestart() throws {
    var run = try Guarded()
    for index in run.pods.indices { run.pods[index].startedAt = run.now }
    run.look(times: 3)
    for restart in 1...8 {
      for index in run.pods.indices { run.pods[index].restarts = restart }
      run.look(times: 3)
    }
    #expect(run.anomalies == [])
  }

  @Test("twice the CPU is found; less than what is tolerated, and what is usual at this hour, are not")
  func cpu() throws {
    var run = try Guarded()
    run.cpu[.canary] = 0.22
    run.look(times: 46)
    #expect(run.anomalies == ["cpu"])
    #expect(run.report(.cpu)?.message == "CPU of a pod: canary 220m, stable 100m")
    run = try Guarded()
    run.cpu[.canary] = 0.13
    run.look(times: 200)
    #expect(run.anomalies == [])
    run = try Guarded()
    run.cpu[.canary] = 0.22
    run.judge.usual.cpu = PastLevel([0.2, 0.21, 0.19])
    run.look(times: 200)
    #expect(run.anomalies == [])
  }

  // By hand, of a pod of stable that takes one core: a quarter more and 0.02 cores are tolerated, that is up to 1.27. Of one
  // that takes 0.1 it is 0.145, and of one that idles at 0.02 it is 0.045.
  @Test(
    "a quarter more CPU and a fiftieth of a core are tolerated, and not more",
    arguments: [
      (1, 1.2, false), (1, 1.26, false), (1, 1.28, true), (1, 1.6, true), (0.1, 0.12, false), (0.1, 0.16, true),
      (0.02, 0.04, false), (0.02, 0.05, true),
    ])
  func cpuTolerance(stable: Double, canary: Double, isFound: Bool) throws {
    var run = try Guarded()
    run.cpu = [.stable: stable, .canary: canary]
    run.look(times: 120)
    #expect(run.anomalies == (isFound ? ["cpu"] : []))
  }

  // By hand: a pod takes 0.06 cores without requests and 0.0056 for each a second: 0.13 for 12.5 of them, 0.2 for 25. A
  // canary pod with 25 would be allowed 1.25 × 0.26 + 0.02 = 0.345 in proportion, and 1.25 × 0.2 + 0.02 = 0.27 by the line.
  @Test("CPU that a process takes without requests is no excuse for one that gets more of them")
  func cpuLine() throws {
    let now = PodLoad(requests: 12.5, cpu: 0.13)
    let before = PodLoad(requests: 25, cpu: 0.2)
    func isClose(_ left: Double, _ right: Double) -> Bool { abs(left - right) < 1e-12 }
    #expect(isClose(now.cpu(for: 25, earlier: before), 0.2))
    #expect(isClose(now.cpu(for: 25, earlier: nil), 0.26))
    #expect(isClose(now.cpu(for: 10, earlier: before), 0.13), "one that gets fewer is allowed no less")
    #expect(isClose(now.cpu(for: 25, earlier: PodLoad(requests: 14, cpu: 0.2)), 0.26), "too near to draw a line")
    #expect(isClose(now.cpu(for: 25, earlier: PodLoad(requests: 25, cpu: 0.1)), 0.13), "more requests take no less")
    #expect(isClose(now.cpu(for: 25, earlier: PodLoad(requests: 25, cpu: 0.4)), 0.26), "nor more than in proportion")
    for (earlier, canary, found) in [(before, 0.3, ["cpu"]), (before, 0.25, []), (nil, 0.3, [])] {
      var run = try Guarded()
      run.judge.usual.before = earlier
      run.requests = [.stable: 250, .canary: 500]
      run.traffic = TrafficTarget(weight: Weight(67) ?? .none)
      run.cpu = [.stable: 0.13, .canary: canary]
      run.look(times: 120)
      #expect(run.anomalies == found, "\(canary) after \(String(describing: earlier))")
    }
  }

  @Test("a canary that needs half more memory and 16 MiB is found, and one that needs less than that is not")
  func memory() throws {
    var run = try Guarded()
    run.memory[.canary] = 170 * 1024 * 1024
    run.look(times: 60)
    #expect(run.anomalies == ["memory"])
    #expect(run.report(.memory)?.message == "memory of a pod: canary 170 MiB, stable 100 MiB")
    run = try Guarded()
    run.memory[.canary] = 162 * 1024 * 1024
    run.look(times: 120)
    #expect(run.anomalies == [])
  }

  @Test("errors of one endpoint that the whole hides are found, and the endpoint is named")
  func endpoint() throws {
    var run = try Guarded()
    run.failing = [.stable: 0.005, .canary: 0.2]
    run.look(times: 30)
    // 4 more bad requests in 520.
    #expect(run.anomalies == ["endpoints"])
    #expect(run.report(.endpoints)?.message.hasPrefix("errors of /pay: canary 20 %") == true)
    run = try Guarded()
    run.failing = [.stable: 0.05, .canary: 0.05]
    run.look(times: 120)
    #expect(run.anomalies == [])
  }

  @Test("a canary pod that gets more requests than a stable one may use more CPU")
  func load() throws {
    var run = try Guarded()
    run.requests = [.stable: 500, .canary: 1500]
    run.cpu[.canary] = 0.3
    run.look(times: 200)
    #expect(!run.anomalies.contains("cpu"))
  }

  @Test("pods of stable that idle, since the canary has all requests, are no measure of the canary's")
  func idle() throws {
    var run = try Guarded()
    run.look(times: 20)
    run.traffic = .allToCanary
    run.requests = [.stable: 0, .canary: 1000]
    run.cpu = [.stable: 0.01, .canary: 0.2]
    run.throttled[.canary] = 0.2
    run.collection = [.stable: 0, .canary: 0.05]
    run.look(times: 200)
    #expect(run.anomalies == [])
  }

  @Test("time in garbage collection and throttling are found")
  func saturation() throws {
    var run = try Guarded()
    run.collection[.canary] = 0.2
    run.throttled[.canary] = 0.4
    run.look(times: 50)
    #expect(run.anomalies == ["throttling", "garbage-collection"])
  }

  @Test("answers that no error rate counts are found, by their code")
  func notFound() throws {
    var run = try Guarded()
    run.codes = [.canary: ["404": 0.05], .stable: ["404": 0.001, "429": 0.01]]
    run.look(times: 20)
    #expect(run.anomalies == ["response-codes"])
    #expect(run.report(.responseCodes)?.message.hasPrefix("answers with code 404: canary 5 %") == true)
  }

  @Test("connections that fail beside the requests are found, and are no requests")
  func connections() throws {
    var run = try Guarded()
    run.failedConnections = 20
    run.look(times: 20)
    #expect(run.anomalies == ["connections"])
    #expect(
      run.report(.connections)?.message.hasPrefix(
        "connections that failed with cx_connect_fail: canary 4 % (380 of 9500), stable 0 %") == true)
    #expect(run.report(.requestShare)?.message.hasPrefix("50 % of the requests") == true)
  }

  @Test("requests that stay away from the canary are found")
  func share() throws {
    var run = try Guarded()
    run.requests = [.stable: 700, .canary: 300]
    run.look(times: 10)
    #expect(run.anomalies.contains("request-share"))
    #expect(run.report(.requestShare)?.message == "30 % of the requests reach the canary, whose weight is 50%")
  }

  @Test("a service with half of its usual requests is unusual, and the canary is not blamed")
  func volume() throws {
    var run = try Guarded()
    run.judge.usual.requests = PastLevel([290, 300, 310, 305])
    run.look(times: 60)
    #expect(run.anomalies == [])
    #expect(run.report(.requestVolume)?.finding == .unusualService)
    #expect(!run.judge.findsAnomaly)
    #expect(
      run.report(.requestVolume)?.message
        == "the service gets 100 requests a second; at this hour 303 are usual")
  }
}

@Suite("One bad pod in the judgement of an objective")
struct AttributionTests {
  private static let places = [PodPlace(pod: "c1", node: "n1"), PodPlace(pod: "c2", node: "n2")]

  private static func judged(
    canary: [String: (Double, Double)], stable: [String: (Double, Double)], weight: Double = 1, looks: Int = 20,
    finding: Judgement.Finding = .limitBroken
  ) -> Judgement {
    var attribution = Attribution(limit: 0.01, risk: 0.0005, unhiddenRisk: 0.00001)
    func counts(_ pair: (Double, Double)) -> Counts { Counts(requests: pair.0, bad: pair.1) ?? .zero }
    let bad = canary.values.reduce(Counts.zero) { $0 + counts($1) }
    let base = stable.values.reduce(Counts.zero) { $0 + counts($1) }
    for _ in 0..<looks {
      attribution.record(
        pods: Dictionary(
          uniqueKeysWithValues: canary.map { ($0, (Track.canary, counts($1))) }
            + stable.map { ($0, (Track.stable, counts($1))) }),
        service: bad + base, writtenAt: Date(timeIntervalSince1970: 0), places: places)
    }
    let total = Counts(requests: bad.requests * Double(looks), bad: bad.bad * Double(looks)) ?? .zero
    let all = Counts(requests: base.requests * Double(looks), bad: base.bad * Double(looks)) ?? .zero
    let evidence = Evidence(
      check: "errors", property: "errors", canary: .init(counts: total, interval: total.interval(risk: 0.05)),
      stable: .init(counts: all, interval: all.interval(risk: 0.05)), risk: 0.001, looks: looks, gaps: 0)
    return attribution.judged(Judgement(finding: finding, evidence: evidence))
  }

  @Test("a bad pod among good ones holds the run and is named, as long as callers on the whole are served")
  func excused() {
    let judged = Self.judged(canary: ["c1": (50, 20), "c2": (50, 0)], stable: ["s1": (5000, 1), "s2": (5000, 1)])
    #expect(judged.finding == .onePod)
    #expect(judged.verdict == .insufficient)
    #expect(judged.evidence.sentence.contains("100 % of the canary's bad requests come from pod c1 on node n1"))
  }

  @Test("beyond the limit for all callers together the failure stands, with the pod's name in it")
  func harmful() {
    let judged = Self.judged(canary: ["c1": (500, 200), "c2": (500, 0)], stable: ["s1": (500, 1), "s2": (500, 1)])
    #expect(judged.finding == .limitBroken)
    #expect(judged.verdict == .fail)
    #expect(judged.evidence.sentence.contains("pod c1 on node n1"))
    #expect(judged.evidence.sentence.contains("all callers together are served beyond the limit"))
  }

  @Test("the first bad requests hold where one pod made them all, and blame where several did")
  func young() {
    let stable = ["s1": (500.0, 0.0), "s2": (500, 0)]
    let one = Self.judged(canary: ["c1": (50, 5), "c2": (50, 0)], stable: stable, looks: 1)
    #expect(one.finding == .onePod)
    #expect(one.evidence.sentence.contains("a few more requests tell"))
    let several = Self.judged(canary: ["c1": (50, 3), "c2": (50, 2)], stable: stable, looks: 1)
    #expect(several.finding == .limitBroken)
  }

  @Test("a canary that is bad in all its pods is blamed")
  func blamed() {
    let judged = Self.judged(canary: ["c1": (50, 20), "c2": (50, 15)], stable: ["s1": (5000, 1), "s2": (5000, 1)])
    #expect(judged.finding == .limitBroken)
  }

  @Test("stable's bad pod no longer hides a bad canary, and does not make a good one bad")
  func stable() {
    let hidden = Self.judged(
      canary: ["c1": (50, 5), "c2": (50, 6)], stable: ["s1": (500, 150), "s2": (500, 0)], finding: .environment)
    #expect(hidden.finding == .limitBroken)
    #expect(hidden.evidence.sentence.contains("stable's bad requests come from pod s1"))
    let good = Self.judged(
      canary: ["c1": (50, 0), "c2": (50, 0)], stable: ["s1": (500, 150), "s2": (500, 0)], finding: .kept)
    #expect(good.finding == .kept)
    #expect(good.evidence.sentence.contains("pod s1"))
  }
}

@Suite("Burn rates of a run's service")
struct BurnJudgeTests {
  private static func isOfCallers(_ ask: BurnJudge.Ask) -> Bool {
    if case .mesh(.caller, _) = ask.source { true } else { false }
  }

  private static func setting(_ plan: Plan, _ scope: MetricsScope) -> QuerySetting {
    QuerySetting(plan: plan, scope: scope, hashes: [:], step: 0, namespaceLabel: "namespace")
  }

  private static func burned(errors: Double, requests: Double = 10_000) throws -> BurnReport? {
    let plan = try plan()
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    var judge = BurnJudge(plan: plan, scope: scope, metrics: IstioMetrics(), queries: setting(plan, scope))
    for ask in judge.takeDue(uptime: .zero) where isOfCallers(ask) {
      let services = [("web-stable", 0.8), ("web-canary", 0.1), ("web", 0.1)]
      let series = services.flatMap { service, share in
        [("200", 1 - errors), ("503", errors)].map { code, part in
          MetricSeries(
            labels: [
              "destination_service_namespace": "shop", "destination_service_name": service, "response_code": code,
            ], value: requests * share * part)
        }
      }
      judge.record(series, of: ask)
    }
    return judge.reports.first
  }

  @Test("both tracks and callers beside the route count; 14.4 times the SLO in an hour and in five minutes holds")
  func burns() throws {
    let report = try #require(try Self.burned(errors: 0.2))
    #expect(report.finding == .burns)
    #expect(report.message.contains("burns 20 times as fast as the SLO allows over 1h and 20 times over 5m"))
    #expect(report.queries.first?.contains("destination_service_name=~\"web|web-canary|web-stable\"") == true)
    #expect(report.queries.first?.contains("[3600s]") == true)
    #expect(try Self.burned(errors: 0.05)?.finding == .kept)
    #expect(try Self.burned(errors: 0.2, requests: 0)?.finding == .noMeasurement)
  }

  @Test("windows are asked by their length, and both views for each kind of objective")
  func dues() throws {
    let plan = try plan()
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    var judge = BurnJudge(plan: plan, scope: scope, metrics: IstioMetrics(), queries: Self.setting(plan, scope))
    let first = judge.takeDue(uptime: .zero)
    #expect(first.count == 8)
    // Without an answer yet, soon again.
    #expect(judge.takeDue(uptime: .seconds(10)).count == 8)
    let labels = [
      "destination_service_namespace": "shop", "destination_service_name": "web-stable", "response_code": "200",
    ]
    for ask in first where Self.isOfCallers(ask) { judge.record([MetricSeries(labels: labels, value: 100)], of: ask) }
    #expect(judge.takeDue(uptime: .seconds(20)).count == 8)
    #expect(Set(judge.takeDue(uptime: .seconds(36)).map(\.window)) == [.seconds(300)])
    #expect(judge.takeDue(uptime: .seconds(37)).isEmpty)
  }

  /// A plan on a histogram of the team's own alone, without a mesh.
  private static func own(_ metric: String) throws -> BurnJudge {
    let plan = try plan(slos: [
      SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: "500ms", metric: metric))
    ])
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    return BurnJudge(plan: plan, scope: scope, metrics: nil, queries: setting(plan, scope))
  }

  /// What grew in a window: answers of about 80 and of about 900 ms.
  private static func grown(_ fast: Double, _ slow: Double, isNative: Bool) -> [MetricSeries] {
    guard isNative else {
      return [("0.1", fast), ("0.5", fast), ("1", fast + slow), ("+Inf", fast + slow)].map {
        MetricSeries(labels: ["le": $0.0], value: $0.1)
      }
    }
    let buckets = [
      NativeHistogram.Bucket(rule: .openLeft, lower: 0.0625, upper: 0.125, count: fast),
      NativeHistogram.Bucket(rule: .openLeft, lower: 0.5, upper: 1, count: slow),
    ]
    return MetricSeries.series([:], .nan, NativeHistogram(count: fast + slow, sum: 0, buckets: buckets))
  }

  @Test(
    "a histogram of the team's own burns its budget too, without a mesh, classic or native", arguments: [false, true])
  func ownHistogram(isNative: Bool) throws {
    func report(stable: Double, canary: Double) throws -> BurnReport {
      var judge = try Self.own(OwnLatencyTests.seconds)
      let asks = judge.takeDue(uptime: .zero)
      #expect(asks.count == 8, "two tracks in four windows")
      for ask in asks {
        let isCanary = ask.source == .own("p99", .canary)
        let (all, slow): (Double, Double) = isCanary ? (1000, canary) : (9000, stable)
        judge.record(Self.grown(all - slow, slow, isNative: isNative), of: ask)
      }
      return try #require(judge.reports.first)
    }
    // 1800 and 200 of 10 000 answers are slow, and one in a hundred may be: 20 times as many.
    let burns = try report(stable: 1800, canary: 200)
    #expect(burns.finding == .burns)
    #expect(
      burns.message == "the budget of p99 burns 20 times as fast as the SLO allows over 1h and 20 times over 5m "
        + "(more than 14 in both holds; its own histogram, both tracks)")
    let matchers = "{pod=~\"web-s1-[a-z0-9]{5}\",namespace=\"shop\"}[3600s]"
    #expect(
      burns.queries.first == "sum by (le) (increase(http_request_duration_seconds_bucket\(matchers))) or "
        + "sum(increase(http_request_duration_seconds\(matchers)))")
    #expect(burns.queries.count == 4, "each track in both windows")
    // 450 and 50 are 5 %.
    let kept = try report(stable: 450, canary: 50)
    #expect(kept.finding == .kept && kept.message.contains("burns 5.0 times as fast"), "\(kept.message)")
    #expect(try report(stable: 1800, canary: 0).finding == .stableAlone)
  }

  @Test("before a run the callers' Service has stable's answers: a histogram by Services is asked for both")
  func ownHistogramByService() throws {
    var judge = try Self.own("http_request_duration_seconds{service=\"$(service)\"}")
    let asks = judge.takeDue(uptime: .zero).filter { $0.window == .seconds(300) }
    let texts = asks.map { ask in judge.texts(ask).map { $0.firstMatch(of: /service="([^"]*)"/).map { String($0.1) } } }
    #expect(texts == [["web-stable", "web"], ["web-canary"]])
    judge.fail("timeout")
    #expect(judge.reports.first?.message == "timeout")
  }

  @Test("processes with other boundaries are added where all have them, so that none counts as slow for its buckets")
  func unlikeBuckets() throws {
    let plan = try plan(slos: [SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: "500ms"))])
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    var judge = BurnJudge(plan: plan, scope: scope, metrics: IstioMetrics(), queries: Self.setting(plan, scope))
    func series(_ pod: String, _ buckets: [(String, Double)]) -> [MetricSeries] {
      buckets.map { boundary, count in
        MetricSeries(
          labels: ["destination_workload_namespace": "shop", "pod": pod, "le": boundary], value: count)
      }
    }
    for ask in judge.takeDue(uptime: .zero) where ask.source == .mesh(.callee, .latency) {
      judge.record(
        series("web-s1-aaaaa", [("500", 990), ("1000", 1000), ("+Inf", 1000)])
          + series("web-s1-bbbbb", [("1000", 1000), ("+Inf", 1000)]), of: ask)
    }
    let report = try #require(judge.reports.first)
    #expect(report.finding == .kept && report.message.contains("burns 0.0 times"), "\(report.message)")
  }
}

@Suite("What the API server says of a run's pods")
struct PodFactsTests {
  @Test("track, place, restarts, the cause of the last end and the memory limit are read")
  func facts() throws {
    let pod: JSON = [
      "metadata": [
        "name": "web-abc-ccccc", "namespace": "shop", "labels": ["topology.kubernetes.io/zone": "z1"],
        "ownerReferences": [["name": "web-abc", "kind": "ReplicaSet"]],
      ],
      "spec": [
        "nodeName": "n1",
        "containers": [["name": "app", "resources": ["limits": ["memory": "256Mi"]]]],
      ],
      "status": [
        "startTime": "2026-01-02T03:04:05Z",
        "containerStatuses": [
          ["restartCount": 3, "lastState": ["terminated": ["reason": "OOMKilled", "exitCode": 137]]]
        ],
      ],
    ]
    let facts = PodFacts(pod, track: .canary)
    #expect(facts.node == "n1" && facts.zone == "z1" && facts.restarts == 3 && facts.wasKilledForMemory)
    let set: JSON = [
      "spec": ["template": ["spec": ["containers": [["resources": ["limits": ["memory": "256Mi"]]]]]]]
    ]
    #expect(PodFacts.memoryLimit(of: set) == 268_435_456.0)
    #expect(PodFacts.memoryLimit(of: ["spec": ["template": ["spec": ["containers": [["name": "a"]]]]]]) == nil)
    #expect(facts.startedAt == Date(timeIntervalSince1970: 1_767_323_045))
  }
}
