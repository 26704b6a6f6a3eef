/// Where requests go: the whole of it, so that whatever is not named is off.
public struct TrafficTarget: Sendable, Hashable {
  /// Percent of requests routed to the canary.
  public let weight: Weight
  /// Percent of requests copied to the canary; `nil` for none.
  public let mirror: Percent?
  /// Requests that match any of these go to the canary whatever the weight is.
  public let routes: [HTTPMatch]
  public let sticky: Sticky?

  public init(weight: Weight, mirror: Percent? = nil, routes: [HTTPMatch] = [], sticky: Sticky? = nil) {
    self.weight = weight
    self.mirror = mirror == .zero ? nil : mirror
    self.routes = routes
    self.sticky = sticky
  }

  /// Everything to the stable track.
  public static let stableOnly = TrafficTarget(weight: .none)
  /// Everything to the canary.
  public static let allToCanary = TrafficTarget(weight: .all)

  /// Whether any request, also a copied one, arrives at the canary.
  public var reachesCanary: Bool { weight > .none || mirror != nil || !routes.isEmpty }
}

/// A cookie that keeps a caller on the track that first answered.
public struct Sticky: Sendable, Hashable {
  public let cookie: String
  public let maxAge: Duration

  public init(cookie: String, maxAge: Duration) {
    self.cookie = cookie
    self.maxAge = maxAge
  }
}

extension TrafficTarget: CustomStringConvertible {
  /// `weight 10%, mirror 20%, header x-beta=1 to the canary`.
  public var description: String {
    var parts = ["weight \(weight)"]
    if let mirror { parts.append("mirror \(mirror)") }
    if !routes.isEmpty { parts.append(routes.map { "\($0)" }.joined(separator: " or ") + " to the canary") }
    if let sticky { parts.append("sticky by cookie \(sticky.cookie)") }
    return parts.joined(separator: ", ")
  }
}

extension TrafficTarget {
  /// From a status, where only Sluice writes; `nil` for what no target can be.
  public init?(_ spec: TrafficTargetSpec) {
    guard let weight = Weight(spec.weight) else { return nil }
    var sticky: Sticky?
    if let cookie = spec.sticky?.cookie {
      guard let maxAge = GoDuration(cookie.maxAge ?? Defaults.stickyMaxAge) else { return nil }
      sticky = Sticky(cookie: cookie.name, maxAge: maxAge.duration)
    }
    self.init(
      weight: weight, mirror: spec.mirror.flatMap { Percent($0) }, routes: spec.route?.matches ?? [], sticky: sticky)
  }

  public var spec: TrafficTargetSpec {
    TrafficTargetSpec(
      weight: weight.value, mirror: mirror?.whole, route: routes.isEmpty ? nil : RouteSpec(matches: routes),
      sticky: sticky.map { StickySpec(cookie: CookieSpec(name: $0.cookie, maxAge: $0.maxAge.text)) })
  }
}
