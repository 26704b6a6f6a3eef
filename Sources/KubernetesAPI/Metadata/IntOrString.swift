/// `intstr.IntOrString`: a number, a percentage (`25%`) or the name of a port.
public enum IntOrString: Codable, Sendable, Hashable, CustomStringConvertible {
  case int(Int)
  case string(String)

  /// The number that is meant where percentages are of `total`; `nil` for a string that is no percentage.
  public func resolved(of total: Int, roundingUp: Bool) -> Int? {
    switch self {
    case .int(let number): return number
    case .string(let text):
      guard text.hasSuffix("%"), let percent = Int(text.dropLast()), percent >= 0 else { return nil }
      let (product, overflow) = percent.multipliedReportingOverflow(by: total)
      guard !overflow else { return nil }
      return roundingUp ? (product + 99) / 100 : product / 100
    }
  }

  public var description: String {
    switch self {
    case .int(let number): String(number)
    case .string(let text): text
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int.self) {
      self = .int(number)
    } else if let text = try? container.decode(String.self) {
      self = .string(text)
    } else {
      throw DecodingError.typeMismatch(
        IntOrString.self, .init(codingPath: decoder.codingPath, debugDescription: "expected an integer or a string"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .int(let number): try container.encode(number)
    case .string(let text): try container.encode(text)
    }
  }
}

extension IntOrString: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(stringLiteral value: String) { self = .string(value) }
}
