/// Pieces of PromQL from values, each escaped for its place.
enum PromQL {
  /// A label value in double quotes.
  static func quoted(_ value: String) -> String {
    var text = "\""
    for character in value {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
    return text + "\""
  }

  /// A text as a regular expression (RE2, anchored by Prometheus) that matches just itself.
  static func literal(_ value: String) -> String {
    var text = ""
    for character in value {
      if "\\.+*?()|[]{}^$".contains(character) { text.append("\\") }
      text.append(character)
    }
    return text
  }

  /// A matcher for one of several values, sorted: `name="a"` or `name=~"a|b"`.
  static func oneOf(_ label: String, _ values: some Sequence<String>) -> String {
    let values = Set(values).sorted()
    if values.count == 1 { return "\(label)=\(quoted(values[0]))" }
    return "\(label)=~\(quoted(values.map(literal).joined(separator: "|")))"
  }

  /// A counter, added up by some labels; where its present values are read, also by the process that counts.
  static func sum(
    _ metric: String, _ labels: String, by groups: [String], process: [String], reading: MetricsReading
  ) -> String {
    switch reading {
    case .counters:
      let all = groups + process.filter { !groups.contains($0) }
      return "sum by (\(all.joined(separator: ", "))) (\(metric){\(labels)})"
    case .increase(let window):
      return "sum by (\(groups.joined(separator: ", "))) (increase(\(metric){\(labels)}[\(self.window(window))]))"
    }
  }

  /// The buckets of a histogram: the classic ones, which have the label `le`, and what is exported natively, under the
  /// name without a suffix and without that label, so that an answer may hold either.
  static func buckets(
    _ metric: String, _ labels: String, by groups: [String], process: [String], reading: MetricsReading
  ) -> String {
    let classic = sum(metric + "_bucket", labels, by: groups + ["le"], process: process, reading: reading)
    return "\(classic) or \(sum(metric, labels, by: groups, process: process, reading: reading))"
  }

  /// `30s`, or `1500ms` where it is no whole number of seconds; at least a millisecond.
  static func window(_ duration: Duration) -> String {
    let milliseconds = max(1, Int(duration / .milliseconds(1)))
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
  }
}
