import CanaryAnalysis
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import Prometheus
import RolloutAPI
import ServiceLifecycle
import TrafficRouting

/// Asks Prometheus for all that stands beside the objectives: guards, burn rates, the past at this hour, and what differed
/// when a run was aborted. It runs beside the judge and shares nothing with it, so that it can delay no verdict.
struct Guardian: ServiceLifecycle.Service {
  let board: GuardBoard
  let queue: WorkQueue<ObjectKey>
  let prometheus: PrometheusClient
  let time: TimeSource
  let logger: Logger

  private static let tick = Duration.milliseconds(250)
  private static let timeout = Duration.seconds(10)

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        while !Task.isCancelled {
          for batch in Judge.batches(board.takeDue(uptime: time.uptime)) { group.addTask { await look(batch) } }
          let burns = board.takeBurns(uptime: time.uptime)
          let shared = burns.filter { !$0.asks.isEmpty }
          if !shared.isEmpty { group.addTask { await burn(shared) } }
          // A histogram that is slow to read holds up nobody else's.
          for due in burns where !due.own.isEmpty { group.addTask { await burnByOwn(due) } }
          for (rollout, run) in board.takeUsual(uptime: time.uptime) {
            group.addTask { board.record(await usual(run), run: run.name, for: rollout) }
          }
          for due in board.takePasts(uptime: time.uptime) { group.addTask { await lookBack(due) } }
          for (rollout, run, past) in board.takeDifferences() {
            group.addTask { await explain(rollout, run, past) }
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

  // MARK: - Guards

  private func look(_ batch: [DueLook]) async {
    let scopes = batch.map(\.scope)
    let mesh = batch.first?.metrics as? any AnswerBreakdown
    let asked = time.now
    let containers = PastGuards.Question.containers.text(batch.first?.metrics, scopes)
    let answers = PastGuards.Question.answers.text(batch.first?.metrics, scopes)
    async let containerSeries = vector(containers)
    async let answerSeries = vector(answers)
    let (found, counted) = await (containerSeries, answerSeries)
    guard !Task.isCancelled else { return }
    for (rollout, scope) in batch.map({ ($0.rollout, $0.scope) }) {
      let look = GuardLook(
        containers: found.map { ContainerMetrics.values($0, of: scope) },
        answers: counted.flatMap { mesh?.answers($0, of: scope, view: .caller) },
        queries: [containers, answers].compactMap { $0 })
      switch board.record(look, for: rollout, asked: asked, at: time.now) {
      case .nothing: break
      case .finding: queue.add(rollout, reason: "a guard found something")
      case .failure: queue.add(rollout, reason: "a guard found an anomaly", urgent: true)
      }
    }
  }

  // MARK: - What an earlier process saw

  private func lookBack(_ due: GuardBoard.DuePast) async {
    var judge: GuardJudge?
    var problem = ""
    do {
      judge = try await PastGuards.judge(due.run, due.past, by: due.judge) { question, times, step in
        guard let query = question.text(due.run.metrics, [due.run.scope]) else { return [:] }
        return try await prometheus.values(query, times, step: step, timeout: Self.timeout)
      }
    } catch {
      problem = "\(error)"
    }
    guard !Task.isCancelled else { return }
    let again = board.record(past: judge, run: due.run.name, for: due.rollout)
    if judge == nil {
      logger.warning(
        again
          ? "what guards saw before cannot be read now" : "what guards saw before cannot be read; watching anew",
        metadata: ["rollout": "\(due.rollout)", "run": "\(due.run.name)", "problem": "\(problem)"])
    }
    queue.add(due.rollout, reason: "guards have read what they saw before")
  }

  // MARK: - The past at this hour

  func usual(_ run: JudgedRun) async -> UsualLevels {
    async let cpu = days(.cpu, run)
    async let memory = days(.memory, run)
    async let requests = days(.requests, run)
    async let before = before(run)
    return await UsualLevels(
      cpu: PastLevel(cpu), memory: PastLevel(memory), requests: PastLevel(requests), before: before)
  }

  /// What a pod of stable did before the canary got any requests; `nil` where that moment is not known.
  private func before(_ run: JudgedRun) async -> PodLoad? {
    let pods = run.pods.count { $0.track == .stable }
    guard let moment = run.traffic.reachesCanary ? run.past.first?.began : time.now, pods > 0,
      let cpu = await now(.cpu, run, at: moment), let requests = await now(.requests, run, at: moment)
    else { return nil }
    return PodLoad(requests: requests / Double(pods), cpu: cpu)
  }

  private func now(_ question: UsualQuestion, _ run: JudgedRun, at moment: Date) async -> Double? {
    let series = await vector(question.text(run.plan, UsualQuestion.scope(run), run.metrics), at: moment)
    return series.flatMap { question.value($0.map(\.value)) }
  }

  /// The answers at this time of each of the last days, of those that have one.
  private func days(_ question: UsualQuestion, _ run: JudgedRun) async -> [Double] {
    guard let query = question.text(run.plan, UsualQuestion.scope(run), run.metrics) else { return [] }
    let now = time.now
    do {
      let values = try await prometheus.values(
        query, now - Double(UsualQuestion.days) * UsualQuestion.day...now - UsualQuestion.day,
        step: .seconds(UsualQuestion.day), timeout: Self.timeout)
      return values.sorted { $0.key < $1.key }.compactMap { question.value($0.value.map(\.value)) }
    } catch {
      tell(error)
      return []
    }
  }

  // MARK: - Burn rates

  private func burn(_ due: [GuardBoard.DueBurn]) async {
    var answers: [ObjectKey: [BurnJudge.Ask: LookAnswers.Answer]] = [:]
    for ask in Set(due.flatMap(\.asks)).sorted(by: { ($0.window, "\($0)") < ($1.window, "\($1)") }) {
      for batch in Judge.batches(due.filter { $0.asks.contains(ask) }.map(\.look)) {
        guard case .mesh(let view, _) = ask.source, let mesh = batch.first?.metrics,
          let query = BurnJudge.text(ask, mesh, batch.map(\.scope))
        else { continue }
        let found = await vector(query)
        let byNamespace = mesh.byNamespace(found ?? [], view: view)
        for look in batch {
          answers[look.rollout, default: [:]][ask] =
            found == nil ? .failed("Prometheus gave no answer") : .series(byNamespace[look.scope.namespace] ?? [])
        }
      }
    }
    guard !Task.isCancelled else { return }
    for look in due.map(\.look) { tell(look.rollout, answers[look.rollout] ?? [:]) }
  }

  private func burnByOwn(_ due: GuardBoard.DueBurn) async {
    var answers: [BurnJudge.Ask: LookAnswers.Answer] = [:]
    for (ask, texts) in due.own.sorted(by: { ($0.key.window, "\($0.key)") < ($1.key.window, "\($1.key)") }) {
      var series: [MetricSeries]? = []
      for text in texts {
        let found = await vector(text)
        series = series.flatMap { series in found.map { series + $0 } }
      }
      answers[ask] = series.map { .series($0) } ?? .failed("Prometheus gave no answer")
    }
    guard !Task.isCancelled else { return }
    tell(due.look.rollout, answers)
  }

  private func tell(_ rollout: ObjectKey, _ answers: [BurnJudge.Ask: LookAnswers.Answer]) {
    if board.record(answers, for: rollout) { queue.add(rollout, reason: "a burn rate changed") }
  }

  // MARK: - What differed

  private func explain(_ rollout: ObjectKey, _ run: JudgedRun, _ past: ClosedRange<Date>) async {
    let window = Duration.seconds(max(10, past.upperBound.timeIntervalSince(past.lowerBound)))
    var found: [Difference] = []
    // With all labels there may be too many series; pods and codes alone are always few.
    for labels in [Set(AnswerLabel.allCases), [.code]] {
      guard let mesh = run.metrics as? any AnswerBreakdown else { break }
      // Where no proxy stands beside the callee, what the callers counted is all there is.
      let view = run.metrics?.views.last ?? .callee
      let query = mesh.answersQuery([run.scope], view: view, by: labels, reading: .increase(window))
      guard let series = await vector(query, at: past.upperBound) else { continue }
      let answers = mesh.answers(series, of: run.scope, view: view).filter(\.key.isRequest)
      found = DifferenceRanking.rank(DifferenceReading.breakdowns(answers, pods: run.pods))
      if !answers.isEmpty { break }
    }
    guard !Task.isCancelled else { return }
    board.record(found, run: run.name, for: rollout)
    queue.add(rollout, reason: "what differed is known")
  }

  // MARK: - Asking

  private func vector(_ query: String?, at moment: Date? = nil) async -> [MetricSeries]? {
    guard let query else { return nil }
    do {
      let result = try await prometheus.query(query, at: moment, timeout: Self.timeout)
      guard case .vector(let samples) = result.value else { return nil }
      return samples.flatMap(\.series)
    } catch {
      tell(error)
      return nil
    }
  }

  private func tell(_ error: any Error) {
    if !(error is CancellationError) {
      logger.debug("Prometheus gave guards no answer", metadata: ["problem": "\(error)"])
    }
  }
}
