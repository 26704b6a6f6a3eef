import Foundation
import KubernetesAPI

/// What the path of a request names.
enum RequestTarget: Sendable, Equatable {
  /// An object, a collection, or a subresource of an object.
  case resource(ResourceTarget)
  /// Anything else: discovery, health, version, OpenAPI.
  case other([String])
}

struct ResourceTarget: Sendable, Equatable {
  var group: String
  var version: String
  var plural: String
  /// Empty for all namespaces and for what has none.
  var namespace = ""
  /// Empty for a collection.
  var name = ""
  /// `status`, `scale` …; empty for the object itself.
  var subresource = ""
  /// The old way to ask for a watch: `/api/v1/watch/…`.
  var isWatchPath = false
}

extension RequestTarget {
  /// Reads a path as the API server does.
  init(path: String) {
    let segments = path.split(separator: "/").map { String($0).removingPercentEncoding ?? String($0) }
    guard let root = segments.first, root == "api" || root == "apis" else {
      self = .other(segments)
      return
    }
    let prefix = root == "api" ? 2 : 3
    guard segments.count > prefix else {
      self = .other(segments)
      return
    }
    var rest = segments[prefix...]
    var target = ResourceTarget(group: root == "api" ? "" : segments[1], version: segments[prefix - 1], plural: "")
    if rest.first == "watch", rest.count > 1 {
      target.isWatchPath = true
      rest = rest.dropFirst()
    }
    let namespaceParts = ["status", "finalize"]
    if rest.first == "namespaces", rest.count > 2,
      !(rest.count == 3 && namespaceParts.contains(rest[rest.endIndex - 1]))
    {
      target.namespace = rest[rest.startIndex + 1]
      rest = rest.dropFirst(2)
    }
    let parts = Array(rest)
    target.plural = parts[0]
    if parts.count > 1 { target.name = parts[1] }
    if parts.count > 2 { target.subresource = parts[2...].joined(separator: "/") }
    self = .resource(target)
  }
}
