import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("Errors in clumps")
struct ClumpsTests {
  // Twelve looks of 1,000 requests. A pair of looks with E bad ones in one of them only has the width E, and weighs E:
  // (9² + 9² + 12² + 12² + 3² + 3² + 6² + 6²) / (9 + 9 + 12 + 12 + 3 + 3 + 6 + 6) = 540 / 60.
  let clumped = [0.0, 9, 0, 0, 12, 0, 0, 0, 3, 0, 6, 0]

  @Test("the dispersion is how much wider the looks fall than the looks before let expect")
  func dispersion() {
    var clumps = Clumps()
    for bad in clumped { clumps.observe(counts(1000, bad)) }
    #expect(isClose(clumps.dispersion, 9, within: 0.02))
    #expect(isClose(clumps.remedy.divisor, 1.5 * (clumps.dispersion ?? 0)))
    #expect(clumps.remedy.cap == 2.3)
  }

  @Test("a fault of all processes that begins is no clump")
  func commonFault() {
    func fed(_ parts: Int) -> Clumps {
      var clumps = Clumps()
      for look in 0..<30 {
        let bad = look < 15 ? 2.0 : 200
        clumps.observe(counts(1000, bad), parts: (0..<parts).map { _ in counts(1000 / 4, bad / 4) })
      }
      return clumps
    }
    #expect((fed(0).dispersion ?? 0) > 3)
    #expect(fed(4).remedy.divisor == 1)
  }

  @Test("a process that is bad throughout is no clump")
  func badProcess() {
    var clumps = Clumps()
    for _ in 0..<30 { clumps.observe(counts(1000, 50), parts: [counts(250, 50)] + (0..<3).map { _ in counts(250, 0) }) }
    #expect(clumps.remedy.divisor == 1)
  }

  @Test("a clump of stable is one in time and among its processes")
  func clump() {
    var clumps = Clumps()
    for bad in clumped {
      clumps.observe(counts(1000, bad), parts: [counts(250, bad)] + (0..<3).map { _ in counts(250, 0) })
    }
    #expect(clumps.remedy.divisor > 10)
  }

  @Test("clumps that begin in a look make its gain smaller, and bad requests on one process of the canary too")
  func present() {
    func gain(stable: [Double], canary: [Double]) -> Double {
      var watch = RateWatch(limit: 0.5, toleratedRatio: 1)
      for _ in 0..<60 { watch.learn(stable: counts(900, 2), parts: stable.map { _ in counts(225, 0.5) }) }
      watch.record(
        canary: counts(100, canary.reduce(0, +)), stable: counts(900, stable.reduce(0, +)),
        parts: TrackParts(canary: canary.map { counts(25, $0) }, stable: stable.map { counts(225, $0) }),
        circumstances: [])
      return watch.comparison.logEValue
    }
    let even = gain(stable: [5, 5, 5, 5], canary: [5, 5, 5, 5])
    #expect(even > 6)
    #expect(gain(stable: [20, 0, 0, 0], canary: [5, 5, 5, 5]) < 4.2)
    #expect(gain(stable: [5, 5, 5, 5], canary: [20, 0, 0, 0]) < 4.2)
  }

  // w r^(S/d) (1 − w + w r)^(−S/d) + (1 − w)(1 − w + w r)^(−S/d) has the mean 1 for an exponential S of mean b and
  // d = b / c, by direct integration: w / (1 − c A) + (1 − w) / (1 + c B).
  @Test(
    "a bet that is divided by its fairness is fair for exponential clumps", arguments: [1.12, 3, 50.0], [0.01, 0.5])
  func fairness(ratio: Double, share: Double) {
    let loss = log1p(share * (ratio - 1))
    let gain = log(ratio) - loss
    let part = Clumps.fairness(gain: gain, loss: loss, share: share)
    #expect(isClose(share / (1 - part * gain) + (1 - share) / (1 + part * loss), 1, within: 1e-6))
  }

  @Test("a load that changes is no clump")
  func load() {
    var clumps = Clumps()
    for index in 1...40 { clumps.observe(counts(Double(index) * 100, Double(index))) }
    #expect(clumps.dispersion ?? 9 < 0.1)
    #expect(clumps.remedy.divisor == 1)
    #expect(clumps.remedy.cap == nil)
  }

  @Test("while little is known of stable, one look adds at most a factor of 10")
  func unknown() {
    var clumps = Clumps()
    for _ in 0..<30 { clumps.observe(counts(1000, 0)) }
    #expect(clumps.dispersion == nil)
    #expect(clumps.remedy == (1, 2.3))
  }

  @Test("clumps are forgotten slowly")
  func memory() {
    var clumps = Clumps()
    for bad in clumped { clumps.observe(counts(1000, bad)) }
    for _ in 0..<60 { clumps.observe(counts(1000, 2)) }
    #expect(isClose(clumps.dispersion, 2, within: 0.2))
    for _ in 0..<600 { clumps.observe(counts(1000, 2)) }
    #expect(clumps.remedy.divisor == 1)
  }
}
