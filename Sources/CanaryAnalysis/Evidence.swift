/// What a judgement rests on, for people and for `explain`. Numbers that would be infinite are absent, so that every
/// value can be written as JSON.
public struct Evidence: Codable, Sendable, Hashable {
  /// One track's part.
  public struct Track: Codable, Sendable, Hashable {
    public var counts: Counts
    /// The rates that the counts leave possible, with 95 % at all times at once.
    public var interval: RateInterval

    public init(counts: Counts, interval: RateInterval) {
      self.counts = counts
      self.interval = interval
    }
  }

  /// What a latency check knows of the quantile itself, in milliseconds.
  public struct Latency: Codable, Sendable, Hashable {
    public var quantile: Double
    public var max: Double
    /// The bucket that it lies in, as counted.
    public var canary: QuantileEstimate?
    public var stable: QuantileEstimate?
    /// Between which boundaries it truly lies, with 95 % at all times at once.
    public var canaryInterval: QuantileEstimate?
    public var stableInterval: QuantileEstimate?
  }

  /// What is known of the answers as a whole, where a latency check compares them.
  public struct Distribution: Codable, Sendable, Hashable {
    /// How much larger the canary's share of slower answers may be, as counted.
    public var margin: Double
    /// Where the two shares are furthest apart, in milliseconds, and the shares of slower answers there; absent as long
    /// as nothing was compared.
    public var boundary: Double?
    public var canary: Double?
    public var stable: Double?
    /// The largest e-value that "slower as a whole" reached, and the one that fails.
    public var eValue: Double
    public var threshold: Double
    /// The pods of the canary that explain it, the slowest first; empty where it is not known to be a few.
    public var pods: [String] = []
  }

  /// The name of the check in the plan.
  public var check: String
  /// What counts as bad, in the plural: `errors`, `requests slower than 500 ms`.
  public var property: String
  public var canary: Track
  public var stable: Track
  /// The largest tolerated rate of bad requests.
  public var limit: Double?
  /// The ratio of the canary's rate to stable's that the looks leave possible, with 95 %; an absent end is open.
  public var ratioLower: Double?
  public var ratioUpper: Double?
  /// The largest e-value that "worse than stable" reached, and the one that fails.
  public var comparisonEValue: Double?
  public var comparisonThreshold: Double?
  /// The largest e-value that "breaks the limit" reached, and the one that fails.
  public var limitEValue: Double?
  public var limitThreshold: Double?
  /// The probability that this check ever fails a good canary.
  public var risk: Double
  /// The same of all checks of the run together, where the caller said; ``risk`` is a share of it.
  public var budget: Double?
  /// The dispersion of stable's bad requests, where enough is known of it; above 1.5 they come in clumps.
  public var dispersion: Double?
  public var latency: Latency?
  public var distribution: Distribution?
  /// Of a team's own query, which has values, or events of its own, instead of requests and bad ones.
  public var values: Values?
  /// Looks with a measurement of both tracks, and looks without.
  public var looks: Int
  public var gaps: Int
  /// How long was watched, in seconds, where the caller said.
  public var window: Double?
  /// The queries behind the numbers, where the caller said.
  public var queries: [String] = []
  /// What a reader must know to weigh the rest: coarse buckets, too few requests, a missing measurement.
  public var notes: [String] = []

  /// The tracks side by side: `errors: canary 1.9 % … 3.1 % (52 of 2080 requests), stable 0.2 % … 0.4 % (61 of 20100)`.
  public var sentence: String {
    if let values { return ([values.sentence] + notes).joined(separator: "; ") }
    var parts = ["\(property): canary \(Self.text(canary)), stable \(Self.text(stable))"]
    if let latency {
      let name = "p\(Self.number(latency.quantile * 100))"
      let tracks = [("canary", latency.canaryInterval), ("stable", latency.stableInterval)].map { track, interval in
        "\(track) \(name) \(interval?.text ?? "unknown")"
      }
      parts.append(tracks.joined(separator: ", ") + " (at most \(Self.number(latency.max)) ms)")
    } else if let limit {
      parts.append("at most \(Self.percent(limit)) allowed")
    }
    switch (ratioLower, ratioUpper) {
    case (let lower?, let upper?) where lower > 1:
      parts.append("the canary's rate is \(Self.number(lower)) to \(Self.number(upper)) times stable's")
    case (let lower?, nil) where lower > 1:
      parts.append("the canary's rate is at least \(Self.number(lower)) times stable's")
    default: break
    }
    // What fails comes first.
    if let distribution { parts.insert(distribution.sentence, at: distribution.isSlower ? 0 : parts.endIndex) }
    return (parts + notes).joined(separator: "; ")
  }

  private static func text(_ track: Track) -> String {
    guard track.counts.requests > 0 else { return "no requests" }
    let interval = "\(percent(track.interval.lower)) … \(percent(track.interval.upper))"
    return "\(interval) (\(number(track.counts.bad)) of \(number(track.counts.requests)) requests)"
  }

  /// `1.9 %`: two significant digits, at most three places.
  static func percent(_ rate: Double) -> String { number(rate * 100) + " %" }

  /// Whole from 100 on, two significant digits below, at most three places.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return value > 0 ? "infinitely many" : "not a number" }
    let places = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 1 : abs(value) >= 0.1 ? 2 : 3
    let scale = [1.0, 10, 100, 1000][places]
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
  }
}

extension Evidence.Distribution {
  init(_ watch: DistributionWatch, risk: Double) {
    let widest = watch.test?.widest
    self.init(
      margin: watch.margin, boundary: widest?.boundary, canary: widest?.canary, stable: widest?.stable,
      eValue: finite(exponential: watch.test?.logPeak ?? 0), threshold: 1 / risk)
  }

  /// Whether it fails the canary.
  public var isSlower: Bool { eValue >= threshold && (canary ?? 0) - (stable ?? 0) > margin }

  /// `as a whole: 48 % of the canary's answers took more than 50 ms, 31 % of stable's (5 % further apart is tolerated)`.
  var sentence: String {
    guard let boundary, let canary, let stable else { return "the answers as a whole have not been compared yet" }
    return "\(isSlower ? "slower " : "")as a whole: \(Evidence.percent(canary)) of the canary's answers took more than "
      + "\(Evidence.number(boundary)) ms, \(Evidence.percent(stable)) of stable's "
      + "(up to \(Evidence.number(margin * 100)) percentage points more are tolerated)"
  }
}
