import Testing

@testable import detection

@Suite("The rivals of the benchmark")
struct RivalTests {
  private let tens = Array(repeating: 1.0, count: 10)

  // spinnaker/spinnaker#6278: 7 of 10 minutes at a hundredfold pass, 8 do not.
  @Test("Kayenta's interval is the one its users report")
  func kayentaInterval() throws {
    let seven = Array(repeating: 100.0, count: 7) + [1, 1, 1]
    let shift = try MannWhitney(experiment: seven, control: tens).shift()
    #expect(abs(shift.lower - 6.825e-5) < 1e-5)
    #expect(abs(shift.upper - 99) < 1e-3)
    #expect(abs(shift.estimate - 98.99993) < 1e-3)
    #expect(label(seven, tens) == .pass)
    #expect(label(Array(repeating: 100.0, count: 8) + [1, 1], tens) == .high)
  }

  // Kayenta's issue 426.
  @Test("Kayenta lets sparse errors pass")
  func kayentaSparse() throws {
    let sparse = [0.0, 1, 2, 1, 0, 0]
    let zeros = Array(repeating: 0.0, count: 6)
    let shift = try MannWhitney(experiment: sparse, control: zeros).shift()
    #expect(abs(shift.lower) < 1e-4)
    #expect(abs(shift.upper - 2) < 1e-3)
    #expect(abs(shift.estimate - 0.8127) < 1e-3)
    #expect(label(sparse, zeros) == .pass)
  }

  @Test("Kayenta passes 36 of 60 minutes with an error, and not 37")
  func kayentaMinutes() {
    let zeros = Array(repeating: 0.0, count: 60)
    func minutes(_ count: Int) -> [Double] { (0..<60).map { $0 < count ? 1 : 0 } }
    #expect(label(minutes(36), zeros) == .pass)
    #expect(label(minutes(37), zeros) == .high)
  }

  @Test("Kayenta's score is 50 with one of two metrics high, and 0 where it is critical or half the data is missing")
  func kayentaScore() {
    #expect(Kayenta.score([.pass, .pass], areCritical: false) == 100)
    #expect(Kayenta.score([.high, .pass], areCritical: false) == 50)
    #expect(Kayenta.score([.high, .pass], areCritical: true) == 0)
    #expect(Kayenta.score([.pass, .nodata], areCritical: false) == 0)
    #expect(Kayenta.score([.pass, .error], areCritical: false) == 100)
  }

  @Test("Argo Rollouts aborts on the fourth failing measurement, three minutes after the first")
  func argo() {
    #expect(firstAbort(ArgoRollouts(scenario, .fair), failing: { _ in true }) == 23)
    #expect(firstAbort(ArgoRollouts(scenario, .docs), failing: { _ in true }) == 119)
    // Failures count in total, good measurements in between or not.
    #expect(firstAbort(ArgoRollouts(scenario, .fair), failing: { $0 / 6 % 2 == 0 }) == 41)
  }

  @Test("Flagger rolls back one interval after the fifth bad tick, and a tick without requests is bad")
  func flagger() {
    #expect(firstAbort(Flagger(scenario, .fair), failing: { _ in true }) == 35)
    #expect(firstAbort(Flagger(scenario, .fair), failing: { _ in false }, requests: 0) == 35)
    #expect(firstAbort(Flagger(scenario, .fair), failing: { _ in false }) == nil)
  }

  @Test("a quantile is interpolated inside its bucket, as PromQL does it")
  func quantile() {
    var look = TrackLook(requests: 1000)
    look.slow = SIMD8(30, 5, 0, 0, 0, 0, 0, 0)
    // Rank 990 lies 20 of 25 requests into 250 … 500 ms.
    #expect(look.quantile(0.99, TrackLook.tailBoundaries) == 450)
    #expect(TrackLook().quantile(0.99, TrackLook.tailBoundaries) == nil)
  }

  private var scenario: Scenario {
    Scenario(weight: 0.1, requestsPerSecond: 10, errorLimit: 0.01, stable: { _ in Rates(errors: 0) })
  }

  private func label(_ experiment: [Double], _ control: [Double]) -> Kayenta.Label {
    Kayenta.label(
      experiment: experiment, control: control, replacesNaN: true, mustHaveData: false, isCritical: false,
      allowedIncrease: 1)
  }

  private func firstAbort(_ judge: some Judge, failing: (Int) -> Bool, requests: Double = 100) -> Int? {
    var judge = judge
    return (0..<360).first { look in
      judge.aborts(
        look,
        MeasuredLook(
          canary: TrackLook(requests: requests, errors: failing(look) ? requests / 2 : 0),
          stable: TrackLook(requests: 900)))
    }
  }
}
