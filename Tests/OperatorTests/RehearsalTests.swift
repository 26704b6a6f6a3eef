import CanaryAnalysis
import Foundation
import HTTPTransport
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("Trying a plan") struct RehearsalTests {
  private static let errors = SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))
  private static let conversion = SLOSpec(
    name: "conversion", query: "sum(rate(orders_total{pod=~\"$(pods)\"}[$(window)]))",
    compare: CompareSpec(ratio: BoundsSpec(min: "0.9")))

  fileprivate func plan(
    _ slos: [SLOSpec] = [errors], steps: [StepSpec]? = nil, onUndecided: UndecidedAction? = nil
  ) throws -> Plan {
    try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()),
        steps: steps ?? [
          StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m")),
          StepSpec(weight: 50, analyze: AnalyzeSpec(for: "2m"), pause: PauseSpec()),
        ], analysis: AnalysisSpec(slos: slos, deadline: "10m", onUndecided: onUndecided)))
  }

  private func model(_ errors: Double = 0.001, _ change: (inout TrafficModel) -> Void = { _ in }) -> TrafficModel {
    var model = TrafficModel(
      rate: 200, stable: .init(errors: 0.001, latency: 50), canary: .init(errors: errors, latency: 50))
    change(&model)
    return model
  }

  @Test("a good canary is promoted through every step, and its requests are those of the weights")
  func good() throws {
    let report = Rehearsal(try plan(), model: model(), seed: 1).result()
    #expect(report.outcome == .promoted)
    #expect(report.steps.map(\.step) == [1, 2])
    #expect(report.steps.allSatisfy { $0.verified != nil && ($0.ended ?? 0) - $0.began >= 120 })
    #expect(report.points.map(\.weight).reduce(into: []) { if $0.last != $1 { $0.append($1) } } == [0, 10, 50, 100])
    #expect(report.findings.map(\.verdict) == [.pass])
    let share = Double(report.canary.all) / Double(report.canary.all + report.stable.all)
    #expect((0.25...0.6).contains(share), "about 2 minutes at a tenth, 2 at a half, the rest at all")
  }

  @Test("a step that only a person let pass says so")
  func approved() throws {
    let report = Rehearsal(try plan(), model: model(), seed: 1).result()
    #expect(report.steps.map(\.isApproved) == [nil, true])
    let waiting = Rehearsal(
      try plan(), model: model(), seed: 1, settings: Rehearsal.Settings(approveAfter: nil)
    ).result()
    #expect(waiting.outcome == .paused && waiting.steps.allSatisfy { $0.isApproved == nil })
  }

  @Test("a bad canary is aborted by its check, and what it harmed is counted")
  func bad() throws {
    let report = Rehearsal(try plan(), model: model(0.05), seed: 1).result()
    #expect(report.outcome == .aborted)
    #expect(report.reason.hasPrefix("errors"))
    #expect(report.steps.count == 1)
    #expect(report.ended < 180)
    #expect(report.canary.failed > 0)
    #expect(report.harmed > Double(report.canary.failed) / 2)
    #expect(report.points.last?.weight == 0, "all traffic is back")
    #expect(report.canary.all < report.stable.all / 5)
  }

  static let whole = SLOSpec(
    name: "p99", latency: LatencySpec(quantile: "99", max: "400ms"),
    compare: CompareSpec(distribution: DistributionSpec(margin: "5%")))

  @Test("a canary with stable's p99 and a slower middle is promoted by its quantile and aborted by its distribution")
  func distribution() throws {
    // 50 and 80 ms with the same p99 of 160 ms: ln (160/80) / 2.326 = 0.298.
    let slower = model {
      $0.canary.latency = 80; $0.canarySpread = 0.298
    }
    let plain = SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: "400ms"))
    let unseen = Rehearsal(try plan([plain]), model: slower, seed: 1).result()
    #expect(unseen.outcome == .promoted, "\(unseen.reason)")
    let seen = Rehearsal(try plan([Self.whole]), model: slower, seed: 1).result()
    #expect(seen.outcome == .aborted)
    #expect(seen.reason.contains("as a whole: "), "\(seen.reason)")
    for seed in 1...10 {
      let good = Rehearsal(try plan([Self.whole]), model: model(), seed: UInt64(seed)).result()
      #expect(good.outcome == .promoted, "\(good.reason)")
    }
  }

  private static let orders = SLOSpec(
    name: "orders", query: "sum(increase(orders_total{pod=~\"$(pods)\"}[$(window)]))", kind: .events,
    compare: CompareSpec(ratio: BoundsSpec(min: "0.8")))

  @Test("events are invented per request, and judged as on a cluster: once each, with the check's risk")
  func events() throws {
    let plan = try plan([Self.errors, Self.orders])
    let good = Rehearsal(
      plan, model: model { $0.values["orders"] = .init(stable: 0.2, canary: 0.2) }, seed: 3
    ).result()
    #expect(good.outcome == .promoted, "\(good.reason)")
    let bad = Rehearsal(
      plan, model: model { $0.values["orders"] = .init(stable: 0.2, canary: 0.1) }, seed: 3
    ).result()
    #expect(bad.outcome == .aborted)
    #expect(bad.reason.hasPrefix("orders: canary 0."), "\(bad.reason)")
    let mean = SLOSpec(
      name: "basket", query: "sum(increase(basket_sum{pod=~\"$(pods)\"}[$(window)]))", kind: .mean,
      per: "sum(increase(basket_count{pod=~\"$(pods)\"}[$(window)]))", bounds: BoundsSpec(min: "0", max: "100"),
      compare: CompareSpec(ratio: BoundsSpec(min: "0.8")))
    let cheap = Rehearsal(
      try self.plan([mean]), model: model { $0.values["basket"] = .init(stable: 40, canary: 20, deviation: 10) },
      seed: 3
    ).result()
    #expect(cheap.outcome == .aborted && cheap.reason.hasPrefix("basket"))
  }

  @Test("recorded events are divided as the weight says, each revision with its own rate")
  func recordedEvents() throws {
    func recording(_ canary: Double) -> Recording {
      Recording(
        start: Date(timeIntervalSince1970: 0), interval: 10, boundaries: [1000],
        looks: (0..<200).map { _ in
          var look = Recording.Look(
            stable: TrackLook(requests: 1000, failed: 1, buckets: [1000]),
            canary: TrackLook(requests: 500, failed: 0, buckets: [500]))
          look.stableEvents = ["orders": EventCount(requests: 0, events: 200)]
          look.canaryEvents = ["orders": EventCount(requests: 0, events: canary)]
          return look
        })
    }
    let plan = try plan([Self.errors, Self.orders])
    #expect(Rehearsal(plan, recording: recording(100), seed: 1).result().outcome == .promoted)
    let bad = Rehearsal(plan, recording: recording(40), seed: 1).result()
    #expect(bad.outcome == .aborted && bad.reason.hasPrefix("orders"), "\(bad.reason)")
  }

  @Test("the same seed gives the same report, another one another")
  func seeds() throws {
    let plan = try plan()
    let report = Rehearsal(plan, model: model(0.03), seed: 7).result()
    #expect(Rehearsal(plan, model: model(0.03), seed: 7).result() == report)
    #expect(Rehearsal(plan, model: model(0.03), seed: 8).result() != report)
  }

  @Test("a fault that begins late aborts after it began; latency counts too")
  func late() throws {
    let slow = SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: "250ms"))
    let model = model {
      $0.canary.latency = 200
      $0.faultAfter = 200
    }
    let report = Rehearsal(try plan([Self.errors, slow]), model: model, seed: 2).result()
    #expect(report.outcome == .aborted)
    #expect(report.reason.contains("250 ms"))
    #expect(report.ended > 200)
    #expect(report.slowed > 10)
    #expect(report.canary.slow >= Int(report.slowed))
  }

  @Test("too little traffic is never promoted: it waits for a person, or aborts, as the plan says")
  func undecided() throws {
    let quiet = model { $0.rate = 0.05 }
    let paused = Rehearsal(try plan(), model: quiet, seed: 1).result()
    #expect(paused.outcome == .paused)
    #expect(paused.reason.contains("undecided"))
    let aborted = Rehearsal(try plan(onUndecided: .abort), model: quiet, seed: 1).result()
    #expect(aborted.outcome == .aborted)
  }

  @Test("a pause of the plan ends when the person comes, or never")
  func approval() throws {
    let soon = Rehearsal(try plan(), model: model(), seed: 1, settings: .init(approveAfter: 0)).result()
    let late = Rehearsal(try plan(), model: model(), seed: 1, settings: .init(approveAfter: 600)).result()
    #expect(late.outcome == .promoted)
    #expect((595...640).contains(late.ended - soon.ended), "\(late.ended - soon.ended)")
    let never = Rehearsal(try plan(), model: model(), seed: 1, settings: .init(approveAfter: nil)).result()
    #expect(never.outcome == .paused)
    #expect(never.reason == "it waits for a person")
  }

  @Test("a plan's own query gets the values that were invented for it")
  func values() throws {
    let plan = try plan([Self.errors, Self.conversion])
    let good = model { $0.values = ["conversion": .init(stable: 10, canary: 10, deviation: 0.1)] }
    #expect(Rehearsal(plan, model: good, seed: 1).result().outcome == .promoted)
    let bad = model { $0.values = ["conversion": .init(stable: 10, canary: 8, deviation: 0.1)] }
    let report = Rehearsal(plan, model: bad, seed: 1).result()
    #expect(report.outcome == .aborted)
    #expect(report.reason.contains("conversion"))
    let unknown = Rehearsal(plan, model: model(), seed: 1).result()
    #expect(unknown.outcome == .paused, "a query without a value never passes")
    #expect(unknown.canary.all == 0)
  }

  // MARK: - Autopilot and bake

  private func pilot(_ budget: Int) throws -> Plan {
    try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()), autopilot: AutopilotSpec(riskBudget: budget),
        analysis: AnalysisSpec(slos: [Self.errors])))
  }

  @Test("an autopilot promotes a good canary with much traffic within minutes, by weights that grow")
  func autopilot() throws {
    let plan = try pilot(1000)
    for seed in 1...20 {
      let report = Rehearsal(plan, model: model { $0.rate = 1000 }, seed: UInt64(seed)).result()
      #expect(report.outcome == .promoted)
      #expect(report.ended < 360, "\(report.ended) s")
      let weights = report.points.map(\.weight).reduce(into: [Int]()) { if $0.last != $1 { $0.append($1) } }
      #expect(weights == [0, 3, 12, 50, 100], "\(weights)")
      #expect(report.steps.map(\.title) == ["weight 3%", "weight 12%", "weight 50%"])
      #expect(report.steps.allSatisfy { $0.verified != nil })
      #expect(report.harmed <= 1000)
    }
  }

  @Test("of a thousand bad canaries of every kind, with traffic of every size, hardly one harms more than riskBudget")
  func promise() throws {
    let plan = try pilot(200)
    var over: [Double] = []
    var promoted = 0
    var outcomes: [RehearsalReport.Outcome: Int] = [:]
    for seed in 0..<1000 {
      let errors = ([0.004, 0.01, 0.03, 0.1, 0.3, 1] as [Double])[seed % 6]
      let rate = ([5, 50, 200, 600] as [Double])[seed / 6 % 4]
      let report = Rehearsal(plan, model: model(errors) { $0.rate = rate }, seed: UInt64(seed)).result()
      outcomes[report.outcome, default: 0] += 1
      if report.outcome == .promoted, errors <= 0.01 { promoted += 1 }
      if report.harmed > 200 { over.append(report.harmed) }
    }
    #expect(over.count <= 5, "\(over)")
    #expect(outcomes[.promoted] ?? 0 == promoted, "only of those that keep the limit of 1 %")
    #expect(outcomes[.aborted] ?? 0 > 800, "\(outcomes)")
  }

  @Test("a fault that begins when the canary has all traffic is found while it bakes, and all traffic goes back")
  func bakes() throws {
    func plan(_ bake: String) throws -> Plan {
      try Plan(
        namespace: "shop", name: "web",
        spec: RolloutSpec(
          workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
          traffic: TrafficSpec(istio: IstioSpec()), steps: [StepSpec(weight: 20, analyze: AnalyzeSpec(for: "2m"))],
          bake: BakeSpec(for: bake), analysis: AnalysisSpec(slos: [Self.errors])))
    }
    func late(_ errors: Double) -> TrafficModel {
      model(errors) {
        $0.rate = 1000
        $0.faultAfter = 400
      }
    }
    let report = Rehearsal(try plan("30m"), model: late(0.05), seed: 1).result()
    #expect(report.outcome == .aborted)
    #expect(report.baked ?? 1000 < 400 && report.ended > 400)
    #expect(report.reason.contains("all requests go to the canary"), "\(report.reason)")
    #expect(report.points.last?.weight == 0)
    // Above stable's rate beyond doubt, and below its own limit: only the earlier rate tells.
    let other = Rehearsal(try plan("30m"), model: late(0.008), seed: 1).result()
    #expect(other.outcome == .aborted)
    #expect(other.reason.contains("by stable's rate before"), "\(other.reason)")
    let good = Rehearsal(try plan("30m"), model: model { $0.rate = 1000 }, seed: 1).result()
    #expect(good.outcome == .promoted && good.ended > 1800)
    let gone = Rehearsal(try plan("2m"), model: late(0.05), seed: 1).result()
    #expect(gone.outcome == .promoted, "a fault after the bake is nobody's to find")
  }

  // MARK: - Guards

  private static let long = [StepSpec(weight: 50, analyze: AnalyzeSpec(for: "20m"))]

  @Test(
    "guards hold an invented canary whose pods do what its requests do not tell",
    arguments: [
      (PodModel(restarts: 30), "restarts"), (PodModel(growth: 600_000), "memory-growth"), (PodModel(cpu: 2.5), "cpu"),
      (PodModel(collection: 0.2), "garbage-collection"), (PodModel(notFound: 0.06), "response-codes"),
      (PodModel(away: 0.5), "request-share"),
    ] as [(PodModel, String)])
  func faults(pods: PodModel, found: String) throws {
    let model = model {
      $0.pods = pods
      // A share that is wrong from the beginning would never be verified.
      $0.faultAfter = pods.away > 0 ? 120 : 0
    }
    let report = Rehearsal(try plan(steps: Self.long), model: model, seed: 3).result()
    #expect(report.outcome == .paused, "\(report.reason)")
    #expect(report.guards.contains(found), "\(report.guards)")
    #expect(report.reason.hasPrefix("guards found an anomaly: "))
  }

  @Test("invented services have other days: requests that they all had and this one lacks are unusual")
  func missing() throws {
    let plan = try plan(steps: Self.long)
    let missing = model {
      $0.missing = 0.7
      $0.faultAfter = 120
    }
    let report = Rehearsal(plan, model: missing, seed: 3).result()
    #expect(report.guards == ["request-volume"], "\(report.reason)")
    #expect(report.reason.contains("at this hour"), "\(report.reason)")
    let swinging = Rehearsal(plan, model: model { $0.swing = 0.9 }, seed: 3).result()
    #expect(swinging.guards == [], "what the hour brings every day is usual")
  }

  @Test("a canary's pod that fails alone is named")
  func blamed() throws {
    let model = model { $0.pods.oneBad = 0.06 }
    let report = Rehearsal(try plan(steps: Self.long), model: model, seed: 3).result()
    #expect(report.blamed == "imagined-canary-00000")
    #expect(report.outcome == .paused)
  }

  @Test("guards let nearly all good canaries pass, and none is held where the plan disables them")
  func goodPods() throws {
    let plan = try plan(steps: Self.long)
    let held = (1...12).filter { Rehearsal(plan, model: model(), seed: UInt64($0)).result().outcome != .promoted }
    #expect(held.count <= 1, "seeds \(held)")
    let disabled = try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()), steps: Self.long,
        analysis: AnalysisSpec(slos: [Self.errors], guards: .disabled)))
    let leak = model { $0.pods.growth = 200_000 }
    #expect(Rehearsal(disabled, model: leak, seed: 3).result().outcome == .promoted)
  }

  @Test("guards see a recorded release as it was: its pods' numbers, its codes, its own division")
  func recordedPods() throws {
    var recording = recording(errors: 1, looks: 200)
    recording.stableSet = "web-s1"
    recording.canarySet = "web-abc"
    for index in recording.looks.indices {
      var pods: [String: [String: Double]] = [:]
      for pod in ["web-s1-aaaaa", "web-s1-bbbbb", "web-abc-ccccc", "web-abc-ddddd"] {
        let isCanary = pod.hasPrefix("web-abc")
        pods[pod] = [
          "cpu": Double(index) * 2, "memory": 1e8 + (isCanary ? Double(index) * 1e6 : 0), "restarts": 0,
        ]
      }
      recording.looks[index].pods = pods
    }
    #expect(!recording.cautions.contains { $0.contains("containers") })
    let plan = try plan(steps: Self.long)
    let leak = Rehearsal(plan, recording: recording, seed: 1).result()
    #expect(leak.guards.contains("memory-growth"), "\(leak.guards)")
    #expect(leak.outcome == .paused)
    for index in recording.looks.indices {
      recording.looks[index].pods = nil
      recording.looks[index].canaryCodes = ["404": 60]
    }
    #expect(recording.cautions.contains { $0.contains("nothing of containers is recorded") })
    #expect(Rehearsal(plan, recording: recording, seed: 1).result().guards == ["response-codes"])
    let encoder = JSONEncoder()
    let read = try JSONDecoder().decode(Recording.self, from: try encoder.encode(recording))
    #expect(read == recording)
  }

  // MARK: - Recordings

  private func recording(errors: Int, looks count: Int = 120) -> Recording {
    let look = Recording.Look(
      stable: TrackLook(requests: 1000, failed: 1, buckets: [900, 1000]),
      canary: TrackLook(requests: 1000, failed: errors, buckets: [900, 1000]))
    return Recording(
      start: Date(timeIntervalSince1970: 0), interval: 10, boundaries: [50, 100],
      looks: Array(repeating: look, count: count))
  }

  @Test("recorded requests are divided as the plan says, with each revision's own errors")
  func recorded() throws {
    let bad = Rehearsal(try plan(), recording: recording(errors: 50), seed: 1).result()
    #expect(bad.outcome == .aborted)
    #expect(bad.canary.all < bad.stable.all / 5, "not the half that was recorded")
    #expect((0.02...0.09).contains(bad.canary.failureRate))
    let good = Rehearsal(try plan(), recording: recording(errors: 1), seed: 1).result()
    #expect(good.outcome == .promoted)
    let short = Rehearsal(try plan(), recording: recording(errors: 1, looks: 5), seed: 1).result()
    #expect(short.outcome == .unfinished)
  }

  @Test("a service that burns its error budget is not raised, unless a calm hour before makes little of the fault")
  func burning() throws {
    var recording = recording(errors: 1)
    // Both revisions fail three in ten, from 4 to 9 minutes: in the middle of the step's pause, and beyond its end.
    for index in 24..<54 {
      recording.looks[index].stable?.failed = 300
      recording.looks[index].canary?.failed = 300
    }
    let plan = try plan(steps: [
      StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m"), pause: PauseSpec(duration: "6m")),
      StepSpec(weight: 50, analyze: AnalyzeSpec(for: "2m")),
    ])
    func held(_ recording: Recording) -> [String] {
      Rehearsal(plan, recording: recording, seed: 1).result().notes.map(\.text).filter { $0.contains("error budget") }
    }
    // 280 s of 30 % in the first 520 s are 16 %: more than 14.4 times 1 %.
    #expect(held(recording).first?.contains("since the service burns its error budget, whoever is to blame") == true)
    #expect(recording.cautions.contains { $0.contains("nothing from before is recorded") })
    // Over an hour of 200 requests/s, of which the rest was good, they are 2.3 %.
    let requests = 720_000
    recording.past = [
      Recording.Past(
        window: 3600, stable: TrackLook(requests: requests, failed: 0, buckets: [requests, requests]))
    ]
    #expect(held(recording).isEmpty)
    #expect(!recording.cautions.contains { $0.contains("nothing from before is recorded") })
  }

  @Test("an invented service has a past of its own law, which changes nothing of what follows")
  func inventedPast() {
    var traffic = InventedTraffic(model(), seed: 1)
    let past = traffic.past(of: [300, 3600])
    // 200 requests/s, of which one in a thousand fails.
    #expect((59_000...61_000).contains(past[300]?.requests ?? 0))
    #expect((717_000...723_000).contains(past[3600]?.requests ?? 0))
    #expect((600...850).contains(past[3600]?.failed ?? 0))
    var other = InventedTraffic(model(), seed: 1)
    #expect(traffic.look(from: 0, to: 10, share: 0) == other.look(from: 0, to: 10, share: 0))
  }

  @Test("a revision without requests borrows its nearest look, and that is said; one without any is refused")
  func gaps() throws {
    var recording = recording(errors: 50)
    for index in recording.looks.indices where index > 3 { recording.looks[index].stable = nil }
    #expect(recording.problem == nil)
    #expect(recording.cautions.first?.contains("no requests in 116 of 120 looks") == true)
    #expect(Rehearsal(try plan(), recording: recording, seed: 1).result().outcome == .aborted)
    for index in recording.looks.indices { recording.looks[index].stable = nil }
    #expect(recording.problem?.contains("stable revision has no requests") == true)
    recording.boundaries = [50]
    #expect(recording.problem?.contains("buckets: found") == true)
  }

  @Test("a history is read from a Prometheus with resets, scaling and a revision that begins in the middle")
  func recorder() async throws {
    let start = Date(timeIntervalSince1970: 1_000_000)
    let client = PrometheusClient(baseURL: "http://prometheus", transport: HistoryTransport())
    let recording = try await Recorder(prometheus: client, plan: plan()).record(
      try plan([Self.errors, Self.conversion]), stable: "web-s1", canary: "web-abc", from: start, to: start + 600,
      namespaceLabel: "namespace")
    #expect(recording.looks.count == 60)
    #expect(recording.boundaries == [100])
    #expect(recording.looks[0].stable == TrackLook(requests: 100, failed: 10, buckets: [50]))
    #expect(recording.looks[10].canary == nil)
    // Seen from their first request on, and the pod that started anew from zero.
    #expect(recording.looks[31].canary?.requests == 100)
    #expect(recording.looks.compactMap(\.canary).reduce(0) { $0 + $1.requests } == 3000)
    #expect(recording.looks[5].stableValues == ["conversion": 7])
    #expect(recording.stableSet == "web-s1" && recording.canarySet == "web-abc")
    #expect(recording.looks[5].pods == ["web-s1-aaaaa": ["memory": 1000, "restarts": 0]])
    #expect(recording.looks[40].pods?["web-abc-bbbbb"] == ["memory": 1000, "restarts": 1])
    #expect(recording.looks[5].stableCodes == nil)
    // Each window of the error budgets; this Prometheus says the same of all.
    #expect(recording.past?.map(\.window) == [300, 1800, 3600, 21_600])
    #expect(recording.past?.first?.stable == TrackLook(requests: 5000, failed: 500, buckets: [2500]))
    await #expect(throws: RecordingProblem.self) {
      _ = try await Recorder(prometheus: client, plan: plan()).record(
        try plan(), stable: "web-none", canary: "web-abc", from: start, to: start + 600, namespaceLabel: nil)
    }
  }
}

