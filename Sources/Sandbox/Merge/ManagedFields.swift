import Foundation
import KubernetesAPI

/// Field ownership after writes that are no apply.
/// Source: KEP-555 and the documentation of server-side apply.
enum ManagedFields {
  /// A write: who does it, through what, and which fields it can own.
  struct Writer: Sendable {
    var manager: String
    var apiVersion: String
    var subresource = ""
    var owned = OwnedFields()
    var now: Date
  }

  /// The object with `metadata.managedFields` as this write leaves them. The writer owns what it adds or changes, and
  /// everybody loses what it removes or changes.
  /// - Parameters:
  ///   - object: after the write, normalized and with defaults. Entries in it replace those of the old object; one
  ///     empty entry (`[{}]`) makes the server forget all owners.
  ///   - old: before the write; `nil` for a creation.
  ///   - skeleton: what an object of the kind holds when nothing is said, the baseline of a creation.
  static func update(
    _ object: JSON, old: JSON?, by writer: Writer, schema: Schema, skeleton: JSON = .emptyObject
  ) -> JSON {
    var result = object
    var entries = entries(for: object, old: old, isSubresource: !writer.subresource.isEmpty)
    // An object whose owners were forgotten is not tracked until somebody applies.
    if entries.isEmpty, let old, !old.uid.isEmpty {
      result.managedFields = nil
      return result
    }
    var before = old ?? skeleton
    before.managedFields = nil
    result.managedFields = nil
    let manager = FieldManager(
      name: writer.manager, operation: .update, apiVersion: writer.apiVersion, subresource: writer.subresource)
    take(over: manager, from: before, to: result, writer, schema, &entries)
    result.managedFields = entries.json
    return result
  }

  /// Makes an Update entry own what is different between two objects.
  static func take(
    over manager: FieldManager, from old: JSON, to new: JSON, _ writer: Writer, _ schema: Schema,
    _ entries: inout ManagedEntries
  ) {
    var changes = FieldChanges(from: old, to: new, schema)
    changes.keep(writer.owned.filter)
    let written = changes.written
    for other in entries.entries.keys {
      guard let fields = entries.entries[other]?.fields else { continue }
      entries.entries[other]?.fields = fields.subtracting(written).subtracting(changes.removed)
    }
    entries.dropEmpty()
    guard !written.isEmpty else { return }
    let known = entries.entries[manager]?.fields ?? FieldSet()
    entries.entries[manager] = .init(fields: known.union(written), time: Timestamp(writer.now).description)
    entries.capUpdaters()
  }

  /// The entries to start from: those in the request, else those of the live object. Subresources cannot change them.
  private static func entries(for object: JSON, old: JSON?, isSubresource: Bool) -> ManagedEntries {
    let live = ManagedEntries(old?.managedFields) ?? ManagedEntries()
    if isSubresource { return live }
    if isReset(object.managedFields) { return ManagedEntries() }
    guard let given = ManagedEntries(object.managedFields), !given.isEmpty else { return live }
    return given
  }

  private static func isReset(_ json: JSON?) -> Bool {
    guard let list = json?.array, list.count == 1 else { return false }
    return list[0].object?.values.allSatisfy(\.isNull) ?? false
  }
}
