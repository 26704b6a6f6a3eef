/// A check on how often requests of two tracks are bad, fed look by look.
public protocol TrackCheck: Codable, Sendable {
  /// What one track did in one look.
  associatedtype Look: Codable & Sendable & Hashable

  /// Teaches the check how stable's bad requests come (see ``Clumps``) by a look from before the run.
  mutating func learn(stable: Measured<Look>)
  /// Adds a look.
  mutating func record(canary: Measured<Look>, stable: Measured<Look>)
  /// Whether the canary is shown to be bad: the same as a judgement with the verdict `fail`, without its evidence.
  var fails: Bool { get }
  func judgement(window: Double?, queries: [String]) -> Judgement
}

/// One objective, judged from several views of the same requests, as the callers and the callees count them.
public struct ViewsCheck<Check: TrackCheck>: Sendable {
  /// In the order of the views.
  public private(set) var views: [Check]

  /// - Parameters:
  ///   - settings: those of the whole; its risk is divided among the views.
  ///   - make: one view's check.
  public init(count: Int, settings: CheckSettings, make: (CheckSettings) -> Check) {
    var part = settings
    part.risk /= Double(max(1, count))
    views = (0..<count).map { _ in make(part) }
  }

  public mutating func learn(_ view: Int, stable: Measured<Check.Look>) { views[view].learn(stable: stable) }

  public mutating func record(_ view: Int, canary: Measured<Check.Look>, stable: Measured<Check.Look>) {
    views[view].record(canary: canary, stable: stable)
  }

  public var fails: Bool { views.contains(where: \.fails) }

  /// All views together: one that fails is enough, and only passes pass. The judgement is that of a view that decides.
  public func judgement(window: Double? = nil, queries: [String] = []) -> (view: Int, judgement: Judgement)? {
    let judgements = views.map { $0.judgement(window: window, queries: queries) }
    let joint = Verdict.joint(judgements.map(\.verdict))
    return judgements.firstIndex { $0.verdict == joint }.map { ($0, judgements[$0]) }
  }
}
