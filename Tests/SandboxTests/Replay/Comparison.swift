import Foundation
import KubernetesAPI

/// Compares an answer with the recorded one, by the rules of the transcripts' README.
struct Comparison {
  var placeholders: Placeholders
  private(set) var differences: [String] = []

  init(_ placeholders: Placeholders) { self.placeholders = placeholders }

  /// - Parameter unordered: `items` and `rows` are sets.
  mutating func compare(_ found: JSON?, _ recorded: JSON, at path: String = "", unordered: Bool = false) {
    guard let found else {
      return differ(path, "is missing", recorded)
    }
    switch (found, recorded) {
    case (.object(let members), .object(let expected)):
      compareObject(members, expected, path, unordered: unordered)
    case (.array(let elements), .array(let expected)):
      if isSet(path, unordered: unordered) {
        compareSet(elements, expected, path)
      } else {
        compareList(elements, expected, path)
      }
    case (.string(let text), .string(let pattern)):
      if !placeholders.matches(text, recorded: pattern) { differ(path, "is \(found)", recorded) }
    case (.int(let number), .double(let value)) where Double(number) == value: break
    case (.double(let value), .int(let number)) where Double(number) == value: break
    default:
      if found != recorded { differ(path, "is \(found)", recorded) }
    }
  }

  private mutating func differ(_ path: String, _ text: String, _ recorded: JSON?) {
    let expected = recorded.map { ", recorded: \($0.description.prefix(400))" } ?? ""
    differences.append("\(path.isEmpty ? "/" : path) \(text.prefix(400))\(expected)")
  }

  private mutating func compareObject(
    _ found: [String: JSON], _ recorded: [String: JSON], _ path: String, unordered: Bool
  ) {
    // The namespace's name is part of some keys (`kubernetes.io/…` labels never, URLs of OpenAPI at times).
    let expected = Dictionary(recorded.map { (placeholders.fill($0.key), $0.value) }, uniquingKeysWith: { $1 })
    let isStatus = recorded["kind"] == "Status" && recorded["status"] == "Failure"
    for key in Set(found.keys).union(expected.keys).sorted(by: { Self.order($0) < Self.order($1) }) {
      let below = "\(path)/\(key)"
      if isIgnored(key, path, recorded) { continue }
      if isStatus, key == "message", !MessageRules.isCompared(recorded) { continue }
      if isStatus, key == "details" {
        compareDetails(found[key], expected[key], below, comparesMessages: MessageRules.isCompared(recorded))
        continue
      }
      guard let value = expected[key] else {
        differ(below, "is \(found[key] ?? .null), recorded is nothing there", nil)
        continue
      }
      compare(found[key], value, at: below, unordered: unordered && path.isEmpty)
    }
  }

  /// What names and binds first: other texts may quote it.
  private static func order(_ key: String) -> (Int, String) {
    switch key {
    case "metadata": (0, key)
    case "name", "generateName": (0, key)
    case "spec", "data": (1, key)
    default: (2, key)
    }
  }

  private func isIgnored(_ key: String, _ path: String, _ recorded: [String: JSON]) -> Bool {
    if key == "description", path.contains("/columnDefinitions/") {
      // The columns of built-in kinds quote the documentation of their fields; a custom column's text is its own.
      return !(recorded["description"]?.string ?? "").hasPrefix("Custom resource definition column")
        && recorded["description"]?.string != "how it runs"
    }
    if key == "error", path.hasSuffix("/status") { return true }
    if key == "reason", path.hasSuffix("/status"), recorded["allowed"] != nil { return true }
    return false
  }

  private mutating func compareDetails(
    _ found: JSON?, _ recorded: JSON?, _ path: String, comparesMessages: Bool
  ) {
    guard let recorded else {
      if found != nil { differ(path, "is \(found ?? .null), recorded is nothing there", nil) }
      return
    }
    for key in ["kind", "group", "name", "uid", "retryAfterSeconds"] {
      switch (found?[key], recorded[key]) {
      case (nil, nil): continue
      case (let value, let expected?): compare(value, expected, at: "\(path)/\(key)")
      case (let value?, nil): differ("\(path)/\(key)", "is \(value), recorded is nothing there", nil)
      }
    }
    func causes(_ details: JSON?) -> [JSON] {
      (details?["causes"]?.array ?? []).map { cause in
        var entry: JSON = ["field": cause["field"] ?? .null, "reason": cause["reason"] ?? .null]
        if comparesMessages { entry["message"] = cause["message"] }
        return entry
      }
    }
    compareSet(causes(found), causes(recorded), "\(path)/causes")
  }