extension RehearsalTests {
  @Test("pods' native histograms of different resolutions are added at the boundaries of the coarser one alone")
  func nativeRecorder() async throws {
    let start = Date(timeIntervalSince1970: 1_000_000)
    let recording = try await Recorder(
      prometheus: PrometheusClient(baseURL: "http://prometheus", transport: NativeTransport()), plan: plan()
    ).record(
      try plan([Self.whole]), stable: "web-s1", canary: "web-abc", from: start, to: start + 100, namespaceLabel: nil)
    // The limit is 400 ms: all of the coarser one's boundaries up to it, which are octaves, and the next ones.
    #expect(recording.boundaries.allSatisfy { log2($0) == log2($0).rounded() }, "\(recording.boundaries)")
    #expect(recording.boundaries.contains(64) && recording.boundaries.contains(512))
    let look = try #require(recording.looks[3].stable)
    // Of each pod 10 answers a look of about 50 ms, and one of about 900.
    #expect(look.requests == 22)
    let counts = Dictionary(uniqueKeysWithValues: zip(recording.boundaries, look.buckets))
    #expect(counts[32] == 0 && counts[64] == 20 && counts[512] == 20 && counts[1024] == 22, "\(counts)")
  }
}

extension RehearsalTests {
  private static func own(_ max: String = "400ms", metric: String = "app_milliseconds") -> SLOSpec {
    SLOSpec(name: "own", latency: LatencySpec(quantile: "99", max: max, metric: metric + "{pod=~\"$(pods)\"}"))
  }

