import Foundation

/// By what requests can be told apart.
public enum Aspect: String, Codable, Sendable, Hashable, CaseIterable {
  case responseCode = "ResponseCode"
  case endpoint = "Endpoint"
  case pod = "Pod"
  case node = "Node"
  case zone = "Zone"
  case caller = "Caller"
  case callerVersion = "CallerVersion"

  /// `pod checkout-x` for people.
  func phrase(_ value: String) -> String {
    switch self {
    case .responseCode: "code \(value)"
    case .endpoint: value
    case .pod: "pod \(value)"
    case .node: "node \(value)"
    case .zone: "zone \(value)"
    case .caller: "caller \(value)"
    case .callerVersion: "callers of version \(value)"
    }
  }
}

/// One place where the canary's bad requests gather.
public struct Difference: Codable, Sendable, Hashable {
  public var aspect: Aspect
  public var value: String
  /// The share of the canary's excess of bad requests that is found here, 0 to 1.
  public var share: Double
  /// The canary's requests here, and the bad ones of them.
  public var counts: Counts
  /// ln of the e-value of "more of them than its share of requests explains".
  public var logEValue: Double

  public init(aspect: Aspect, value: String, share: Double, counts: Counts, logEValue: Double) {
    self.aspect = aspect
    self.value = value
    self.share = share
    self.counts = counts
    self.logEValue = logEValue
  }

  /// `93 % of the bad requests: pod checkout-x (112 of 120)`.
  public var sentence: String {
    "\(Evidence.percent(share)) of the excess: \(aspect.phrase(value)) "
      + "(\(Evidence.number(counts.bad)) bad of \(Evidence.number(counts.requests)))"
  }
}

/// Requests of one track, by one dimension.
public struct Breakdown: Codable, Sendable, Hashable {
  /// By value. Of response codes, which only an answer has, `requests` is that of the whole track.
  public var canary: [String: Counts]
  public var stable: [String: Counts]

  public init(canary: [String: Counts] = [:], stable: [String: Counts] = [:]) {
    self.canary = canary
    self.stable = stable
  }
}

/// Ranks what differs most between a bad canary and stable.
public enum DifferenceRanking {
  /// The places, the strongest first.
  ///
  /// Of each value of a dimension the excess is counted: the canary's bad requests there, less what stable's rate at the
  /// same value (or, where stable has none, as with pods, stable's rate on the whole) would give for as many requests.
  /// A place is named only where its bad requests are more than chance gathers: the e-value of its rate against the rest
  /// of the canary (of a code: against stable), all of them together by e-BH, so that at most a twentieth of the named
  /// ones are chance. Places of equal evidence are ordered by their share of the excess.
  /// - Complexity: O(K) for each value, K = 81.
  public static func rank(_ breakdowns: [Aspect: Breakdown], limit: Int = 6) -> [Difference] {
    let all = Aspect.allCases.flatMap { aspect in
      breakdowns[aspect].map { differences(aspect, $0) } ?? []
    }
    let found = MultipleEValues.discoveries(all.map(\.logEValue), alpha: 0.05).map { all[$0] }
    let ranked = found.filter { $0.share >= 0.1 }.sorted { left, right in
      (right.share, left.aspect.rawValue, left.value) < (left.share, right.aspect.rawValue, right.value)
    }
    return Array(ranked.prefix(limit))
  }

  private static func differences(_ aspect: Aspect, _ breakdown: Breakdown) -> [Difference] {
    // What all requests have in common tells nothing, but a code is of interest by itself.
    guard breakdown.canary.count > 1 || aspect == .responseCode else { return [] }
    let total = sum(breakdown.canary.values)
    let base = sum(breakdown.stable.values)
    let isCode = aspect == .responseCode
    var excesses: [(name: String, counts: Counts, excess: Double)] = []
    for (name, counts) in breakdown.canary.sorted(by: { $0.key < $1.key }) {
      let rate = isCode ? breakdown.stable[name]?.rate ?? 0 : breakdown.stable[name]?.rate ?? base.rate ?? 0
      excesses.append((name, counts, Swift.max(0, counts.bad - counts.requests * rate)))
    }
    let whole = excesses.reduce(0) { $0 + $1.excess }
    guard whole > 0 else { return [] }
    return excesses.map { name, counts, excess in
      let rest: Counts
      if isCode {
        rest = breakdown.stable[name] ?? Counts(requests: breakdown.stable.values.first?.requests ?? 0, bad: 0) ?? .zero
      } else {
        rest = Counts(requests: total.requests - counts.requests, bad: total.bad - counts.bad) ?? .zero
      }
      var comparison = SequentialComparison()
      comparison.update(canary: counts, stable: rest)
      return Difference(
        aspect: aspect, value: name, share: excess / whole, counts: counts, logEValue: comparison.logEValue)
    }
  }

  private static func sum(_ counts: some Sequence<Counts>) -> Counts { counts.reduce(.zero, +) }

  /// All of them in one sentence: `503 on POST /pay, 93 % of them from pod checkout-x, 94 % of them on node n2`. A pod or
  /// a node that has less than the place around it is one of several and no news.
  public static func sentence(_ differences: [Difference]) -> String? {
    guard !differences.isEmpty else { return nil }
    func first(_ aspect: Aspect) -> Difference? { differences.first { $0.aspect == aspect } }
    var subject = first(.responseCode).map { "\($0.value)" } ?? "bad requests"
    if let endpoint = first(.endpoint) { subject += " on \(endpoint.value)" }
    let around = [Aspect.pod, .node, .zone].compactMap(first)
    let most = around.map(\.share).max() ?? 0
    let places = (around.filter { $0.share >= 0.8 * most } + [.caller, .callerVersion].compactMap(first)).map { place in
      "\(Evidence.percent(place.share)) of them \(place.aspect.preposition) \(place.aspect.phrase(place.value))"
    }
    return ([subject] + places).joined(separator: ", ")
  }
}

extension Aspect {
  fileprivate var preposition: String {
    switch self {
    case .node: "on"
    case .zone: "in"
    default: "from"
    }
  }
}
