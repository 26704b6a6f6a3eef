/// Reading and writing RFC 3339 times in whole microseconds since 1970, without the calendar machinery of Foundation:
/// every object that is decoded carries several times.
enum RFC3339 {
  /// - Returns: seconds since 1970 and the microseconds beyond them (0…999 999); `nil` for a text that is no such time.
  static func parse(_ text: String) -> (seconds: Int64, microseconds: Int)? {
    var reader = Reader(bytes: Array(text.utf8))
    guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), (1...12).contains(month),
      reader.take("-"), let day = reader.digits(2), (1...daysIn(month, of: year)).contains(day),
      reader.take("T") || reader.take("t"),
      let hour = reader.digits(2), hour < 24, reader.take(":"), let minute = reader.digits(2), minute < 60,
      reader.take(":"), let second = reader.digits(2), second <= 60
    else { return nil }
    var microseconds = 0
    if reader.take(".") {
      guard let fraction = reader.fraction() else { return nil }
      microseconds = fraction
    }
    guard let offset = reader.offset(), reader.isAtEnd else { return nil }
    let days = daysSinceEpoch(year: year, month: month, day: day)
    return (Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset), microseconds)
  }

  /// - Parameter microseconds: written with exactly six digits; `nil` for a time in whole seconds.
  static func format(seconds: Int64, microseconds: Int? = nil) -> String {
    let day = Int((seconds >= 0 ? seconds : seconds - 86_399) / 86_400)
    let time = Int(seconds) - day * 86_400
    let (year, month, dayOfMonth) = civil(daysSinceEpoch: day)
    var text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
    text += "\(padded(time / 3600, 2)):\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2))"
    if let microseconds { text += ".\(padded(microseconds, 6))" }
    return text + "Z"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func daysIn(_ month: Int, of year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days of all the years before this one, counted from year 0 of the proleptic Gregorian calendar.
  private static func daysBefore(year: Int) -> Int {
    guard year > 0 else { return 0 }
    let past = year - 1
    return year * 365 + past / 4 - past / 100 + past / 400 + 1
  }

  private static let epoch = daysBefore(year: 1970)

  private static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
    (1..<month).reduce(daysBefore(year: year) - epoch + day - 1) { $0 + daysIn($1, of: year) }
  }

  private static func civil(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
    let absolute = days + epoch
    var year = absolute * 400 / 146_097
    while daysBefore(year: year + 1) <= absolute { year += 1 }
    while daysBefore(year: year) > absolute { year -= 1 }
    var rest = absolute - daysBefore(year: year)
    var month = 1
    while rest >= daysIn(month, of: year) {
      rest -= daysIn(month, of: year)
      month += 1
    }
    return (year, month, rest + 1)
  }

  private struct Reader {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
      index += 1
      return true
    }

    mutating func digit() -> Int? {
      guard index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) else { return nil }
      defer { index += 1 }
      return Int(bytes[index] - UInt8(ascii: "0"))
    }

    mutating func digits(_ count: Int) -> Int? {
      var number = 0
      for _ in 0..<count {
        guard let digit = digit() else { return nil }
        number = number * 10 + digit
      }
      return number
    }

    /// Any number of digits; what is finer than a microsecond is cut off.
    mutating func fraction() -> Int? {
      var number = 0
      var count = 0
      while let digit = digit() {
        if count < 6 { number = number * 10 + digit }
        count += 1
      }
      guard count > 0 else { return nil }
      for _ in 0..<max(0, 6 - count) { number *= 10 }
      return number
    }

    /// `Z` or `±hh:mm`, in seconds.
    mutating func offset() -> Int? {
      if take("Z") || take("z") { return 0 }
      let sign: Int
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
      guard let hours = digits(2), hours < 24, take(":"), let minutes = digits(2), minutes < 60 else { return nil }
      return sign * (hours * 3600 + minutes * 60)
    }
  }
}
