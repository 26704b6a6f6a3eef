import Foundation
import HTTPTransport
import KubernetesAPI

/// Why a request to the API server did not do what was asked: which request, of which server, and what was the matter.
public struct KubernetesError: Error, Sendable, CustomStringConvertible {
  /// What was the matter.
  public enum Cause: Sendable {
    /// The server's answer.
    case status(Status)
    /// No answer, or a broken one.
    case transport(TransportError)
    /// An answer with success that cannot be read.
    case unreadable(String)
    /// No credentials to show: a token file that cannot be read.
    case credentials(String)
    /// The client's own rate limit would have delayed the request beyond its deadline.
    case rateLimited
    /// This process may no longer be the leader, so the write was not sent.
    case notLeading
  }

  /// The request, as `patch deployments.apps shop/web`.
  public var request: String
  public var verb: APIRequest.Verb
  public var server: String
  public var cause: Cause
  /// How often it was sent.
  public var attempts: Int

  public init(_ request: APIRequest, server: String, cause: Cause, attempts: Int = 1) {
    self.request = request.description
    self.verb = request.verb
    self.server = server
    self.cause = cause
    self.attempts = attempts
  }

  /// What kind of refusal the server's answer is; `nil` where it did not refuse.
  public var failure: APIFailure? { status?.failure }

  public var status: Status? {
    if case .status(let status) = cause { status } else { nil }
  }

  public var isNotFound: Bool { failure == .notFound }
  /// The server has no such resource at all: its definition is not installed. An object that is not there has a reason.
  public var isNotServed: Bool { isNotFound && status?.reason?.isEmpty != false }
  public var isAlreadyExists: Bool { failure == .alreadyExists }
  public var isForbidden: Bool { failure == .forbidden }
  /// The version asked for is too old: list again.
  public var isExpired: Bool { failure == .expired }
  /// The object changed since it was read: read again and decide again.
  public var isConflict: Bool {
    if case .conflict = failure { true } else { false }
  }
  /// What the server did not like, field by field.
  public var invalidFields: [Status.Cause]? {
    if case .invalid(let causes) = failure { causes } else { nil }
  }

  /// The same request may succeed later without anybody changing anything. A conflict is not of that kind: it needs a
  /// new decision.
  public var isRetriable: Bool {
    switch cause {
    case .transport(let error):
      switch error {
      case .notConnected, .timedOut, .stalled, .connectionLost: true
      case .tls, .responseTooLarge, .invalidRequest: false
      }
    case .unreadable, .credentials, .rateLimited: true
    case .notLeading: false
    case .status(let status):
      switch status.failure {
      case .tooManyRequests, .serverTimeout, .timeout, .unavailable: true
      // An apply that does not fit the schema is a 500 without a reason; a real fault has one.
      case .internalError: verb != .apply || status.reason == "InternalError"
      case .other(let code): code >= 500
      default: false
      }
    }
  }

  /// The server may have carried the request out although no answer says so.
  public var mayHaveBeenCarriedOut: Bool {
    switch cause {
    case .transport(let error):
      switch error {
      case .timedOut, .stalled, .connectionLost, .responseTooLarge: true
      case .notConnected, .tls, .invalidRequest: false
      }
    case .unreadable: true
    case .credentials, .rateLimited, .notLeading: false
    case .status(let status):
      switch status.failure {
      case .internalError, .timeout, .unavailable: true
      case .other(let code): code >= 500
      default: false
      }
    }
  }

  public var description: String {
    let times = attempts > 1 ? " (\(attempts) attempts)" : ""
    return switch cause {
    case .status(let status):
      "cannot \(request): \(Self.text(of: status))\(times)"
    case .transport(let error): "cannot \(request) at \(server): \(error)\(times)"
    case .unreadable(let problem): "cannot read the answer to \(request) from \(server): \(problem)\(times)"
    case .credentials(let problem): "cannot \(request) at \(server): \(problem)"
    case .rateLimited: "cannot \(request): the client's own rate limit leaves no room for it before its deadline"
    case .notLeading: "did not \(request): this process may no longer hold the leader's lease"
    }
  }

  private static func text(of status: Status) -> String {
    let head = [status.code.map(String.init), status.reason.flatMap { $0.isEmpty ? nil : $0 }]
      .compactMap { $0 }.joined(separator: " ")
    let message = status.message ?? ""
    return message.isEmpty ? head : head.isEmpty ? message : "\(head): \(message)"
  }
}