  private func isSet(_ path: String, unordered: Bool) -> Bool {
    if unordered, path == "/items" || path == "/rows" { return true }
    return path.hasSuffix("/managedFields") || path.hasSuffix("/endpoints") || path.hasSuffix("/causes")
  }

  private mutating func compareList(_ found: [JSON], _ recorded: [JSON], _ path: String) {
    for (index, expected) in recorded.enumerated() {
      compare(index < found.count ? found[index] : nil, expected, at: "\(path)/\(index)")
    }
    for extra in found.dropFirst(recorded.count) { differ(path, "also has \(extra), which was not recorded", nil) }
  }

  /// Pairs members so that all placeholders agree; members that differ in no placeholder find each other first.
  mutating func compareSet(_ found: [JSON], _ recorded: [JSON], _ path: String) {
    var search = SetSearch(comparison: self, path: path)
    if let placeholders = search.assign(found, recorded) {
      self.placeholders = placeholders
      return
    }
    if found.count != recorded.count {
      differ(path, "has \(found.count) members: \(JSON.array(found))", .array(recorded))
      return
    }
    // Say how the likeliest pairs differ.
    var rest = found
    for expected in recorded {
      let best = rest.indices.min { left, right in
        search.distance(rest[left], expected) < search.distance(rest[right], expected)
      }
      guard let best else { continue }
      compare(rest.remove(at: best), expected, at: "\(path)/*")
    }
  }
}

/// Looks for a one-to-one assignment of found to recorded members under which all placeholders agree.
private struct SetSearch {
  let comparison: Comparison
  let path: String
  private var steps = 0

  init(comparison: Comparison, path: String) {
    self.comparison = comparison
    self.path = path
  }

  mutating func assign(_ found: [JSON], _ recorded: [JSON]) -> Placeholders? {
    guard found.count == recorded.count else { return nil }
    return extend(found, recorded, comparison.placeholders)
  }

  func distance(_ found: JSON, _ recorded: JSON) -> Int {
    var trial = Comparison(comparison.placeholders)
    trial.compare(found, recorded, at: "\(path)/*")
    return trial.differences.count
  }

  private mutating func extend(_ found: [JSON], _ recorded: [JSON], _ placeholders: Placeholders) -> Placeholders? {
    if recorded.isEmpty { return placeholders }
    steps += 1
    // Bounded: a set of like members has many assignments, and the first that fits is right.
    guard steps < 5000 else { return nil }
    // The recorded member with the fewest candidates first: those whose name is bound have one.
    var candidates: [(recorded: Int, found: [(index: Int, after: Placeholders)])] = []
    for (position, expected) in recorded.enumerated() {
      var fitting: [(index: Int, after: Placeholders)] = []
      for (index, member) in found.enumerated() {
        var trial = Comparison(placeholders)
        trial.compare(member, expected, at: "\(path)/*")
        if trial.differences.isEmpty { fitting.append((index, trial.placeholders)) }
      }
      if fitting.isEmpty { return nil }
      candidates.append((position, fitting))
      if fitting.count == 1 { break }
    }
    guard let choice = candidates.min(by: { $0.found.count < $1.found.count }) else { return nil }
    var restRecorded = recorded
    restRecorded.remove(at: choice.recorded)
    for candidate in choice.found {
      var restFound = found
      restFound.remove(at: candidate.index)
      if let result = extend(restFound, restRecorded, candidate.after) { return result }
    }
    return nil
  }
}

/// Which messages of failures clients rely on; the README lists them.
enum MessageRules {
  private static let compared = [
    "already exists", "not found", "the object has been modified", "in the precondition", "Precondition failed",
    "Apply failed with", "cannot list resource", "cannot get resource", "cannot create resource",
    "cannot patch resource", "cannot update resource", "cannot delete resource", "cannot get path",
    "denied request", "object is being deleted:", "because it is being terminated", "oo old resource version",
    "is too old", "The provided continue parameter", "Too large resource version",
    "could not find the requested resource", "does not allow this method", "is not supported on resources",
    "does not match the name on the URL", "does not match the namespace sent", "should not be set on objects",
  ]

  static func isCompared(_ status: [String: JSON]) -> Bool {
    guard let message = status["message"]?.string else { return false }
    return compared.contains(where: message.contains)
  }
}
