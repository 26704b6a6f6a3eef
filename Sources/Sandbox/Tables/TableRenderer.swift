import Foundation
import KubernetesAPI

/// `meta.k8s.io/v1` Table: what `kubectl get` prints.
struct TableRenderer: Sendable {
  struct Column: Sendable, Hashable {
    var name: String
    var type = "string"
    var format = ""
    var description: String
    /// Above 0: only in wide output.
    var priority = 0

    var json: JSON {
      [
        "name": .string(name), "type": .string(type), "format": .string(format), "description": .string(description),
        "priority": JSON(priority),
      ]
    }
  }

  private let kind: ServedKind
  /// `None`, `Metadata` (where nil) or `Object`: what each row carries of its object.
  private let includeObject: String?
  private let now: Date

  init(kind: ServedKind, includeObject: String?, now: Date) {
    self.kind = kind
    self.includeObject = includeObject
    self.now = now
  }

  func table(_ objects: [JSON], metadata: JSON) -> JSON {
    let columns = kind.custom.map { CustomColumns.columns($0) } ?? BuiltInColumns.columns(of: kind.type)
    let rows = objects.map { object -> JSON in
      let cells =
        kind.custom.map { CustomColumns.cells($0, object, now: now) }
        ?? BuiltInColumns.cells(of: kind.type, object, now: now)
      let shown: JSON =
        switch includeObject {
        case "None": .null
        case "Object": object
        default: APIServer.partialMetadata(object)
        }
      return ["cells": .array(cells), "object": shown]
    }
    return [
      "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
      "columnDefinitions": .array(columns.map(\.json)), "rows": .array(rows),
    ]
  }
}

/// Ages as kubectl shows them.
enum Age {
  /// Since a time of the API; `<unknown>` where there is none.
  static func text(since time: JSON?, now: Date) -> String {
    guard let time = time?.string.flatMap(Timestamp.init) else { return "<unknown>" }
    return text(seconds: Int(now.timeIntervalSince(time.date)))
  }

  /// The two largest units that matter: `45s`, `3m20s`, `15m`, `5h3m`, `2d4h`, `9d`, `1y30d`.
  static func text(seconds: Int) -> String {
    // A clock that is a little behind is no reason to show a negative age.
    if seconds < -1 { return "<invalid>" }
    let seconds = max(0, seconds)
    let minutes = seconds / 60
    let hours = minutes / 60
    let days = hours / 24
    switch seconds {
    case ..<120: return "\(seconds)s"
    case ..<600: return pair(minutes, "m", seconds % 60, "s")
    case ..<(3 * 3600): return "\(minutes)m"
    case ..<(8 * 3600): return pair(hours, "h", minutes % 60, "m")
    case ..<(48 * 3600): return "\(hours)h"
    case ..<(8 * 86400): return pair(days, "d", hours % 24, "h")
    case ..<(2 * 365 * 86400): return "\(days)d"
    case ..<(8 * 365 * 86400): return pair(days / 365, "y", days % 365, "d")
    default: return "\(days / 365)y"
    }
  }

  private static func pair(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
    small == 0 ? "\(large)\(largeUnit)" : "\(large)\(largeUnit)\(small)\(smallUnit)"
  }
}
