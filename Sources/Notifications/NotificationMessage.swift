import Foundation
import RolloutAPI

/// What people are told about one turn of a run. It holds no secrets: neither the address it goes to nor anything read
/// from a Secret.
public struct NotificationMessage: Sendable, Hashable {
  /// One thing worth a line of its own, as a check with its numbers.
  public struct Fact: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }

    /// A check with its verdict and the sentence of its evidence.
    public init(_ check: CheckRecord) {
      let words = [check.finding, check.message].compactMap { $0 }.joined(separator: ": ")
      self.init(check.name, words.isEmpty ? check.verdict.rawValue : "\(check.verdict.rawValue): \(words)")
    }
  }

  public var event: NotificationEvent
  public var namespace: String
  public var rollout: String
  /// The name of the RolloutRun, where one is concerned.
  public var run: String?
  /// The revision under test, as its hash.
  public var revision: String?
  /// The revision that it is compared with.
  public var stableRevision: String?
  /// Why, in a sentence or a few.
  public var summary: String
  public var facts: [Fact]
  /// A command that continues from here, as `sluice promote checkout -n shop`.
  public var hint: String?
  public var time: Date

  public init(
    _ event: NotificationEvent, namespace: String, rollout: String, run: String? = nil, revision: String? = nil,
    stableRevision: String? = nil, summary: String, facts: [Fact] = [], hint: String? = nil, time: Date
  ) {
    self.event = event
    self.namespace = namespace
    self.rollout = rollout
    self.run = run
    self.revision = revision
    self.stableRevision = stableRevision
    self.summary = summary
    self.facts = facts
    self.hint = hint
    self.time = time
  }

  /// One line without markup: what happened, to which Rollout, to which revision.
  public var title: String {
    let subject = "\(namespace)/\(rollout)"
    let what = revision.map { "\(subject), revision \($0)" } ?? subject
    return "\(event.symbol) \(event.words): \(what)"
  }
}

extension NotificationEvent {
  /// Whether it says how a run ended, or that people must look. Such news is the last to be given up.
  public var isFinal: Bool {
    switch self {
    case .promoted, .aborted, .superseded, .escaped, .refused: true
    case .started, .step, .paused, .resumed, .baking, .adopted, .released, .held, .explained: false
    }
  }

  var symbol: String {
    switch self {
    case .promoted: "✅"
    case .aborted, .refused: "❌"
    case .escaped, .held: "⚠️"
    case .paused: "⏸️"
    case .started, .step, .resumed, .baking, .superseded, .adopted, .released, .explained: "ℹ️"
    }
  }

  var words: String {
    switch self {
    case .started: "Rollout started"
    case .step: "Next step"
    case .paused: "Rollout paused"
    case .resumed: "Rollout resumed"
    case .baking: "All traffic, and watched"
    case .promoted: "Promoted"
    case .aborted: "Aborted and rolled back"
    case .superseded: "Superseded by a newer revision"
    case .adopted: "Adopted without a test"
    case .escaped: "Rolling without Sluice"
    case .refused: "Refused"
    case .released: "Released"
    case .held: "Rollout held"
    case .explained: "What differed"
    }
  }
}

extension NotificationChannelSpec {
  /// Whether events of that kind go to this channel.
  public func wants(_ event: NotificationEvent) -> Bool {
    events?.contains(event) ?? true
  }
}
