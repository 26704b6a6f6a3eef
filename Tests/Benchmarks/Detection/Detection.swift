import Foundation

/// Runs every judge on every scenario family: `detection --runs N --seed S [--json] [--family NAME] [--judges A,B]`.
@main
struct Detection {
  static func main() async {
    var options = Options()
    do {
      options = try Options(CommandLine.arguments.dropFirst())
    } catch {
      FileHandle.standardError.write(Data("detection: \(error)\n".utf8))
      exit(2)
    }
    var report = Report(seed: options.seed, runs: options.runs, families: [])
    for family in Family.all where options.families.isEmpty || options.families.contains(family.name) {
      let began = ContinuousClock.now
      report.families.append(await measure(family, options))
      let took = ContinuousClock.now - began
      FileHandle.standardError.write(Data("\(family.name): \(took.components.seconds) s\n".utf8))
    }
    if options.json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: (try? encoder.encode(report)) ?? Data(), as: UTF8.self))
    } else {
      print(report.table)
    }
  }

  private typealias Part = (isBad: Bool, index: Int, begins: Int, outcomes: [JudgeName: Outcome])

  private static func measure(_ family: Family, _ options: Options) async -> FamilyReport {
    let chunk = max(1, min(50, options.runs / 8))
    let starts = [false, true].flatMap { isBad in stride(from: 0, to: options.runs, by: chunk).map { (isBad, $0) } }
    let parts = await withTaskGroup(of: [Part].self) { group in
      var (next, parts) = (0, [Part]())
      func add() {
        guard next < starts.count else { return }
        let (isBad, start) = starts[next]
        next += 1
        group.addTask {
          (start..<min(start + chunk, options.runs)).compactMap { index in
            let judges = options.judges.filter { options.runsOf($0) > index }
            return Trial.run(
              family, isBad: isBad, seed: options.seed, index: index, judges: judges, settings: options.rivals
            ).map { (isBad, index, $0.begins, $0.outcomes) }
          }
        }
      }
      for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { add() }
      for await part in group {
        parts += part
        add()
      }
      return parts.sorted { $0.index < $1.index }
    }
    let judges = options.judges.map { judge in
      JudgeReport(
        name: judge.rawValue,
        good: parts.filter { !$0.isBad }.compactMap { $0.outcomes[judge] },
        bad: parts.filter(\.isBad).compactMap { part in part.outcomes[judge].map { (part.begins, $0) } })
    }
    return FamilyReport(name: family.name, judges: judges)
  }
}

/// What the command line asks for.
struct Options: Sendable {
  /// Why the command line cannot be understood.
  struct Misuse: Error, CustomStringConvertible { var description: String }

  var runs = 1000
  var seed: UInt64 = 1
  var json = false
  var families: Set<String> = []
  var judges = JudgeName.allCases
  var rivals = RivalSettings.fair

  init() {}

  init(_ arguments: some Sequence<String>) throws(Misuse) {
    var rest = Array(arguments)[...]
    while let option = rest.popFirst() {
      if option == "--json" {
        json = true
        continue
      }
      guard ["--runs", "--seed", "--family", "--judges", "--rivals"].contains(option) else {
        throw Misuse(
          description: "\(option): expected --runs, --seed, --json, --family, --judges or --rivals")
      }
      guard let value = rest.popFirst() else { throw Misuse(description: "\(option): expected a value, found nothing") }
      func refuse(_ wanted: String) -> Misuse { Misuse(description: "\(option): expected \(wanted), found \(value)") }
      switch option {
      case "--runs":
        guard let number = Int(value), (1...1_000_000).contains(number) else { throw refuse("1 to 1000000") }
        runs = number
      case "--seed":
        guard let number = UInt64(value) else { throw refuse("a whole number from 0 on") }
        seed = number
      case "--family":
        guard Family.all.contains(where: { $0.name == value }) else {
          throw refuse("one of " + Family.all.map(\.name).joined(separator: ", "))
        }
        families.insert(value)
      case "--judges":
        let names = value.split(separator: ",").map { JudgeName(rawValue: String($0)) }
        guard !names.contains(nil) else {
          throw refuse("some of " + JudgeName.allCases.map(\.rawValue).joined(separator: ","))
        }
        judges = names.compactMap { $0 }
      default:
        guard let settings = RivalSettings(rawValue: value) else { throw refuse("docs or fair") }
        rivals = settings
      }
    }
  }

  /// Kayenta's ranks cost a hundred times what the others do, so it has fewer runs.
  func runsOf(_ judge: JudgeName) -> Int { judge == .kayenta ? min(runs, 1000) : runs }
}
