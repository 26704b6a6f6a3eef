/// What one judge did in one run.
struct Outcome: Sendable {
  /// The look of the abort.
  var abortedAt: Int?
  /// Bad requests of the canary from the fault's beginning to the abort, or to the end.
  var harmed = 0.0
}

/// One run of a scenario, watched by all judges at once.
enum Trial {
  static func run(
    _ family: Family, isBad: Bool, seed: UInt64, index: Int, judges names: [JudgeName], settings: RivalSettings
  ) -> (begins: Int, outcomes: [JudgeName: Outcome])? {
    let number = (Family.all.firstIndex { $0.name == family.name } ?? 0) + 1
    // Both twins draw the same settings.
    var drawn = SeededRandom(seed: seed, number, index)
    let scenario = family.make(&drawn)
    if isBad, scenario.fault == nil { return nil }
    var traffic = Traffic(scenario, isBad: isBad, random: SeededRandom(seed: seed, number, index, isBad ? 1 : 2))
    var judges = names.map { (name: $0, judge: $0.make(scenario, settings), outcome: Outcome()) }
    for look in -Scenario.history..<0 {
      guard let measured = traffic.next(look).measured else { continue }
      for index in judges.indices { judges[index].judge.learn(measured) }
    }
    for look in 0..<scenario.looks {
      let seen = traffic.next(look)
      let harmed = seen.canary.count(scenario.property)
      var isWatched = false
      for index in judges.indices where judges[index].outcome.abortedAt == nil {
        if look >= scenario.faultBegins { judges[index].outcome.harmed += harmed }
        if judges[index].judge.aborts(look, seen.measured) {
          judges[index].outcome.abortedAt = look
        } else {
          isWatched = true
        }
      }
      if !isWatched { break }
    }
    return (scenario.faultBegins, Dictionary(uniqueKeysWithValues: judges.map { ($0.name, $0.outcome) }))
  }
}
