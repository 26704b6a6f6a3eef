import Foundation
import KubernetesAPI

/// Amounts of resources by name, as requests, limits and quotas have them.
struct Amounts: Equatable {
  private(set) var byName: [String: Quantity] = [:]

  init() {}

  init(_ json: JSON?) {
    for (name, amount) in json?.object ?? [:] {
      byName[name] = (amount.string ?? amount.int.map(String.init)).flatMap { Quantity($0) }
    }
  }

  subscript(name: String) -> Quantity? {
    get { byName[name] }
    set { byName[name] = newValue }
  }

  var names: Set<String> { Set(byName.keys) }
  var json: JSON { .object(byName.mapValues { .string($0.description) }) }

  mutating func add(_ others: Amounts) {
    for (name, amount) in others.byName { byName[name] = byName[name].map { $0.adding(amount) } ?? amount }
  }

  /// The larger of both, name by name.
  mutating func raise(to others: Amounts) {
    for (name, amount) in others.byName { byName[name] = max(byName[name] ?? amount, amount) }
  }

  func only(_ names: Set<String>) -> Amounts {
    var part = Amounts()
    part.byName = byName.filter { names.contains($0.key) }
    return part
  }

  /// `cpu=1,pods=2`, as refusals have it.
  var text: String { byName.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",") }
}

extension Quantity {
  static func count(_ number: Int) -> Quantity { canonical(Decimal(number), isBinary: false) }

  /// The sum in the form of the first, or of the other where that one is 0, as the real server adds.
  func adding(_ other: Quantity) -> Quantity {
    Self.canonical(value + other.value, isBinary: (value == 0 ? other : self).description.hasSuffix("i"))
  }

  /// The shortest whole number with a suffix.
  private static func canonical(_ value: Decimal, isBinary: Bool) -> Quantity {
    let binary: [(String, Decimal)] = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"].enumerated().map {
      ($0.element, pow(Decimal(1024), 6 - $0.offset))
    }
    let decimal: [(String, Decimal)] = ["E", "P", "T", "G", "M", "k", "", "m", "u", "n"].enumerated().map {
      index, suffix in
      (suffix, index <= 6 ? pow(Decimal(1000), 6 - index) : 1 / pow(Decimal(1000), index - 6))
    }
    for (suffix, size) in (isBinary ? binary : []) + decimal where value != 0 {
      let number = value / size
      var copy = number
      var whole = Decimal()
      NSDecimalRound(&whole, &copy, 0, .plain)
      if whole == number, let quantity = Quantity("\(whole)\(suffix)") { return quantity }
    }
    return Quantity.zero
  }

  private static let zero: Quantity = {
    guard let zero = Quantity("0") else { preconditionFailure("0 is a quantity") }
    return zero
  }()
}
