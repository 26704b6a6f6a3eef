import KubernetesAPI
import KubernetesClient

/// The writes that effects are made of. Each answer is taken over into the view of the cluster at once, so that the next
/// decision sees what this one did.
protocol ClusterWriter: Sendable {
  @discardableResult
  func create(_ type: ResourceType, _ object: JSON) async throws -> JSON
  /// A PUT with the resourceVersion that it was decided on.
  @discardableResult
  func replace(_ type: ResourceType, _ object: JSON, subresource: String?) async throws -> JSON
  @discardableResult
  func patch(_ type: ResourceType, _ key: ObjectKey, _ patch: Patch) async throws -> JSON
  /// An object that is gone already is fine.
  func delete(_ type: ResourceType, _ key: ObjectKey) async throws
  /// Reads past the cache, and takes the answer over.
  @discardableResult
  func get(_ type: ResourceType, _ key: ObjectKey) async throws -> JSON
}

extension ClusterWriter {
  @discardableResult
  func replace(_ type: ResourceType, _ object: JSON) async throws -> JSON {
    try await replace(type, object, subresource: nil)
  }
}

/// Writes through a client into a view. On a conflict the present object is read, so that the next decision can be made
/// on it in the same reconcile.
struct ViewWriter: ClusterWriter {
  let client: KubernetesClient
  let view: ClusterView
  /// Goes out at once, whatever the client's own rate limit says.
  var urgent = false

  @discardableResult
  func create(_ type: ResourceType, _ object: JSON) async throws -> JSON {
    let created = try await client.create(type, object, urgent: urgent)
    view.took(created, type)
    return created
  }

  @discardableResult
  func replace(_ type: ResourceType, _ object: JSON, subresource: String?) async throws -> JSON {
    try await refreshing(type, object.objectKey) {
      try await client.replace(type, object, subresource: subresource, urgent: urgent)
    }
  }

  @discardableResult
  func patch(_ type: ResourceType, _ key: ObjectKey, _ patch: Patch) async throws -> JSON {
    try await refreshing(type, key) {
      do {
        return try await client.patch(type, key, patch, urgent: urgent)
      } catch let error as KubernetesError where error.invalidFields != nil {
        throw try await conflict(behind: error, patch, type, key) ?? error
      }
    }
  }

  /// The conflict that the refusal of a patch stands for: the server says 422 where a test fails, and not which one.
  private func conflict(
    behind error: KubernetesError, _ patch: Patch, _ type: ResourceType, _ key: ObjectKey
  ) async throws -> KubernetesError? {
    guard let version = patch.testedVersion, let live = try await client.find(type, key),
      live.resourceVersion != version, var status = error.status
    else { return nil }
    status.code = 409
    status.reason = "Conflict"
    status.message = "the object has changed since it was read (resourceVersion \(version))"
    var conflict = error
    conflict.cause = .status(status)
    return conflict
  }

  func delete(_ type: ResourceType, _ key: ObjectKey) async throws {
    try await client.deleteIfPresent(type, key, urgent: urgent)
    view.lost(key, type)
  }

  @discardableResult
  func get(_ type: ResourceType, _ key: ObjectKey) async throws -> JSON {
    let object = try await client.get(type, key)
    view.took(object, type)
    return object
  }

  private func refreshing(
    _ type: ResourceType, _ key: ObjectKey, _ write: () async throws -> JSON
  ) async throws -> JSON {
    do {
      let written = try await write()
      view.took(written, type)
      return written
    } catch let error as KubernetesError where error.isConflict || error.isNotFound {
      if error.isNotFound {
        view.lost(key, type)
      } else if let live = try await client.find(type, key) {
        view.took(live, type)
      }
      throw error
    }
  }
}
