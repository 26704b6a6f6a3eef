/// One page of a list.
public struct ObjectList: Sendable, Hashable {
  /// The version that the list shows; watches go on from it.
  public var resourceVersion: String
  /// The token of the next page; `nil` on the last one.
  public var continueToken: String?
  /// How many objects follow, where the server knows.
  public var remainingItemCount: Int?
  /// Each with apiVersion and kind, which the server leaves out of items.
  public var items: [JSON]

  public init(
    resourceVersion: String, continueToken: String? = nil, remainingItemCount: Int? = nil, items: [JSON]
  ) {
    self.resourceVersion = resourceVersion
    self.continueToken = continueToken
    self.remainingItemCount = remainingItemCount
    self.items = items
  }

  /// Reads a list answer; `nil` if it is no list. `items: null` is an empty list.
  public init?(_ json: JSON, of type: ResourceType) {
    let items = json["items"] ?? .null
    guard json.kind.hasSuffix("List"), items.isNull || items.array != nil else { return nil }
    let token = json[path: ["metadata", "continue"]]?.string ?? ""
    self.init(
      resourceVersion: json.resourceVersion, continueToken: token.isEmpty ? nil : token,
      remainingItemCount: json[path: ["metadata", "remainingItemCount"]]?.int,
      items: (items.array ?? []).map { $0.typed(type) })
  }
}

/// An object that does not decode as its type: kept aside and reported, so that it never stops the others.
public struct UndecodableObject: Error, Sendable, Hashable, CustomStringConvertible {
  public var type: ResourceType
  public var object: JSON
  /// The field and what is wrong with it.
  public var problem: String

  public init(type: ResourceType, object: JSON, problem: String) {
    self.type = type
    self.object = object
    self.problem = problem
  }

  public var key: ObjectKey { object.objectKey }

  public var description: String { "\(type.kind) \(key) cannot be read: \(problem)" }
}

extension JSON {
  /// This object as a typed one.
  /// - Throws: ``UndecodableObject``, which names the object and the field.
  public func decoded<Value: KubernetesResource>(as type: Value.Type = Value.self) throws(UndecodableObject) -> Value {
    do {
      return try decode(type)
    } catch let error as DecodingError {
      throw UndecodableObject(type: Value.resource, object: self, problem: error.fieldDescription)
    } catch {
      throw UndecodableObject(type: Value.resource, object: self, problem: "\(error)")
    }
  }
}
