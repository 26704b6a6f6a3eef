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
    guard let value = Double(text), value.isFinite, value > 0 else {
      throw ValidationError("found '\(text)', wanted a number above 0")
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
  static func time(_ text: String, now: Date) throws -> Date {
    if let time = Timestamp(text) { return time.date }
    if let ago = GoDuration(text) { return now.addingTimeInterval(-(ago.duration / .seconds(1))) }
    throw ValidationError("found '\(text)', wanted a time as 2026-11-24T08:00:00Z, or how long ago as 2h")
  }
}

/// How a plan is tried, whatever the requests come from.
struct TrialOptions: ParsableArguments {
  @Argument(help: "YAML or JSON files with the Rollout and the templates that it names; - is standard input.")
  var files: [String]

  @Option(help: "Which Rollout, where the files hold several.")
  var rollout: String?

  @Option(help: "Pods of the stable revision at the start.")
  var replicas = 10

  @Option(help: "How long a pod takes until it is available.", transform: FlagValue.duration)
  var podStart = Duration.seconds(10)

  @Option(help: "The part of the requests that a step's route matches.", transform: FlagValue.percent)
  var routeShare = Percent(5) ?? .zero

  @Option(
    help: "How long a person takes to promote what waits for one; 'never' stops there.",
    transform: { text in text == "never" ? nil : try FlagValue.duration(text) })
  var approveAfter: Duration? = .seconds(0)

  @Option(help: "When to stop although the run is not over.", transform: FlagValue.span)
  var horizon = Duration.seconds(7 * 86_400)

  @Option(help: "What the random numbers begin with; the same seed gives the same result.")
  var seed: UInt64 = 1

  @Option(help: "How many times to try it, with this seed and those after it.")
  var runs = 1

  @Option(name: .shortAndLong, help: "Print the result instead: json or yaml.")
  var output: OutputFormat?

  func validate() throws {
    guard (1...1000).contains(replicas) else {
      throw ValidationError("--replicas: found \(replicas), wanted a number from 1 to 1000")
    }
    guard (1...100_000).contains(runs) else {
      throw ValidationError("--runs: found \(runs), wanted a number from 1 to 100000")
    }
  }
}
