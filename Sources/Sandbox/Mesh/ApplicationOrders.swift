import KubernetesAPI

/// What an application counts of its own, besides what the proxies count of it.
struct ApplicationOrders: Sendable {
  private struct Numbers {
    var orders = 0
    var value = 0.0
  }

  private var numbers: [ObjectKey: Numbers] = [:]

  mutating func answered(_ pod: ObjectKey, hasOrder: Bool, value: Double) {
    guard hasOrder else { return }
    numbers[pod, default: Numbers()].orders += 1
    numbers[pod, default: Numbers()].value += value
  }

  mutating func keep(_ isAlive: (ObjectKey) -> Bool) { numbers = numbers.filter { isAlive($0.key) } }

  func exposition() -> String {
    guard !numbers.isEmpty else { return "" }
    let sorted = numbers.sorted { $0.key < $1.key }
    func lines(_ name: String, _ value: (Numbers) -> String) -> String {
      sorted.map { "\(name){namespace=\"\($0.key.namespace)\",pod=\"\($0.key.name)\"} \(value($0.value))\n" }.joined()
    }
    return "# TYPE shop_orders_total counter\n" + lines("shop_orders_total") { "\($0.orders)" }
      + "# TYPE shop_order_value summary\n" + lines("shop_order_value_sum") { "\($0.value)" }
      + lines("shop_order_value_count") { "\($0.orders)" }
  }
}
