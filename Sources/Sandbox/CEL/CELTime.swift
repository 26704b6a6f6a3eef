/// Durations as Go writes them (`1h30m`, `1.5s`) and times of RFC 3339, in whole nanoseconds.
enum CELTime {
  private static let units: [(String, Int64)] = [
    ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
    ("m", 60_000_000_000), ("h", 3_600_000_000_000),
  ]

  /// Nanoseconds; `nil` for anything that Go's `time.ParseDuration` refuses.
  static func duration(_ text: String) -> Int64? {
    var rest = Substring(text)
    var negative = false
    if let sign = rest.first, sign == "-" || sign == "+" {
      negative = sign == "-"
      rest.removeFirst()
    }
    if rest == "0" { return 0 }
    guard !rest.isEmpty else { return nil }
    var total: Int64 = 0
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest.removeFirst(digits.count)
      var fraction: Substring = ""
      if rest.first == "." {
        rest.removeFirst()
        fraction = rest.prefix { $0.isASCII && $0.isNumber }
        rest.removeFirst(fraction.count)
      }
      guard !(digits.isEmpty && fraction.isEmpty) else { return nil }
      let name = rest.prefix { $0 != "." && !($0.isASCII && $0.isNumber) }
      guard let unit = units.first(where: { $0.0 == name })?.1 else { return nil }
      rest.removeFirst(name.count)
      guard let whole = digits.isEmpty ? 0 : Int64(digits) else { return nil }
      let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
      let part = fraction.isEmpty ? 0 : Int64((Double("0.\(fraction)") ?? 0) * Double(unit))
      let (sum, overflow2) = total.addingReportingOverflow(scaled)
      let (sum2, overflow3) = sum.addingReportingOverflow(part)
      guard !overflow, !overflow2, !overflow3 else { return nil }
      total = sum2
    }
    return negative ? -total : total
  }

  /// In seconds, as CEL writes a duration: `90s`, `1.5s`.
  static func text(_ span: Int64) -> String {
    let seconds = span / 1_000_000_000
    let rest = (span % 1_000_000_000).magnitude
    return (span < 0 && seconds == 0 ? "-" : "") + "\(seconds)" + fraction(Int64(rest)) + "s"
  }

  private static func fraction(_ nanoseconds: Int64) -> String {
    guard nanoseconds != 0 else { return "" }
    var digits = String(String(nanoseconds + 1_000_000_000).dropFirst())
    while digits.hasSuffix("0") { digits.removeLast() }
    return "." + digits
  }

  /// RFC 3339, or a full date alone, which stands for its midnight in UTC.
  static func timestamp(_ text: String, dateOnly: Bool = false) -> CELTimestamp? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
    func has(_ character: Unicode.Scalar, at index: Int) -> Bool {
      index < bytes.count && bytes[index] == UInt8(ascii: character)
    }
    guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
      let day = number(8..<10), (1...12).contains(month), day >= 1, day <= length(ofMonth: month, year: year), year >= 1
    else { return nil }
    let midnight = days(year: year, month: month, day: day) * 86_400
    if dateOnly { return bytes.count == 10 ? CELTimestamp(seconds: midnight, nanoseconds: 0) : nil }
    guard has("T", at: 10) || has("t", at: 10), let hour = number(11..<13), has(":", at: 13),
      let minute = number(14..<16), has(":", at: 16), let second = number(17..<19), hour < 24, minute < 60, second < 60
    else { return nil }
    var index = 19
    var nanoseconds: Int64 = 0
    if has(".", at: index) {
      index += 1
      var scale: Int64 = 100_000_000
      let first = index
      while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
        nanoseconds += Int64(bytes[index] - 0x30) * scale
        scale /= 10
        index += 1
      }
      guard index > first else { return nil }
    }
    var offset: Int64 = 0
    if has("Z", at: index) || has("z", at: index) {
      index += 1
    } else if has("+", at: index) || has("-", at: index) {
      guard let hours = number(index + 1..<index + 3), has(":", at: index + 3),
        let minutes = number(index + 4..<index + 6), hours < 24, minutes < 60
      else { return nil }
      offset = Int64(hours * 3600 + minutes * 60) * (has("-", at: index) ? -1 : 1)
      index += 6
    } else {
      return nil
    }
    guard index == bytes.count else { return nil }
    let seconds = midnight + Int64(hour * 3600 + minute * 60 + second) - offset
    return CELTimestamp(seconds: seconds, nanoseconds: nanoseconds)
  }

  static func text(_ moment: CELTimestamp) -> String {
    let (date, second) = split(moment)
    func pad(_ number: Int64, _ width: Int = 2) -> String {
      String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
    }
    let time = [second / 3600, second / 60 % 60, second % 60].map { pad($0) }.joined(separator: ":")
    return "\(pad(date.year, 4))-\(pad(date.month))-\(pad(date.day))T\(time)\(fraction(moment.nanoseconds))Z"
  }

  static func advance(_ moment: CELTimestamp, by span: Int64) throws(CELError) -> CELTimestamp {
    let total = moment.nanoseconds + span % 1_000_000_000
    let carry: Int64 = total < 0 ? -1 : total / 1_000_000_000
    let seconds = moment.seconds + span / 1_000_000_000 + carry
    guard CELTimestamp.range.contains(seconds) else { throw CELError("timestamp overflow") }
    return CELTimestamp(seconds: seconds, nanoseconds: total - carry * 1_000_000_000)
  }

  // MARK: The calendar

  private static func length(ofMonth month: Int, year: Int) -> Int {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  }

  /// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March, so that the leap
  /// day is the last one.
  private static func days(year: Int, month: Int, day: Int) -> Int64 {
    let shifted = month > 2 ? year : year - 1
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return Int64(era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468)
  }

  /// Date and second of the day, in UTC.
  static func split(_ moment: CELTimestamp) -> (date: (year: Int64, month: Int64, day: Int64), second: Int64) {
    var day = moment.seconds / 86_400
    var second = moment.seconds % 86_400
    if second < 0 {
      second += 86_400
      day -= 1
    }
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let part = (5 * dayOfYear + 2) / 153
    let month = part < 10 ? part + 3 : part - 9
    return ((yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1), second)
  }
}

extension CELFunctions {
  /// Parts of times and durations. Time zones other than UTC are not known here.
  static func time(_ name: String, _ target: CELValue?, _ arguments: [CELValue]) throws(CELError) -> CELValue? {
    switch target {
    case .duration(let span)? where arguments.isEmpty:
      switch name {
      case "getHours": return .int(span / 3_600_000_000_000)
      case "getMinutes": return .int(span / 60_000_000_000)
      case "getSeconds": return .int(span / 1_000_000_000)
      case "getMilliseconds": return .int(span / 1_000_000)
      default: return nil
      }
    case .timestamp(let moment)?:
      if let zone = arguments.first {
        guard case .string("UTC") = zone, arguments.count == 1 else { throw CELError("unknown time zone") }
      }
      let (date, second) = CELTime.split(moment)
      switch name {
      case "getFullYear": return .int(date.year)
      case "getMonth": return .int(date.month - 1)
      case "getDate": return .int(date.day)
      case "getDayOfMonth": return .int(date.day - 1)
      case "getDayOfWeek":
        let days = (moment.seconds - second) / 86_400
        return .int(((days + 4) % 7 + 7) % 7)
      case "getHours": return .int(second / 3600)
      case "getMinutes": return .int(second / 60 % 60)
      case "getSeconds": return .int(second % 60)
      case "getMilliseconds": return .int(moment.nanoseconds / 1_000_000)
      default: return nil
      }
    default: return nil
    }
  }
}