  /// Of each look's 100 and 50 answers that the team's own histogram measured, so many are slower than 500 ms.
  private func recording(stable: Int, canary: Int, looks: Int = 120) -> Recording {
    recording(
      stable: TrackLook(requests: 100, failed: 0, buckets: [90 - stable, 100 - stable]),
      canary: TrackLook(requests: 50, failed: 0, buckets: [45 - canary, 50 - canary]), looks: looks)
  }

  private func recording(stable: TrackLook, canary: TrackLook, looks: Int = 120) -> Recording {
    var look = Recording.Look(
      stable: TrackLook(requests: 1000, failed: 1, buckets: []),
      canary: TrackLook(requests: 500, failed: 0, buckets: []))
    look.stableHistograms = ["own": stable]
    look.canaryHistograms = ["own": canary]
    var recording = Recording(
      start: Date(timeIntervalSince1970: 0), interval: 10, boundaries: [],
      looks: Array(repeating: look, count: looks))
    recording.histograms = ["own": [100, 500]]
    return recording
  }

  private static let slowSteps = [
    StepSpec(weight: 10, analyze: AnalyzeSpec(for: "2m"), pause: PauseSpec(duration: "6m")),
    StepSpec(weight: 50, analyze: AnalyzeSpec(for: "2m")),
  ]

