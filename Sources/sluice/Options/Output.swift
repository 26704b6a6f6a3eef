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
    let folded = isTerminal ? Folding.fold(lines.map(harmless), width: columns) : lines
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
    FileHandle.standardError.write(Data(((isatty(2) == 1 ? harmless(line) : line) + "\n").utf8))
  }

  /// The text with its control characters made visible, as `^[` for an escape: images, reasons and messages are written by
  /// whoever may deploy, and must not steer the terminal of who looks. Tabs and line breaks stay.
  static func harmless(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      guard isControl(scalar) else {
        result.append(scalar)
        continue
      }
      result.append("^")
      // The key that makes it with Ctrl; of the second set of controls, that of its twin in the first.
      result.append(Unicode.Scalar(UInt8(scalar.value & 0x7F) ^ 0x40))
    }
    return String(result)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
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
