import KubernetesAPI

/// Where and how to notify: exactly one of the kinds. Addresses are secrets, so they come by reference only.
public struct NotificationChannel: KubernetesResource, Hashable {
  public static let resource = ResourceType.notificationChannels

  public var metadata: ObjectMeta
  public var spec: NotificationChannelSpec

  public init(metadata: ObjectMeta, spec: NotificationChannelSpec) {
    self.metadata = metadata
    self.spec = spec
  }
}

/// Where events go: exactly one of `slack` and `webhook`.
public struct NotificationChannelSpec: Codable, Sendable, Hashable {
  /// An incoming webhook in the format of Slack, which others understand too.
  public var slack: WebhookSpec?
  /// Any HTTP endpoint; gets one JSON object per event.
  public var webhook: WebhookSpec?
  /// Which events go there at all; all where absent.
  public var events: [NotificationEvent]?

  public init(slack: WebhookSpec? = nil, webhook: WebhookSpec? = nil, events: [NotificationEvent]? = nil) {
    self.slack = slack
    self.webhook = webhook
    self.events = events
  }
}

/// An address that is a secret.
public struct WebhookSpec: Codable, Sendable, Hashable {
  /// The URL, in a Secret of the channel's namespace.
  public var urlSecretRef: SecretKeyReference

  public init(urlSecretRef: SecretKeyReference) { self.urlSecretRef = urlSecretRef }
}

/// One key of a Secret.
public struct SecretKeyReference: Codable, Sendable, Hashable {
  public var name: String
  /// `url` where absent.
  public var key: String?

  public init(name: String, key: String? = nil) {
    self.name = name
    self.key = key
  }

  public static let defaultKey = "url"
}

/// The turns of events that people are told of.
public enum NotificationEvent: String, Codable, Sendable, Hashable, CaseIterable {
  case started = "Started"
  case step = "Step"
  case paused = "Paused"
  case resumed = "Resumed"
  case baking = "Baking"
  case promoted = "Promoted"
  case aborted = "Aborted"
  case superseded = "Superseded"
  case adopted = "Adopted"
  case escaped = "Escaped"
  case refused = "Refused"
  case released = "Released"
  /// The service as a whole burns its error budget, so that a run goes no further.
  case held = "Held"
  /// What differed most in a run that was aborted.
  case explained = "Explained"
}
