import CanaryAnalysis
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
  let aborts: AbortRecord
  let time: TimeSource
  let logger: Logger

  /// How often is looked whether a run is due.
  private static let tick = Duration.milliseconds(200)
  private static let timeout = Duration.seconds(10)
  /// Queries of one run's own that are under way at a time.
  private static let queriesAtOnce = 4

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        while !Task.isCancelled {
          for batch in Self.batches(board.takeDue(uptime: time.uptime)) { group.addTask { await look(batch) } }
          for (rollout, run, past) in board.takePasts(uptime: time.uptime) {
            group.addTask { await lookBack(rollout, run, past) }
          }
          for (rollout, run, round) in board.takeDueQueries(uptime: time.uptime, now: time.now) {
            group.addTask { await self.ask(round, rollout, run) }
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

  // MARK: - The mesh's metrics

  /// Runs that one query can serve: of the same mesh, and not too many.
  static func batches(_ due: [DueLook]) -> [[DueLook]] {
    var byMesh: [(mesh: AnyHashable?, looks: [DueLook])] = []
    for look in due {
      let mesh = look.metrics.map { AnyHashable($0) }
      if let index = byMesh.firstIndex(where: { $0.mesh == mesh }) {
        byMesh[index].looks.append(look)
      } else {
        byMesh.append((mesh, [look]))
      }
    }
    return byMesh.flatMap { _, looks in
      stride(from: 0, to: looks.count, by: MetricsScope.perQuery).map {
        Array(looks[$0..<min($0 + MetricsScope.perQuery, looks.count)])
      }
    }
  }

  private func look(_ batch: [DueLook]) async {
    let scopes = batch.map(\.scope)
    let metrics = batch.first?.metrics
    let (answers, answered) = await withTaskGroup(of: (LookAnswers.Question, Answer, Duration).self) { group in
      for question in DueLook.questions(batch) {
        group.addTask {
          let (answer, came) = await ask(question, metrics, scopes)
          return (question, answer, came)
        }
      }
      var answers: [LookAnswers.Question: Answer] = [:]
      var last = Duration.zero
      for await (question, answer, came) in group {
        answers[question] = answer
        last = max(last, came)
      }
      return (answers, last)
    }
    guard !Task.isCancelled else { return }
    for look in batch {
      let own = LookAnswers(answers: answers.mapValues { $0.own(of: look.scope) })
      let found = board.record(own, for: look.rollout, at: time.now)
      if found == .failure { aborts.proved(look.rollout, answered: answered) }
      tell(look.rollout, found)
    }
  }

  /// A look that found what was known before changes no decision; what only time changes, the last turn has seen to.
  private func tell(_ rollout: ObjectKey, _ found: JudgeBoard.Found) {
    switch found {
    case .nothingNew: break
    case .news: queue.add(rollout, reason: "measured")
    case .failure: queue.add(rollout, reason: "a check failed", urgent: true)
    }
  }

  /// The answer to a question for many runs.
  private enum Answer: Sendable {
    case byNamespace([String: [MetricSeries]])
    case failed(String)

    func own(of scope: MetricsScope) -> LookAnswers.Answer {
      switch self {
      case .byNamespace(let series): .series(series[scope.namespace] ?? [])
      case .failed(let text): .failed(text)
      }
    }
  }

  /// - Returns: the answer, and the uptime at which it came.
  private func ask(
    _ question: LookAnswers.Question, _ metrics: (any MeshMetrics)?, _ scopes: [MetricsScope]
  ) async -> (Answer, Duration) {
    var came = time.uptime
    let answer = await ask(question, metrics, scopes) { came = time.uptime }
    return (answer, came)
  }

  private func ask(
    _ question: LookAnswers.Question, _ metrics: (any MeshMetrics)?, _ scopes: [MetricsScope], whenAnswered: () -> Void
  ) async -> Answer {
    guard let metrics, let query = question.text(metrics, scopes) else { return .byNamespace([:]) }
    do {
      let result = try await prometheus.query(query, timeout: Self.timeout, whenAnswered: whenAnswered)
      guard case .vector(let samples) = result.value else {
        return .failed("expected a vector, found a \(result.value.typeName)")
      }
      let series = samples.flatMap(\.series)
      return .byNamespace(metrics.byNamespace(series, view: question.view))
    } catch {
      if !(error is CancellationError) {
        logger.warning("Prometheus gave no answer", metadata: ["problem": "\(error)"])
      }
      return .failed("\(error)")
    }
  }

  // MARK: - What an earlier process measured

  private func lookBack(_ rollout: ObjectKey, _ run: JudgedRun, _ past: [TrafficSpan]) async {
    var judge: RunJudge?
    var problem = ""
    do {
      judge = try await PastLooks.judge(run, past) { query, times, step in
        try await prometheus.values(query, times, step: step, timeout: Self.timeout)
      }
    } catch {
      problem = "\(error)"
    }
    guard !Task.isCancelled else { return }
    let again = board.record(past: judge, run: run.name, for: rollout)
    if judge == nil {
      logger.warning(
        again
          ? "what was measured before cannot be read now" : "what was measured before cannot be read; counting anew",
        metadata: ["rollout": "\(rollout)", "run": "\(run.name)", "problem": "\(problem)"])
    } else {
      tell(rollout, board.latest(rollout, run: run.name)?.hasFailure == true ? .failure : .news)
    }
  }

  // MARK: - Queries of the teams' own

  private func ask(_ round: QueryRound, _ rollout: ObjectKey, _ run: String) async {
    var open = round.texts.sorted { $0.value < $1.value }[...]
    let answers = await withTaskGroup(of: (QueryQuestion, Found).self) { group in
      func start() {
        guard let (question, text) = open.popFirst() else { return }
        group.addTask { (question, await found(question, text)) }
      }
      for _ in 0..<Self.queriesAtOnce { start() }
      var answers: [QueryQuestion: Found] = [:]
      for await (question, answer) in group {
        answers[question] = answer
        start()
      }
      return answers
    }
    var values: [QueryQuestion: Measured<Double>] = [:]
    var counters: [QueryQuestion: LookAnswers.Answer] = [:]
    for (question, answer) in answers {
      switch answer {
      case .value(let value): values[question] = value
      case .series(let series): counters[question] = series
      }
    }
    guard !Task.isCancelled else { return }
    tell(rollout, board.record(values, series: counters, of: round, run: run, for: rollout))
  }

  /// The answer to one question of a round.
  private enum Found: Sendable {
    case value(Measured<Double>)
    case series(LookAnswers.Answer)
  }

  private func found(_ question: QueryQuestion, _ text: String) async -> Found {
    if question.part == .value { return .value(await value(text)) }
    return .series(await series(text, ofHistograms: question.part == .buckets))
  }

  /// All series of a counter, or of a histogram's buckets.
  private func series(_ text: String, ofHistograms: Bool) async -> LookAnswers.Answer {
    do {
      let answer = try await prometheus.query(text, timeout: Self.timeout).value
      guard case .vector(let samples) = answer else { return .failed("the query gave a \(answer.typeName)") }
      return .series(
        ofHistograms ? samples.flatMap(\.series) : samples.map { MetricSeries(labels: $0.labels, value: $0.value) })
    } catch {
      return .failed("\(error)")
    }
  }

  private func value(_ text: String) async -> Measured<Double> {
    do {
      return Self.value(try await prometheus.query(text, timeout: Self.timeout).value)
    } catch {
      return .sourceFailed("\(error)")
    }
  }

  /// One number of an answer; nothing else counts as one.
  static func value(_ answer: QueryValue) -> Measured<Double> {
    func number(_ value: Double) -> Measured<Double> { value.isFinite ? .value(value) : .notANumber }
    switch answer {
    case .scalar(let sample): return number(sample.value)
    case .vector(let samples):
      guard let first = samples.first else { return .missing }
      if first.histogram != nil {
        return .sourceFailed(
          "the query gave a native histogram, not a number: take histogram_quantile(…) or histogram_fraction(…) of it")
      }
      return samples.count == 1 ? number(first.value) : .severalSeries(samples.count)
    case .matrix, .string: return .sourceFailed("the query gave a \(answer.typeName) instead of a number")
    }
  }
}
