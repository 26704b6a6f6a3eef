import Foundation
import KubernetesAPI
import Yams

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What goes to the two streams, and what the terminal can do.
enum Output {
  static var isTerminal: Bool { isatty(1) == 1 }

  /// Prints lines, folded to the terminal's width where there is one.
  static func print(_ lines: [String]) { _ = draw(lines) }

  /// As ``print(_:)``.
  /// - Returns: how many lines that took.
  static func draw(_ lines: [String]) -> Int {
    let folded = isTerminal ? Folding.fold(lines, width: columns) : lines
    for line in folded { Swift.print(line) }
    fflush(nil)
    return folded.count
  }

  /// The width of the terminal, 80 where it does not say.
  private static var columns: Int {
    var size = winsize()
    return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  static func note(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }

  /// Several objects become a list, as kubectl prints them.
  static func text(_ objects: [JSON], as format: OutputFormat) throws -> String {
    let document: JSON =
      objects.count == 1 ? objects[0] : ["apiVersion": "v1", "kind": "List", "items": .array(objects)]
    return switch format {
    case .json: document.pretty
    case .yaml: try serialize(node: node(document), sortKeys: true).trimmingCharacters(in: .newlines)
    }
  }

  private static func node(_ json: JSON) throws -> Node {
    switch json {
    case .null: return try Node(NSNull())
    case .bool(let value): return try Node(value)
    case .int(let value): return try Node(Int(value))
    case .double(let value): return try Node(value)
    case .string(let value): return .scalar(value.represented())
    case .array(let elements): return Node(try elements.map(node(_:)))
    case .object(let members):
      return Node(try members.sorted { $0.key < $1.key }.map { (.scalar($0.key.represented()), try node($0.value)) })
    }
  }

  /// Takes back that many lines of a terminal, so that the next ones stand in their place.
  static func erase(lines count: Int) {
    guard count > 0 else { return }
    Swift.print("\u{1B}[\(count)A\u{1B}[0J", terminator: "")
  }
}
