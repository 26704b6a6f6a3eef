import Collections

/// A queue of which a copy costs nothing and shares all that is not changed: appending to one of two copies, or taking
/// from it, is O(log n), where an array or a deque would be copied whole.
struct PersistentQueue<Element: Sendable>: Sendable {
  private var elements: TreeDictionary<Int, Element> = [:]
  private var start = 0
  private var end = 0

  var count: Int { end - start }

  /// - Returns: `nil` where there is none.
  var first: Element? { elements[start] }

  mutating func append(_ element: Element) {
    elements[end] = element
    end += 1
  }

  mutating func popFirst() -> Element? {
    guard let element = elements.removeValue(forKey: start) else { return nil }
    start += 1
    return element
  }

  /// The last elements for which a condition holds, in their order; O(log n) for each.
  func suffix(while condition: (Element) -> Bool) -> [Element] {
    var found: [Element] = []
    var position = end - 1
    while let element = elements[position], condition(element) {
      found.append(element)
      position -= 1
    }
    return found.reversed()
  }
}
