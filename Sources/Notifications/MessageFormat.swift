import Foundation
import KubernetesAPI
import RolloutAPI

/// How a message is written on the wire.
public enum MessageFormat: String, Sendable, Hashable, CaseIterable {
  /// The body of a Slack incoming webhook: `text` for notifications and other receivers, `blocks` for the channel.
  /// <https://docs.slack.dev/reference/block-kit/blocks>
  case slack
  /// One JSON object of our own.
  case webhook

  /// The JSON of a message. Never longer than about 60 KB, whatever the message holds.
  public func body(of message: NotificationMessage) -> JSON {
    switch self {
    case .slack: Self.slack(message)
    case .webhook: Self.webhook(message)
    }
  }

  // MARK: Slack

  /// Slack refuses a whole message when one part is longer than its bound.
  private enum SlackBound {
    static let section = 3000
    static let field = 2000
    static let fields = 10
    static let text = 4000
  }

  private static func slack(_ message: NotificationMessage) -> JSON {
    let title = "*\(escape(message.title, limit: 500))*"
    let summary = escape(message.summary, limit: SlackBound.section)
    var blocks: [JSON] = [section(title), section(summary.isEmpty ? " " : summary)]
    let fields = fields(of: message)
    if !fields.isEmpty { blocks.append(["type": "section", "fields": .array(fields.map(markup))]) }
    if let hint = message.hint { blocks.append(section("`\(escape(hint, limit: 500))`")) }
    blocks.append(["type": "context", "elements": [markup(escape(origin(of: message), limit: 1000))]])

    let lines = [message.summary] + message.facts.map { "\($0.name): \($0.value)" }
    let text = "\(title)\n\(escape(lines.joined(separator: "\n"), limit: SlackBound.text - 600))"
    return ["text": .string(text), "blocks": .array(blocks)]
  }

  private static func fields(of message: NotificationMessage) -> [String] {
    var facts = message.facts
    let surplus = facts.count - SlackBound.fields
    if surplus > 0 {
      facts.removeLast(surplus + 1)
      facts.append(.init("More", "\(surplus + 1) more checks: see sluice explain"))
    }
    return facts.map { fact in
      "*\(escape(fact.name, limit: 200))*\n\(escape(fact.value, limit: SlackBound.field - 300))"
    }
  }

  private static func origin(of message: NotificationMessage) -> String {
    var parts = ["Sluice"]
    if let run = message.run { parts.append("run \(run)") }
    if let stable = message.stableRevision { parts.append("stable is \(stable)") }
    parts.append(message.time.formatted(.iso8601))
    return parts.joined(separator: " · ")
  }

  private static func section(_ text: String) -> JSON { ["type": "section", "text": markup(text)] }

  /// `verbatim`: names and addresses in a message are not turned into links and mentions.
  private static func markup(_ text: String) -> JSON { ["type": "mrkdwn", "text": .string(text), "verbatim": true] }

  /// The three characters that Slack reads as markup of its own. What is cut is cut before, so that no entity breaks.
  private static func escape(_ text: String, limit: Int) -> String {
    var escaped = ""
    var length = 0
    for character in text {
      let piece =
        switch character {
        case "&": "&amp;"
        case "<": "&lt;"
        case ">": "&gt;"
        default: String(character)
        }
      length += piece.utf16.count
      if length > limit - 1 { return escaped + "…" }
      escaped += piece
    }
    return escaped
  }

  /// By bytes: one character can be made of any number of them.
  private static func clip(_ text: String, _ limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var bytes = "…".utf8.count
    return text.prefix { character in
      bytes += character.utf8.count
      return bytes <= limit
    } + "…"
  }

  // MARK: Our own

  private static func webhook(_ message: NotificationMessage) -> JSON {
    var object: [String: JSON] = [
      "apiVersion": .string("\(ResourceType.sluiceGroup)/\(ResourceType.sluiceVersion)"),
      "event": .string(message.event.rawValue),
      "namespace": .string(message.namespace),
      "rollout": .string(message.rollout),
      "title": .string(clip(message.title, 500)),
      "summary": .string(clip(message.summary, 8000)),
      "facts": .array(
        message.facts.prefix(20).map { ["name": .string(clip($0.name, 200)), "value": .string(clip($0.value, 2000))] }),
      "time": .string(message.time.formatted(.iso8601)),
    ]
    object["run"] = message.run.map { .string($0) }
    object["revision"] = message.revision.map { .string($0) }
    object["stableRevision"] = message.stableRevision.map { .string($0) }
    object["hint"] = message.hint.map { .string($0) }
    return .object(object)
  }
}
