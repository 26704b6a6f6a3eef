enum Version {
  static let text = "0.1.0"
}

/// A failure that one sentence explains.
struct CommandFailure: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
