/// A check on how often requests of two tracks are bad, fed look by look.
public protocol TrackCheck: Codable, Sendable {
  /// What one track did in one look.
  associatedtype Look: Codable & Sendable & Hashable

  /// Teaches the check how stable's bad requests come (see ``Clumps``) by a look from before the run.
  /// - Parameter parts: what each of stable's processes did, where that is known.
  mutating func learn(stable: Measured<Look>, parts: [Look])
  /// Adds a look.
  mutating func record(
    canary: Measured<Look>, stable: Measured<Look>, parts: TrackParts<Look>, circumstances: Circumstances)
  /// Discards what speaks against a canary that may be cold (see ``WarmUp``), by ln of what its e-values may not exceed.
  mutating func discard(above logAllowance: Double)
  /// Whether the canary is shown to be bad: the same as a judgement with the verdict `fail`, without its evidence.
  var fails: Bool { get }
  func judgement(window: Double?, queries: [String]) -> Judgement
}

extension TrackCheck {
  public mutating func learn(stable: Measured<Look>) { learn(stable: stable, parts: []) }

  public mutating func record(canary: Measured<Look>, stable: Measured<Look>) {
    record(canary: canary, stable: stable, parts: TrackParts(), circumstances: [])
  }
}

/// One objective, judged from several views of the same requests, as the callers and the callees count them.
public struct ViewsCheck<Check: TrackCheck>: Sendable {
  /// In the order of the views.
  public private(set) var views: [Check]

  /// - Parameters:
  ///   - count: the number of views. Of two the first, the callers', sees what people see and has three quarters of the
  ///     risk; the callees' is there for what retries hide from callers.
  ///   - settings: those of the whole; its risk is divided among the views.
  ///   - make: one view's check.
  public init(count: Int, settings: CheckSettings, make: (CheckSettings) -> Check) {
    let shares = count == 2 ? [0.75, 0.25] : (0..<count).map { _ in 1 / Double(count) }
    views = shares.map { share in
      var part = settings
      part.risk *= share
      return make(part)
    }
  }

  public mutating func learn(_ view: Int, stable: Measured<Check.Look>, parts: [Check.Look] = []) {
    views[view].learn(stable: stable, parts: parts)
  }

  public mutating func record(
    _ view: Int, canary: Measured<Check.Look>, stable: Measured<Check.Look>,
    parts: TrackParts<Check.Look> = TrackParts(), circumstances: Circumstances = []
  ) {
    views[view].record(canary: canary, stable: stable, parts: parts, circumstances: circumstances)
  }

  public mutating func discard(above logAllowance: Double) {
    for index in views.indices { views[index].discard(above: logAllowance) }
  }

  public var fails: Bool { views.contains(where: \.fails) }

  /// All views together: one that fails is enough, and only passes pass. The judgement is that of a view that decides.
  public func judgement(window: Double? = nil, queries: [String] = []) -> (view: Int, judgement: Judgement)? {
    let judgements = views.map { $0.judgement(window: window, queries: queries) }
    let joint = Verdict.joint(judgements.map(\.verdict))
    return judgements.firstIndex { $0.verdict == joint }.map { ($0, judgements[$0]) }
  }
}
