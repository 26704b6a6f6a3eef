import KubernetesAPI

/// Finds where two values differ, for people.
enum JSONDifference {
  /// Each difference as `spec.http[0].route[1].weight is 50, should be 10`. Whole numbers and equal fractions are the
  /// same, as are absent members and null ones; at most ten are named.
  static func find(expected: JSON?, found: JSON?, at path: String) -> [String] {
    var differences: [String] = []
    collect(expected, found, path, into: &differences)
    return Array(differences.prefix(10))
  }

  private static func collect(_ expected: JSON?, _ found: JSON?, _ path: String, into differences: inout [String]) {
    switch (expected ?? .null, found ?? .null) {
    case (.object(let wanted), .object(let members)):
      for key in Set(wanted.keys).union(members.keys).sorted() {
        collect(wanted[key], members[key], "\(path).\(key)", into: &differences)
      }
    case (.array(let wanted), .array(let elements)) where wanted.count == elements.count:
      for (index, pair) in zip(wanted, elements).enumerated() {
        collect(pair.0, pair.1, "\(path)[\(index)]", into: &differences)
      }
    case (let wanted, let value):
      if let left = wanted.double, let right = value.double, left == right { return }
      if wanted != value { differences.append("\(path) is \(text(value)), should be \(text(wanted))") }
    }
  }

  private static func text(_ value: JSON) -> String {
    if value.isNull { return "absent" }
    let text = "\(value)"
    return text.count > 80 ? String(text.prefix(80)) + "…" : text
  }
}
