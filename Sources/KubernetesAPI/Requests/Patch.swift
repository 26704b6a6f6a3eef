import Foundation

/// A change of an object in one of the four forms that the API server takes.
public enum Patch: Sendable, Hashable {
  /// RFC 6902. A `test` that fails is answered with 422.
  case json([JSONPatchOperation])
  /// RFC 7386: `null` removes a member, lists are replaced whole. With `metadata.resourceVersion` in it, a stale one is
  /// a conflict.
  case merge(JSON)
  /// As merge, but lists that have a merge key are merged; for built-in kinds only.
  case strategicMerge(JSON)
  /// Server-side apply: the manager owns the fields that it names. `force` takes fields from other managers.
  case apply(JSON, manager: String, force: Bool)

  public var contentType: String {
    switch self {
    case .json: "application/json-patch+json"
    case .merge: "application/merge-patch+json"
    case .strategicMerge: "application/strategic-merge-patch+json"
    // JSON is YAML, and servers before 1.32 know no other name for it.
    case .apply: "application/apply-patch+yaml"
    }
  }

  /// The resourceVersion that a JSON patch tests for.
  public var testedVersion: String? {
    guard case .json(let operations) = self else { return nil }
    for case .test(["metadata", "resourceVersion"], let value) in operations { return value.string }
    return nil
  }

  public var body: JSON {
    switch self {
    case .json(let operations): .array(operations.map(\.json))
    case .merge(let document), .strategicMerge(let document), .apply(let document, _, _): document
    }
  }
}

/// One operation of RFC 6902.
public enum JSONPatchOperation: Sendable, Hashable {
  case add(JSONPointer, JSON)
  case remove(JSONPointer)
  case replace(JSONPointer, JSON)
  case move(from: JSONPointer, to: JSONPointer)
  case copy(from: JSONPointer, to: JSONPointer)
  /// The whole patch fails unless the value is there.
  case test(JSONPointer, JSON)

  public var json: JSON {
    switch self {
    case .add(let path, let value): ["op": "add", "path": .string(path.description), "value": value]
    case .remove(let path): ["op": "remove", "path": .string(path.description)]
    case .replace(let path, let value): ["op": "replace", "path": .string(path.description), "value": value]
    case .move(let source, let path):
      ["op": "move", "from": .string(source.description), "path": .string(path.description)]
    case .copy(let source, let path):
      ["op": "copy", "from": .string(source.description), "path": .string(path.description)]
    case .test(let path, let value): ["op": "test", "path": .string(path.description), "value": value]
    }
  }
}

/// RFC 6901: a place in a JSON document. Its parts are kept unescaped: `["metadata", "labels", "example.com/x"]`.
public struct JSONPointer: Sendable, Hashable, ExpressibleByArrayLiteral, CustomStringConvertible {
  public var parts: [String]

  public init(_ parts: [String]) { self.parts = parts }
  public init(arrayLiteral elements: String...) { parts = elements }

  /// Reads the text form: empty for the whole document, else beginning with `/`; `nil` for other texts.
  public init?(_ text: String) {
    if text.isEmpty {
      parts = []
      return
    }
    guard text.hasPrefix("/") else { return nil }
    parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
      String($0).replacing("~1", with: "/").replacing("~0", with: "~")
    }
  }

  /// `/metadata/labels/example.com~1x`
  public var description: String {
    parts.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
  }

  /// The place of a member, and of an element.
  public func appending(_ part: String) -> JSONPointer { JSONPointer(parts + [part]) }
  public func appending(_ index: Int) -> JSONPointer { appending(String(index)) }
}
