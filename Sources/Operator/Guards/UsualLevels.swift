import CanaryAnalysis

/// What the service did at this hour on the days before.
struct UsualLevels: Sendable {
  /// CPU seconds of a pod in a second.
  var cpu: PastLevel?
  /// Bytes of a pod.
  var memory: PastLevel?
  /// Requests of the service in a second.
  var requests: PastLevel?
  /// What a pod did before the run, when stable had all requests.
  var before: PodLoad?
}

/// What a pod does, and what it takes for that.
struct PodLoad: Sendable {
  /// Requests in a second.
  var requests: Double
  /// CPU seconds in a second.
  var cpu: Double

  /// What such a pod would take for as many requests as another gets: on the line between this moment and an earlier one,
  /// since a process takes something without requests too. Where there was none that differs enough to draw a line, in
  /// proportion. One that gets fewer requests is allowed no less.
  func cpu(for requests: Double, earlier: PodLoad?) -> Double {
    guard self.requests > 0, requests > self.requests else { return cpu }
    let proportional = cpu * requests / self.requests
    guard let earlier, abs(earlier.requests / self.requests - 1) >= Self.distance else { return proportional }
    let perRequest = (earlier.cpu - cpu) / (earlier.requests - self.requests)
    return min(proportional, max(cpu, cpu + perRequest * (requests - self.requests)))
  }

  /// The difference of two loads, as a share of one, from which a line may be drawn.
  private static let distance = 0.2
}
