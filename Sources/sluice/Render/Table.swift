/// Columns as kubectl prints them: as wide as their widest cell, three spaces apart, nothing at the end of a line.
struct Table {
  var header: [String]
  var rows: [[String]]

  var lines: [String] {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      let line = cells.joined(separator: "   ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}

extension Optional where Wrapped == String {
  /// The text, or what kubectl prints for nothing.
  var orNone: String {
    guard let self, !self.isEmpty else { return "<none>" }
    return self
  }
}
