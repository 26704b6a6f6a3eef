/// Decimal texts as whole numbers of their smallest part, so that `0.1` is exact.
enum FixedPoint {
  /// Reads `digits[.digits]` without sign or exponent; `nil` for other texts, or for more digits than allowed.
  static func parse(_ text: some StringProtocol, wholeDigits: Int, places: Int) -> Int? {
    let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = halves.first, isDigits(whole), whole.count <= wholeDigits, let number = Int(whole) else {
      return nil
    }
    let scale = power(places)
    guard halves.count == 2 else { return number * scale }
    guard isDigits(halves[1]), halves[1].count <= places, let rest = Int(halves[1]) else { return nil }
    return number * scale + rest * power(places - halves[1].count)
  }

  /// The shortest text for that many smallest parts: no trailing zeros, no lone point.
  static func text(_ parts: Int, places: Int) -> String {
    let scale = power(places)
    let rest = parts % scale
    guard rest != 0 else { return String(parts / scale) }
    let digits = String(rest)
    var text = String(repeating: "0", count: places - digits.count) + digits
    while text.hasSuffix("0") { text.removeLast() }
    return "\(parts / scale).\(text)"
  }

  static func isDigits(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func power(_ places: Int) -> Int { (0..<places).reduce(1) { power, _ in power * 10 } }
}
