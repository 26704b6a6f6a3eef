import Foundation
import KubernetesAPI

/// Get and list.
extension APIServer {
  func get(_ call: Call) throws(Status) -> ServerResponse {
    let state = store.state
    guard let stored = state.object(call.kind.stored, call.key) else {
      throw Refusal.notFound(call.type, call.target.name)
    }
    return respond(200, call.kind.shown(stored), call)
  }

  func list(_ call: Call) throws(Status) -> ServerResponse {
    var options = try ListOptions(call.request)
    if call.target.isWatchPath { options.isWatch = true }
    let filter = try filter(call)
    if options.isWatch { return try watch(call, options, filter) }
    let version = try options.version()
    let state = store.state
    let resource = call.kind.stored

    if let text = options.continuation {
      let token = try ContinueToken(parsing: text)
      guard let objects = state.objects(resource, namespace: call.namespace, at: token.version) else {
        let next = ContinueToken(version: state.resourceVersion, start: token.start)
        return expiredContinuation(next)
      }
      let rest = objects.filter { token.start < $0.objectKey }
      return page(rest, version: token.version, options, filter, call)
    }
    if let version, version > state.resourceVersion {
      throw Refusal.tooLargeVersion(version, current: state.resourceVersion)
    }
    if let version, version > 0, options.match == .exact || (options.match == nil && options.limit > 0) {
      guard let objects = state.objects(resource, namespace: call.namespace, at: version) else {
        throw Refusal.expired("The resourceVersion for the provided list is too old.")
      }
      return page(objects, version: version, options, filter, call)
    }
    // A list at version 0 comes from the real server's cache, which does not cut it into chunks.
    if version == 0 { options.limit = 0 }
    let objects = state.objects(resource, namespace: call.namespace)
    return page(objects, version: state.resourceVersion, options, filter, call)
  }

  func filter(_ call: Call) throws(Status) -> ObjectFilter {
    let fields = call.kind.custom?.selectableFields ?? FieldRequirements.fields(of: call.type)
    var requirements = try FieldRequirements(
      parsing: call.request.parameter("fieldSelector") ?? "", supported: fields, kind: call.type.kind)
    if !call.target.name.isEmpty {
      requirements.requirements.append(
        .init(path: ["metadata", "name"], value: call.target.name, isEqual: true))
    }
    return ObjectFilter(
      namespace: call.namespace, labels: try LabelRequirements(parsing: call.request.parameter("labelSelector") ?? ""),
      fields: requirements)
  }

  private func page(
    _ objects: [JSON], version: UInt64, _ options: ListOptions, _ filter: ObjectFilter, _ call: Call
  ) -> ServerResponse {
    let shown = objects.map(call.kind.shown)
    let matching = shown.filter(filter.matches)
    var metadata: JSON = ["resourceVersion": .string(String(version))]
    var items = matching
    if options.limit > 0, matching.count > options.limit {
      items = Array(matching.prefix(options.limit))
      if let last = items.last {
        metadata["continue"] = .string(ContinueToken(version: version, start: last.objectKey).text)
      }
      // The real server does not know how many match of what it has not read.
      if !filter.isSelective { metadata["remainingItemCount"] = JSON(matching.count - items.count) }
    }
    return respond(listing: items, metadata: metadata, call)
  }

  /// A single object in the form that was asked for.
  func respond(_ status: Int, _ object: JSON, _ call: Call) -> ServerResponse {
    let body: JSON =
      switch call.media.representation {
      case .object: object
      case .partialMetadata: Self.partialMetadata(object)
      case .table:
        TableRenderer(kind: call.kind, includeObject: call.request.parameter("includeObject"), now: call.now)
          .table([object], metadata: ["resourceVersion": .string(object.resourceVersion)])
      }
    var response = ServerResponse.json(status, body, warnings: call.warnings)
    response.contentType = call.media.contentType
    return response
  }

  func respond(listing items: [JSON], metadata: JSON, _ call: Call) -> ServerResponse {
    let body: JSON
    switch call.media.representation {
    case .object:
      body = [
        "kind": .string(call.type.kind + "List"), "apiVersion": .string(call.type.apiVersion), "metadata": metadata,
        "items": .array(call.kind.isCustom ? items : items.map(Self.withoutType)),
      ]
    case .partialMetadata:
      body = [
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "items": .array(items.map(Self.partialMetadata)),
      ]
    case .table:
      body = TableRenderer(kind: call.kind, includeObject: call.request.parameter("includeObject"), now: call.now)
        .table(items, metadata: metadata)
    }
    var response = ServerResponse.json(200, body, warnings: call.warnings)
    response.contentType = call.media.contentType
    return response
  }

  /// The items of a typed list say neither kind nor apiVersion.
  private static func withoutType(_ object: JSON) -> JSON {
    var object = object
    object["kind"] = nil
    object["apiVersion"] = nil
    return object
  }

  static func partialMetadata(_ object: JSON) -> JSON {
    [
      "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] ?? [:],
    ]
  }
}

extension ServedKind {
  /// An object of the store as this kind shows it: under its own version, and Events in the shape of their group.
  func shown(_ stored: JSON) -> JSON {
    if type.group == "events.k8s.io" { return EventConversion.toEventsGroup(stored) }
    if type.apiVersion == AutoscalerConversion.older { return AutoscalerConversion.toOlder(stored) }
    guard stored.apiVersion != type.apiVersion else { return stored }
    var object = stored
    object["apiVersion"] = .string(type.apiVersion)
    return object
  }

  /// The reverse of ``shown(_:)``.
  func storable(_ object: JSON) -> JSON {
    if type.group == "events.k8s.io" { return EventConversion.toCoreGroup(object) }
    if type.apiVersion == AutoscalerConversion.older { return AutoscalerConversion.toNewer(object) }
    guard let version = custom?.storageVersion, object.apiVersion != version else { return object }
    var stored = object
    stored["apiVersion"] = .string(version)
    return stored
  }
}

/// A continue token whose version is forgotten: the answer carries one that goes on from the present.
private func expiredContinuation(_ next: ContinueToken) -> ServerResponse {
  var body = Refusal.expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
      + "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
      + "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
      + "deleted between the time the first chunk was returned and now may show up in the list."
  ).json
  body["metadata"] = ["continue": .string(next.text)]
  return .json(410, body)
}