  @Test("a team's own histogram is replayed as it was recorded: as many answers by request, each revision's times")
  func ownHistogram() throws {
    let plan = try plan([Self.own("500ms")], steps: Self.slowSteps)
    let bad = Rehearsal(plan, recording: recording(stable: 0, canary: 10), seed: 1).result()
    #expect(bad.outcome == .aborted && bad.reason.hasPrefix("own: requests slower than 500 ms"), "\(bad.reason)")
    #expect(Rehearsal(plan, recording: recording(stable: 0, canary: 0), seed: 1).result().outcome == .promoted)
    var traffic = RecordedTraffic(recording(stable: 0, canary: 10), seed: 1)
    let served = TrackLook(requests: 100_000, failed: 0, buckets: [])
    let found = traffic.histogram(of: "own", .canary, served, at: 300)
    let look = try #require(found)
    // A tenth of the requests, of which four in five took at most 500 ms.
    #expect((9700...10_300).contains(look.requests), "\(look)")
    #expect((7700...8300).contains(look.buckets[1]) && look.buckets[0] < look.buckets[1], "\(look)")
    var silent = recording(stable: 0, canary: 0)
    for index in silent.looks.indices { silent.looks[index].canaryHistograms = nil }
    #expect(silent.unknownHistograms(of: plan) == ["own"])
    #expect(recording(stable: 0, canary: 0).unknownHistograms(of: plan).isEmpty)
    let undecided = Rehearsal(plan, recording: silent, seed: 1).result()
    #expect(undecided.outcome == .paused, "what nothing is known of never passes: \(undecided.reason)")
  }

