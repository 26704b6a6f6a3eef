import CanaryAnalysis
import Foundation
import HTTPTransport
import Prometheus
import RolloutAPI
import Testing

@testable import Operator

@Suite("A release of the past, and the days before it") struct OtherDaysTests {
  private static let start = Date(timeIntervalSince1970: DaysTransport.start)

  private static func plan() throws -> Plan {
    try Plan(
      namespace: "shop", name: "web",
      spec: RolloutSpec(
        workloadRef: WorkloadReference(name: "web"), serviceRefs: [ServiceReference(name: "web", port: .int(80))],
        traffic: TrafficSpec(istio: IstioSpec()), steps: [StepSpec(weight: 50, analyze: AnalyzeSpec(for: "20m"))],
        analysis: AnalysisSpec(slos: [SLOSpec(name: "errors", errorRate: ErrorRateSpec(max: "1%"))])))
  }

  private static func record(_ transport: DaysTransport) async throws -> Recording {
    try await Recorder(prometheus: PrometheusClient(baseURL: "http://prometheus", transport: transport), plan: plan())
      .record(
        plan(), stable: "web-s1", canary: "web-abc", from: start, to: start + 3600, namespaceLabel: "namespace")
  }

  @Test("what a run would have asked of other days is read each half hour, of the days that there are")
  func read() async throws {
    let recording = try await Self.record(DaysTransport())
    let days = try #require(recording.otherDays)
    // Of the day that is d days earlier, m minutes after the hour, the CPU is 10 d + m / 10, and the memory is 100 d.
    #expect(
      days.hours == [
        OtherDays.Hour(at: 0, cpu: [40, 30, 20, 10], memory: [400, 300, 200, 100], requests: [6, 3]),
        OtherDays.Hour(at: 1800, cpu: [43, 33, 23, 13], memory: [400, 300, 200, 100], requests: [6, 3]),
        OtherDays.Hour(at: 3600, cpu: [46, 36, 26, 16], memory: [400, 300, 200, 100], requests: [6, 3]),
      ])
    // The canary's first request comes within ten seconds of ten minutes after the start.
    #expect(days.before == PodLoad(requests: 10, cpu: 1), "12,000 in ten minutes, of two pods")
    #expect(recording.looks.allSatisfy { $0.serviceRequests == 300 }, "30 a second, whoever answers")
    #expect(
      recording.cautions.last == "of the seven days before, guards know this hour's CPU of 4, memory of 4, requests of "
        + "2; requests that stay away are looked for from 3 on")
    let file = try JSONEncoder().encode(recording)
    #expect(try JSONDecoder().decode(Recording.self, from: file) == recording, "a file keeps them")
  }

  @Test("a history that is shorter than a day, refuses the question or was kept without it says so, and is used")
  func without() async throws {
    func caution(_ transport: DaysTransport) async throws -> String? {
      let recording = try await Self.record(transport)
      #expect(recording.looks.count == 360 && recording.problem == nil)
      return recording.cautions.last
    }
    #expect(
      try await caution(DaysTransport(days: 0, daysOfRequests: 0))
        == "nothing is recorded of this hour on the seven days before, so that guards know this one run alone")
    #expect(try await caution(DaysTransport(days: 7, daysOfRequests: 7))?.contains("days") != true)
    let refused = try await caution(DaysTransport(refusal: "too many samples"))
    #expect(
      refused
        == "what the service did on other days could not be read, so that guards know this one run alone: "
        + "Prometheus cannot evaluate the query: too many samples (status 422)")
    #expect(Self.recording().cautions.last == OtherDays.unrecorded)
  }

  @Test("requests that nobody counts in the release are not missed, however many there were on other days")
  func uncounted() async throws {
    let recording = try await Self.record(DaysTransport(daysOfRequests: 7, countsService: false))
    #expect(recording.otherDays?.hours.map(\.requests) == [[], [], []])
    #expect(recording.looks.allSatisfy { $0.serviceRequests == nil })
  }

  @Test("the hour that has begun is the one that guards go by")
  func hours() {
    let days = OtherDays(
      hours: [.init(at: 0, cpu: [1, 3]), .init(at: 1800, cpu: [5])], before: PodLoad(requests: 1, cpu: 2))
    #expect(days.levels(at: 0).cpu == PastLevel([1, 3]))
    #expect(days.levels(at: 1799).cpu == PastLevel([1, 3]))
    #expect(days.levels(at: 1800).cpu == PastLevel([5]))
    #expect(days.levels(at: 9e9).cpu == PastLevel([5]))
    #expect(days.levels(at: 0).before == PodLoad(requests: 1, cpu: 2))
    #expect(OtherDays().levels(at: 0) == UsualLevels())
  }

  @Test(
    "a file whose other days cannot be is refused, with the field",
    arguments: [
      (OtherDays(hours: [.init(at: 1800), .init(at: 0)]), "hours: found at [1800.0, 0.0], wanted ascending seconds"),
      (
        OtherDays(hours: [.init(at: 0, memory: Array(repeating: 1, count: 8))]),
        "hours[0].memory: found 8 days, wanted at most 7"
      ),
      (OtherDays(hours: [.init(at: 0), .init(at: 1, cpu: [-1])]), "hours[1].cpu: found -1.0, wanted 0 to 1e18"),
      (
        OtherDays(hours: (0...336).map { .init(at: Double($0)) }), "hours: found 337, wanted at most 336"
      ),
      (OtherDays(before: PodLoad(requests: 1, cpu: 1e19)), "before.cpu: found 1e+19, wanted 0 to 1e18"),
    ])
  func wrong(days: OtherDays, problem: String) {
    var recording = Self.recording()
    #expect(recording.problem == nil)
    recording.otherDays = days
    #expect(recording.problem == "otherDays.\(problem)")
  }

  // MARK: - Trying a plan on it

  /// Two pods of each revision, with 100 requests/s of the service, and 200 mCPU of a pod of stable.
  private static func recording(canaryCPU: Double = 0.2) -> Recording {
    let track = TrackLook(requests: 500, failed: 0, buckets: [])
    var recording = Recording(
      start: start, interval: 10, boundaries: [],
      looks: (0..<200).map { index in
        var look = Recording.Look(stable: track, canary: track)
        look.serviceRequests = 1000
        look.pods = [:]
        for pod in ["web-s1-aaaaa", "web-s1-bbbbb", "web-abc-ccccc", "web-abc-ddddd"] {
          let cpu = pod.hasPrefix("web-abc") ? canaryCPU : 0.2
          look.pods?[pod] = ["cpu": Double(index) * 10 * cpu, "memory": 1e8, "restarts": 0]
        }
        return look
      })
    recording.stableSet = "web-s1"
    recording.canarySet = "web-abc"
    return recording
  }

  private static func tried(_ recording: Recording) throws -> RehearsalReport {
    Rehearsal(try plan(), recording: recording, seed: 1).result()
  }

  @Test("requests of which every other day had three times as many are missed, and the canary is not blamed")
  func volume() throws {
    var recording = Self.recording()
    #expect(try Self.tried(recording).guards == [])
    recording.otherDays = OtherDays(hours: [.init(at: 0, requests: [290, 300, 310, 305])])
    let report = try Self.tried(recording)
    #expect(report.guards == ["request-volume"])
    #expect(report.outcome == .paused)
    #expect(
      report.reason.contains("the service gets 100 requests a second; at this hour 303 are usual"), "\(report.reason)")
    // Those who call it count what the two revisions did not answer, too.
    for index in recording.looks.indices { recording.looks[index].serviceRequests = 3000 }
    #expect(try Self.tried(recording).guards == [])
    recording.otherDays?.hours[0].requests = [300, 300]
    for index in recording.looks.indices { recording.looks[index].serviceRequests = 1000 }
    #expect(try Self.tried(recording).guards == [], "two days do not say what is usual")
  }

  @Test("CPU that is more than stable's, and no more than the service took at this hour on other days, is usual")
  func cpu() throws {
    var recording = Self.recording(canaryCPU: 0.4)
    #expect(try Self.tried(recording).guards == ["cpu"])
    // 0.35 and a fifth: 0.42.
    recording.otherDays = OtherDays(hours: [.init(at: 0, cpu: [0.34, 0.35, 0.36])])
    #expect(try Self.tried(recording).guards == [])
    recording.otherDays = OtherDays(hours: [.init(at: 0, cpu: [0.30, 0.31, 0.32])])
    #expect(try Self.tried(recording).guards == ["cpu"], "0.31 and a fifth: 0.37")
  }

  @Test("a canary pod with three times stable's requests may take what stable took for as many before")
  func before() throws {
    var recording = Self.recording(canaryCPU: 0.5)
    for index in recording.looks.indices {
      recording.looks[index].stable = TrackLook(requests: 250, failed: 0, buckets: [])
      recording.looks[index].canary = TrackLook(requests: 750, failed: 0, buckets: [])
    }
    // In proportion 0.2 for 12.5 requests/s would be 0.6 for 37.5.
    #expect(try Self.tried(recording).guards == [])
    // By the line from 0.2 for 12.5 to 0.3 for 50 they are 0.267, of which 0.5 is more than a quarter beyond.
    recording.otherDays = OtherDays(before: PodLoad(requests: 50, cpu: 0.3))
    #expect(try Self.tried(recording).guards == ["cpu"])
  }
}

