import Testing

@testable import RolloutAPI

@Suite struct ScalarTests {
  @Test("a percentage is read exactly and written as short as possible")
  func percentages() throws {
    for (text, value) in [("0%", 0), ("1%", 1), ("0.5%", 0.5), ("99.9999%", 99.9999), ("100%", 100), ("7.50%", 7.5)] {
      let percent = try #require(Percent(text))
      #expect(percent.value == value)
      #expect(Percent(percent.description) == percent)
    }
    #expect(Percent("7.50%")?.description == "7.5%")
    #expect(Percent("0.5%")?.fraction == 0.005)
    #expect(Percent("20%")?.whole == 20)
    #expect(Percent("0.5%")?.whole == nil)
    #expect(Percent(40) == Percent("40%"))
    #expect(Percent(101) == nil)
    #expect(Percent("1%").map { $0 < .all } == true)
  }

  @Test(
    "no other text is a percentage",
    arguments: [
      "", "%", "1", "101%", "100.1%", "1.%", ".5%", "-1%", "+1%", "1e1%", "1 %", "0.12345%", "099%", "１%", "1%%",
    ])
  func notPercentages(text: String) { #expect(Percent(text) == nil) }

  @Test("a share of pods is rounded up, and none of none")
  func shares() throws {
    let one = try #require(Percent("1%"))
    #expect([0, 1, 4, 100, 101].map(one.share(of:)) == [0, 1, 1, 1, 2])
    #expect(Percent.all.share(of: 7) == 7)
    #expect(Percent.zero.share(of: 7) == 0)
    #expect(Percent("33.3333%")?.share(of: 3) == 1)
    #expect(Percent("33.3334%")?.share(of: 3) == 2)
  }

  @Test("a duration in the pattern of the Gateway API is read in milliseconds")
  func durations() throws {
    let expected: [(String, Int)] = [
      ("400ms", 400), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("1h30m", 5_400_000), ("1m1ms", 60_001),
      ("0s", 0), ("99999h", 359_996_400_000), ("30m1h", 5_400_000), ("90s", 90_000),
    ]
    for (text, milliseconds) in expected {
      #expect(GoDuration(text)?.duration == .milliseconds(milliseconds), "\(text)")
    }
    #expect(GoDuration("90s")?.description == "1m30s")
    #expect(Duration.seconds(86_400).text == "24h")
    #expect(Duration.zero.text == "0s")
    #expect(Duration.milliseconds(1500).text == "1s500ms")
  }

  @Test(
    "no other text is a duration",
    arguments: [
      "", "5", "m", "5x", "100000s", "1h1h1h1h1h", "-5m", "1.5h", "5 m", "5m ", "1us", "mm1", "5mm", "5msm", "５m",
    ])
  func notDurations(text: String) { #expect(GoDuration(text) == nil) }

  @Test("a weight is 0 to 100")
  func weights() {
    #expect([-1, 0, 1, 100, 101].map { Weight($0)?.value } == [nil, 0, 1, 100, nil])
    #expect(Weight.none < Weight.all)
  }

  @Test("a quantile lies above 0 and below 100")
  func quantiles() {
    #expect(Quantile("99")?.fraction == 0.99)
    #expect(Quantile("99.9")?.fraction == 0.999)
    #expect(Quantile("99.90")?.name == "p99.9")
    for text in ["0", "100", "0.0", "p99", "99%", "", "0.99999", "-5"] { #expect(Quantile(text) == nil, "\(text)") }
  }

  @Test("a decimal text is compared by value")
  func decimals() {
    #expect(DecimalString("0.95")?.double == 0.95)
    #expect(DecimalString("1.0") == DecimalString("1"))
    #expect(DecimalString("-2").map { $0 < .one } == true)
    #expect(DecimalString(0.1)?.description == "0.1")
    #expect(DecimalString(12.0)?.description == "12")
    #expect(DecimalString(-0.0000000001)?.description == "0")
    #expect(DecimalString(Double.infinity) == nil)
    for text in ["", "1e3", "+1", ".5", "1.", "--1", "NaN", "1234567890123456", "0.1234567890"] {
      #expect(DecimalString(text) == nil, "\(text)")
    }
  }
}
