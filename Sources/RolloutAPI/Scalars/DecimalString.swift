import Foundation

/// A decimal number as text, since the Kubernetes API has no floats: `0.95`, `-12`, at most 15 digits before the point
/// and 9 after it.
public struct DecimalString: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// As it was written.
  public let description: String
  public let value: Decimal

  /// `nil` for texts with an exponent, a plus sign, or more digits.
  public init?(_ text: String) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let halves = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = halves.first, FixedPoint.isDigits(whole), whole.count <= 15,
      halves.count == 1 || (FixedPoint.isDigits(halves[1]) && halves[1].count <= 9), let value = Decimal(string: text)
    else { return nil }
    description = text
    self.value = value
  }

  /// Rounded to nine places, without trailing zeros; `nil` for what is not finite or too large.
  public init?(_ number: Double) {
    guard number.isFinite, abs(number) < 1e15 else { return nil }
    var text = String(format: "%.9f", number)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    self.init(text == "-0" ? "0" : text)
  }

  init(whole: Int) {
    description = String(whole)
    value = Decimal(whole)
  }

  public var double: Double { NSDecimalNumber(decimal: value).doubleValue }

  public static func == (left: DecimalString, right: DecimalString) -> Bool { left.value == right.value }
  public static func < (left: DecimalString, right: DecimalString) -> Bool { left.value < right.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
