/// What a list or watch is narrowed to.
public struct ListOptions: Sendable, Hashable {
  public var labelSelector: LabelSelector?
  /// `metadata.name=web`
  public var fieldSelector: String?
  /// Objects per page; `nil` for all at once.
  public var limit: Int?
  /// The token of the page before.
  public var continueToken: String?
  /// `nil`: the newest, at the price of a quorum read; `0`: whatever the server's cache holds.
  public var resourceVersion: String?

  public init(
    labelSelector: LabelSelector? = nil, fieldSelector: String? = nil, limit: Int? = nil, continueToken: String? = nil,
    resourceVersion: String? = nil
  ) {
    self.labelSelector = labelSelector
    self.fieldSelector = fieldSelector
    self.limit = limit
    self.continueToken = continueToken
    self.resourceVersion = resourceVersion
  }

  var query: [QueryItem] {
    var query: [QueryItem] = []
    if let labelSelector, !labelSelector.isEmpty { query.append(("labelSelector", labelSelector.description)) }
    if let fieldSelector { query.append(("fieldSelector", fieldSelector)) }
    if let limit { query.append(("limit", String(limit))) }
    if let continueToken { query.append(("continue", continueToken)) }
    // A token already names its version; both together are refused.
    if let resourceVersion, continueToken == nil { query.append(("resourceVersion", resourceVersion)) }
    return query
  }
}

/// From where and for how long to watch.
public struct WatchOptions: Sendable, Hashable {
  public var labelSelector: LabelSelector?
  public var fieldSelector: String?
  /// The version after which changes are wanted: that of a list, an event or a bookmark.
  public var resourceVersion: String?
  /// The server ends the watch after this many seconds.
  public var timeoutSeconds: Int?
  /// Asks for a bookmark about once a minute.
  public var allowBookmarks: Bool

  public init(
    labelSelector: LabelSelector? = nil, fieldSelector: String? = nil, resourceVersion: String? = nil,
    timeoutSeconds: Int? = nil, allowBookmarks: Bool = true
  ) {
    self.labelSelector = labelSelector
    self.fieldSelector = fieldSelector
    self.resourceVersion = resourceVersion
    self.timeoutSeconds = timeoutSeconds
    self.allowBookmarks = allowBookmarks
  }

  var query: [QueryItem] {
    var query: [QueryItem] = [("watch", "true")]
    if allowBookmarks { query.append(("allowWatchBookmarks", "true")) }
    if let labelSelector, !labelSelector.isEmpty { query.append(("labelSelector", labelSelector.description)) }
    if let fieldSelector { query.append(("fieldSelector", fieldSelector)) }
    if let resourceVersion { query.append(("resourceVersion", resourceVersion)) }
    if let timeoutSeconds { query.append(("timeoutSeconds", String(timeoutSeconds))) }
    return query
  }
}

/// How a write is to be checked.
public struct WriteOptions: Sendable, Hashable {
  /// What becomes of fields that the server does not know.
  public enum FieldValidation: String, Sendable, Hashable {
    /// Unknown and duplicate fields are an error (of an apply: 500, whatever this says).
    case strict = "Strict"
    case warn = "Warn"
    case ignore = "Ignore"
  }

  /// Everything is done but the writing.
  public var dryRun: Bool
  public var fieldValidation: FieldValidation
  /// Who owns the fields; `nil` leaves it to the request or the client. An apply names its own.
  public var fieldManager: String?

  public init(dryRun: Bool = false, fieldValidation: FieldValidation = .strict, fieldManager: String? = nil) {
    self.dryRun = dryRun
    self.fieldValidation = fieldValidation
    self.fieldManager = fieldManager
  }

  var query: [QueryItem] {
    var query: [QueryItem] = []
    if dryRun { query.append(("dryRun", "All")) }
    if let fieldManager { query.append(("fieldManager", fieldManager)) }
    query.append(("fieldValidation", fieldValidation.rawValue))
    return query
  }
}

/// How an object goes, and on what conditions.
public struct DeleteOptions: Sendable, Hashable {
  /// What becomes of an object's dependents.
  public enum Propagation: String, Sendable, Hashable {
    /// The object goes at once, its dependents later.
    case background = "Background"
    /// The dependents go first.
    case foreground = "Foreground"
    /// The dependents stay.
    case orphan = "Orphan"
  }

  public var propagation: Propagation?
  /// A conflict unless the object still has this uid.
  public var uid: String?
  /// A conflict unless the object still has this version.
  public var resourceVersion: String?
  public var gracePeriodSeconds: Int?
  public var dryRun: Bool

  public init(
    propagation: Propagation? = nil, uid: String? = nil, resourceVersion: String? = nil,
    gracePeriodSeconds: Int? = nil, dryRun: Bool = false
  ) {
    self.propagation = propagation
    self.uid = uid
    self.resourceVersion = resourceVersion
    self.gracePeriodSeconds = gracePeriodSeconds
    self.dryRun = dryRun
  }

  /// The object `DeleteOptions` that goes as the body.
  var body: JSON {
    var body: JSON = ["apiVersion": "v1", "kind": "DeleteOptions"]
    body["propagationPolicy"] = propagation.map { .string($0.rawValue) }
    body[path: ["preconditions", "uid"]] = uid.map(JSON.string)
    body[path: ["preconditions", "resourceVersion"]] = resourceVersion.map(JSON.string)
    body["gracePeriodSeconds"] = gracePeriodSeconds.map { JSON($0) }
    if dryRun { body["dryRun"] = ["All"] }
    return body
  }
}
