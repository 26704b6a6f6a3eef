/// Under which names a recording keeps what containers use.
enum Signal: String, CaseIterable {
  case cpu
  case memory
  case periods
  case throttled
  case restarts
  case killed
  case collection

  /// Of collectors the first of the runtimes' names stands for all.
  private var metric: String {
    switch self {
    case .cpu: ContainerMetrics.cpu
    case .memory: ContainerMetrics.memory
    case .periods: ContainerMetrics.periods
    case .throttled: ContainerMetrics.throttled
    case .restarts: ContainerMetrics.restarts
    case .killed: ContainerMetrics.terminated
    case .collection: ContainerMetrics.collection[0]
    }
  }

  /// What ``ContainerMetrics/values(_:of:)`` found of one pod, in these words.
  static func values(_ metrics: [String: Double]) -> [String: Double] {
    var values: [String: Double] = [:]
    for signal in allCases { values[signal.rawValue] = metrics[signal.metric] }
    if values[collection.rawValue] == nil {
      values[collection.rawValue] = ContainerMetrics.collection.lazy.compactMap { metrics[$0] }.first
    }
    return values
  }

  static func metrics(_ values: [String: Double]) -> [String: Double] {
    var metrics: [String: Double] = [:]
    for signal in allCases { metrics[signal.metric] = values[signal.rawValue] }
    return metrics
  }
}
