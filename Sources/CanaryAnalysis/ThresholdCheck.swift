/// Judges a number of which nothing is known but its bounds, as a team's own query gives it: without counts there is no
/// test, so several looks in a row must agree.
public struct ThresholdCheck: Codable, Sendable, Hashable {
  /// What the number must keep.
  public struct Bounds: Codable, Sendable, Hashable {
    public var min: Double?
    public var max: Double?

    public init(min: Double? = nil, max: Double? = nil) {
      self.min = min
      self.max = max
    }

    func hold(_ value: Double) -> Bool { (min.map { value >= $0 } ?? true) && (max.map { value <= $0 } ?? true) }

    /// What is allowed, for people.
    var wanted: String {
      [min.map { "at least \(Evidence.number($0))" }, max.map { "at most \(Evidence.number($0))" }]
        .compactMap { $0 }.joined(separator: " and ")
    }
  }

  /// A judgement of this check.
  public struct Outcome: Codable, Sendable, Hashable {
    public var verdict: Verdict
    /// Why, for people.
    public var sentence: String
    public var last: Double?
  }

  public let name: String
  public let bounds: Bounds
  /// How many looks in a row must agree.
  public let agreement: Int

  private var inside = 0
  private var outside = 0
  private var last: Double?
  /// What the newest look found, for people; `nil` before the first.
  private var found: String?
  private var problem: String? = "nothing has been measured yet"
  private var hasFailed = false

  public init(name: String, bounds: Bounds, agreement: Int = 3) {
    self.name = name
    self.bounds = bounds
    self.agreement = Swift.max(1, agreement)
  }

  /// Adds a look. One without a value begins the count anew.
  public mutating func record(_ measurement: Measured<Double>) {
    guard let value = measurement.value, value.isFinite else {
      problem = measurement.problem ?? Measured<Double>.notANumber.problem
      inside = 0
      outside = 0
      return
    }
    last = value
    record(holds: bounds.hold(value), "\(name) is \(Evidence.number(value)), \(wanted) allowed")
  }

  /// Adds a look that was decided without a number.
  /// - Parameter found: what was found, for people.
  mutating func record(holds: Bool, found: String) {
    last = nil
    record(holds: holds, found)
  }

  private mutating func record(holds: Bool, _ found: String) {
    self.found = found
    problem = nil
    inside = holds ? inside + 1 : 0
    outside = holds ? 0 : outside + 1
    hasFailed = hasFailed || outside >= agreement
  }

  /// Begins the count of agreeing looks anew; a failure stays one.
  public mutating func beginAnew() {
    inside = 0
    outside = 0
    if !hasFailed { problem = "nothing has been measured yet" }
  }

  /// What is allowed, for people.
  var wanted: String { bounds.wanted }

  public var outcome: Outcome {
    let seen = found ?? "\(name) has no value"
    if hasFailed { return Outcome(verdict: .fail, sentence: "\(seen); outside in \(agreement) looks", last: last) }
    if let problem { return Outcome(verdict: .unknown, sentence: "\(seen): \(problem)", last: last) }
    if inside >= agreement { return Outcome(verdict: .pass, sentence: seen, last: last) }
    let agreeing = Swift.max(inside, outside)
    return Outcome(verdict: .insufficient, sentence: "\(seen); \(agreeing) of \(agreement) looks agree", last: last)
  }
}
