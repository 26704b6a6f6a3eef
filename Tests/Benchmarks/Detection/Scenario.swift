/// One invented rollout: the traffic, what goes wrong by itself, and what the bad twin's canary adds to it.
///
/// A look is ten seconds. Look 0 is the first after the canary's traffic was verified; negative looks are stable's
/// history.
struct Scenario: Sendable {
  static let secondsPerLook = 10.0
  /// The processes that count the requests of each track, where ``collection`` says nothing else: callers' proxies, as
  /// meshes have them. Errors that come together come from one caller.
  static let processes = 4
  /// Looks at stable before the run.
  static let history = 60

  var looks = 360
  /// The canary's share of requests.
  var weight: Double
  var requestsPerSecond: Double
  /// What the load is multiplied by.
  var load: @Sendable (Int) -> Double = { _ in 1 }
  /// The SLO: the largest share of errors.
  var errorLimit: Double
  var stable: @Sendable (Int) -> Rates
  /// The good twin's canary; stable's rates where absent.
  var canary: (@Sendable (Int) -> Rates)?
  /// The bad twin's canary; `nil` where there is no bad twin.
  var fault: (@Sendable (Int) -> Rates)?
  /// The first look with the fault, from which harm and time are counted.
  var faultBegins = 0
  var property = Property.errors
  /// All of the latencies' law matters, and the judges see it.
  var isWhole = false
  /// The mean number of errors that come together.
  var clump: @Sendable (Int) -> Double = { _ in 1 }
  var collection: Collection?

  /// How counters are read, where that is part of the trouble.
  struct Collection: Sendable {
    /// Pods of each track at a look.
    var canaryPods: @Sendable (Int) -> Int
    var stablePods: @Sendable (Int) -> Int
    /// The probability that a pod's scrape is lost, and that a pod restarts, per look.
    var lost = 0.0
    var restarts = 0.0
    /// What stable's pod 0 adds in errors.
    var badPod = 0.0
  }

  var boundaries: [Double] { isWhole ? TrackLook.allBoundaries : TrackLook.tailBoundaries }

  func canaryRates(_ look: Int, isBad: Bool) -> Rates {
    if isBad, look >= faultBegins, let fault { return fault(look) }
    return canary?(look) ?? stable(look)
  }

  /// θ, which the oracle knows: the ratio of the bad twin's rate to that of a good canary at a look.
  func ratio(_ look: Int) -> Double {
    guard look >= faultBegins, let fault else { return 1 }
    var base = (canary ?? stable)(look).rate(of: property)
    if let collection, collection.badPod > 0 { base += collection.badPod / Double(collection.stablePods(look)) }
    return fault(look).rate(of: property) / base
  }
}

/// A scenario family.
struct Family: Sendable {
  var name: String
  var make: @Sendable (inout SeededRandom) -> Scenario
}
