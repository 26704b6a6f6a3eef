import CanaryAnalysis
import Foundation
import RolloutAPI

/// What an autopilot remembers of a run.
public struct Flight: Sendable, Equatable {
  /// Since when the plan's longest duration counts.
  public var since: Date
  /// Of its steps, the newest last.
  public var weights: [Weight] = []
  /// Why the newest weight, or why no other one.
  public var reason: String?
  /// Of the harm, what a person's word has taken off the budget.
  public var forgiven = 0.0
  /// Up to here a person let it go without evidence.
  public var accepted: Weight?
  /// What was known last.
  public var harm: Harm?

  public init(since: Date) { self.since = since }
}

/// What the canary has cost so far, and may still cost.
public struct Harm: Sendable, Equatable {
  /// Requests that failed on the canary and would not have failed on stable.
  public var harmed: Double
  /// The largest rate by which the canary may fail more often than stable, 0 to 1; 1 while nothing is known.
  public var excess: Double
  /// Requests per second of both tracks.
  public var rate: Double
  /// Whether the canary fails more often than stable beyond doubt.
  public var isWorse: Bool
  /// Whether it seems to: with 95 % confidence, which is too little for an abort and enough not to raise the weight.
  public var isSuspect: Bool
  /// Until when was counted.
  public var at: Date

  public init(harmed: Double, excess: Double, rate: Double, isWorse: Bool = false, isSuspect: Bool = false, at: Date) {
    self.harmed = harmed
    self.excess = excess
    self.rate = rate
    self.isWorse = isWorse
    self.isSuspect = isSuspect
    self.at = at
  }
}

/// Which weight a budget of failed requests allows.
///
/// A weight may cost, until it is seen and stopped, `excess × rate × weight × time`: the highest rate by which the canary
/// may still fail more often than stable, times the requests that it would get meanwhile. That must fit into what is
/// left of the budget. The time is one interval until the next look, one more since what a look reads was scraped
/// before, what has passed since the last look, and a few seconds in which proxies learn of a route.
struct AutopilotRule {
  let autopilot: Plan.Autopilot
  let interval: Duration
  let flight: Flight
  let harm: Harm
  let now: Date

  /// No weight is more than so many times the one before, but for the rest of the way to the ceiling (see
  /// ``next(after:)``): what breaks under load must show on the way.
  static let growth = 4
  /// The largest weight of a step; from there on all traffic is next, and stable has half of it to compare with.
  static let ceiling = 50
  /// A weight is raised only into so much of the budget, so that traffic that swings does not lower it again.
  static let caution = 0.8
  static let propagation = 5.0

  /// The weight to follow, as far as nothing but growth limits it. One of two thirds of the ceiling is the ceiling, since
  /// the verification of another step would cost more time than the few percent save.
  static func next(after weight: Int) -> Int {
    let next = weight * growth
    return next < ceiling && next * 3 >= ceiling * 2 ? ceiling : next
  }

  /// What is left of the budget.
  var remaining: Double { Double(autopilot.riskBudget) + flight.forgiven - harm.harmed }

  /// In seconds.
  var timeToStop: Double {
    2 * (interval / .seconds(1)) + Self.propagation + max(0, now.timeIntervalSince(harm.at))
  }

  /// The requests that a weight in percent may cost until it is stopped.
  func cost(of weight: Int) -> Double { harm.excess * harm.rate * Double(weight) / 100 * timeToStop }

  /// The largest weight that costs no more than this, 0 to 100.
  private func largest(within requests: Double) -> Int {
    let whole = cost(of: 100)
    guard requests > 0 else { return 0 }
    return whole <= requests ? 100 : Int((requests / whole * 100).rounded(.down))
  }

  /// To which weight the evidence allows to raise.
  var allowed: Int { largest(within: remaining * Self.caution) }

  /// Whether what was measured is too old to be raised on.
  var isStale: Bool { now.timeIntervalSince(harm.at) > 3 * (interval / .seconds(1)) }

