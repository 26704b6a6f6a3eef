/// `metav1.Status`: how the API server reports a failure.
public struct Status: Codable, Sendable, Hashable, Error {
  /// What the failure is about.
  public struct Details: Codable, Sendable, Hashable {
    public var name: String?
    public var group: String?
    public var kind: String?
    public var uid: String?
    public var causes: [Cause]?
    public var retryAfterSeconds: Int?

    public init(
      name: String? = nil, group: String? = nil, kind: String? = nil, uid: String? = nil, causes: [Cause]? = nil,
      retryAfterSeconds: Int? = nil
    ) {
      self.name = name
      self.group = group
      self.kind = kind
      self.uid = uid
      self.causes = causes
      self.retryAfterSeconds = retryAfterSeconds
    }
  }

  /// One of several faults, as those of a validation.
  public struct Cause: Codable, Sendable, Hashable {
    public var reason: String?
    public var message: String?
    public var field: String?

    public init(reason: String? = nil, message: String? = nil, field: String? = nil) {
      self.reason = reason
      self.message = message
      self.field = field
    }
  }

  public var status: String?
  public var message: String?
  /// A machine-readable word: `NotFound`, `Conflict`, `AlreadyExists`, `Invalid`, `Expired` …
  public var reason: String?
  public var details: Details?
  /// The HTTP status code.
  public var code: Int?

  public init(code: Int, reason: String, message: String, details: Details? = nil) {
    self.status = "Failure"
    self.code = code
    self.reason = reason
    self.message = message
    self.details = details
  }
}
