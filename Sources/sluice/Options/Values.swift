import ArgumentParser
import Foundation
import KubernetesAPI
import RolloutAPI

/// Readers of flags whose errors say what would be right.
enum FlagValue {
  static func percent(_ text: String) throws -> Percent {
    guard let value = Percent(text) else {
      throw ValidationError("found '\(text)', wanted a percentage such as 1% or 0.5%")
    }
    return value
  }

  static func duration(_ text: String) throws -> Duration {
    guard let value = GoDuration(text) else {
      throw ValidationError("found '\(text)', wanted a duration such as 30s, 5m or 1h30m")
    }
    return value.duration
  }

  /// A time span that is more than nothing.
  static func span(_ text: String) throws -> Duration {
    let value = try duration(text)
    guard value > .zero else { throw ValidationError("found '\(text)', wanted more than nothing") }
    return value
  }

  static func positive(_ text: String) throws -> Double {
    guard let value = Double(text), value > 0, value <= most else {
      throw ValidationError("found '\(text)', wanted a number above 0, at most 1000000000")
    }
    return value
  }

  /// More is nothing that anybody measures.
  private static let most = 1e9

  /// A reader of numbers between two, both of which are allowed.
  static func number(from least: Double, to most: Double) -> @Sendable (String) throws -> Double {
    { text in
      guard let value = Double(text), (least...most).contains(value) else {
        throw ValidationError("found '\(text)', wanted a number from \(Int(least)) to \(Int(most))")
      }
      return value
    }
  }

  static func whole(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
    { text in
      guard let value = Int(text), range.contains(value) else {
        throw ValidationError("found '\(text)', wanted a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
  }

  /// What random numbers begin with.
  static func seed(_ text: String) throws -> UInt64 {
    guard let value = UInt64(text) else {
      throw ValidationError("found '\(text)', wanted a whole number from 0 to \(UInt64.max)")
    }
    return value
  }

  /// Where an HTTP server answers.
  static func address(_ text: String) throws -> String {
    guard let url = URLComponents(string: text), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false
    else {
      throw ValidationError("found '\(text)', wanted an address as http://host:9090")
    }
    return text
  }

  /// `2026-11-24T08:00:00Z`, or a duration before now: `2h`.
  static func time(_ text: String, _ flag: String, now: Date) throws -> Date {
    if let time = Timestamp(text) { return time.date }
    if let ago = GoDuration(text) { return now.addingTimeInterval(-(ago.duration / .seconds(1))) }
    throw ValidationError("\(flag): found '\(text)', wanted a time as 2026-11-24T08:00:00Z, or how long ago as 2h")
  }
}

/// How a plan is tried, whatever the requests come from.
struct TrialOptions: ParsableArguments {
  @Argument(help: "YAML or JSON files with the Rollout and the templates that it names; - is standard input.")
  var files: [String]

  @Option(help: "Which Rollout, where the files hold several.")
  var rollout: String?

  @Option(
    parsing: .unconditional, help: "Pods of the stable revision at the start; 10 where absent.",
    transform: FlagValue.whole(1...1000))
  var replicas = 10

  @Option(
    parsing: .unconditional, help: "How long a pod takes until it is available; 10s where absent.",
    transform: FlagValue.duration)
  var podStart = Duration.seconds(10)

  @Option(
    parsing: .unconditional, help: "The part of the requests that a step's route matches; 5% where absent.",
    transform: FlagValue.percent)
  var routeShare = Percent(5) ?? .zero

  @Option(
    parsing: .unconditional,
    help: "How long a person takes to promote what waits for one, at once where absent; 'never' stops there.",
    transform: { text in text == "never" ? nil : try FlagValue.duration(text) })
  var approveAfter: Duration? = .seconds(0)

  @Option(
    parsing: .unconditional, help: "When to stop although the run is not over; after 168h where absent.",
    transform: FlagValue.span)
  var horizon = Duration.seconds(7 * 86_400)

  @Option(
    parsing: .unconditional,
    help: "What the random numbers begin with, 1 where absent; the same seed gives the same result.",
    transform: FlagValue.seed)
  var seed: UInt64 = 1

  @Option(
    parsing: .unconditional, help: "How many times to try it, with this seed and those after it; once where absent.",
    transform: FlagValue.whole(1...100_000))
  var runs = 1

  @Option(name: .shortAndLong, help: "Print the result instead: json or yaml.")
  var output: OutputFormat?
}
