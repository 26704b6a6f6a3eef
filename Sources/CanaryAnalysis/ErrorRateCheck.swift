/// Judges the rate of bad requests: against a limit, and against stable over the same looks.
///
/// Feed it one look after another; looks must not overlap, and begin only once the traffic is verified. It keeps what
/// it needs, so it can be stored or be built anew from recorded looks.
public struct ErrorRateCheck: TrackCheck, Hashable {
  public let settings: CheckSettings
  /// The largest tolerated rate, above 0 and below 1.
  public let limit: Double

  private var watch: RateWatch
  private var looks = LookLog()
  private var head = HeadStart()

  public init(limit: Double, settings: CheckSettings) {
    self.limit = limit
    self.settings = settings
    watch = RateWatch(limit: limit, toleratedRatio: settings.tolerance?.ratio ?? 1)
  }

  /// Teaches the check how stable's errors come (see ``Clumps``) by a look from before the run.
  public mutating func learn(stable: Measured<Counts>, parts: [Counts]) {
    if let look = stable.value { watch.learn(stable: look, parts: parts) }
  }

  /// Adds a look. Where either track has no measurement the look is a gap: nothing is concluded from the other track
  /// alone. A track that gets no traffic by plan is `.value(.zero)`, not `.missing`.
  public mutating func record(
    canary: Measured<Counts>, stable: Measured<Counts>, parts: TrackParts<Counts>, circumstances: Circumstances
  ) {
    guard let worse = canary.value, let base = stable.value else {
      looks.gap(canary: canary.problem, stable: stable.problem)
      return
    }
    looks.measured()
    watch.record(canary: worse, stable: base, parts: parts, circumstances: circumstances)
  }

  public mutating func discard(above logAllowance: Double) {
    guard logAllowance < settings.logCertainty, watch.logAgainst + head.log > logAllowance else { return }
    head.begin(with: logAllowance, discarding: watch.canary.counts)
    watch.beginAnew()
  }

  /// - Parameter window: how long has been watched, in seconds, for the evidence.
  public func judgement(window: Double? = nil, queries: [String] = []) -> Judgement {
    var evidence = Evidence(
      check: settings.name, property: "errors", watch: watch, settings: settings, head: head, looks: looks)
    evidence.limit = limit
    evidence.window = window
    evidence.queries = queries
    let (finding, note) = rule.finding(
      minimumRequests: settings.minimumRequests, isKept: watch.canary.isKept(risk: settings.passRisk))
    return looks.judgement(finding, note: note, evidence: evidence)
  }

  public var fails: Bool { rule.failure != nil }

  private var rule: RateRule {
    let settings = head.applied(to: settings)
    return RateRule(
      isWorse: settings.tolerance.map {
        watch.comparison.rejects(alpha: settings.comparisonRisk) && watch.exceeds(margin: $0.margin)
      } ?? false,
      isBlamed: (watch.equality ?? watch.comparison).rejects(alpha: settings.blameRisk),
      isBroken: watch.canary.isBroken(alpha: settings.limitRisk),
      isBrokenAlone: watch.alone.isBroken(alpha: settings.limitRisk),
      canary: watch.canary.counts, stable: watch.stable.counts)
  }
}

/// How many looks were measured, and whether the last one was.
struct LookLog: Codable, Sendable, Hashable {
  private(set) var measurements = 0
  private(set) var gaps = 0
  private(set) var problem: String?

  mutating func measured() {
    measurements += 1
    problem = nil
  }

  mutating func gap(canary: String?, stable: String?) {
    gaps += 1
    problem = [canary.map { "canary: \($0)" }, stable.map { "stable: \($0)" }].compactMap { $0 }.joined(separator: ", ")
  }

  /// A failure once proven stays one; anything else needs a measurement in the last look.
  func judgement(_ finding: Judgement.Finding, note: String?, evidence: Evidence) -> Judgement {
    var evidence = evidence
    if let note { evidence.notes.append(note) }
    if let problem { evidence.notes.append("the last look has no measurement (\(problem))") }
    let isUnknown = !finding.isFailure && (problem != nil || measurements == 0)
    if measurements == 0 && problem == nil { evidence.notes.append("nothing has been measured yet") }
    return Judgement(finding: isUnknown ? .noMeasurement : finding, evidence: evidence)
  }
}

extension Evidence {
  /// The risk of the intervals shown to people.
  static let displayRisk = 0.05

  init(check: String, property: String, watch: RateWatch, settings: CheckSettings, head: HeadStart, looks: LookLog) {
    let ratio = watch.comparison.ratioInterval(risk: Self.displayRisk)
    self.init(
      check: check, property: property,
      canary: Track(counts: watch.canary.counts, interval: watch.canary.interval(risk: Self.displayRisk)),
      stable: Track(
        counts: watch.stable.counts, interval: watch.stable.effective.interval(risk: Self.displayRisk)),
      ratioLower: ratio.lower, ratioUpper: ratio.upper,
      comparisonEValue: settings.tolerance.map { _ in finite(exponential: watch.comparison.logPeak + head.log) },
      comparisonThreshold: settings.tolerance.map { _ in 1 / settings.comparisonRisk },
      limitEValue: finite(exponential: watch.canary.logPeak + head.log), limitThreshold: 1 / settings.limitRisk,
      risk: settings.risk, dispersion: watch.clumps.dispersion, looks: looks.measurements, gaps: looks.gaps)
    if let note = head.note { notes.append(note) }
  }
}
