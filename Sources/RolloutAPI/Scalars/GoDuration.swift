/// A span of time in the pattern of the Gateway API (GEP-2257): one to four of `<1-5 digits><h|m|s|ms>`, as `5m`,
/// `1h30m` or `400ms`.
public struct GoDuration: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let duration: Duration

  /// Reads the pattern `^([0-9]{1,5}(h|m|s|ms)){1,4}$`; `nil` for other texts.
  public init?(_ text: String) {
    var rest = text[...]
    var milliseconds = 0
    var count = 0
    while !rest.isEmpty {
      let digits = rest.prefix { FixedPoint.isDigits(String($0)) }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { $0 == "h" || $0 == "m" || $0 == "s" }
      // `m` may be followed by `s` of milliseconds only, not by the next number's unit.
      guard (1...5).contains(digits.count), let number = Int(digits), let factor = Self.factors[String(unit)] else {
        return nil
      }
      rest = rest.dropFirst(unit.count)
      milliseconds += number * factor
      count += 1
    }
    guard (1...4).contains(count) else { return nil }
    duration = .milliseconds(milliseconds)
  }

  /// Cuts to whole milliseconds; negative becomes zero.
  public init(_ duration: Duration) {
    self.duration = .milliseconds(max(0, Int(duration / .milliseconds(1))))
  }

  private static let factors = ["h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1]

  /// The shortest text: `1h30m`, `90s` becomes `1m30s`, nothing is `0s`.
  public var description: String {
    var rest = Int(duration / .milliseconds(1))
    var text = ""
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] where rest >= factor {
      text += "\(rest / factor)\(unit)"
      rest %= factor
    }
    return text.isEmpty ? "0s" : text
  }

  public static func < (left: GoDuration, right: GoDuration) -> Bool { left.duration < right.duration }
}

extension Duration {
  /// As plans and people write it: `5m`, `1h30m`, `400ms`.
  public var text: String { GoDuration(self).description }
}