/// Two pods of stable from long ago and one of a canary that begins after ten minutes, with 10 requests a second each, and
/// days before of which it has some.
private struct DaysTransport: HistoryOfMetrics {
  static let start = 1_000_000.0
  var days = 4
  var daysOfRequests = 2
  var countsService = true
  /// What is said to every question about another day.
  var refusal: String?

  func series(_ query: String, _ times: StrideThrough<Double>) throws -> [String] {
    /// Values at the times that have one.
    func one(_ labels: String, _ value: (Double) -> Double?) -> [String] {
      let values = times.compactMap { time in value(time).map { "[\(time),\"\($0.isNaN ? "NaN" : "\($0)")\"]" } }
      return values.isEmpty ? [] : ["{\"metric\":{\(labels)},\"values\":[\(values.joined(separator: ","))]}"]
    }
    func daysAgo(_ time: Double) -> Double { ((Self.start - time) / 86_400).rounded(.up) }
    func minutes(_ time: Double) -> Double { (time - Self.start + daysAgo(time) * 86_400) / 60 }
    if let refusal, let first = Array(times).first, first < Self.start - 43_200 {
      throw RefusedQuery(text: refusal)
    }
    if query.contains("quantile(0.5") {
      let isMemory = query.contains("memory")
      return one("") { time in
        let ago = max(0, daysAgo(time))
        guard ago <= Double(days) else { return nil }
        return isMemory ? 100 * ago : 10 * ago + minutes(time) / 10
      }
    }
    let stable = ["web-s1-aaaaa", "web-s1-bbbbb"].filter { query.contains($0.prefix(7)) }
    let canary = query.contains("web-abc-") ? ["web-abc-ccccc"] : []
    if query.contains("container_") {
      return (stable + canary).flatMap { pod in
        one("\"namespace\":\"shop\",\"pod\":\"\(pod)\",\"__name__\":\"kube_pod_container_status_restarts_total\"") {
          !pod.hasPrefix("web-abc") || $0 >= Self.start + 600 ? 0 : nil
        }
      }
    }
    guard query.contains("istio_requests_total") else { return [] }
    if query.contains("destination_service_name") {
      func labels(_ service: String) -> String {
        "\"destination_service_namespace\":\"shop\",\"destination_service_name\":\"\(service)\",\"response_code\":\"200\""
      }
      if query.contains("increase(") {
        // Of the Services of before and of now, and one of which nothing was counted.
        return [("web", 600.0), ("web-stable", 1200), ("web-canary", .nan)].flatMap { service, value in
          one(labels(service)) { daysAgo($0) <= Double(daysOfRequests) ? daysAgo($0) * value : nil }
        }
      }
      return countsService ? one(labels("web-stable")) { ($0 - Self.start + 1000) * 30 } : []
    }
    return (stable + canary).flatMap { pod in
      let labels = "\"destination_workload_namespace\":\"shop\",\"pod\":\"\(pod)\",\"response_code\":\"200\""
      let begin = Self.start + (canary.contains(pod) ? 600 : -10_000)
      return one(labels) { time in
        if query.contains("increase(") { return 6000 }
        return time >= begin ? (time - begin) * 10 : nil
      }
    }
  }
}
