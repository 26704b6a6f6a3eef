import CanaryAnalysis
import Foundation
import TrafficRouting

/// Divides the answers of both tracks by each dimension.
enum DifferenceReading {
  static func breakdowns(_ answers: [AnswerKey: Double], pods: [PodFacts]) -> [Aspect: Breakdown] {
    let places = Dictionary(pods.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var breakdowns: [Aspect: Breakdown] = [:]
    let dimensions: [(Aspect, @Sendable (AnswerKey) -> String?)] = [
      (.endpoint, { $0.labels[.endpoint] }), (.pod, { $0.pod.isEmpty ? nil : $0.pod }),
      (.node, { places[$0.pod]?.node }), (.zone, { places[$0.pod]?.zone }), (.caller, { $0.labels[.caller] }),
      (.callerVersion, { $0.labels[.callerVersion] }),
    ]
    for (dimension, value) in dimensions {
      breakdowns[dimension] = Breakdown(
        canary: counts(answers, .canary, value), stable: counts(answers, .stable, value))
    }
    breakdowns[.responseCode] = codes(answers)
    return breakdowns
  }

  private static func counts(
    _ answers: [AnswerKey: Double], _ track: Track, _ value: @Sendable (AnswerKey) -> String?
  ) -> [String: Counts] {
    var all: [String: (requests: Double, bad: Double)] = [:]
    for (key, count) in answers where key.track == track && count.isFinite {
      guard let name = value(key) else { continue }
      all[name, default: (0, 0)].requests += count
      if key.isError { all[name, default: (0, 0)].bad += count }
    }
    return all.compactMapValues { Counts(requests: $0.requests, bad: $0.bad) }
  }

  /// Codes of errors, each as a part of all the requests of its track.
  private static func codes(_ answers: [AnswerKey: Double]) -> Breakdown {
    func track(_ track: Track) -> [String: Counts] {
      let own = answers.filter { $0.key.track == track && $0.value.isFinite }
      let all = own.values.reduce(0, +)
      var bad: [String: Double] = [:]
      for (key, count) in own where key.isError { bad[key.labels[.code] ?? "none", default: 0] += count }
      return bad.compactMapValues { Counts(requests: all, bad: $0) }
    }
    var stable = track(.stable)
    let requests = answers.filter { $0.key.track == .stable && $0.value.isFinite }.values.reduce(0, +)
    let canary = track(.canary)
    // A code that stable never gives is one that it gives with a rate of nothing.
    for code in canary.keys where stable[code] == nil { stable[code] = Counts(requests: requests, bad: 0) }
    return Breakdown(canary: canary, stable: stable)
  }
}
