import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// Some looks that are judged as one: neighbouring values of a level depend on each other, and a scrape may be missing.
struct GuardBlock: Sendable {
  private struct Reading {
    var at: Date
    var values: [String: Double]
  }

  private var looks = 0
  private var tracks: [String: Track] = [:]
  private var first: [String: Reading] = [:]
  private var last: [String: Reading] = [:]
  private var least: [String: Double] = [:]
  private var requests: [Track: Double] = [:]
  private var serviceRequests = 0.0
  private var since: Date?
  private var until: Date?

  static let length = 3

  var isComplete: Bool { looks >= Self.length }

  /// The block that begins where this one ends.
  var next: GuardBlock {
    var next = GuardBlock()
    next.tracks = tracks
    next.first = last
    next.last = last
    next.since = until
    next.until = until
    return next
  }

  mutating func add(_ containers: [String: [String: Double]], of scope: MetricsScope, at now: Date) {
    looks += 1
    since = since ?? now
    until = now
    for (pod, values) in containers {
      guard let track = tracks[pod] ?? scope.track(pod: pod) else { continue }
      tracks[pod] = track
      let reading = Reading(at: now, values: values)
      if first[pod] == nil { first[pod] = reading }
      last[pod] = reading
      if let memory = values[ContainerMetrics.memory] { least[pod] = min(least[pod] ?? memory, memory) }
    }
  }

  /// To be added before the containers of the same look.
  /// - Parameter ofService: those of the service, where they are not the sum of what both tracks answered.
  mutating func add(requests increase: [AnswerKey: Double], ofService: Double?) {
    // What came before its first look is of no time that it knows.
    guard since != nil else { return }
    for (key, value) in increase { requests[key.track, default: 0] += value }
    serviceRequests += ofService ?? increase.values.reduce(0, +)
  }

  /// The least memory of each pod of a track.
  func troughs(_ track: Track) -> [String: Double] { least.filter { tracks[$0.key] == track } }

  /// Medians over the pods of both tracks; `nil` where one has none.
  var memory: (canary: Double, stable: Double)? { medians { least[$0] } }

  /// How fast a counter grows, in a second, for a pod of each track.
  func rates(_ name: String) -> (canary: Double, stable: Double)? { medians { rate(name, $0) } }

  func ratio(_ part: String, of whole: String) -> (canary: Double, stable: Double)? {
    medians { pod in
      guard let part = rate(part, pod), let whole = rate(whole, pod), whole > 0 else { return nil }
      return part / whole
    }
  }

  /// Requests of the service in a second.
  var requestRate: Double? {
    guard let since, let until, until > since, !requests.isEmpty else { return nil }
    return serviceRequests / until.timeIntervalSince(since)
  }

  /// The requests of a pod of each track in a second; `nil` where a track has none.
  func requests(_ pods: [Track: Double]) -> (canary: Double, stable: Double)? {
    guard let since, let until, until > since, let worse = requests[.canary], let base = requests[.stable], base > 0,
      let own = pods[.canary], own > 0, let others = pods[.stable], others > 0
    else { return nil }
    let seconds = until.timeIntervalSince(since)
    return (worse / own / seconds, base / others / seconds)
  }

  /// `nil` where the counter went backwards, or was not scraped anew.
  private func rate(_ name: String, _ pod: String) -> Double? {
    guard let first = first[pod], let last = last[pod], let before = first.values[name], let now = last.values[name],
      last.at > first.at, now >= before
    else { return nil }
    return (now - before) / last.at.timeIntervalSince(first.at)
  }

  private func medians(_ value: (String) -> Double?) -> (canary: Double, stable: Double)? {
    func median(_ track: Track) -> Double? {
      RobustStatistics.median(tracks.filter { $0.value == track }.compactMap { value($0.key) })
    }
    guard let canary = median(.canary), let stable = median(.stable) else { return nil }
    return (canary, stable)
  }
}

/// Whether requests stay away from the canary although its weight has not changed, as where callers give up on it.
struct ShareWatch: Sendable {
  private var weight: Int?
  private var test: BoundTest?
  private var over: [Double] = []
  private var requests = (canary: 0.0, all: 0.0)

  /// A share above this part of the weight is none too small.
  private static let tolerated = 0.7

  mutating func record(canary: Double, all: Double, _ traffic: TrafficTarget) {
    let isSplit = traffic.routes.isEmpty && traffic.weight > .none && traffic.weight < .all
    if weight != traffic.weight.value || !isSplit {
      if let test { over.append(test.logKept) }
      weight = traffic.weight.value
      test = isSplit ? BoundTest(limit: Double(traffic.weight.value) / 100 * Self.tolerated) : nil
      requests = (0, 0)
    }
    guard let look = Counts(requests: all, bad: canary) else { return }
    requests = (requests.canary + canary, requests.all + all)
    test?.update(look)
  }

  /// Of one process after another, weighted as in ``MixWatch``.
  var logEValue: Double {
    let all = over + [test?.logKept].compactMap { $0 }
    let sum = all.enumerated().map { index, value in exp(min(value, 600)) / Double((index + 1) * (index + 2)) }
    return log(sum.reduce(0, +) + 1 / Double(all.count + 1))
  }

  var observed: (share: Double, weight: Int)? {
    guard let weight, requests.all > 0 else { return nil }
    return (requests.canary / requests.all, weight)
  }
}
