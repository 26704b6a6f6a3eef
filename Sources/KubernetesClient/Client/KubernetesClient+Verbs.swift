import KubernetesAPI

/// The objects of a list, and those that do not decode as their type.
public struct TypedList<Object: Sendable>: Sendable {
  public var items: [Object]
  public var unreadable: [UndecodableObject]
  public var resourceVersion: String
}

// MARK: - Untyped

extension KubernetesClient {
  /// - Throws: ``KubernetesError``; `isNotFound` where there is no such object.
  public func get(_ type: ResourceType, _ key: ObjectKey, subresource: String? = nil) async throws -> JSON {
    try await send(.get(type, key, subresource: subresource))
  }

  /// `nil` where there is no such object.
  public func find(_ type: ResourceType, _ key: ObjectKey) async throws -> JSON? {
    do {
      return try await get(type, key)
    } catch let error as KubernetesError where error.isNotFound {
      return nil
    }
  }

  /// All objects, page by page. Where the version of the first page is gone before the last one came, it begins anew.
  /// - Parameter namespace: `nil` for all namespaces.
  public func list(
    _ type: ResourceType, namespace: String? = nil, _ options: ListOptions = ListOptions()
  ) async throws -> ObjectList {
    var restartsLeft = 2
    while true {
      do {
        return try await pages(type, namespace: namespace, options, limit: restartsLeft > 0)
      } catch let error as KubernetesError where error.isExpired && restartsLeft > 0 {
        restartsLeft -= 1
        logger.debug("a list expired between two pages and begins anew", metadata: ["type": "\(type.qualifiedName)"])
      }
    }
  }

  /// - Parameter limit: `false` reads everything in one page, which cannot expire.
  private func pages(
    _ type: ResourceType, namespace: String?, _ options: ListOptions, limit: Bool
  ) async throws -> ObjectList {
    var options = options
    if options.limit == nil, limit { options.limit = self.options.pageSize }
    var items: [JSON] = []
    while true {
      let request = APIRequest.list(type, namespace: namespace, options)
      guard let page = ObjectList(try await send(request), of: type) else {
        throw KubernetesError(request, server: server, cause: .unreadable("expected a list of \(type.kind)"))
      }
      items += page.items
      guard let token = page.continueToken else {
        return ObjectList(resourceVersion: page.resourceVersion, items: items)
      }
      options.continueToken = token
    }
  }

  /// A new object; where one of that name is there, ``KubernetesError/isAlreadyExists``.
  /// - Returns: the object as the server keeps it.
  public func create(
    _ type: ResourceType, _ object: JSON, _ options: WriteOptions = WriteOptions(), urgent: Bool = false
  ) async throws -> JSON {
    try await send(.create(type, object, options), urgent: urgent)
  }

  /// A PUT of the whole object; with its resourceVersion a lock.
  public func replace(
    _ type: ResourceType, _ object: JSON, subresource: String? = nil, _ options: WriteOptions = WriteOptions(),
    urgent: Bool = false
  ) async throws -> JSON {
    try await send(.replace(type, object, subresource: subresource, options), urgent: urgent)
  }

  /// Any patch; ``Patch/apply(_:manager:force:)`` is server-side apply, and `metadata.resourceVersion` in a merge or an
  /// apply is a lock.
  /// - Returns: the object as it is then.
  public func patch(
    _ type: ResourceType, _ key: ObjectKey, _ patch: Patch, subresource: String? = nil,
    _ options: WriteOptions = WriteOptions(), urgent: Bool = false
  ) async throws -> JSON {
    try await send(.patch(type, key, patch, subresource: subresource, options), urgent: urgent)
  }

  /// Server-side apply as the client's field manager.
  public func apply(
    _ type: ResourceType, _ object: JSON, force: Bool = false, subresource: String? = nil,
    _ options: WriteOptions = WriteOptions(), urgent: Bool = false
  ) async throws -> JSON {
    try await patch(
      type, object.objectKey, .apply(object, manager: options.fieldManager ?? self.options.fieldManager, force: force),
      subresource: subresource, options, urgent: urgent)
  }

  /// - Returns: the object, where it goes on existing for now because of finalizers or grace; else the server's Status.
  @discardableResult
  public func delete(
    _ type: ResourceType, _ key: ObjectKey, _ options: DeleteOptions = DeleteOptions(), urgent: Bool = false
  ) async throws -> JSON {
    try await send(.delete(type, key, options), urgent: urgent)
  }

  /// As ``delete(_:_:_:urgent:)``; an object that is not there is fine.
  /// - Returns: whether there was one.
  @discardableResult
  public func deleteIfPresent(
    _ type: ResourceType, _ key: ObjectKey, _ options: DeleteOptions = DeleteOptions(), urgent: Bool = false
  ) async throws -> Bool {
    do {
      try await delete(type, key, options, urgent: urgent)
      return true
    } catch let error as KubernetesError where error.isNotFound {
      return false
    }
  }
}

// MARK: - Typed

extension KubernetesClient {
  /// - Throws: ``KubernetesError``, or `UndecodableObject`.
  public func get<Object: KubernetesResource>(_ type: Object.Type, _ key: ObjectKey) async throws -> Object {
    try await get(Object.resource, key).decoded(as: type)
  }

  /// `nil` where there is no such object.
  public func find<Object: KubernetesResource>(_ type: Object.Type, _ key: ObjectKey) async throws -> Object? {
    try await find(Object.resource, key)?.decoded(as: type)
  }

  /// As the untyped one. What cannot be decoded is named, and keeps nothing else from being read.
  public func list<Object: KubernetesResource>(
    _ type: Object.Type, namespace: String? = nil, _ options: ListOptions = ListOptions()
  ) async throws -> TypedList<Object> {
    let page = try await list(Object.resource, namespace: namespace, options)
    var list = TypedList<Object>(items: [], unreadable: [], resourceVersion: page.resourceVersion)
    for item in page.items {
      do {
        list.items.append(try item.decoded(as: type))
      } catch {
        list.unreadable.append(error)
      }
    }
    return list
  }

  /// As the untyped one.
  public func create<Object: KubernetesResource>(
    _ object: Object, _ options: WriteOptions = WriteOptions(), urgent: Bool = false
  ) async throws -> Object {
    try await create(Object.resource, try JSON(encoding: object), options, urgent: urgent).decoded()
  }
}
