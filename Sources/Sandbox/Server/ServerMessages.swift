import Foundation
import KubernetesAPI

/// A request to the API server, as a value: the HTTP front makes it of what came over a socket, tests and simulations
/// make it directly.
struct ServerRequest: Sendable {
  /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
  var method: String
  /// Without the query, percent-decoded by ``RequestInfo`` segment by segment.
  var path: String
  /// Decoded, in order; a name may come more than once.
  var query: [(name: String, value: String)]
  var headers: [(name: String, value: String)]
  var body: [UInt8]

  init(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [],
    headers: [(name: String, value: String)] = [], body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
  }

  /// The first value of a query parameter.
  func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The first header of that name, whatever its case.
  func header(_ name: String) -> String? {
    headers.first { $0.name.caseInsensitiveCompare(name) == .orderedSame }?.value
  }

  func headerValues(_ name: String) -> [String] {
    headers.filter { $0.name.caseInsensitiveCompare(name) == .orderedSame }.map(\.value)
  }
}

/// The answer to a request.
struct ServerResponse: Sendable {
  enum Body: Sendable {
    case bytes([UInt8])
    case watch(WatchStream)
  }

  var status: Int
  var contentType: String
  /// The values of the `Warning` headers, without `299 -`.
  var warnings: [String] = []
  var headers: [(name: String, value: String)] = []
  var body: Body

  init(status: Int, contentType: String, body: Body) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }

  static func json(_ status: Int, _ value: JSON, warnings: [String] = []) -> ServerResponse {
    var response = ServerResponse(status: status, contentType: "application/json", body: .bytes(value.bytes))
    response.warnings = warnings
    return response
  }

  static func text(_ status: Int, _ text: String) -> ServerResponse {
    ServerResponse(status: status, contentType: "text/plain; charset=utf-8", body: .bytes(Array(text.utf8)))
  }

  /// The failure in the form that the API reports one.
  static func failure(_ status: Status) -> ServerResponse {
    var response = json(status.code ?? 500, status.json)
    if let seconds = status.details?.retryAfterSeconds {
      response.headers.append((name: "Retry-After", value: String(seconds)))
    }
    return response
  }

  /// All headers as they go over the wire.
  var allHeaders: [(name: String, value: String)] {
    [(name: "Content-Type", value: contentType)] + headers
      + warnings.map { warning in
        (name: "Warning", value: "299 - \(JSON.string(warning))")
      }
  }
}

/// Who sends a request.
struct UserInfo: Sendable, Hashable {
  var name: String
  var groups: [String]
  var uid = ""

  static let administrator = UserInfo(name: "system:admin", groups: ["system:masters", "system:authenticated"])
  static let controllerManager = UserInfo(
    name: "system:kube-controller-manager", groups: ["system:masters", "system:authenticated"])
}

extension Status {
  /// `metav1.Status` as it goes over the wire.
  var json: JSON {
    var object: JSON = ["kind": "Status", "apiVersion": "v1", "metadata": [:]]
    object["status"] = status.map(JSON.string)
    object["message"] = message.map(JSON.string)
    object["reason"] = reason.flatMap { $0.isEmpty ? nil : .string($0) }
    object["code"] = code.map { JSON($0) }
    guard let details else { return object }
    var fields = JSON.emptyObject
    fields["name"] = details.name.map(JSON.string)
    fields["group"] = details.group.map(JSON.string)
    fields["kind"] = details.kind.map(JSON.string)
    fields["uid"] = details.uid.map(JSON.string)
    fields["retryAfterSeconds"] = details.retryAfterSeconds.map { JSON($0) }
    if let causes = details.causes, !causes.isEmpty {
      fields["causes"] = .array(
        causes.map { cause in
          var entry = JSON.emptyObject
          entry["reason"] = cause.reason.map(JSON.string)
          entry["message"] = cause.message.map(JSON.string)
          entry["field"] = cause.field.map(JSON.string)
          return entry
        })
    }
    object["details"] = fields
    return object
  }
}
