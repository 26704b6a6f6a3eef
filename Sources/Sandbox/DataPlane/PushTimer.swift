import Foundation

/// When to tell the proxies of changes, as istiod does it: once nothing has changed for 100 ms, and 10 s after the first
/// change at the latest.
struct PushTimer: Sendable {
  var quiet = 0.1
  var longest = 10.0
  private var first: Date?
  private var last: Date?

  mutating func change(at now: Date) {
    first = first ?? now
    last = now
  }

  /// Whether it is time; the changes up to now are then taken for told.
  mutating func takeDue(at now: Date) -> Bool {
    guard let first, let last else { return false }
    guard now.timeIntervalSince(last) >= quiet || now.timeIntervalSince(first) >= longest else { return false }
    self.first = nil
    self.last = nil
    return true
  }
}
