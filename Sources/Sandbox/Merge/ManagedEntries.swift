import Foundation
import KubernetesAPI

/// Who a field belongs to: a name, how it wrote, in which version and through which subresource.
struct FieldManager: Sendable, Hashable {
  enum Operation: String, Sendable, Hashable {
    case apply = "Apply"
    case update = "Update"
  }

  var name: String
  var operation: Operation
  var apiVersion: String
  /// Empty for the main resource.
  var subresource = ""

  /// As messages about conflicts name it.
  var shown: String {
    var text = "\"\(name)\""
    if !subresource.isEmpty { text += " with subresource \"\(subresource)\"" }
    if operation == .update { text += " using \(apiVersion)" }
    return text
  }
}

/// The owners of an object's fields: `metadata.managedFields`, read and written.
struct ManagedEntries: Sendable {
  struct Entry: Sendable, Hashable {
    var fields: FieldSet
    /// RFC 3339; `nil` where the entry came without one.
    var time: String?
  }

  /// Where more managers than this update an object, the oldest are kept as one.
  static let mostUpdaters = 10
  static let ancient = "ancient-changes"

  var entries: [FieldManager: Entry] = [:]

  init() {}

  /// Reads `managedFields`; `nil` where an entry is malformed.
  init?(_ json: JSON?) {
    for entry in json?.array ?? [] {
      guard let operation = FieldManager.Operation(rawValue: entry["operation"]?.string ?? ""),
        let version = entry["apiVersion"]?.string, let fields = FieldSet(entry["fieldsV1"] ?? .emptyObject)
      else { return nil }
      let manager = FieldManager(
        name: entry["manager"]?.string ?? "", operation: operation, apiVersion: version,
        subresource: entry["subresource"]?.string ?? "")
      entries[manager, default: Entry(fields: FieldSet())].fields.formUnion(fields)
      entries[manager]?.time = entry["time"]?.string
    }
  }

  var isEmpty: Bool { entries.isEmpty }

  mutating func dropEmpty() { entries = entries.filter { !$0.value.fields.isEmpty } }

  /// Merges the oldest updaters beyond the bound into one per version.
  mutating func capUpdaters() {
    let updaters = entries.filter { $0.key.operation == .update && $0.key.subresource.isEmpty }
    guard updaters.count > Self.mostUpdaters else { return }
    let oldest = updaters.sorted { ($0.value.time ?? "", $0.key.name) < ($1.value.time ?? "", $1.key.name) }
    for (manager, entry) in oldest.prefix(updaters.count - Self.mostUpdaters + 1) {
      entries[manager] = nil
      let bucket = FieldManager(name: Self.ancient, operation: .update, apiVersion: manager.apiVersion)
      let known = entries[bucket]
      entries[bucket] = Entry(
        fields: (known?.fields ?? FieldSet()).union(entry.fields), time: max(known?.time ?? "", entry.time ?? ""))
    }
  }

  /// Sorted as the server does: applies first, then by time and name. `nil` when there is none.
  var json: JSON? {
    let sorted = entries.sorted { left, right in
      func rank(_ pair: (key: FieldManager, value: Entry)) -> (String, String, String, String, String) {
        (
          pair.key.operation.rawValue, pair.value.time ?? "", pair.key.name, pair.key.apiVersion, pair.key.subresource
        )
      }
      return rank(left) < rank(right)
    }
    let list = sorted.map { manager, entry in
      var json: JSON = [
        "manager": .string(manager.name), "operation": .string(manager.operation.rawValue),
        "apiVersion": .string(manager.apiVersion), "fieldsType": "FieldsV1", "fieldsV1": entry.fields.json,
      ]
      json["time"] = entry.time.map(JSON.string)
      if !manager.subresource.isEmpty { json["subresource"] = .string(manager.subresource) }
      return json
    }
    return list.isEmpty ? nil : .array(list)
  }
}

extension FieldSet {
  mutating func formUnion(_ other: FieldSet) { self = union(other) }
}

extension JSON {
  /// `metadata.managedFields`.
  var managedFields: JSON? {
    get { self[path: ["metadata", "managedFields"]] }
    set { self[path: ["metadata", "managedFields"]] = newValue }
  }
}
