import Testing

@testable import CanaryAnalysis

@Suite("Errors in clumps")
struct ClumpsTests {
  // Twelve looks of 1,000 requests: numpy.var(ddof=1) / mean = 7.0909.
  let clumped = [0.0, 9, 0, 0, 12, 0, 0, 0, 3, 0, 6, 0]

  @Test("the dispersion is variance divided by mean where the looks are alike")
  func dispersion() {
    var clumps = Clumps()
    for bad in clumped { clumps.observe(counts(1000, bad)) }
    #expect(isClose(clumps.dispersion, 7.090909090909091))
    #expect(isClose(clumps.remedy.divisor, 1.25 * 7.090909090909091))
    #expect(clumps.remedy.cap == 2.3)
  }

  @Test("a load that changes is no clump")
  func load() {
    var clumps = Clumps()
    for index in 1...40 { clumps.observe(counts(Double(index) * 100, Double(index))) }
    #expect(isClose(clumps.dispersion, 0, within: 1e-9))
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

  @Test("only the last 60 looks count")
  func memory() {
    var clumps = Clumps()
    for bad in clumped { clumps.observe(counts(1000, bad)) }
    for _ in 0..<60 { clumps.observe(counts(1000, 2)) }
    #expect(isClose(clumps.dispersion, 0))
  }
}
