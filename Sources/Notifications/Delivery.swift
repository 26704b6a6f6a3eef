import Foundation
import HTTPTransport

/// A channel, by the namespace and name of its NotificationChannel.
public struct ChannelID: Sendable, Hashable, CustomStringConvertible {
  public var namespace: String
  public var name: String

  public init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }

  public var description: String { "\(namespace)/\(name)" }
}

/// Where a message goes. The URL is a secret: it is looked up for each attempt and appears in no log and no error.
public struct Destination: Sendable {
  public var format: MessageFormat
  public var url: String

  public init(format: MessageFormat, url: String) {
    self.format = format
    self.url = url
  }
}

/// How one attempt went.
enum Outcome: Sendable, Equatable {
  case delivered
  /// The channel does not want this event.
  case unwanted
  /// Worth another attempt, not before `after` where the receiver said so.
  case retry(reason: String, after: Duration?)
  /// The receiver will never take it.
  case rejected(reason: String)
}

/// What answers and errors mean. Pure.
enum DeliveryRules {
  static func outcome(of response: HTTPResponse, secret url: String) -> Outcome {
    if (200..<300).contains(response.status) { return .delivered }
    let words = String(decoding: response.body.prefix(400), as: UTF8.self)
      .split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(200)
    let reason = redact("status \(response.status)\(words.isEmpty ? "" : ": \(words)")", secret: url)
    switch response.status {
    case 408, 425, 429, 500...: return .retry(reason: reason, after: retryAfter(response))
    default: return .rejected(reason: reason)
    }
  }

  static func outcome(of error: any Error, secret url: String) -> Outcome {
    let reason = redact("\(error)", secret: url)
    switch error as? TransportError {
    case .invalidRequest, .responseTooLarge: return .rejected(reason: reason)
    default: return .retry(reason: reason, after: nil)
    }
  }

  /// RFC 9110, section 10.2.3: seconds, or a date, which is compared with the answer's own.
  static func retryAfter(_ response: HTTPResponse) -> Duration? {
    guard let text = response.header("Retry-After") else { return nil }
    if let seconds = Int(text) { return .seconds(max(0, min(seconds, 86_400))) }
    guard let until = date(text), let now = response.header("Date").flatMap(date) else { return nil }
    return .seconds(max(0, min(until.timeIntervalSince(now), 86_400)))
  }

  private static func date(_ text: String) -> Date? {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(secondsFromGMT: 0)
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return format.date(from: text)
  }

  /// Takes a URL, and each part of it that could be the secret, out of a text.
  static func redact(_ text: String, secret url: String) -> String {
    var clean = text.replacing(url, with: "<url>")
    let parts = url.split(whereSeparator: { "/?&=#@:".contains($0) }).dropFirst(2)
    for part in parts where part.count >= 6 { clean = clean.replacing(part, with: "<secret>") }
    return clean
  }
}
