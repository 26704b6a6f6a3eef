/// Both tracks' answers as a whole, look by look: whether the canary's are slower, told by a ``DistributionTest`` that
/// clumps do not mislead.
///
/// Answers of one look hang together: a pause for garbage, a slow query behind many of them, a caller whose requests are
/// all heavy. So what ``Clumps`` learns from stable of bad requests is learned here of those slower than each boundary,
/// and each look counts as if it had so many fewer answers as the widest of them says (a share p spreads by 1 − p times
/// its number, so φ is divided by that). Nothing is bet before ten looks at stable have shown it. Clumps may begin at
/// any time, though: one look never multiplies the wealth by more than 10, so that no few of them end a run.
struct DistributionWatch: Codable, Sendable, Hashable {
  /// How much larger the share of the canary's answers may be, as counted, that are slower than any one boundary.
  let margin: Double

  private(set) var test: DistributionTest?
  /// By boundary of the test.
  private var clumps: [Clumps] = []
  /// Stable's answers of all looks, also of those that the test passes over.
  private var usual: LatencyHistogram?
  private var looksAtStable = 0

  static let looksBefore = 10
  /// More boundaries than these are too fine for what they cost: native histograms have hundreds.
  static let maxBoundaries = 32
  /// So many answers of stable's show which of them to take.
  private static let sample = 500.0

  init(margin: Double) { self.margin = margin }

  /// Learns how stable's answers come, from a look whose comparison would say nothing: before the run, or while the
  /// canary may be cold.
  mutating func learn(stable look: LatencyHistogram, parts: [LatencyHistogram]) {
    guard look.total > 0 else { return }
    if test == nil {
      usual = usual.map { $0 + look } ?? look
      guard let usual, usual.total >= Self.sample else { return }
      prepare(for: usual)
    }
    observe(look, parts)
  }

  /// Adds a look.
  mutating func record(canary look: LatencyHistogram, stable other: LatencyHistogram, parts: [LatencyHistogram]) {
    guard look.total > 0, other.total > 0 else { return learn(stable: other, parts: parts) }
    if test == nil { prepare(for: usual ?? other) }
    if looksAtStable >= Self.looksBefore {
      // The one known before the look, so that each factor depends only on the past.
      let divisor = divisor
      test?.update(canary: look, stable: other, dispersion: divisor, cap: Clumps.cap)
    }
    observe(other, parts)
  }

  /// Whether the canary's answers are slower as a whole, beyond doubt and by more than is tolerated: true for a canary
  /// that is no slower with probability ≤ `alpha`.
  func isSlower(alpha: Double) -> Bool {
    guard let test, let widest = test.widest else { return false }
    return test.rejects(alpha: alpha) && widest.canary - widest.stable > margin
  }

  /// What a look is divided by.
  var divisor: Double {
    let widest = clumps.indices.compactMap(dispersion).max() ?? 1
    return widest > Clumps.threshold ? Clumps.caution * widest : 1
  }

  /// φ of the answers slower than a boundary; `nil` where these, or the others, are too few.
  private func dispersion(_ index: Int) -> Double? {
    guard let boundary = test?.boundaries[index], let slower = usual?.slower(than: boundary), let rate = slower.rate,
      slower.requests - slower.bad >= 5
    else { return nil }
    return clumps[index].dispersion.map { $0 / (1 - rate) }
  }

  private mutating func prepare(for histogram: LatencyHistogram) {
    let boundaries = histogram.telling(atMost: Self.maxBoundaries)
    test = DistributionTest(boundaries: boundaries)
    clumps = boundaries.map { _ in Clumps() }
    usual = nil
  }

  private mutating func observe(_ look: LatencyHistogram, _ parts: [LatencyHistogram]) {
    guard let test else { return }
    looksAtStable += 1
    usual = usual.map { $0 + look } ?? look
    for (index, boundary) in test.boundaries.enumerated() {
      guard let slower = look.slower(than: boundary) else { continue }
      clumps[index].observe(slower, parts: parts.compactMap { $0.slower(than: boundary) })
    }
  }
}

extension LatencyHistogram {
  /// The boundaries that tell most of its law: all, or where there are more than wanted those between which about equal
  /// shares of its answers lie, and beyond the slowest of them one an octave, where only another track has answers.
  func telling(atMost count: Int) -> [Double] {
    guard boundaries.count > count else { return boundaries }
    let beyond = 8
    var kept: [Double] = []
    for part in 1...(count - beyond) {
      let wanted = total * Double(part) / Double(count - beyond)
      guard let index = cumulative.firstIndex(where: { $0 >= wanted }), kept.last != boundaries[index] else { continue }
      kept.append(boundaries[index])
    }
    for boundary in boundaries where kept.count < count && boundary >= 2 * (kept.last ?? 0) { kept.append(boundary) }
    return kept
  }
}
