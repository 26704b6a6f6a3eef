/// A percentage from 0 to 100 with at most four decimal places, exact; on the wire text such as `1%` or `0.5%`.
public struct Percent: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Ten-thousandths of a percent, 0 to 1,000,000.
  private let parts: Int

  private static let one = 10_000

  private init(parts: Int) { self.parts = parts }

  /// Reads `1%`, `0.5%`, `100%`; `nil` for other texts and for more than 100.
  public init?(_ text: String) {
    let number = text.dropLast()
    let digits = number.hasPrefix("100") ? 3 : 2
    guard text.hasSuffix("%"), let parts = FixedPoint.parse(number, wholeDigits: digits, places: 4),
      parts <= 100 * Self.one
    else { return nil }
    self.parts = parts
  }

  /// A whole number of percent; `nil` outside of 0 to 100.
  public init?(_ whole: Int) {
    guard (0...100).contains(whole) else { return nil }
    parts = whole * Self.one
  }

  /// Of a weight.
  public init(_ weight: Weight) { parts = weight.value * Self.one }

  public static let zero = Percent(parts: 0)
  public static let all = Percent(parts: 100 * one)

  /// In percent: 0 to 100.
  public var value: Double { Double(parts) / Double(Self.one) }
  /// As a share: 0 to 1.
  public var fraction: Double { value / 100 }
  /// The number of percent where it is a whole one.
  public var whole: Int? { parts % Self.one == 0 ? parts / Self.one : nil }

  /// That share of a number of things, rounded up: 1 % of 4 pods is 1 pod.
  public func share(of count: Int) -> Int {
    let whole = 100 * Self.one
    let (product, overflow) = count.multipliedReportingOverflow(by: parts)
    return overflow ? count : (product + whole - 1) / whole
  }

  public var description: String { FixedPoint.text(parts, places: 4) + "%" }

  public static func < (left: Percent, right: Percent) -> Bool { left.parts < right.parts }
}
