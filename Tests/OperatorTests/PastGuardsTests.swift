import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

/// Two pods of each track whose numbers are functions of time, so that they can be asked for any moment.
private struct GuardedPods: Sendable {
  static let start = Date(timeIntervalSince1970: 1_000_000)
  /// Seconds after the start at which one canary pod's container ended, each time.
  var restarts: [Double] = []
  var leak = 0.0
  var notFound = 0.0
  var hasStateMetrics = true

  static let pods: [(name: String, track: Track)] = [
    ("web-s1-aaaaa", .stable), ("web-s1-bbbbb", .stable), ("web-abc-ccccc", .canary), ("web-abc-ddddd", .canary),
  ]

  private func seconds(_ time: Date) -> Double { time.timeIntervalSince(Self.start).rounded() }

  private func restarts(_ pod: String, _ time: Date) -> Int {
    pod == "web-abc-ccccc" ? restarts.filter { $0 <= seconds(time) }.count : 0
  }

  func containers(at time: Date) -> [MetricSeries] {
    Self.pods.flatMap { pod, track in
      var values = [
        ContainerMetrics.cpu: seconds(time) * 0.1,
        ContainerMetrics.memory: 1e8 + (track == .canary ? leak * seconds(time) : 0),
      ]
      if hasStateMetrics { values[ContainerMetrics.restarts] = Double(restarts(pod, time)) }
      return values.map { name, value in
        MetricSeries(labels: ["namespace": "shop", "pod": pod, "__name__": name], value: value)
      }
    }
  }

  func answers(at time: Date) -> [MetricSeries] {
    Track.allCases.flatMap { track in
      let missing = track == .canary ? notFound : 0
      return [("200", 1 - missing), ("404", missing)].map { code, share in
        MetricSeries(
          labels: [
            "destination_service_namespace": "shop", "destination_service_name": "web-\(track.rawValue)",
            "response_code": code, "response_flags": "-", "instance": "node",
          ], value: (seconds(time) * 50 * share).rounded())
      }
    }
  }

  func series(_ question: PastGuards.Question, at time: Date) -> [MetricSeries] {
    question == .containers ? containers(at: time) : answers(at: time)
  }

  func facts(at time: Date) -> [PodFacts] {
    Self.pods.map { pod, track in
      var facts = PodFacts(name: pod, track: track)
      facts.startedAt = Self.start.addingTimeInterval(track == .stable ? -86_400 : 0)
      facts.restarts = restarts(pod, time)
      return facts
    }
  }
}

@Suite("Guards that survive a restart") struct PastGuardsTests {
  private static let start = GuardedPods.start
  private static let half = TrafficTarget(weight: Weight(50) ?? .none)
  /// Two steps with the same split, and the time between them.
  private static let spans = [
    TrafficSpan(traffic: half, began: start + 10, from: start + 40, until: start + 400),
    TrafficSpan(traffic: half, began: start + 400, from: start + 430, until: start + 1030),
  ]
  private static let key = ObjectKey(namespace: "shop", name: "web")

