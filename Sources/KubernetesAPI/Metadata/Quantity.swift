import Foundation

/// `resource.Quantity`: an amount such as `100m`, `1.5`, `128Mi` or `1e3`. Compared by value: `1000m` equals `1`.
public struct Quantity: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
  /// As it was written.
  public let description: String
  /// In base units (cores, bytes …), exact.
  public let value: Decimal

  /// Reads the grammar of Kubernetes: a signed decimal number and a binary suffix (`Ki` … `Ei`), a decimal one
  /// (`n u m k M G T P E`) or an exponent (`e3`, `E-3`); `nil` for other texts.
  public init?(_ text: String) {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "+" || $0 == "-") }
    let digits = number.drop { $0 == "+" || $0 == "-" }
    guard number.count - digits.count <= 1, digits.contains(where: \.isNumber),
      digits.allSatisfy({ $0 != "+" && $0 != "-" }), digits.count(where: { $0 == "." }) <= 1,
      let base = Decimal(string: String(number)), let factor = Self.factor(String(text.dropFirst(number.count)))
    else { return nil }
    let value = base * factor
    guard value.isFinite else { return nil }
    self.description = text
    self.value = value
  }

  private static func factor(_ suffix: String) -> Decimal? {
    if suffix.isEmpty { return 1 }
    if let index = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].firstIndex(of: suffix) {
      return power(of: 10, (index - 3) * 3)
    }
    if let index = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].firstIndex(of: suffix) {
      return power(of: 1024, index + 1)
    }
    guard let first = suffix.first, first == "e" || first == "E", let exponent = Int(suffix.dropFirst()),
      (-18...18).contains(exponent)
    else { return nil }
    return power(of: 10, exponent)
  }

  private static func power(of base: Int, _ exponent: Int) -> Decimal {
    exponent < 0 ? 1 / pow(Decimal(base), -exponent) : pow(Decimal(base), exponent)
  }

  public static func == (left: Quantity, right: Quantity) -> Bool { left.value == right.value }
  public static func < (left: Quantity, right: Quantity) -> Bool { left.value < right.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // The API server writes strings; people also write plain numbers.
    let text = try (try? container.decode(String.self)) ?? String(container.decode(Double.self))
    guard let quantity = Quantity(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a quantity")
    }
    self = quantity
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
