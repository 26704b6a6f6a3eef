import Foundation

typealias QueryItem = (name: String, value: String)

/// A request to the API server as a value: what is to be done with which object, and what goes over the wire for it.
public struct APIRequest: Sendable, CustomStringConvertible {
  /// The methods that the API server answers.
  public enum Method: String, Sendable, Hashable {
    case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"
  }

  /// The verbs of RBAC; `raw` for paths that are no resource.
  public enum Verb: String, Sendable, Hashable {
    case get, list, watch, create, update, patch, apply, delete, raw
  }

  public var verb: Verb
  /// `nil` for paths that are no resource, such as `/version`.
  public var resource: ResourceType?
  /// Empty where the request is about all namespaces, or the kind has none.
  public var namespace: String
  /// Empty for a collection.
  public var name: String
  public var subresource: String?
  public var method: Method
  /// Percent-encoded, without the query.
  public var path: String
  public var query: [(name: String, value: String)]
  public var contentType: String?
  /// The forms of the answer that are taken; `nil` for plain JSON.
  public var accept: String?
  public var body: JSON?

  /// `patch deployments.apps/status shop/web`, as it appears in errors.
  public var description: String {
    guard let resource else { return "\(method.rawValue) \(path)" }
    let kind = resource.qualifiedName + (subresource.map { "/" + $0 } ?? "")
    let object = ObjectKey(namespace: namespace, name: name.isEmpty ? "*" : name).description
    return name.isEmpty && namespace.isEmpty ? "\(verb.rawValue) \(kind)" : "\(verb.rawValue) \(kind) \(object)"
  }

  /// Path and query, ready to be appended to the server's address.
  public var target: String {
    query.isEmpty
      ? path
      : path + "?" + query.map { Self.encoded($0.name) + "=" + Self.encoded($0.value) }.joined(separator: "&")
  }

  /// The query's value of that name.
  public subscript(query name: String) -> String? { query.first { $0.name == name }?.value }
}

extension APIRequest {
  /// One object.
  public static func get(_ type: ResourceType, _ key: ObjectKey, subresource: String? = nil) -> APIRequest {
    APIRequest(.get, .get, type, key.namespace, key.name, subresource)
  }

  /// - Parameter namespace: `nil` for all namespaces.
  public static func list(
    _ type: ResourceType, namespace: String? = nil, _ options: ListOptions = ListOptions()
  ) -> APIRequest {
    APIRequest(.list, .get, type, namespace ?? "", "", query: options.query)
  }

  /// - Parameter namespace: `nil` for all namespaces.
  public static func watch(
    _ type: ResourceType, namespace: String? = nil, _ options: WatchOptions = WatchOptions()
  ) -> APIRequest {
    APIRequest(.watch, .get, type, namespace ?? "", "", query: options.query)
  }

  /// Creates an object in the namespace that its metadata name; kind and apiVersion are filled in.
  public static func create(
    _ type: ResourceType, _ object: JSON, _ options: WriteOptions = WriteOptions()
  ) -> APIRequest {
    var request = APIRequest(.create, .post, type, object.namespace, "", query: options.query)
    request.body = object.typed(type)
    request.contentType = "application/json"
    return request
  }

  /// A PUT. With `metadata.resourceVersion` in the object a stale one is a conflict; without it, built-in kinds are
  /// overwritten and custom resources refuse.
  public static func replace(
    _ type: ResourceType, _ object: JSON, subresource: String? = nil, _ options: WriteOptions = WriteOptions()
  ) -> APIRequest {
    var request = APIRequest(.update, .put, type, object.namespace, object.name, subresource, query: options.query)
    request.body = object.typed(type)
    request.contentType = "application/json"
    return request
  }

  /// A change of one object. An apply is a patch too, of which the server keeps who set what.
  public static func patch(
    _ type: ResourceType, _ key: ObjectKey, _ patch: Patch, subresource: String? = nil,
    _ options: WriteOptions = WriteOptions()
  ) -> APIRequest {
    var options = options
    var verb = Verb.patch
    var body = patch.body
    var force = false
    if case .apply(let document, let manager, let forced) = patch {
      verb = .apply
      options.fieldManager = manager
      force = forced
      // An apply that does not say what it is, is refused.
      body = document.typed(type)
      body[path: ["metadata", "name"]] = .string(key.name)
      if type.namespaced { body[path: ["metadata", "namespace"]] = .string(key.namespace) }
    }
    var request = APIRequest(verb, .patch, type, key.namespace, key.name, subresource, query: options.query)
    if force { request.query.append(("force", "true")) }
    request.body = body
    request.contentType = patch.contentType
    return request
  }

  /// The end of one object, or its beginning where finalizers or dependents come first.
  public static func delete(
    _ type: ResourceType, _ key: ObjectKey, _ options: DeleteOptions = DeleteOptions()
  ) -> APIRequest {
    var request = APIRequest(.delete, .delete, type, key.namespace, key.name)
    request.body = options.body
    request.contentType = "application/json"
    return request
  }

  /// A path of the server that is no resource: `/version`, `/apis`, `/readyz`.
  public static func raw(_ path: String, query: [(name: String, value: String)] = []) -> APIRequest {
    APIRequest(
      verb: .raw, resource: nil, namespace: "", name: "", subresource: nil, method: .get, path: path, query: query)
  }

  private init(
    _ verb: Verb, _ method: Method, _ type: ResourceType, _ namespace: String, _ name: String,
    _ subresource: String? = nil, query: [(name: String, value: String)] = []
  ) {
    // Names come from users too: a slash or a question mark must not change what the path means.
    let path = type.path(
      namespace: namespace.isEmpty ? nil : Self.encoded(namespace), name: name.isEmpty ? nil : Self.encoded(name),
      subresource: subresource)
    self.init(
      verb: verb, resource: type, namespace: type.namespaced ? namespace : "", name: name, subresource: subresource,
      method: method, path: path, query: query)
  }

  /// Percent-encodes all but the unreserved characters of RFC 3986.
  static func encoded(_ text: String) -> String {
    var output: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        output.append(byte)
      default:
        let hexadecimal = String(byte, radix: 16, uppercase: true)
        output.append(contentsOf: (byte < 16 ? "%0" : "%").utf8)
        output.append(contentsOf: hexadecimal.utf8)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }
}

extension JSON {
  /// The object with the apiVersion and kind of its type where it does not name its own; items of lists do not.
  public func typed(_ type: ResourceType) -> JSON {
    var copy = self
    if copy["apiVersion"] == nil { copy["apiVersion"] = .string(type.apiVersion) }
    if copy["kind"] == nil { copy["kind"] = .string(type.kind) }
    return copy
  }
}
