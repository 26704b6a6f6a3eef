import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import Prometheus
import ServiceLifecycle
import TrafficRouting

/// Measures the runs under way and makes their Rollouts due. One query serves all runs that are due together; a
/// Prometheus that is slow or down delays verdicts, and nothing else.
struct Judge: ServiceLifecycle.Service {
  let board: JudgeBoard
  let queue: WorkQueue<ObjectKey>
  let prometheus: PrometheusClient
  let metrics: IstioMetrics
  let time: TimeSource
  let logger: Logger

  /// How often is looked whether a run is due.
  private static let tick = Duration.milliseconds(200)

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        while !Task.isCancelled {
          let due = board.takeDue(uptime: time.uptime)
          for start in stride(from: 0, to: due.count, by: IstioMetrics.scopesPerQuery) {
            let batch = Array(due[start..<min(start + IstioMetrics.scopesPerQuery, due.count)])
            group.addTask { await look(batch) }
          }
          do {
            try await time.sleep(for: Self.tick)
          } catch {
            return
          }
        }
      }
    }
  }

  private func look(_ batch: [(rollout: ObjectKey, scope: MetricsScope)]) async {
    let scopes = batch.map(\.scope)
    let answers = await withTaskGroup(of: (LookAnswers.Question, LookAnswers.Answer).self) { group in
      for question in LookAnswers.Question.all {
        group.addTask { (question, await ask(question, scopes)) }
      }
      var look = LookAnswers()
      for await (question, answer) in group { look.answers[question] = answer }
      return look
    }
    guard !Task.isCancelled else { return }
    for (rollout, _) in batch {
      let fails = board.record(answers, for: rollout, at: time.now)
      queue.add(rollout, reason: fails ? "a check failed" : "measured", urgent: fails)
    }
  }

  private func ask(_ question: LookAnswers.Question, _ scopes: [MetricsScope]) async -> LookAnswers.Answer {
    let query =
      switch question.kind {
      case .requests: metrics.requestQuery(scopes, view: question.view, reading: .counters)
      case .latency: metrics.latencyQuery(scopes, view: question.view, reading: .counters)
      }
    guard let query else { return .series([]) }
    do {
      let result = try await prometheus.query(query, timeout: .seconds(10))
      guard case .vector(let samples) = result.value else {
        return .failed("expected a vector, found a \(result.value.typeName)")
      }
      return .series(samples.map { MetricSeries(labels: $0.labels, value: $0.value) })
    } catch {
      if !(error is CancellationError) {
        logger.warning("Prometheus gave no answer", metadata: ["problem": "\(error)"])
      }
      return .failed("\(error)")
    }
  }
}
