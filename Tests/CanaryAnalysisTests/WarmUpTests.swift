import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("The warm-up")
struct WarmUpTests {
  /// One track in one look.
  private struct Track {
    var requests: Int
    var errors = 0.001
    /// The share slower than 500 ms.
    var slow = 0.002
  }

  /// A run as the operator judges it: the warm-up first, then the checks.
  private struct Run {
    var warmUp: WarmUp
    var errors = ErrorRateCheck(
      limit: 0.01, settings: CheckSettings(name: "errors", tolerance: Tolerance(), risk: 5e-4))
    var latency = LatencyCheck(
      quantile: 0.99, max: 500, settings: CheckSettings(name: "p99", tolerance: Tolerance(), risk: 5e-4))
    var random: SeededRandom
    var looks = 0
    var tellsLatency = true

    init(bound: Double = 90, seed: UInt64 = 1) {
      warmUp = WarmUp(bound: bound)
      random = SeededRandom(seed: seed)
      for _ in 0..<20 {
        let (errors, latency) = draw(Track(requests: 2000))
        warmUp.learn(stable: latency)
        self.errors.learn(stable: .value(errors))
        self.latency.learn(stable: .value(latency))
      }
      warmUp.begin()
    }

    private mutating func draw(_ track: Track) -> (Counts, LatencyHistogram) {
      let requests = Double(track.requests)
      let slow = Double(random.binomial(track.requests, track.slow))
      let histogram = try? LatencyHistogram(
        boundaries: [250, 500, 1000], cumulative: [requests - slow - requests / 50, requests - slow, requests],
        total: requests)
      return (
        counts(requests, Double(random.binomial(track.requests, track.errors))), histogram ?? .empty(boundaries: [])
      )
    }

    /// - Returns: whether the canary fails.
    mutating func look(_ canary: Track) -> Bool {
      let (own, base) = (draw(canary), draw(Track(requests: 2000)))
      warmUp.record(
        age: Double(looks) * 10, requests: own.0, canary: tellsLatency ? own.1 : nil,
        stable: tellsLatency ? base.1 : nil)
      looks += 1
      errors.record(canary: .value(own.0), stable: .value(base.0))
      latency.record(canary: .value(own.1), stable: .value(base.1))
      if let allowance = warmUp.logAllowance {
        errors.discard(above: allowance)
        latency.discard(above: allowance)
      }
      return errors.fails || latency.fails
    }

    /// The look of the failure, from 1.
    mutating func failure(within looks: Int, _ canary: (Int) -> Track) -> Int? {
      (1...looks).first { look(canary($0 - 1)) }
    }
  }

  @Test("a canary that is slow and fails until it is warm does not fail, however long it takes and much it has to do")
  func cold() {
    for (seed, requests) in [20, 200, 5000].enumerated() {
      for until in [1, 4, 9] {
        var run = Run(seed: UInt64(seed * 10 + until))
        let failed = run.failure(within: 60) {
          $0 < until ? Track(requests: requests, errors: 0.3, slow: 0.4) : Track(requests: requests)
        }
        #expect(failed == nil, "\(requests) requests, cold for \(until) looks")
      }
    }
  }

  @Test("where the canary may not be cold it fails by its first looks")
  func off() {
    var run = Run(bound: 0)
    #expect(run.failure(within: 9) { _ in Track(requests: 200, errors: 0.3, slow: 0.4) } ?? 9 <= 2)
  }

  @Test("a canary that goes on failing fails once the warm-up is over")
  func endless() {
    var run = Run()
    let failed = run.failure(within: 20) { _ in Track(requests: 200, errors: 0.3, slow: 0.4) }
    #expect((10...12).contains(failed ?? 0))
  }

  @Test("a canary that fails and is not slow is not waited for")
  func notSlow() {
    var run = Run()
    #expect(run.failure(within: 9) { _ in Track(requests: 300, errors: 0.1) } == 1)
    // Its requests must be enough to tell.
    run = Run()
    let failed = run.failure(within: 9) { _ in Track(requests: 30, errors: 0.3) } ?? 99
    #expect((3...6).contains(failed))
  }

  @Test("a canary of which nearly all requests fail is down and not cold")
  func down() {
    var run = Run()
    #expect(run.failure(within: 9) { _ in Track(requests: 500, errors: 1, slow: 1) } ?? 9 <= 4)
  }

  @Test("without the mesh's latency nothing shows that a canary is cold")
  func noLatency() {
    var run = Run()
    run.warmUp = WarmUp(bound: 90)
    run.warmUp.begin()
    run.tellsLatency = false
    #expect(run.failure(within: 9) { _ in Track(requests: 200, errors: 0.3, slow: 0.4) } ?? 9 <= 2)
  }

  @Test("nothing passes while the canary may be cold, and the evidence says why and what was discarded")
  func evidence() {
    var run = Run()
    for _ in 0..<3 { _ = run.look(Track(requests: 200, errors: 0.3, slow: 0.4)) }
    var judgement = run.warmUp.judged(run.errors.judgement())
    #expect(judgement.finding == .warmingUp && judgement.verdict == .insufficient)
    #expect(judgement.evidence.sentence.contains("warming up: "))
    #expect(judgement.evidence.sentence.contains("; it is not shown to be warm yet, and 90 s after"))
    #expect(judgement.evidence.sentence.contains("of 600 requests were slower than 500 ms"))
    #expect(judgement.evidence.sentence.contains("discarded as warm-up: "))
    for _ in 0..<20 { _ = run.look(Track(requests: 200, errors: 0)) }
    judgement = run.warmUp.judged(run.errors.judgement())
    #expect(judgement.finding == .kept)
    #expect(judgement.evidence.sentence.contains("discarded as warm-up: "))
  }

  @Test("a canary that is cold at first and then good fails as rarely as the risk says", .timeLimit(.minutes(1)))
  func guarantee() {
    var failures = 0
    for seed in 0..<400 {
      var run = Run(seed: UInt64(1000 + seed))
      let until = 1 + seed % 9
      let slow = 0.1 + 0.2 * Double(seed % 3)
      if run.failure(
        within: 30, { $0 < until ? Track(requests: 40, errors: 0.4, slow: slow) : Track(requests: 40) }) != nil
      {
        failures += 1
      }
    }
    #expect(failures <= 2)
  }
}
