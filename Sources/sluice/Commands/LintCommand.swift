import ArgumentParser

struct LintCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint", abstract: "Check Rollouts and their companions in files, without a cluster.",
    discussion: """
      Files may hold several documents; those of other groups are passed over. `-` reads standard input. Templates are \
      looked up among all files given, and one that is in none of them is a problem. Exit code 1 where anything is wrong.
      """)

  @Argument(help: "YAML or JSON files.")
  var files: [String]

  @Flag(help: "Pass templates over that are in none of the files, such as those that another team keeps.")
  var allowMissingTemplates = false

  func run() async throws {
    let report = Linter.check(
      try files.map(Linter.File.init(reading:)), allowMissingTemplates: allowMissingTemplates)
    for note in report.notes { Output.note(note) }
    Output.print(report.problems)
    let checked = "\(report.checked) \(report.checked == 1 ? "document" : "documents")"
    guard report.problems.isEmpty else { throw ExitCode.failure }
    Output.print([report.checked == 0 ? "nothing of sluice.dev in there" : "\(checked) right"])
  }
}