  /// The weight to go down to; `nil` where the present one may stay.
  func lower(from weight: Int) -> Int? {
    if remaining <= 0 { return 0 }
    if let accepted = flight.accepted, weight <= accepted.value { return nil }
    guard cost(of: weight) > remaining else { return nil }
    return min(allowed, weight - 1)
  }

  enum Raise: Equatable {
    case to(Int)
    case promote
    case wait(String)
  }

  /// Where to go from a weight that is verified.
  /// - Parameters:
  ///   - requests: the canary's at this weight.
  ///   - open: the checks that have not passed, as people read them.
  ///   - doubt: what speaks against the canary, if anything does; where every check passes, it is tolerated.
  ///   - isBlind: whether a check that decides has no measurement.
  func raise(from weight: Int, requests: Double, minRequests: Int, open: [String], doubt: String?, isBlind: Bool)
    -> Raise
  {
    if isStale || isBlind { return .wait("waits for a measurement") }
    if weight > 0, requests < Double(minRequests) {
      return .wait("waits until the canary has had \(minRequests) requests at this weight")
    }
    if let doubt, !open.isEmpty { return .wait("waits, since \(doubt); more requests decide, at this weight") }
    let next = weight == 0 ? autopilot.startWeight.value : Self.next(after: weight)
    if next >= 100, allowed >= 100 {
      return open.isEmpty ? .promote : weight < Self.ceiling ? .to(Self.ceiling) : .wait(waiting(for: open))
    }
    let target = min(next, Self.ceiling, allowed)
    // Each weight takes time to verify, so small steps are not worth it.
    if target > 0, target >= min(Self.ceiling, weight + max(1, weight / 2)), target > weight { return .to(target) }
    if weight == Self.ceiling, !open.isEmpty { return .wait(waiting(for: open)) }
    return .wait("waits until what is known of the canary lets the rest of riskBudget cover a larger weight")
  }

  private func waiting(for open: [String]) -> String {
    "waits until every check passes: \(open.joined(separator: ", "))"
  }

  /// Why a weight fits, for people.
  func reason(for weight: Int) -> String {
    let percent = Self.text(harm.excess * 100)
    let known =
      harm.excess >= 1
      ? "nothing is known of the canary, and if all of its requests failed"
      : "the canary fails at most \(percent) % more often than stable; if so,"
    let time = Int(timeToStop.rounded())
    return "\(known) weight \(weight)% could cost \(Self.text(cost(of: weight))) requests in the \(time) s that "
      + "stopping it takes; \(Self.text(harm.harmed)) of riskBudget \(autopilot.riskBudget) are used"
  }

  /// Two significant digits below 100.
  static func text(_ value: Double) -> String {
    let places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
    let scale = [1.0, 10, 100, 1000][places]
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() ? String(Int(nearest: rounded)) : String(rounded)
  }
}

extension Plan {
  /// The number of steps that a run can have: those of the plan, or as many as an autopilot may make.
  public var stepLimit: Int { autopilot == nil ? steps.count : Self.longestFlight }

  /// As many entries as a run's timeline holds.
  static let longestFlight = 64
  /// After so many steps an autopilot raises no weight any more: it goes up and down, and gets nowhere.
  static let raises = 32

  /// A step of a run: the plan's, or the autopilot's; `nil` after the last one.
  public func step(_ index: Int, of run: RunState) -> PlanStep? {
    if autopilot != nil {
      let weights = run.flight?.weights ?? []
      return weights.indices.contains(index) ? .autopilot(weights[index]) : nil
    }
    return steps.indices.contains(index) ? steps[index] : nil
  }

  /// `step 2 of 5 (tenth)`, or `step 3, weight 16% by the autopilot`.
  public func place(_ index: Int, of run: RunState) -> String {
    guard autopilot != nil else {
      return "step \(index + 1) of \(steps.count)\(steps.indices.contains(index) ? steps[index].title : "")"
    }
    let weight = step(index, of: run).map { ", weight \($0.traffic.weight)" } ?? ""
    return "step \(index + 1)\(weight) by the autopilot"
  }
}
