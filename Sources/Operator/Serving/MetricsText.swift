/// Prometheus' text format, written family by family.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4)
struct MetricsText {
  enum Kind: String { case counter, gauge, histogram }

  struct Sample {
    /// Appended to the family's name: `_bucket`, `_sum`, `_count`.
    var suffix = ""
    var labels: [(name: String, value: String)] = []
    var value: Double
  }

  private(set) var text = ""

  mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
      text += "\(name)\(sample.suffix)\(labels.isEmpty ? "" : "{\(labels)}") \(Self.number(sample.value))\n"
    }
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    family(name, .gauge, help, [Sample(value: value)])
  }

  static func number(_ value: Double) -> String {
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
  }

  private static func escaped(_ value: String) -> String {
    guard value.contains(where: { "\\\"\n".contains($0) }) else { return value }
    return value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}
