import ArgumentParser
import Foundation
import Operator
import RolloutAPI

struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Try a plan on invented requests: what would happen, when, and to how many users.",
    discussion: """
      The decisions are those of the controller, made on a clock that needs no waiting. Without flags for the canary it
      behaves as stable does, so that a run which aborts is a false alarm.
        sluice simulate rollout.yaml --rate 200 --errors 0.1% --canary-errors 2%
        sluice simulate rollout.yaml --canary-latency 300ms --fault-after 10m --runs 100
      """)

  @OptionGroup var trial: TrialOptions

  @Option(help: "Requests per second, of both revisions together.", transform: FlagValue.positive)
  var rate = 100.0

  @Option(help: "The share of stable's requests that fail.", transform: FlagValue.percent)
  var errors = Percent("0.1%") ?? .zero

  @Option(
    help: "The share of the canary's requests that fail; that of stable where absent.", transform: FlagValue.percent)
  var canaryErrors: Percent?

  @Option(help: "The median time of stable's answers.", transform: FlagValue.span)
  var latency = Duration.milliseconds(50)

  @Option(help: "The median time of the canary's answers; that of stable where absent.", transform: FlagValue.span)
  var canaryLatency: Duration?

  @Option(
    help: "How far answers' times spread: the deviation of their logarithm. At 0.5, p99 is 3.2 times the median.",
    transform: FlagValue.positive)
  var spread = 0.5

  @Option(help: "How far the rate swings up and down in the course of a day.", transform: FlagValue.percent)
  var swing = Percent.zero

  @Option(help: "The mean size of clumps in which errors come; 1 for errors that are independent.")
  var clumps = 1.0

  @Option(help: "How long the canary behaves as stable does before it fails.", transform: FlagValue.duration)
  var faultAfter = Duration.zero

  @Option(
    name: .customLong("value"),
    help:
      "What a query of the plan gives, as NAME=STABLE,CANARY or NAME=STABLE,CANARY,DEVIATION; of sums of rates, with all traffic; of Events, per request; of a Mean, its mean and the deviation of single values."
  )
  var values: [String] = []

  func validate() throws {
    guard clumps >= 1, clumps <= 10_000 else {
      throw ValidationError("--clumps: found \(clumps), wanted a number from 1 to 10000")
    }
    _ = try values.map(Self.value)
  }

  /// `conversion=12,11.5,0.4`
  static func value(_ text: String) throws -> (String, TrafficModel.Value) {
    let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers = halves.count == 2 ? halves[1].split(separator: ",").map { Double($0) } : []
    guard (2...3).contains(numbers.count), numbers.allSatisfy({ $0?.isFinite == true }),
      let stable = numbers[0], let canary = numbers[1], numbers.count < 3 || numbers[2] ?? -1 >= 0
    else {
      throw ValidationError(
        "--value: found '\(text)', wanted NAME=STABLE,CANARY[,DEVIATION], as conversion=12,11.5,0.4")
    }
    let deviation = numbers.count == 3 ? numbers[2] ?? 0 : 0
    return (String(halves[0]), TrafficModel.Value(stable: stable, canary: canary, deviation: deviation))
  }

  func run() async throws {
    let plan = try Linter.plan(in: trial.files.map(Linter.File.init(reading:)), named: trial.rollout)
    let milliseconds = latency / .milliseconds(1)
    var model = TrafficModel(
      rate: rate, stable: .init(errors: errors.fraction, latency: milliseconds),
      canary: .init(
        errors: (canaryErrors ?? errors).fraction, latency: canaryLatency.map { $0 / .milliseconds(1) } ?? milliseconds),
      spread: spread, swing: swing.fraction, clumps: clumps, faultAfter: faultAfter / .seconds(1))
    for text in values {
      let (name, value) = try Self.value(text)
      model.values[name] = value
    }
    try check(model, plan)
    let fixed = model
    let what =
      "\(Readable.number(rate)) requests/s; stable fails \(errors) in \(latency.text), the canary "
      + "\(canaryErrors ?? errors) in \((canaryLatency ?? latency).text)"
      + (faultAfter > .zero ? " from \(faultAfter.text) on" : "")
    try Trial(plan: plan, options: trial, title: "simulated: \(what)").perform { seed, settings in
      Rehearsal(plan, model: fixed, seed: seed, settings: settings)
    }
  }

  private func check(_ model: TrafficModel, _ plan: Plan) throws {
    let queries = plan.analysis.slos.filter { if case .query = $0.objective { true } else { false } }.map(\.name)
    for name in model.values.keys.sorted() where !queries.contains(name) {
      let known = queries.isEmpty ? "the plan has no query" : "queries are \(queries.joined(separator: ", "))"
      throw CommandFailure("--value: there is no query \(name) in the plan: \(known)")
    }
    for name in queries where model.values[name] == nil {
      Output.note("the query of \(name) has no value, so it stays Unknown: give one with --value \(name)=STABLE,CANARY")
    }
  }
}
