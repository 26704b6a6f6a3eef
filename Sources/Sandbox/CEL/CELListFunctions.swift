extension CELFunctions {
  /// Methods of lists, and the functions on sets.
  static func list(
    _ name: String, _ target: CELValue?, _ arguments: [CELValue], in evaluation: inout CELEvaluation
  ) throws(CELError) -> CELValue? {
    if name.hasPrefix("sets."), arguments.count == 2, case .list(let left, _) = arguments[0],
      case .list(let right, _) = arguments[1]
    {
      try evaluation.charge(left.count * right.count)
      return sets(name, left, right)
    }
    guard case .list(let elements, _)? = target else { return nil }
    try evaluation.charge(elements.count)
    switch (name, arguments.count) {
    case ("isSorted", 0):
      for (left, right) in zip(elements, elements.dropFirst()) {
        guard let order = CELOperators.order(left, right) else { return nil }
        if order == .greater { return .bool(false) }
      }
      return .bool(true)
    case ("sum", 0):
      guard var sum = elements.first else { return .int(0) }
      for element in elements.dropFirst() { sum = try CELOperators.apply(.add, sum, element) }
      return sum
    case ("min", 0), ("max", 0):
      guard var best = elements.first else { throw CELError("\(name) called on empty list") }
      for element in elements.dropFirst() {
        guard let order = CELOperators.order(element, best) else { return nil }
        if order == (name == "max" ? .greater : .less) { best = element }
      }
      return best
    case ("indexOf", 1):
      return .int(Int64(elements.firstIndex { $0.equals(arguments[0]) } ?? -1))
    case ("lastIndexOf", 1):
      return .int(Int64(elements.lastIndex { $0.equals(arguments[0]) } ?? -1))
    case ("first", 0): return .optional(elements.first)
    case ("last", 0): return .optional(elements.last)
    case ("reverse", 0): return .list(elements.reversed())
    case ("distinct", 0):
      try evaluation.charge(elements.count * elements.count)
      var seen: [CELValue] = []
      for element in elements where !seen.contains(where: { $0.equals(element) }) { seen.append(element) }
      return .list(seen)
    case ("sort", 0):
      for (left, right) in zip(elements, elements.dropFirst()) {
        guard CELOperators.order(left, right) != nil else { return nil }
      }
      return .list(elements.sorted { CELOperators.order($0, $1) == .less })
    case ("flatten", 0):
      return .list(elements.flatMap { if case .list(let inner, _) = $0 { inner } else { [$0] } })
    case ("slice", 2):
      guard case .int(let start) = arguments[0], case .int(let end) = arguments[1] else { return nil }
      guard start >= 0, start <= end, end <= Int64(elements.count) else {
        throw CELError("cannot slice(\(start), \(end)), list is length \(elements.count)")
      }
      return .list(Array(elements[Int(start)..<Int(end)]))
    default: return nil
    }
  }

  private static func sets(_ name: String, _ left: [CELValue], _ right: [CELValue]) -> CELValue? {
    func covers(_ whole: [CELValue], _ part: [CELValue]) -> Bool {
      part.allSatisfy { element in whole.contains { $0.equals(element) } }
    }
    switch name {
    case "sets.contains": return .bool(covers(left, right))
    case "sets.equivalent": return .bool(covers(left, right) && covers(right, left))
    case "sets.intersects": return .bool(left.contains { element in right.contains { $0.equals(element) } })
    default: return nil
    }
  }
}
