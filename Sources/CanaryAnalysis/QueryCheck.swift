/// Judges what a team's own query says of the canary: its value against bounds, and against stable's value over the same
/// window. Values are no counts, so there is no test with a stated risk; several looks in a row must agree instead.
public struct QueryCheck: Codable, Sendable, Hashable {
  public let name: String

  private var value: ThresholdCheck?
  private var ratio: ThresholdCheck?
  private var difference: ThresholdCheck?
  private var canary: Double?
  private var stable: Double?
  private var looks = 0
  private var gaps = 0

  /// - Parameters:
  ///   - value: what the canary's value must keep.
  ///   - ratio: what the canary's value divided by stable's must keep. Beside a stable value of 0 the canary's must keep
  ///     as many times 0, or else the difference: nothing else tells then how much is much.
  ///   - difference: what the canary's value less stable's must keep.
  public init(
    name: String, value: ThresholdCheck.Bounds? = nil, ratio: ThresholdCheck.Bounds? = nil,
    difference: ThresholdCheck.Bounds? = nil, agreement: Int = 3
  ) {
    self.name = name
    self.value = value.map { ThresholdCheck(name: "the canary's value", bounds: $0, agreement: agreement) }
    self.ratio = ratio.map { ThresholdCheck(name: "canary ÷ stable", bounds: $0, agreement: agreement) }
    self.difference = difference.map { ThresholdCheck(name: "canary − stable", bounds: $0, agreement: agreement) }
  }

  /// Whether stable's value is needed.
  public var compares: Bool { ratio != nil || difference != nil }

  /// Looks from before say nothing of what comes now: a window over other traffic begins. A failure stays.
  public mutating func beginAnew(comparing: Bool) {
    value?.beginAnew()
    guard comparing else { return }
    ratio?.beginAnew()
    difference?.beginAnew()
  }

  /// Adds a look.
  /// - Parameters:
  ///   - stable: `nil` where stable gets no traffic: a comparison then keeps what it found while it did.
  ///   - scale: what a ratio is divided by: the canary's requests divided by stable's, for a value that grows with them.
  public mutating func record(canary: Measured<Double>, stable: Measured<Double>?, scale: Double? = nil) {
    self.canary = canary.value
    self.stable = stable?.value
    if canary.value == nil || (compares && stable != nil && stable?.value == nil) { gaps += 1 } else { looks += 1 }
    value?.record(canary)
    guard let stable else { return }
    if let own = canary.value, stable.value == 0 {
      recordRatioToZero(own)
    } else {
      ratio?.record(Self.joined(canary, stable, "it cannot be divided") { $0 / $1 / (scale ?? 1) })
    }
    difference?.record(Self.joined(canary, stable, "it cannot be subtracted") { $0 - $1 * (scale ?? 1) })
  }

  private mutating func recordRatioToZero(_ own: Double) {
    guard let bounds = ratio?.bounds else { return }
    guard own != 0 else {
      ratio?.record(holds: true, found: "the canary's value and stable's are both 0")
      return
    }
    let allowed = ThresholdCheck.Bounds(
      min: bounds.min.map { _ in min(0, difference?.bounds.min ?? 0) },
      max: bounds.max.map { _ in max(0, difference?.bounds.max ?? 0) })
    ratio?.record(
      holds: allowed.hold(own),
      found: "the canary's value is \(Evidence.number(own)) and stable's is 0, \(allowed.wanted) allowed beside that")
  }

  private static func joined(
    _ canary: Measured<Double>, _ stable: Measured<Double>, _ problem: String, _ body: (Double, Double) -> Double
  ) -> Measured<Double> {
    guard let own = canary.value else { return canary }
    guard let base = stable.value else { return .sourceFailed("for stable, \(stable.problem ?? "there is no value")") }
    let result = body(own, base)
    return result.isFinite ? .value(result) : .sourceFailed(problem)
  }

  /// - Parameter queries: what was asked, for the evidence.
  public func judgement(queries: [String] = [], window: Double? = nil, notes: [String] = []) -> Judgement {
    let parts = [value, ratio, difference].compactMap { $0 }
    let verdict = Verdict.joint(parts.map(\.outcome.verdict))
    let finding: Judgement.Finding =
      switch verdict {
      case .pass: .kept
      case .fail: value?.outcome.verdict == .fail ? .limitBroken : .worseThanStable
      case .insufficient: .undecided
      case .unknown: .noMeasurement
      }
    // The part that decides comes first.
    let sentences =
      parts.filter { $0.outcome.verdict == verdict } + parts.filter { $0.outcome.verdict != verdict }
    let none = RateInterval(lower: 0, upper: 1)
    var evidence = Evidence(
      check: name, property: "value", canary: Evidence.Track(counts: .zero, interval: none),
      stable: Evidence.Track(counts: .zero, interval: none), risk: 0, looks: looks, gaps: gaps)
    evidence.values = Evidence.Values(
      canary: canary, stable: stable, ratio: ratio?.outcome.last, difference: difference?.outcome.last,
      sentence: sentences.map(\.outcome.sentence).joined(separator: "; "),
      wanted: parts.map { "\($0.name) \($0.wanted)" }.joined(separator: "; "))
    evidence.queries = queries
    evidence.window = window
    evidence.notes = notes
    return Judgement(finding: finding, evidence: evidence)
  }
}

extension Evidence {
  /// What a team's own query gave: a value, or with amounts what its counters counted.
  public struct Values: Codable, Sendable, Hashable {
    public var canary: Double?
    public var stable: Double?
    public var ratio: Double?
    public var difference: Double?
    /// What was found, for people.
    public var sentence: String
    /// What must be kept, for people.
    public var wanted: String
    /// Of events and means: what was counted.
    public var canaryAmount: Amount?
    public var stableAmount: Amount?
  }
}
