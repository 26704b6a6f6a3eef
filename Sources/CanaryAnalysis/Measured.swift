/// One number, or set of numbers, as the source of metrics gave it: either a value or the reason why there is none.
/// Whoever reads a value must say what happens without one, so nothing that is missing can count as success.
public enum Measured<Value: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  case value(Value)
  /// The query was answered, with no series.
  case missing
  /// The answer is NaN or infinite, as 0 / 0 is.
  case notANumber
  /// The query should give one series and gave this many.
  case severalSeries(Int)
  /// A counter went backwards, and what happened meanwhile is unknown.
  case counterReset
  /// The source did not answer, or with an error; the text is for people.
  case sourceFailed(String)

  public var value: Value? {
    if case .value(let value) = self { value } else { nil }
  }

  /// Why there is no value, as a phrase; `nil` where there is one.
  public var problem: String? {
    switch self {
    case .value: nil
    case .missing: "the query returned no series"
    case .notANumber: "the query returned NaN or an infinite value"
    case .severalSeries(let count): "the query returned \(count) series instead of one"
    case .counterReset: "a counter went backwards"
    case .sourceFailed(let text): "the source of metrics failed: \(text)"
    }
  }

  /// The same measurement with another value; a transformation that gives `nil` makes it ``notANumber``.
  public func map<Other>(_ transform: (Value) -> Other?) -> Measured<Other> {
    switch self {
    case .value(let value): transform(value).map(Measured<Other>.value) ?? .notANumber
    case .missing: .missing
    case .notANumber: .notANumber
    case .severalSeries(let count): .severalSeries(count)
    case .counterReset: .counterReset
    case .sourceFailed(let text): .sourceFailed(text)
    }
  }
}

extension Measured<Counts> {
  /// Joins the two numbers of a look. The series of bad requests does not exist before the first of them: missing bad
  /// requests are none, provided that requests were measured. Requests that are missing stay missing.
  public static func counts(requests: Measured<Double>, bad: Measured<Double>) -> Measured<Counts> {
    switch (requests, bad) {
    case (.value(let requests), .value(let bad)):
      if requests < 0 || bad < 0 { return .counterReset }
      return Counts(requests: requests, bad: bad).map(Measured.value) ?? .notANumber
    case (.value, .missing): return counts(requests: requests, bad: .value(0))
    case (.value, _): return bad.map { _ in nil }
    default: return requests.map { _ in nil }
    }
  }
}
