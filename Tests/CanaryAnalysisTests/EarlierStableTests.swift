import Testing

@testable import CanaryAnalysis

@Suite struct EarlierStableTests {
  private func watch(risk: Double = 0.001) -> EarlierStable {
    EarlierStable(tolerance: Tolerance(ratio: 1, margin: 0.0025), risk: risk)
  }

  @Test("while both tracks have requests it only learns")
  func learns() {
    var watch = watch()
    for _ in 0..<20 { watch.record(canary: counts(1000, 200), stable: counts(1000, 1)) }
    #expect(!watch.isWorse && watch.note() == nil && watch.canary == nil)
    #expect(watch.stable == counts(20_000, 20))
  }

  @Test(
    "a canary that fails more often, once it has all requests, than stable may have failed is worse, and it says so")
  func worse() throws {
    var watch = watch()
    for _ in 0..<20 { watch.record(canary: counts(100, 0), stable: counts(1000, 1)) }
    var looks = 0
    while !watch.isWorse, looks < 100 {
      watch.record(canary: counts(1000, 10), stable: .zero)
      looks += 1
    }
    #expect((1...20).contains(looks), "\(looks)")
    let note = try #require(watch.note())
    #expect(note.contains("all requests go to the canary") && note.contains("20 of 20000"), "\(note)")
  }

  @Test("what is tolerated, and what the earlier looks leave possible, does not fail")
  func tolerated() {
    var watch = watch()
    for _ in 0..<20 { watch.record(canary: counts(100, 0), stable: counts(1000, 1)) }
    for _ in 0..<500 { watch.record(canary: counts(1000, 3), stable: .zero) }
    #expect(!watch.isWorse, "0.3 % is within 0.1 % and the margin of 0.25 %")
  }

  @Test("a canary that is as good as stable fails in at most the stated share of runs, however long it bakes")
  func risk() {
    var random = SeededRandom(seed: 5)
    var failures = 0
    for _ in 0..<300 {
      var watch = EarlierStable(tolerance: Tolerance(), risk: 0.05)
      for _ in 0..<20 {
        watch.record(
          canary: counts(100, Double(random.binomial(100, 0.01))),
          stable: counts(900, Double(random.binomial(900, 0.01))))
      }
      for _ in 0..<60 { watch.record(canary: counts(1000, Double(random.binomial(1000, 0.01))), stable: .zero) }
      if watch.isWorse { failures += 1 }
    }
    #expect(failures <= 15, "\(failures) of 300")
  }

  @Test("without earlier requests of stable there is nothing to compare with")
  func nothing() {
    var watch = watch()
    for _ in 0..<100 { watch.record(canary: counts(1000, 500), stable: .zero) }
    #expect(!watch.isWorse && watch.note() == nil)
  }
}
