/// How many replicas one resource metric asks for: `GetResourceReplicas` and `GetRawResourceReplicas` of
/// pkg/controller/podautoscaler/replica_calculator.go.
///
/// All pods that the target's selector matches are counted, whoever owns them; the answer is for the target alone.
struct ReplicaCalculation {
  struct Pod: Equatable {
    enum Standing: Equatable {
      case counted
      /// Pending, or not ready while it may still be starting (of cpu alone).
      case unready
      /// Being deleted, or failed.
      case ignored
    }

    var standing: Standing = .counted
    /// What it uses, `nil` where no metric has come; and what it asks for, for a target in percent.
    var usage: Double?
    var request = 1.0
  }

  enum Target: Equatable {
    /// Percent of what the pods ask for.
    case utilization(Int)
    /// An average over pods, in base units.
    case averageValue(Double)
  }

  /// `--horizontal-pod-autoscaler-tolerance`.
  static let tolerance = 0.1

  let target: Target

  /// - Returns: `nil` where no pod that counts has a metric: then nothing is changed.
  func replicas(current: Int, _ pods: [Pod]) -> Int? {
    let counted = pods.filter { $0.standing == .counted && $0.usage != nil }
    let missing = pods.filter { $0.standing == .counted && $0.usage == nil }
    let unready = pods.filter { $0.standing == .unready }
    guard !counted.isEmpty, let ratio = ratio(counted) else { return nil }
    let growsWithUnready = !unready.isEmpty && ratio > 1
    if !growsWithUnready, missing.isEmpty {
      return isWithin(ratio) ? current : Int((ratio * Double(counted.count)).rounded(.up))
    }
    // What is not known counts against the change: as full use on the way down, as none on the way up.
    var all = counted
    if ratio < 1 {
      all += missing.map { with($0, usage: fallback($0)) }
    } else if ratio > 1 {
      all += missing.map { with($0, usage: 0) }
    }
    if growsWithUnready { all += unready.map { with($0, usage: 0) } }
    guard let adjusted = self.ratio(all), !isWithin(adjusted), (ratio < 1) == (adjusted < 1) else { return current }
    let replicas = Int((adjusted * Double(all.count)).rounded(.up))
    let turns = adjusted < 1 ? replicas > current : replicas < current
    return turns ? current : replicas
  }

  /// What the pods use, divided by what they should: in whole thousandths and percents, as the controller calculates.
  func ratio(_ pods: [Pod]) -> Double? {
    let usage = pods.compactMap(\.usage).map(Self.thousandths).reduce(0, +)
    switch target {
    case .utilization(let percent):
      let requests = pods.map { Self.thousandths($0.request) }.reduce(0, +)
      guard requests > 0, percent > 0 else { return nil }
      return Double(usage * 100 / requests) / Double(percent)
    case .averageValue(let value):
      guard Self.thousandths(value) > 0, !pods.isEmpty else { return nil }
      return Double(usage / pods.count) / Double(Self.thousandths(value))
    }
  }

  private static func thousandths(_ amount: Double) -> Int { Int((amount * 1000).rounded()) }

  private func isWithin(_ ratio: Double) -> Bool { abs(1 - ratio) <= Self.tolerance }

  private func fallback(_ pod: Pod) -> Double {
    switch target {
    case .utilization(let percent): pod.request * Double(max(100, percent)) / 100
    case .averageValue(let value): value
    }
  }

  private func with(_ pod: Pod, usage: Double) -> Pod {
    var pod = pod
    pod.usage = usage
    return pod
  }

  /// The most that one step up may reach by the default behaviour: twice as many within 15 s, or four more.
  static func scaleUpLimit(_ current: Int) -> Int { max(2 * current, current + 4) }

  /// How long the highest recommendation holds against a smaller one by the default behaviour.
  static let downscaleStabilization = Duration.seconds(300)
  /// `--horizontal-pod-autoscaler-sync-period`.
  static let syncPeriod = Duration.seconds(15)
}