  private static func run(_ pods: GuardedPods, at now: Date) throws -> JudgedRun {
    let plan = try plan(slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))])
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    return JudgedRun(
      name: "web-1", plan: plan, scope: scope, metrics: IstioMetrics(),
      queries: QuerySetting(plan: plan, scope: scope, hashes: [:], step: 0, namespaceLabel: nil), traffic: half,
      verifiedAt: spans.last?.from, past: spans, pods: pods.facts(at: now))
  }

  private static func seen(_ pods: GuardedPods, _ run: JudgedRun) -> GuardJudge {
    var judge = GuardJudge(scope: run.scope, risk: 0.01)
    func look(_ time: Date, _ traffic: TrafficTarget, _ isCounted: Bool) {
      let look = GuardLook(
        containers: ContainerMetrics.values(pods.containers(at: time), of: run.scope),
        answers: IstioMetrics().answers(pods.answers(at: time), of: run.scope, view: .caller))
      judge.record(look, pods: pods.facts(at: time), traffic: traffic, at: time, isCounted: isCounted)
    }
    look(start + 10, .stableOnly, false)
    for span in spans {
      for time in stride(from: span.from, through: span.until, by: 10) { look(time, half, time > span.from) }
    }
    return judge
  }

  private static func read(
    _ pods: GuardedPods, _ run: JudgedRun, by judge: GuardJudge? = nil
  ) async throws -> GuardJudge {
    let judge = judge ?? GuardJudge(scope: run.scope, risk: 0.01)
    return try await PastGuards.judge(run, run.past, by: judge) { question, times, step in
      var values: PastLooks.Values = [:]
      for time in stride(from: times.lowerBound, through: times.upperBound, by: step / .seconds(1)) {
        values[PastLooks.milliseconds(time)] = pods.series(question, at: time)
      }
      return values
    }
  }

  @Test("guards that read the past again have the numbers and findings of those that saw it")
  func same() async throws {
    var pods = GuardedPods()
    pods.leak = 100_000
    pods.notFound = 0.05
    pods.restarts = [60, 90, 130, 210, 500, 700, 900]
    let run = try Self.run(pods, at: Self.start + 1030)
    let before = Self.seen(pods, run).reports()
    let after = try await Self.read(pods, run).reports()
    #expect(after == before)
    #expect(
      after.filter { $0.finding == .anomaly }.map(\.name) == ["restarts", "memory-growth", "response-codes"])
  }

  @Test("where nobody exports restarts they are counted by the API server's number, spread over the pod's life")
  func withoutStateMetrics() async throws {
    var pods = GuardedPods()
    pods.hasStateMetrics = false
    pods.restarts = [60, 90, 130, 210, 500, 700, 900]
    let run = try Self.run(pods, at: Self.start + 1030)
    let judge = try await Self.read(pods, run)
    #expect(judge.findings == [.restarts])
    #expect(judge.reports().first { $0.name == "restarts" }?.canary == 7)
    // The next look adds nothing that was counted already.
    var next = judge
    next.record(
      GuardLook(), pods: pods.facts(at: Self.start + 1040), traffic: Self.half, at: Self.start + 1040, isCounted: true)
    #expect(next.reports().first { $0.name == "restarts" }?.canary == 7)
  }

  @Test("until the past is read each guard says so and does not look, unless the run's status holds a finding of it")
  func board() async throws {
    var pods = GuardedPods()
    pods.restarts = [60, 90, 130, 210, 500, 700, 900]
    let now = Self.start + 1030
    var run = try Self.run(pods, at: now)
    run.pastFindings = ["memory-growth": "the canary's memory grows", "of-another-version": ""]
    let board = GuardBoard()
    board.follow(Self.key, run, isAborting: false, now: now, uptime: .zero)
    func guards() -> [GuardReport] {
      board.complete(Measurements(baseline: .present), Self.key, run: run.name)?.guards ?? []
    }
    #expect(guards().filter { $0.finding == .unread }.count == GuardKind.allCases.count - 1)
    let recalled = try #require(guards().first { $0.name == "memory-growth" })
    #expect(recalled.finding == .anomaly)
    #expect(recalled.message == "the canary's memory grows")
    #expect(recalled.notes.contains("found before the controller was started"))
    #expect(board.takeDue(uptime: .zero).isEmpty)
    #expect(board.takePasts(uptime: .zero).isEmpty, "what is usual at this hour belongs to the past")
    board.record(UsualLevels(), run: run.name, for: Self.key)
    let due = try #require(board.takePasts(uptime: .zero).first)
    #expect(board.takePasts(uptime: .zero).isEmpty, "under way")
    #expect(board.record(past: nil, run: run.name, for: Self.key), "it is read once more")
    #expect(board.takePasts(uptime: .seconds(60)).count == 1)
    let judge = try await Self.read(pods, due.run, by: due.judge)
    #expect(!board.record(past: judge, run: run.name, for: Self.key))
    #expect(guards().filter { $0.finding == .anomaly }.map(\.name) == ["restarts", "memory-growth"])
    #expect(board.takeDue(uptime: .seconds(60)).count == 1)
  }

  @Test("a past that cannot be read five times is left, so that no run waits for ever, and what was found stands")
  func unreadable() throws {
    let now = Self.start + 1030
    var run = try Self.run(GuardedPods(), at: now)
    run.pastFindings = ["restarts": "restarts of containers: canary 6"]
    let board = GuardBoard()
    board.follow(Self.key, run, isAborting: false, now: now, uptime: .zero)
    board.record(UsualLevels(), run: run.name, for: Self.key)
    for attempt in 1...5 {
      #expect(board.takePasts(uptime: .seconds(attempt * 60)).count == 1)
      #expect(board.record(past: nil, run: run.name, for: Self.key) == (attempt < 5))
    }
    let guards = board.complete(Measurements(baseline: .present), Self.key, run: run.name)?.guards ?? []
    #expect(guards.filter { $0.finding == .anomaly }.map(\.message) == ["restarts of containers: canary 6"])
    #expect(!guards.contains { $0.finding == .unread })
    #expect(board.takeDue(uptime: .seconds(600)).count == 1)
  }

  @Test("what a run's status says of guards is what a controller that takes over begins with")
  func status() {
    let found = [
      GuardReport(name: "restarts", finding: .anomaly, message: "canary 6"),
      GuardReport(name: "cpu", finding: .normal, message: "CPU of a pod"),
      GuardReport(name: "request-volume", finding: .unusualService, message: "the service gets 1"),
    ]
    var measured = Measurements(baseline: .present)
    measured.guards = found
    let status = RolloutRunStatus(checks: CheckRecord.surroundings(measured, now: Self.start))
    #expect(
      CheckRecord.guardFindings(status) == ["restarts": "canary 6", "request-volume": "the service gets 1"])
    #expect(CheckRecord.guardFindings(nil) == [:])
  }
}
