import ArgumentParser
import Foundation
import Operator
import RolloutAPI

struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Try a plan on invented requests: what would happen, when, and to how many users.",
    discussion: """
      The decisions are those of the controller, made on a clock that needs no waiting. Without flags for the canary it \
      behaves as stable does, so that a run which aborts is a false alarm.
        sluice simulate rollout.yaml --rate 200 --errors 0.1% --canary-errors 2%
        sluice simulate rollout.yaml --canary-latency 300ms --fault-after 10m
      What guards watch is invented too, as pods usually are: each a little different, busy while it starts, collecting \
      garbage, with a neighbour now and then. With --runs one sees how often they hold a good run, and catch a bad one:
        sluice simulate rollout.yaml --runs 1000
        sluice simulate rollout.yaml --canary-memory-growth 5 --runs 100
      """)

  @OptionGroup var trial: TrialOptions

  @Option(
    parsing: .unconditional, help: "Requests per second, of both revisions together; 100 where absent.",
    transform: FlagValue.positive)
  var rate = 100.0

  @Option(
    parsing: .unconditional, help: "The share of stable's requests that fail; 0.1% where absent.",
    transform: FlagValue.percent)
  var errors = Percent("0.1%") ?? .zero

  @Option(
    parsing: .unconditional, help: "The share of the canary's requests that fail; that of stable where absent.",
    transform: FlagValue.percent)
  var canaryErrors: Percent?

  @Option(
    parsing: .unconditional, help: "The median time of stable's answers; 50ms where absent.", transform: FlagValue.span)
  var latency = Duration.milliseconds(50)

  @Option(
    parsing: .unconditional, help: "The median time of the canary's answers; that of stable where absent.",
    transform: FlagValue.span)
  var canaryLatency: Duration?

  @Option(
    parsing: .unconditional,
    help:
      "How far answers' times spread: the deviation of their logarithm. At 0.5, as where absent, p99 is 3.2 times the median.",
    transform: FlagValue.positive)
  var spread = 0.5

  @Option(
    parsing: .unconditional, help: "How far the canary's answers' times spread; as stable's where absent.",
    transform: FlagValue.positive)
  var canarySpread: Double?

  @Option(
    parsing: .unconditional, help: "How far the rate swings up and down in the course of a day; not where absent.",
    transform: FlagValue.percent)
  var swing = Percent.zero

  @Option(
    parsing: .unconditional,
    help: "The mean size of clumps in which errors come; 1, for errors that are independent, where absent.",
    transform: FlagValue.number(from: 1, to: 10_000))
  var clumps = 1.0

  @Option(
    parsing: .unconditional,
    help: "How long the canary behaves as stable does before it fails; it fails from the start where absent.",
    transform: FlagValue.duration)
  var faultAfter = Duration.zero

  @Option(
    parsing: .unconditional,
    help: "How often a container of the canary ends and is started again: times an hour, in each pod.",
    transform: FlagValue.number(from: 0, to: 10_000))
  var canaryRestarts = 0.0

  @Option(
    parsing: .unconditional,
    help: "By how much the memory of a canary pod grows: MiB a minute. A pod has 256 MiB, and a limit of 512.",
    transform: FlagValue.number(from: 0, to: 10_000))
  var canaryMemoryGrowth = 0.0

  @Option(
    parsing: .unconditional, help: "How many times stable's CPU the canary takes.", transform: FlagValue.positive)
  var canaryCPU = 1.0

  @Option(
    name: .customLong("canary-gc"), parsing: .unconditional,
    help: "The share of time that the canary spends in garbage collection; 1% is usual.",
    transform: FlagValue.percent)
  var canaryCollection: Percent?

  @Option(
    parsing: .unconditional,
    help: "The share of its requests that the canary answers with 404, which no error rate counts; 1% is usual.",
    transform: FlagValue.percent)
  var canaryNotFound: Percent?

  @Option(
    parsing: .unconditional, help: "The share of its requests that one pod of the canary fails, and no other.",
    transform: FlagValue.percent)
  var canaryBadPod: Percent?

  @Option(
    parsing: .unconditional,
    help: "The share of its requests that stay away from the canary; with --fault-after, or no share is ever verified.",
    transform: FlagValue.percent)
  var canaryAway = Percent.zero

  @Option(
    parsing: .unconditional,
    help: "The share of the service's requests, of both revisions, that do not come although the days before had them.",
    transform: FlagValue.percent)
  var missing = Percent.zero

  @Option(
    name: .customLong("value"),
    help:
      "What a query of the plan gives, as NAME=STABLE,CANARY or NAME=STABLE,CANARY,DEVIATION; of sums of rates, with all traffic; of Events, per request; of a Mean, its mean and the deviation of single values."
  )
  var values: [String] = []

  func validate() throws { _ = try values.map(Self.value) }

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
      spread: spread, canarySpread: canarySpread, swing: swing.fraction, clumps: clumps,
      faultAfter: faultAfter / .seconds(1))
    model.pods = PodModel(
      restarts: canaryRestarts, growth: canaryMemoryGrowth * 1024 * 1024 / 60, cpu: canaryCPU,
      collection: canaryCollection?.fraction, notFound: canaryNotFound?.fraction,
      oneBad: canaryBadPod?.fraction, away: canaryAway.fraction)
    model.missing = missing.fraction
    for text in values {
      let (name, value) = try Self.value(text)
      model.values[name] = value
    }
    try check(model, plan)
    let fixed = model
    let what =
      "\(Readable.number(rate)) requests/s; stable fails \(errors) in \(latency.text), the canary "
      + "\(canaryErrors ?? errors) in \((canaryLatency ?? latency).text)"
      + (faults.isEmpty ? "" : " and \(faults.joined(separator: ", "))")
      + (faultAfter > .zero ? ", from \(faultAfter.text) on" : "")
      + (missing > .zero ? "; \(missing) of all requests do not come" : "")
    try await Trial(plan: plan, options: trial, title: "simulated: \(what)").perform { seed, settings in
      Rehearsal(plan, model: fixed, seed: seed, settings: settings)
    }
  }

  /// What the canary's pods do beside answering, for people.
  private var faults: [String] {
    var faults: [String] = []
    if let canarySpread {
      faults.append("spreads by \(Readable.number(canarySpread)) instead of \(Readable.number(spread))")
    }
    if canaryRestarts > 0 { faults.append("restarts \(Readable.number(canaryRestarts)) times an hour in each pod") }
    if canaryMemoryGrowth > 0 { faults.append("grows by \(Readable.number(canaryMemoryGrowth)) MiB a minute") }
    if canaryCPU != 1 { faults.append("takes \(Readable.number(canaryCPU)) times the CPU") }
    if let canaryCollection { faults.append("collects garbage for \(canaryCollection) of the time") }
    if let canaryNotFound { faults.append("answers \(canaryNotFound) with 404") }
    if let canaryBadPod { faults.append("has one pod that fails \(canaryBadPod)") }
    if canaryAway > .zero { faults.append("loses \(canaryAway) of its requests") }
    return faults
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
