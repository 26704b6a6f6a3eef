/// Breaks lines that are longer than a terminal is wide, between words, and lets the rest stand under the text: after the
/// last gap of two or more spaces that leaves it room, or under the line's own beginning.
enum Folding {
  static func fold(_ lines: [String], width: Int) -> [String] {
    guard width >= 40 else { return lines }
    return lines.flatMap { fold($0, width: width) }
  }

  private static func fold(_ line: String, width: Int) -> [String] {
    guard line.count > width else { return [line] }
    let indent = String(repeating: " ", count: hang(line, width: width))
    var folded: [String] = []
    var rest = Substring(line)
    while rest.count > width {
      let end = rest.index(rest.startIndex, offsetBy: width)
      let start = rest.index(rest.startIndex, offsetBy: folded.isEmpty ? indent.count : indent.count + 1)
      let part = rest[start..<end]
      let cut = part.indices.last { isBreak($0, in: rest) } ?? part.lastIndex(of: " ") ?? end
      folded.append(String(rest[..<cut]))
      rest = Substring(indent + rest[cut...].drop { $0 == " " })
    }
    return folded + [String(rest)]
  }

  /// Whether a line may end at a space: not between a number and its unit, or the ends of an interval.
  private static func isBreak(_ index: Substring.Index, in line: Substring) -> Bool {
    guard line[index] == " " else { return false }
    let next = line[line.index(after: index)...]
    return !["%", "…", "ms", "s "].contains { next.hasPrefix($0) } && !line[..<index].hasSuffix("…")
  }

  /// Where the last column begins, if that leaves at least half of the width.
  private static func hang(_ line: String, width: Int) -> Int {
    var column = line.prefix { $0 == " " }.count
    var spaces = 0
    for (index, character) in line.enumerated() {
      if character == " " {
        spaces += 1
      } else {
        if spaces >= 2, index <= width / 2 { column = index }
        spaces = 0
      }
    }
    // Behind the mark of a verdict.
    let text = line.dropFirst(column)
    return "+x?!".contains(text.first ?? " ") && text.dropFirst().first == " " ? column + 2 : column
  }
}
