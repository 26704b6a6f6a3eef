import Foundation
import KubernetesAPI

/// What the simulated application in a pod does with requests.
///
/// The tag of the first container's image says it, in parts divided by `-`, so that `kubectl set image` is enough to
/// try a bad release: `shop/checkout:v2-errors5` fails 5 % of the requests, `…:v2-errors0.5` half a percent,
/// `…:v2-slow400` takes 400 ms (the median), `…:v2-tail900` takes 900 ms at the 99th percentile. (Tags of
/// ``ApplicationBehaviours`` concern the node.) `…:v2-onebad50` has half of the requests fail in one of its pods only,
/// in `…:v2-oneslow40` that pod takes 40 ms, `…:v2-notfound10` answers 10 % with 404. For guards: `…:v2-leak5` grows by 5 MiB a minute, `…:v2-cpu3` takes three
/// times the CPU, `…:v2-throttle40` is stopped by its CPU limit 40 % of the time, `…:v2-gc20` collects garbage for 20 % of
/// it. `…:v2-orders20` counts an order for 20 % of its good answers, as `shop_orders_total`, and its value of 1 to 100 in
/// `shop_order_value_sum` and `_count`. Annotations of the pod template win over the tag:
/// `sandbox.sluice.dev/error-rate: "5%"`, `sandbox.sluice.dev/latency: 80ms`, `sandbox.sluice.dev/latency-p99: 300ms`,
/// `sandbox.sluice.dev/errors-after: 30s` for a fault that begins when the pod is that old, and for one that only some
/// requests meet `sandbox.sluice.dev/errors-from: 7.0=60%`, by the version of their caller, and
/// `sandbox.sluice.dev/errors-in: local-b=60%`, by the zone of the pod (``SimulatedNodes``).
struct MeshApplication: Sendable, Hashable {
  /// The share of requests answered with 503, 0 to 1.
  var errorRate = 0.0
  /// The median, in milliseconds.
  var latency = 20.0
  /// The 99th percentile, in milliseconds.
  var latencyP99 = 80.0
  /// The age of the pod, in seconds, before which it makes no errors.
  var errorsAfter = 0.0
  /// The share of requests that one pod of the revision, and no other, answers with 503.
  var oneBadPod = 0.0
  /// The median time that this pod takes, in milliseconds; 0 for that of the others.
  var oneSlowPod = 0.0
  /// Whether one pod of the revision is unlike the others.
  var hasBadPod: Bool { oneBadPod > 0 || oneSlowPod > 0 }
  /// By the caller's version, the share of its requests answered with 503.
  var errorsFrom: [String: Double] = [:]
  /// The share of requests answered with 404.
  var notFound = 0.0
  /// How many times the usual CPU a request takes.
  var cpu = 1.0
  /// Bytes a second by which the memory grows.
  var leak = 0.0
  /// The share of scheduling periods in which the CPU limit stops it, and of time in garbage collection.
  var throttled = 0.0
  var collection = 0.002
  /// The share of good answers that make an order; `nil` of an application that counts none.
  var orders: Double?

  init() {}

