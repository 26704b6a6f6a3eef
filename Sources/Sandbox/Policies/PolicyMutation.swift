import KubernetesAPI

/// One mutation of a policy.
enum PolicyMutation {
  /// - Throws: ``CELError`` where the expression fails or its result does not fit the object.
  static func apply(
    _ mutation: AdmissionPolicy.Mutation, to object: JSON, schema: Schema, in evaluation: inout CELEvaluation
  ) throws(CELError) -> JSON {
    switch mutation {
    case .applyConfiguration(let expression):
      guard let configuration = try evaluation.value(of: expression.node).json, configuration.object != nil else {
        throw CELError("error applying patch: the expression made no object")
      }
      return try merge(configuration, into: object, schema, at: "")
    case .jsonPatch(let expression):
      guard case .list(let operations, _) = try evaluation.value(of: expression.node) else {
        throw CELError("error applying patch: the expression made no list of JSONPatch")
      }
      return try patch(object, operations)
    }
  }

  private static func patch(_ object: JSON, _ operations: [CELValue]) throws(CELError) -> JSON {
    var result = object
    for operation in operations {
      guard let json = operation.json else { throw CELError("error applying patch: a value that has no JSON") }
      do throws(Status) {
        result = try JSONPatch.apply([json], to: result)
      } catch {
        // A test that fails means that the patch is not for this object.
        if json["op"]?.string == "test" { return object }
        throw CELError("JSON Patch: \(error.message ?? "failed")")
      }
    }
    return result
  }

  /// Merges as server-side apply does, but without owners: members of objects and entries of list maps one by one,
  /// sets united. What is atomic cannot be configured, since that would remove what the configuration does not say.
  static func merge(_ configuration: JSON, into value: JSON?, _ schema: Schema, at path: String) throws(CELError)
    -> JSON
  {
    switch configuration {
    case .object(let members):
      guard schema.mapType != .atomic else { throw atomic(path) }
      var result = value?.object ?? [:]
      for (name, member) in members {
        let place = "\(path).\(name)"
        if path.isEmpty, name == "metadata", schema.properties[name] == nil {
          result[name] = try merge(member, into: result[name], metadata, at: place)
          continue
        }
        guard let part = schema.member(name) else {
          guard schema.preserveUnknownFields || ["apiVersion", "kind"].contains(name) else {
            throw CELError("error applying patch: \(place): field not declared in schema")
          }
          result[name] = member
          continue
        }
        result[name] = try merge(member, into: result[name], part, at: place)
      }
      return .object(result)
    case .array(let elements):
      let items = schema.items ?? .any
      let present = value?.array ?? []
      switch schema.listType {
      case .set: return .array(present + elements.filter { !present.contains($0) })
      case .map:
        var result = present
        for element in elements {
          let index = result.firstIndex { existing in
            schema.listMapKeys.allSatisfy { key in
              let fallback = items.properties[key]?.defaultValue
              return (existing[key] ?? fallback) == (element[key] ?? fallback)
            }
          }
          if let index {
            result[index] = try merge(element, into: result[index], items, at: "\(path)[\(index)]")
          } else {
            result.append(element)
          }
        }
        return .array(result)
      case .atomic, nil: throw atomic(path)
      }
    default: return configuration
    }
  }

  private static func atomic(_ path: String) -> CELError {
    CELError(
      "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: \(path)")
  }

  /// What a policy may set in the metadata of any object.
  private static let metadata = Schema.object([
    "labels": .map(of: .string), "annotations": .map(of: .string), "finalizers": .set(of: .string),
    "name": .string, "generateName": .string, "namespace": .string,
  ])
}
