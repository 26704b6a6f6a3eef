import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What guards saw before this process, asked of Prometheus again, as ``PastLooks`` does for the objectives: the same
/// looks, no more of them, in pieces of the same size.
enum PastGuards {
  enum Question: Sendable, Hashable, CaseIterable {
    case containers
    case answers

    /// - Returns: `nil` where there can be no such series.
    func text(_ metrics: (any MeshMetrics)?, _ scopes: [MetricsScope]) -> String? {
      switch self {
      case .containers: ContainerMetrics.query(scopes)
      case .answers:
        (metrics as? any AnswerBreakdown)?.answersQuery(
          scopes, view: .caller, by: [.code, .flags, .endpoint], reading: .counters)
      }
    }
  }

  /// Lets a judge that has seen nothing see a run's past.
  /// - Parameter ask: the values of a question from one time to another; throws where there are none to be had.
  static func judge(
    _ run: JudgedRun, _ past: [TrafficSpan], by judge: GuardJudge,
    ask: @Sendable (Question, ClosedRange<Date>, Duration) async throws -> PastLooks.Values
  ) async throws -> GuardJudge {
    guard let begin = past.first?.began, let end = past.last?.until else { return judge }
    var judge = judge
    let step = PastLooks.step(past, interval: run.plan.analysis.interval)
    let newest = ContainerMetrics.values(
      try await ask(.containers, end...end, step)[PastLooks.milliseconds(end)] ?? [], of: run.scope)
    let counted = Set(newest.filter { $0.value[ContainerMetrics.restarts] != nil }.keys)
    let breakdown = run.metrics as? any AnswerBreakdown

    func look(
      _ containers: [MetricSeries], _ answers: [MetricSeries], _ traffic: TrafficTarget, _ time: Date, isCounted: Bool
    ) {
      let look = GuardLook(
        containers: ContainerMetrics.values(containers, of: run.scope),
        answers: breakdown?.answers(answers, of: run.scope, view: .caller))
      judge.record(
        look, pods: pods(run, at: time, end, look.containers ?? [:], counted: counted), traffic: traffic, at: time,
        isCounted: isCounted)
    }

    // The stable pods' past is counted from before the first traffic.
    look(
      try await ask(.containers, begin...begin, step)[PastLooks.milliseconds(begin)] ?? [],
      try await ask(.answers, begin...begin, step)[PastLooks.milliseconds(begin)] ?? [], .stableOnly, begin,
      isCounted: false)
    for span in past {
      for times in PastLooks.times(span, step: step) {
        guard let first = times.first, let last = times.last else { continue }
        let containers = try await ask(.containers, first...last, step)
        let answers = try await ask(.answers, first...last, step)
        for time in times {
          let key = PastLooks.milliseconds(time)
          look(containers[key] ?? [], answers[key] ?? [], span.traffic, time, isCounted: time > span.from)
        }
      }
    }
    return judge
  }

  /// The run's pods as they were: those of now with the restarts that they had then, and those that are gone.
  /// - Parameter counted: the pods whose restarts kube-state-metrics counts.
  private static func pods(
    _ run: JudgedRun, at time: Date, _ end: Date, _ containers: [String: [String: Double]], counted: Set<String>
  ) -> [PodFacts] {
    var pods: [PodFacts] = []
    for var pod in run.pods where pod.startedAt ?? .distantPast <= time {
      if counted.contains(pod.name) {
        pod.restarts = Int(nearest: containers[pod.name]?[ContainerMetrics.restarts] ?? 0)
        pod.wasKilledForMemory = containers[pod.name]?[ContainerMetrics.terminated] ?? 0 > 0
      } else {
        pod.restarts = pod.restarts(by: time, until: end)
      }
      pods.append(pod)
    }
    let known = Set(run.pods.map(\.name))
    for (name, values) in containers.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
      guard let restarts = values[ContainerMetrics.restarts], let track = run.scope.track(pod: name) else { continue }
      var pod = PodFacts(name: name, track: track)
      pod.restarts = Int(nearest: restarts)
      pod.wasKilledForMemory = values[ContainerMetrics.terminated] ?? 0 > 0
      pods.append(pod)
    }
    return pods
  }
}

extension PodFacts {
  /// How many of the restarts that are known at `end` had happened by an earlier time, as far as anybody can say who did
  /// not look: they are spread over the pod's life. No two of one pod happen at once.
  fileprivate func restarts(by time: Date, until end: Date) -> Int {
    guard let startedAt, end > startedAt, time < end else { return restarts }
    let part = max(0, time.timeIntervalSince(startedAt)) / end.timeIntervalSince(startedAt)
    return Int((part * Double(restarts) + 0.5).rounded(.down))
  }
}
