/// The percent of requests routed to the canary: a whole number from 0 to 100.
public struct Weight: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let value: Int

  /// `nil` outside of 0 to 100.
  public init?(_ value: Int) {
    guard (0...100).contains(value) else { return nil }
    self.value = value
  }

  init(clamping value: Int) { self.value = min(100, max(0, value)) }

  /// Nothing to the canary.
  public static let none = Weight(clamping: 0)
  /// Everything to the canary.
  public static let all = Weight(clamping: 100)

  public var description: String { "\(value)%" }

  public static func < (left: Weight, right: Weight) -> Bool { left.value < right.value }
}
