/// `events.k8s.io/v1` Event. The core group shows the same object under other names (``CoreEvent``).
public struct Event: KubernetesResource, Hashable {
  public static let resource = ResourceType.eventsV1

  public enum Severity: String, Codable, Sendable, Hashable {
    case normal = "Normal"
    case warning = "Warning"
  }

  /// The event went on happening.
  public struct Series: Codable, Sendable, Hashable {
    /// At least 2; the server refuses less.
    public var count: Int
    public var lastObservedTime: MicroTime

    public init(count: Int, lastObservedTime: MicroTime) {
      self.count = count
      self.lastObservedTime = lastObservedTime
    }
  }

  public var metadata: ObjectMeta
  public var eventTime: MicroTime?
  public var reportingController: String?
  public var reportingInstance: String?
  /// What was done about it, one CamelCase word.
  public var action: String?
  /// Why, one CamelCase word; at most 128 characters.
  public var reason: String?
  public var regarding: ObjectReference?
  public var related: ObjectReference?
  /// At most 1024 bytes; immutable.
  public var note: String?
  public var type: Severity?
  public var series: Series?

  public init(
    metadata: ObjectMeta, eventTime: MicroTime, reportingController: String, reportingInstance: String, action: String,
    reason: String, regarding: ObjectReference, related: ObjectReference? = nil, note: String, type: Severity
  ) {
    self.metadata = metadata
    self.eventTime = eventTime
    self.reportingController = reportingController
    self.reportingInstance = reportingInstance
    self.action = action
    self.reason = reason
    self.regarding = regarding
    self.related = related
    self.note = note
    self.type = type
  }
}

/// `v1` Event.
public struct CoreEvent: KubernetesResource, Hashable {
  public static let resource = ResourceType.events

  public var metadata: ObjectMeta
  public var involvedObject: ObjectReference
  public var reason: String?
  public var message: String?
  public var type: Event.Severity?
  public var count: Int?
  public var firstTimestamp: Timestamp?
  public var lastTimestamp: Timestamp?
  public var eventTime: MicroTime?
  public var series: Event.Series?
  public var action: String?
  public var reportingComponent: String?
  public var reportingInstance: String?
}
