/// A quantile in percent, as `99` or `99.9`: above 0 and below 100, at most four decimal places.
public struct Quantile: Sendable, Hashable, Comparable, CustomStringConvertible {
  private let parts: Int

  /// `nil` for texts that are no number above 0 and below 100.
  public init?(_ text: String) {
    guard let parts = FixedPoint.parse(text, wholeDigits: 2, places: 4), parts > 0 else { return nil }
    self.parts = parts
  }

  static let one = Quantile(parts: 10_000)

  private init(parts: Int) { self.parts = parts }

  /// Read as a share instead, in percent: 99 for `0.99`.
  var asPercent: Quantile { Quantile(parts: parts * 100) }

  /// As a share: 0.99 for `99`.
  public var fraction: Double { Double(parts) / 1_000_000 }

  /// `p99`, `p99.9`.
  public var name: String { "p" + description }
  public var description: String { FixedPoint.text(parts, places: 4) }

  public static func < (left: Quantile, right: Quantile) -> Bool { left.parts < right.parts }
}
