import Foundation

/// `metav1.MicroTime`: an RFC 3339 time in UTC with exactly six digits of fraction; the API server refuses any other
/// number of digits with 422. Kept in whole microseconds, so that a value comes back as it was written.
public struct MicroTime: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
  public var microsecondsSince1970: Int64

  public init(microsecondsSince1970: Int64) { self.microsecondsSince1970 = microsecondsSince1970 }

  /// Rounds to whole microseconds.
  public init(_ date: Date) {
    // A Date is a Double since 2001: splitting off the whole seconds first keeps the microseconds exact.
    let whole = date.timeIntervalSinceReferenceDate.rounded(.down)
    let fraction = ((date.timeIntervalSinceReferenceDate - whole) * 1_000_000).rounded()
    let seconds = Int64(whole) + Int64(Date.timeIntervalBetween1970AndReferenceDate)
    microsecondsSince1970 = seconds * 1_000_000 + Int64(fraction)
  }

  /// Reads any RFC 3339 time, whatever the digits of its fraction; `nil` for other texts.
  public init?(_ text: String) {
    guard let (seconds, microseconds) = RFC3339.parse(text) else { return nil }
    microsecondsSince1970 = seconds * 1_000_000 + Int64(microseconds)
  }

  public var date: Date { Date(timeIntervalSince1970: Double(microsecondsSince1970) / 1_000_000) }

  public var description: String {
    let (quotient, remainder) = microsecondsSince1970.quotientAndRemainder(dividingBy: 1_000_000)
    return remainder < 0
      ? RFC3339.format(seconds: quotient - 1, microseconds: Int(remainder) + 1_000_000)
      : RFC3339.format(seconds: quotient, microseconds: Int(remainder))
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let time = MicroTime(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an RFC 3339 time")
    }
    self = time
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  public static func < (left: MicroTime, right: MicroTime) -> Bool {
    left.microsecondsSince1970 < right.microsecondsSince1970
  }
}