  @Test("a recording keeps histograms in its file, and one that makes no sense is refused")
  func ownHistogramFile() throws {
    var recording = recording(stable: 1, canary: 1, looks: 3)
    var past = Recording.Past(window: 300, stable: TrackLook(requests: 10, failed: 0, buckets: []))
    past.histograms = ["own": TrackLook(requests: 3, failed: 0, buckets: [1, 2])]
    recording.past = [past]
    #expect(recording.problem == nil)
    #expect(try JSONDecoder().decode(Recording.self, from: try JSONEncoder().encode(recording)) == recording)
    recording.looks[1].stableHistograms?["own"]?.buckets = [1]
    #expect(
      recording.problem == "looks[1].stableHistograms.own.buckets: found 1, wanted 2, one for each of histograms.own")
    recording.looks[1].stableHistograms = nil
    recording.past?[0].histograms?["own"]?.buckets = [2, 4]
    #expect(
      recording.problem
        == "past[0].histograms.own.buckets: found [2, 4], wanted counts that never fall, from 0 to 3")
    recording.histograms = ["own": [500, 100]]
    #expect(recording.problem?.hasPrefix("histograms.own: found [500.0, 100.0], wanted finite numbers") == true)
  }

  @Test("a service that burns its own histogram's budget is not raised, unless a calm hour makes little of it")
  func burningOwnHistogram() throws {
    let quick = TrackLook(requests: 1000, failed: 0, buckets: [1000, 1000])
    var recording = recording(stable: quick, canary: quick)
    // Both revisions answer three in ten slowly, from 4 to 9 minutes.
    for index in 24..<54 {
      recording.looks[index].stableHistograms?["own"]?.buckets = [700, 700]
      recording.looks[index].canaryHistograms?["own"]?.buckets = [700, 700]
    }
    let plan = try plan([Self.own("500ms")], steps: Self.slowSteps)
    func held(_ recording: Recording) -> [String] {
      Rehearsal(plan, recording: recording, seed: 1).result().notes.map(\.text).filter { $0.contains("error budget") }
    }
    // As of the mesh: 280 s of 30 % in the first 520 s are 16 times 1 %.
    #expect(held(recording).first?.contains("its own histogram, both tracks") == true, "\(held(recording))")
    // 100 answers a second for an hour, all of them quick: then they are 2.3 times.
    var past = Recording.Past(window: 3600, stable: TrackLook(requests: 540_000, failed: 0, buckets: []))
    past.histograms = ["own": TrackLook(requests: 360_000, failed: 0, buckets: [360_000, 360_000])]
    recording.past = [past]
    #expect(held(recording).isEmpty, "\(held(recording))")
  }

  @Test("what begins when the canary has all traffic is found by its own histogram while it bakes")
  func ownHistogramBakes() throws {
    let plan = try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()), steps: [StepSpec(weight: 20, analyze: AnalyzeSpec(for: "2m"))],
        bake: BakeSpec(for: "30m"), analysis: AnalysisSpec(slos: [Self.own("500ms")])))
    // With a spread of 0.5, 0.000 2 % of the answers of 50 ms take more than 500, and 0.6 % of those of 142 ms do.
    var model = TrafficModel(
      rate: 1000, stable: .init(errors: 0, latency: 50), canary: .init(errors: 0, latency: 142))
    model.faultAfter = 400
    let late = Rehearsal(plan, model: model, seed: 1).result()
    #expect(late.outcome == .aborted && late.ended > 400, "\(late.reason)")
    #expect(late.reason.contains("by stable's rate before"), "\(late.reason)")
    model.canary.latency = 50
    let good = Rehearsal(plan, model: model, seed: 1).result()
    #expect(good.outcome == .promoted && good.ended > 1800, "\(good.reason)")
  }

  @Test("a team's own histogram is read from a Prometheus, classic or native, with what stable did before")
  func ownHistogramRecorder() async throws {
    let start = Date(timeIntervalSince1970: 1_000_000)
    func read(_ transport: any Transport, _ metric: String) async throws -> Recording {
      let plan = try plan([Self.own(metric: metric)])
      return try await Recorder(
        prometheus: PrometheusClient(baseURL: "http://prometheus", transport: transport), plan: plan
      ).record(
        plan, stable: "web-s1", canary: "web-abc", from: start, to: start + 600, namespaceLabel: "namespace")
    }
    let classic = try await read(HistoryTransport(), "app_milliseconds")
    #expect(classic.histograms == ["own": [100]])
    #expect(classic.looks[0].stableHistograms == ["own": TrackLook(requests: 100, failed: 0, buckets: [50])])
    #expect(classic.looks[10].canaryHistograms == nil)
    #expect(classic.looks.compactMap { $0.canaryHistograms?["own"]?.requests }.reduce(0, +) == 3000)
    #expect(classic.past?.first?.histograms == ["own": TrackLook(requests: 5000, failed: 0, buckets: [2500])])
    #expect(classic.problem == nil)

    let native = try await read(NativeTransport(), "istio_app_milliseconds")
    let boundaries = try #require(native.histograms?["own"])
    #expect(boundaries.allSatisfy { log2($0) == log2($0).rounded() } && boundaries.contains(64), "\(boundaries)")
    let look = try #require(native.looks[3].stableHistograms?["own"])
    let counts = Dictionary(uniqueKeysWithValues: zip(boundaries, look.buckets))
    // Of each of two pods 10 answers of about 50 ms, and one of about 900.
    #expect(look.requests == 22 && counts[32] == 0 && counts[64] == 20 && counts[1024] == 22, "\(counts)")
  }
}
