import KubernetesAPI

/// What remains of an object when the server has read it into its own types and written it again: unknown fields, nulls
/// and most empty values are gone, and fields that are always written are there.
enum Normalization {
  static func normalized(_ value: JSON, _ schema: Schema) -> JSON { normalized(value, schema, inStatus: false) }

  private static func normalized(_ value: JSON, _ schema: Schema, inStatus: Bool) -> JSON {
    switch value {
    case .object(let members):
      if schema.preserveUnknownFields { return value }
      if let values = schema.additionalProperties, schema.properties.isEmpty {
        return .object(members.mapValues { normalizedEntry($0, values, inStatus) })
      }
      var result: [String: JSON] = [:]
      for (name, part) in schema.properties {
        let below = inStatus || name == "status"
        let found = members[name] ?? .null
        if !found.isNull {
          let cleaned = normalized(found, part, inStatus: below)
          if alwaysWritten(part) != nil || !isDropped(cleaned, part, name, inStatus: inStatus) {
            result[name] = cleaned
          }
        } else if let empty = alwaysWritten(part) {
          result[name] = empty.object == nil ? empty : normalized(empty, part, inStatus: below)
        }
      }
      return .object(result)
    case .array(let elements):
      let items = schema.items ?? .any
      return .array(elements.map { normalizedEntry($0, items, inStatus) })
    default: return value
    }
  }

  /// The empty value of a field that is never left out. The default protocol of a port is none: it is filled in with
  /// the defaults of the kind.
  private static func alwaysWritten(_ schema: Schema) -> JSON? {
    guard let empty = schema.defaultValue else { return nil }
    if let text = empty.string, !text.isEmpty { return nil }
    return empty
  }

  /// Null as an element or as a value of a map is the empty value of its type.
  private static func normalizedEntry(_ value: JSON, _ schema: Schema, _ inStatus: Bool) -> JSON {
    guard value.isNull else { return normalized(value, schema, inStatus: inStatus) }
    switch schema.type {
    case .string: return schema.format == nil ? "" : .null
    case .integer: return 0
    case .boolean: return false
    case .object where schema.additionalProperties == nil && !schema.preserveUnknownFields:
      return normalized(.emptyObject, schema, inStatus: inStatus)
    default: return .null
    }
  }

  /// Empty values that are not written. Numbers and booleans mostly mean something when they are 0 or false; those
  /// that do not are listed.
  private static func isDropped(_ value: JSON, _ schema: Schema, _ name: String, inStatus: Bool) -> Bool {
    switch value {
    case .string(let text): text.isEmpty && !optionalStrings.contains(name)
    case .array(let elements): elements.isEmpty
    case .object(let members): members.isEmpty && schema.additionalProperties != nil
    case .bool(let flag): !flag && plainFlags.contains(name)
    case .int(let number):
      number == 0 && (inStatus ? !optionalCounts.contains(name) : plainNumbers.contains(name))
    default: false
    }
  }

  /// Strings whose empty value differs from none.
  private static let optionalStrings: Set<String> = [
    "storageClassName", "loadBalancerClass", "appProtocol", "holderIdentity", "volumeAttributesClassName",
  ]
  private static let plainFlags: Set<String> = [
    "paused", "hostNetwork", "hostPID", "hostIPC", "readOnly", "stdin", "stdinOnce", "tty",
    "publishNotReadyAddresses", "unschedulable", "preserveUnknownFields", "deprecated",
  ]
  private static let plainNumbers: Set<String> = [
    "minReadySeconds", "hostPort", "nodePort", "healthCheckNodePort", "initialDelaySeconds", "timeoutSeconds",
    "periodSeconds", "successThreshold", "failureThreshold", "observedGeneration", "generation", "count",
    "deprecatedCount", "signal",
  ]
  /// Counts in a status that are written when they are 0.
  private static let optionalCounts: Set<String> = ["terminatingReplicas", "collisionCount", "averageUtilization"]
}
