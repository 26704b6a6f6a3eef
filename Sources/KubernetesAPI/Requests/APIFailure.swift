/// What kind of refusal a `Status` is. The reason counts where the server gives one, else the HTTP status code.
public enum APIFailure: Sendable, Hashable {
  case badRequest
  case unauthorized
  case forbidden
  case notFound
  case methodNotAllowed
  case alreadyExists
  /// The object changed since it was read, a precondition does not hold, or an apply found other owners.
  case conflict(causes: [Status.Cause])
  /// The resourceVersion or continue token is too old: list again.
  case expired
  case tooLarge
  case unsupportedMediaType
  case invalid(causes: [Status.Cause])
  case tooManyRequests(retryAfter: Duration?)
  case internalError
  /// The server gave up waiting for something of its own; the request was not carried out.
  case serverTimeout(retryAfter: Duration?)
  /// The request took too long; it may have been carried out.
  case timeout(retryAfter: Duration?)
  case unavailable(retryAfter: Duration?)
  case other(code: Int)
}

extension Status {
  public var failure: APIFailure {
    let causes = details?.causes ?? []
    let retryAfter = details?.retryAfterSeconds.flatMap { $0 > 0 ? Duration.seconds($0) : nil }
    switch reason {
    case "BadRequest": return .badRequest
    case "Unauthorized": return .unauthorized
    case "Forbidden": return .forbidden
    case "NotFound": return .notFound
    case "MethodNotAllowed": return .methodNotAllowed
    case "AlreadyExists": return .alreadyExists
    case "Conflict": return .conflict(causes: causes)
    case "Expired", "Gone": return .expired
    case "RequestEntityTooLarge": return .tooLarge
    case "UnsupportedMediaType": return .unsupportedMediaType
    case "Invalid": return .invalid(causes: causes)
    case "TooManyRequests": return .tooManyRequests(retryAfter: retryAfter)
    case "InternalError": return .internalError
    case "ServerTimeout": return .serverTimeout(retryAfter: retryAfter)
    case "Timeout": return .timeout(retryAfter: retryAfter)
    case "ServiceUnavailable": return .unavailable(retryAfter: retryAfter)
    default: break
    }
    return switch code ?? 0 {
    case 400: .badRequest
    case 401: .unauthorized
    case 403: .forbidden
    case 404: .notFound
    case 405: .methodNotAllowed
    case 409: .conflict(causes: causes)
    case 410: .expired
    case 413: .tooLarge
    case 415: .unsupportedMediaType
    case 422: .invalid(causes: causes)
    case 429: .tooManyRequests(retryAfter: retryAfter)
    case 500: .internalError
    case 503: .unavailable(retryAfter: retryAfter)
    case 504: .timeout(retryAfter: retryAfter)
    default: .other(code: code ?? 0)
    }
  }

  /// The Status that an answer of that HTTP status and body stands for. Proxies between answer with texts that are no
  /// Status: then the text, cut to 300 characters, is the message.
  public init(httpStatus: Int, body: some Sequence<UInt8>) {
    if let json = try? JSON(parsing: body), json.kind == "Status", let status = try? json.decode(Status.self) {
      self = status
      if code == nil || code == 0 { code = httpStatus }
      return
    }
    let lines = String(decoding: Array(body).prefix(1200), as: UTF8.self).split(whereSeparator: \.isNewline)
    let text = lines.joined(separator: " ")
    self.init(
      code: httpStatus, reason: "", message: text.isEmpty ? "HTTP status \(httpStatus)" : String(text.prefix(300)))
  }
}
