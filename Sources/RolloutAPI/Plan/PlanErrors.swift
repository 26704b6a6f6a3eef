/// One thing that is wrong with a plan.
public struct PlanProblem: Sendable, Hashable, CustomStringConvertible {
  /// The path of the field: `spec.steps[1].weight`.
  public var field: String
  /// What is there.
  public var found: String
  /// What would be right.
  public var wanted: String

  public init(field: String, found: String, wanted: String) {
    self.field = field
    self.found = found
    self.wanted = wanted
  }

  public var description: String { "\(field): found \(found), wanted \(wanted)" }
}

/// Everything that is wrong with a plan, in the order of its fields.
public struct PlanErrors: Error, Sendable, Hashable, CustomStringConvertible {
  public var problems: [PlanProblem]

  public init(_ problems: [PlanProblem]) { self.problems = problems }

  /// One problem a line.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
