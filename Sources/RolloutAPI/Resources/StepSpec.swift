/// One entry of the plan, carried out in this order: scale the canary, set the traffic, verify it, analyze, pause. A step
/// that names any of weight, mirror, route or sticky replaces the whole traffic target; one that names none keeps it.
public struct StepSpec: Codable, Sendable, Hashable {
  public var name: String?
  /// Percent of requests routed to the canary, 0 to 100.
  public var weight: Int?
  /// Percent of requests copied to the canary, whose answers nobody sees, 1 to 100.
  public var mirror: Int?
  /// Requests that go to the canary whatever the weight is.
  public var route: RouteSpec?
  public var sticky: StickySpec?
  /// Pods of the canary as a percentage of the workload's replicas; where absent, as many as the traffic needs.
  public var scale: String?
  public var analyze: AnalyzeSpec?
  public var pause: PauseSpec?

  public init(
    name: String? = nil, weight: Int? = nil, mirror: Int? = nil, route: RouteSpec? = nil, sticky: StickySpec? = nil,
    scale: String? = nil, analyze: AnalyzeSpec? = nil, pause: PauseSpec? = nil
  ) {
    self.name = name
    self.weight = weight
    self.mirror = mirror
    self.route = route
    self.sticky = sticky
    self.scale = scale
    self.analyze = analyze
    self.pause = pause
  }
}

/// Requests that go to the canary whatever the weight.
public struct RouteSpec: Codable, Sendable, Hashable {
  /// One that holds is enough.
  public var matches: [HTTPMatch]

  public init(matches: [HTTPMatch]) { self.matches = matches }
}

/// A caller who reached the canary stays there.
public struct StickySpec: Codable, Sendable, Hashable {
  public var cookie: CookieSpec

  public init(cookie: CookieSpec) { self.cookie = cookie }
}

/// The cookie that a caller gets of the canary.
public struct CookieSpec: Codable, Sendable, Hashable {
  public var name: String
  /// 24h where absent.
  public var maxAge: String?

  public init(name: String, maxAge: String? = nil) {
    self.name = name
    self.maxAge = maxAge
  }
}

/// For how long the checks judge a step.
public struct AnalyzeSpec: Codable, Sendable, Hashable {
  /// How long the step is judged; what is undecided then holds until the analysis deadline.
  public var `for`: String
  /// When every check passes earlier than `for`, the step ends after this time already.
  public var atLeast: String?

  public init(for duration: String, atLeast: String? = nil) {
    self.for = duration
    self.atLeast = atLeast
  }
}

/// What ends a step after its analysis.
public struct PauseSpec: Codable, Sendable, Hashable {
  /// Waits for a person where absent.
  public var duration: String?

  public init(duration: String? = nil) { self.duration = duration }
}
