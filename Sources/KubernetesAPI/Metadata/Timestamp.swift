import Foundation

/// `metav1.Time`: an RFC 3339 time in whole seconds, in UTC.
public struct Timestamp: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
  public var date: Date

  /// Cuts to whole seconds, as the API does.
  public init(_ date: Date) {
    self.date = Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down))
  }

  /// Reads any RFC 3339 time; `nil` for other texts.
  public init?(_ text: String) {
    guard let (seconds, _) = RFC3339.parse(text) else { return nil }
    self.date = Date(timeIntervalSince1970: Double(seconds))
  }

  public var description: String {
    RFC3339.format(seconds: Int64(date.timeIntervalSince1970.rounded(.down)))
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let time = Timestamp(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an RFC 3339 time")
    }
    self = time
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.date < right.date }
}
