/// The addresses of the pods: 10.244.0.0/16 without its first and last.
struct PodAddresses {
  private static let size = 1 << 16
  private var used: Set<Int> = []
  private var last = 1

  /// - Returns: `nil` when all are in use.
  mutating func take() -> String? {
    guard used.count < Self.size - 3 else { return nil }
    repeat { last = last + 1 < Self.size - 1 ? last + 1 : 2 } while used.contains(last)
    used.insert(last)
    return "10.244.\(last >> 8).\(last & 255)"
  }

  mutating func give(back address: String) {
    let parts = address.split(separator: ".").compactMap { Int($0) }
    if parts.count == 4 { used.remove(parts[2] << 8 | parts[3]) }
  }
}