  init(pod: JSON) {
    let image = pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
    for part in Self.tagParts(of: image) {
      if let percent = Self.number(part, after: "errors") { errorRate = min(1, percent / 100) }
      if let milliseconds = Self.number(part, after: "slow"), milliseconds > 0 {
        latency = milliseconds
        latencyP99 = milliseconds * 2
      }
      if let percent = Self.number(part, after: "onebad") { oneBadPod = min(1, percent / 100) }
      if let milliseconds = Self.number(part, after: "oneslow") { oneSlowPod = milliseconds }
      if let percent = Self.number(part, after: "notfound") { notFound = min(1, percent / 100) }
      if let percent = Self.number(part, after: "orders") { orders = min(1, percent / 100) }
      if let factor = Self.number(part, after: "cpu") { cpu = factor }
      if let mebibytes = Self.number(part, after: "leak") { leak = mebibytes * 1024 * 1024 / 60 }
      if let percent = Self.number(part, after: "throttle") { throttled = min(1, percent / 100) }
      if let percent = Self.number(part, after: "gc") { collection = min(1, percent / 100) }
      if let milliseconds = Self.number(part, after: "tail"), milliseconds > 0 { latencyP99 = milliseconds }
    }
    let annotations = pod.annotations
    func annotation(_ name: String) -> String? { annotations["sandbox.sluice.dev/\(name)"] }
    if let share = annotation("error-rate").flatMap(Self.share) { errorRate = share }
    if let median = annotation("latency").flatMap(Self.milliseconds) {
      latency = median
      latencyP99 = median * 2
    }
    if let tail = annotation("latency-p99").flatMap(Self.milliseconds) { latencyP99 = tail }
    if let age = annotation("errors-after").flatMap(Self.milliseconds) { errorsAfter = age / 1000 }
    for fault in Self.shares(annotation("errors-from") ?? "") { errorsFrom[fault.name] = fault.share }
    let zone = pod.labels[SimulatedNodes.zoneLabel]
    for fault in Self.shares(annotation("errors-in") ?? "") where fault.name == zone {
      errorRate = max(errorRate, fault.share)
    }
    latencyP99 = max(latency, latencyP99)
  }

  /// One request's fate: the status and the time it took in milliseconds, from a log-normal distribution with this
  /// median and 99th percentile (2.326 deviations above).
  /// - Parameters:
  ///   - isBadPod: it is the one of its revision that ``oneBadPod`` and ``oneSlowPod`` speak of.
  ///   - caller: the version of who asks.
  func answer(
    podAge: Double, isBadPod: Bool = false, caller: String = "", random: inout MeshRandom
  ) -> (status: Int, milliseconds: Double) {
    let median = isBadPod && oneSlowPod > 0 ? oneSlowPod : latency
    let deviation = log(max(latencyP99, median) / median) / 2.326
    let milliseconds = median * exp(deviation * random.normal())
    // A pod may seem younger than now where clocks differ.
    let hasFault = errorsAfter == 0 || podAge >= errorsAfter
    let rate = max(errorRate, isBadPod ? oneBadPod : 0, errorsFrom[caller] ?? 0)
    if hasFault, random.happens(rate) { return (503, milliseconds) }
    return (random.happens(notFound) ? 404 : 200, milliseconds)
  }

  /// The parts of an image's tag; a registry's port and a digest are no tag.
  static func tagParts(of image: String) -> [Substring] {
    let name = image.prefix { $0 != "@" }
    let last = name.split(separator: "/").last ?? ""
    guard let colon = last.firstIndex(of: ":") else { return [] }
    return last[last.index(after: colon)...].split(separator: "-")
  }

  private static func number(_ part: Substring, after prefix: String) -> Double? {
    guard part.hasPrefix(prefix), let value = Double(part.dropFirst(prefix.count)), value.isFinite, value >= 0 else {
      return nil
    }
    return value
  }

  /// `5%` or `0.05`.
  static func share(_ text: String) -> Double? {
    let isPercent = text.hasSuffix("%")
    guard let value = Double(isPercent ? String(text.dropLast()) : text), value.isFinite else { return nil }
    return min(1, max(0, isPercent ? value / 100 : value))
  }

  /// `a=5%,b=0.1`; parts that are not well formed are passed over.
  static func shares(_ text: String) -> [(name: String, share: Double)] {
    text.split(separator: ",").compactMap { part in
      let halves = part.split(separator: "=").map { $0.trimmingCharacters(in: .whitespaces) }
      guard halves.count == 2, let share = share(halves[1]) else { return nil }
      return (halves[0], share)
    }
  }

  /// `80ms`, `1.5s` or `2m`, in milliseconds.
  static func milliseconds(_ text: String) -> Double? {
    for (unit, factor) in [("ms", 1.0), ("s", 1000), ("m", 60_000)] where text.hasSuffix(unit) {
      guard let value = Double(text.dropLast(unit.count)), value.isFinite, value > 0 else { return nil }
      return value * factor
    }
    return nil
  }
}
