import CanaryAnalysis
import Foundation
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("Latency by native histograms") struct NativeBucketsTests {
  /// Two tracks whose proxies export native histograms alone, in milliseconds.
  private struct Mesh {
    var judge: RunJudge
    let start = Date(timeIntervalSince1970: 1_000_000)
    var seconds = 0.0
    /// Requests that took about 50 and about 900 ms, by track.
    var fast: [Track: Double] = [.stable: 0, .canary: 0]
    var slow: [Track: Double] = [.stable: 0, .canary: 0]
    var schemas: [Track: Int] = [.stable: 3, .canary: 3]
    /// Boundaries as a classic histogram has them, 100 and 1000 ms.
    var isCustom = false

    init(max: String = "400ms") throws {
      let plan = try OperatorTests.plan(slos: [SLOSpec(name: "p99", latency: LatencySpec(quantile: "99", max: max))])
      judge = RunJudge(
        plan: plan,
        scope: MetricsScope(
          namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc"),
        metrics: IstioMetrics())
    }

    mutating func look(fast: Double = 500, slow: [Track: Double] = [:]) {
      seconds += 10
      for track in Track.allCases {
        self.fast[track, default: 0] += fast
        self.slow[track, default: 0] += slow[track] ?? 0
      }
      var answers = LookAnswers()
      for view in MetricsView.allCases {
        answers.answers[.init(view: view, kind: .requests)] = .series(
          Track.allCases.map {
            MetricSeries(labels: labels(view, $0, ["response_code": "200"]), value: all($0))
          })
        answers.answers[.init(view: view, kind: .latency)] = .series(
          Track.allCases.flatMap { MetricSeries.series(labels(view, $0), .nan, histogram($0)) })
      }
      judge.record(
        answers, at: start + seconds, traffic: TrafficTarget(weight: Weight(50) ?? .none), writtenAt: start,
        verifiedAt: start)
    }

    private func all(_ track: Track) -> Double { (fast[track] ?? 0) + (slow[track] ?? 0) }

    private func histogram(_ track: Track) -> NativeHistogram {
      let width = exp2(-Double(schemas[track] ?? 3))
      func bucket(_ value: Double, _ count: Double) -> NativeHistogram.Bucket {
        if isCustom {
          return .init(rule: .openLeft, lower: value < 100 ? 0.5 : 100, upper: value < 100 ? 100 : 1000, count: count)
        }
        let end = (log2(value) / width).rounded(.up)
        return .init(rule: .openLeft, lower: exp2((end - 1) * width), upper: exp2(end * width), count: count)
      }
      return NativeHistogram(
        count: all(track), sum: 0,
        buckets: [bucket(50, fast[track] ?? 0), bucket(900, slow[track] ?? 0)].filter { $0.count > 0 })
    }

    private func labels(_ view: MetricsView, _ track: Track, _ more: [String: String] = [:]) -> [String: String] {
      let own =
        view == .caller
        ? ["destination_service_namespace": "shop", "destination_service_name": "web-\(track.rawValue)"]
        : ["destination_workload_namespace": "shop", "pod": track == .stable ? "web-s1-aaaaa" : "web-abc-bbbbb"]
      return own.merging(more) { $1 }
    }

    var report: CheckReport? { judge.latest.checks.first }
  }

  @Test("a canary whose tail grows fails by the first boundary beyond the limit, and one like stable passes")
  func judged() throws {
    var good = try Mesh()
    for _ in 0..<30 { good.look(slow: [.stable: 1, .canary: 1]) }
    #expect(good.report?.verdict == .pass, "\(String(describing: good.report?.message))")
    let latency = try #require(good.report?.judgement?.evidence.latency?.canary)
    // 2^(45/8) = 49.4 and 2^(46/8) = 53.8 ms.
    #expect(latency.lower > 49 && latency.lower < 50 && latency.upper ?? 0 > 53 && latency.upper ?? 99 < 54)
    var bad = try Mesh()
    for _ in 0..<30 { bad.look(slow: [.stable: 1, .canary: 50]) }
    let report = try #require(bad.report)
    #expect(report.verdict == .fail)
    // 2^(70/8) ms is the first boundary above 400 ms.
    #expect(report.message.hasPrefix("requests slower than 431 ms: canary"), "\(report.message)")
    #expect(report.judgement?.evidence.risk ?? 1 <= 0.0005, "the first beginning has half of the check's share")
  }

  @Test("tracks of different schemas are compared at the boundaries that both have")
  func schemas() throws {
    var mesh = try Mesh()
    mesh.schemas = [.stable: 1, .canary: 3]
    for _ in 0..<30 { mesh.look(slow: [.stable: 1, .canary: 50]) }
    let report = try #require(mesh.report)
    #expect(report.verdict == .fail)
    // Two boundaries an octave: 362 and 512 ms.
    #expect(report.message.hasPrefix("requests slower than 512 ms"), "\(report.message)")
  }

  @Test(
    "a histogram that becomes coarser begins the check anew with half of the risk, and what it says afterwards counts")
  func coarser() throws {
    var mesh = try Mesh()
    for _ in 0..<5 { mesh.look(slow: [.stable: 1, .canary: 1]) }
    let before = try #require(mesh.report?.judgement?.evidence)
    mesh.schemas[.canary] = 0
    mesh.look()
    let after = try #require(mesh.report?.judgement?.evidence)
    #expect(after.risk == before.risk / 2)
    #expect(after.canary.counts.requests == 500 && before.canary.counts.requests > 2000)
    for _ in 0..<30 { mesh.look(slow: [.stable: 1, .canary: 50]) }
    #expect(mesh.report?.verdict == .fail)
    mesh.schemas[.canary] = 3
    mesh.look()
    #expect(mesh.report?.verdict == .fail, "finer again, it goes on with the coarser boundaries")
  }

  @Test("a limit inside of a bucket stays undecided while the quantile is in it, and the evidence says so")
  func insideOfBucket() throws {
    var mesh = try Mesh(max: "910ms")
    mesh.schemas = [.stable: 0, .canary: 0]
    for _ in 0..<30 { mesh.look(slow: [.stable: 10, .canary: 10]) }
    let report = try #require(mesh.report)
    #expect(report.verdict == .insufficient)
    #expect(report.message.contains("no bucket boundary at 910 ms: the histogram's next ones are 512 and 1024 ms"))
  }

  @Test("histograms with custom boundaries are refused before the first weight, with what to change")
  func customBoundaries() throws {
    var mesh = try Mesh()
    mesh.isCustom = true
    mesh.look()
    guard case .missing(let text) = mesh.judge.latest.baseline else {
      Issue.record("found \(mesh.judge.latest.baseline)")
      return
    }
    #expect(
      text.contains("a native one with custom boundaries") && text.contains("Keep the classic buckets"), "\(text)")
    #expect(mesh.report?.verdict != .pass)
  }

  @Test("beyond the limits few boundaries are kept, and up to them all")
  func thinned() {
    let all = (0...80).map { exp2(Double($0) / 8) }
    let kept = NativeBuckets.thinned(all, [100, 250]).sorted()
    #expect(kept.filter { $0 <= 250 } == all.filter { $0 <= 250 })
    let beyond = kept.filter { $0 > 250 }
    #expect(beyond.first == 256 && beyond.count == 5)
    let ratios = zip(beyond, beyond.dropFirst()).map { $1 / $0 }
    #expect(ratios.allSatisfy { $0 >= 1.4 })
  }
}
