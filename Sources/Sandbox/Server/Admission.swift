import KubernetesAPI

/// The admission of one write: what the policies in the store change, refuse and warn of.
struct Admission: Sendable {
  enum Operation: String, Sendable { case create = "CREATE", update = "UPDATE", delete = "DELETE" }

  private(set) var warnings: [String] = []
  private let call: Call
  private let options: WriteOptions
  private let operation: Operation
  private let old: JSON?
  private let state: StoreState

  init(_ call: Call, _ options: WriteOptions, operation: Operation, old: JSON?, _ state: StoreState) {
    self.call = call
    self.options = options
    self.operation = operation
    self.old = old
    self.state = state
  }

  /// The object after the mutating policies.
  mutating func mutate(_ object: JSON) throws(Status) -> JSON { object }

  /// - Throws: what a validating policy refuses with.
  mutating func validate(_ object: JSON) throws(Status) {}
}
