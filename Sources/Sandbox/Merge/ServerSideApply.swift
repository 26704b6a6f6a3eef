import Foundation
import KubernetesAPI

/// Server-side apply: a manager states all fields that it wants; they are laid over the live object, what it stated
/// earlier and nobody else owns goes, and a field that others hold with another value is a conflict.
/// Source: KEP-555 and the documentation of server-side apply.
enum ServerSideApply {
  static let beforeFirstApply = "before-first-apply"
  private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

  /// The live object with the applied fields and its new managedFields; still without defaults.
  /// - Parameters:
  ///   - live: with managedFields; `nil` where the object is to be created.
  ///   - force: take conflicting fields instead of failing.
  ///   - skeleton: what an object of the kind holds when nothing is said.
  /// - Throws: 500 where the applied object does not fit the schema; 409 with a cause per field in conflict.
  static func apply(
    _ applied: JSON, to live: JSON?, by writer: ManagedFields.Writer, force: Bool, schema: Schema,
    skeleton: JSON = .emptyObject
  ) throws(Status) -> JSON {
    var applied = applied
    applied.managedFields = nil
    try TypeErrors.check(applied, schema, apiVersion: writer.apiVersion)

    var base = live ?? .emptyObject
    var entries = ManagedEntries(base.managedFields) ?? ManagedEntries()
    base.managedFields = nil
    if let live, entries.isEmpty, !live.uid.isEmpty {
      let manager = FieldManager(name: beforeFirstApply, operation: .update, apiVersion: writer.apiVersion)
      ManagedFields.take(over: manager, from: skeleton, to: base, writer, schema, &entries)
    }

    let manager = FieldManager(
      name: writer.manager, operation: .apply, apiVersion: writer.apiVersion, subresource: writer.subresource)
    let previous = entries.entries[manager]
    let fields = writer.owned.filter(TypedValue.fields(of: applied, schema))
    entries.entries[manager] = .init(fields: fields, time: previous?.time)

    var result = TypedValue.merge(applied, into: base, schema)
    if let last = previous?.fields { result = prune(result, entries, last: last, schema) }

    var changes = FieldChanges(from: base, to: result, schema)
    changes.keep(writer.owned.filter)
    let conflicts = conflicts(of: changes.written, with: entries, but: manager)
    if !conflicts.isEmpty, !force {
      try refuse(conflicts, unless: manager.name == "kubectl" ? allowed(by: base, schema) : FieldSet())
    }
    for other in entries.entries.keys where other != manager {
      guard let owned = entries.entries[other]?.fields else { continue }
      entries.entries[other]?.fields = owned.subtracting(changes.written).subtracting(changes.removed)
    }
    // One who only shares what is there already gets no time.
    if !changes.isEmpty {
      entries.entries[manager]?.time = Timestamp(writer.now).description
    }
    entries.dropEmpty()
    updateLastApplied(&result, applied, manager)
    result.managedFields = entries.json
    return result
  }

  /// Takes away what the manager stated before and nobody states now. What was never stated, such as defaults, stays
  /// as long as something around it does.
  private static func prune(_ merged: JSON, _ entries: ManagedEntries, last: FieldSet, _ schema: Schema) -> JSON {
    let last = TypedValue.includingParents(last, schema)
    func fields(_ value: JSON) -> FieldSet {
      TypedValue.includingParents(TypedValue.fields(of: value, schema), schema)
    }
    let all = fields(merged)
    let owned = entries.entries.values.reduce(FieldSet()) { $0.union($1.fields) }
    var kept = fields(TypedValue.removing(last, from: merged, schema))
    kept = fields(
      TypedValue.removing(
        all.subtracting(kept.union(TypedValue.includingParents(owned, schema))), from: merged, schema))
    return TypedValue.removing(all.subtracting(kept).intersection(last), from: merged, schema)
  }

  // MARK: Conflicts

  private struct Conflict {
    var manager: FieldManager
    var path: [PathElement]

    var field: String { path.map(\.shown).joined() }
  }

  private static func conflicts(
    of written: FieldSet, with entries: ManagedEntries, but manager: FieldManager
  ) -> [Conflict] {
    entries.entries.filter { $0.key != manager }.sorted { $0.key.shown < $1.key.shown }.flatMap { other, entry in
      entry.fields.intersection(written).paths.map { Conflict(manager: other, path: $0) }
    }
  }

  private static func refuse(_ all: [Conflict], unless allowed: FieldSet) throws(Status) {
    let conflicts = all.filter { !allowed.contains($0.path) }
    guard let first = conflicts.first else { return }
    var message = "Apply failed with 1 conflict: conflict with \(first.manager.shown): \(first.field)"
    if conflicts.count > 1 {
      var groups: [(manager: String, fields: [String])] = []
      for conflict in conflicts {
        if groups.last?.manager == conflict.manager.shown {
          groups[groups.count - 1].fields.append(conflict.field)
        } else {
          groups.append((conflict.manager.shown, [conflict.field]))
        }
      }
      let texts = groups.map { "conflicts with \($0.manager):\n" + $0.fields.map { "- \($0)" }.joined(separator: "\n") }
      message = "Apply failed with \(conflicts.count) conflicts: \(texts.joined(separator: "\n"))"
    }
    throw Status(
      code: 409, reason: "Conflict", message: message,
      details: .init(
        causes: conflicts.map {
          .init(reason: "FieldManagerConflict", message: "conflict with \($0.manager.shown)", field: $0.field)
        }))
  }

  // MARK: The annotation of kubectl's client-side apply

  /// What the annotation states and the live object still has; kubectl's server-side apply may take that.
  private static func allowed(by live: JSON, _ schema: Schema) -> FieldSet {
    guard let text = live.annotations[lastApplied], let stated = try? JSON(parsing: text) else { return FieldSet() }
    let changes = FieldChanges(from: stated, to: live, schema)
    return TypedValue.fields(of: stated, schema).subtracting(changes.written.union(changes.removed))
  }

  /// Keeps the annotation true for those who go back to client-side apply.
  private static func updateLastApplied(_ object: inout JSON, _ applied: JSON, _ manager: FieldManager) {
    guard manager.name == "kubectl", manager.subresource.isEmpty, object.annotations[lastApplied] != nil else { return }
    var stated = applied
    stated[path: ["metadata", "annotations", lastApplied]] = nil
    object[path: ["metadata", "annotations", lastApplied]] = .string("\(stated)\n")
  }
}
