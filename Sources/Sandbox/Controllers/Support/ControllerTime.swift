import Foundation
import KubernetesAPI

extension Date {
  func adding(_ duration: Duration) -> Date { addingTimeInterval(duration / .seconds(1)) }

  /// From another date to this one; negative when this one is earlier.
  func since(_ other: Date) -> Duration { .milliseconds(Int64((timeIntervalSince(other) * 1000).rounded(.up))) }

  /// As the API writes times: RFC 3339 in whole seconds.
  var stamp: String { Timestamp(self).description }
}

enum ControllerTime {
  static func date(_ value: JSON?) -> Date? {
    value?.string.flatMap { Timestamp($0) }?.date
  }

  static func creation(of object: JSON) -> Date {
    date(object[path: ["metadata", "creationTimestamp"]]) ?? .distantPast
  }

  /// Older first; of two that are equally old, the first by name.
  static func isOlder(_ left: JSON, _ right: JSON) -> Bool {
    let (first, second) = (creation(of: left), creation(of: right))
    return first == second ? left.name < right.name : first < second
  }
}
