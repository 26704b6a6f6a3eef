import Foundation
import Prometheus
import RolloutAPI
import TrafficRouting

/// The looks that a process before this one made, asked of Prometheus again: measurements live in memory, and the times
/// at which the traffic was verified stand in the run's timeline.
enum PastLooks {
  /// More looks than this are made at larger intervals.
  static let maxLooks = 720
  /// Looks of one query, which bounds its answer.
  static let looksPerQuery = 40

  /// The values of one question over time, by milliseconds since 1970.
  typealias Values = [Int: [MetricSeries]]

  /// The time between two looks: the plan's interval, or longer where there would be too many.
  static func step(_ past: [TrafficSpan], interval: Duration) -> Duration {
    let seconds = past.reduce(0.0) { $0 + $1.until.timeIntervalSince($1.from) }
    return max(interval, .seconds((seconds / Double(maxLooks)).rounded(.up)))
  }

  /// The times of a span's looks, in pieces that one query covers each. The first time is the span's beginning.
  static func times(_ span: TrafficSpan, step: Duration) -> [[Date]] {
    let seconds = step / .seconds(1)
    let count = Int((max(0, span.until.timeIntervalSince(span.from)) / seconds).rounded(.down)) + 1
    let times = (0..<count).map { span.from.addingTimeInterval(Double($0) * seconds) }
    return stride(from: 0, to: count, by: looksPerQuery).map { Array(times[$0..<min($0 + looksPerQuery, count)]) }
  }

  static func milliseconds(_ time: Date) -> Int { Int((time.timeIntervalSince1970 * 1000).rounded()) }

  /// The series of a matrix at each of its times.
  static func values(_ series: [SampleSeries]) -> Values {
    var values: Values = [:]
    for one in series {
      for sample in one.samples {
        values[milliseconds(sample.time), default: []].append(MetricSeries(labels: one.labels, value: sample.value))
      }
      for sample in one.histograms {
        values[milliseconds(sample.time), default: []] += MetricSeries.series(one.labels, .nan, sample.histogram)
      }
    }
    return values
  }

  /// Judges a run's past anew.
  ///
  /// Of a team's own queries those are read that count: a value is judged by looks in a row, which begin anew.
  /// - Parameter ask: the values of a query from one time to another; throws where there are none to be had.
  static func judge(
    _ run: JudgedRun, _ past: [TrafficSpan],
    ask: @Sendable (String, ClosedRange<Date>, Duration) async throws -> Values
  ) async throws -> RunJudge {
    func askMesh(
      _ question: LookAnswers.Question, _ times: ClosedRange<Date>, _ step: Duration
    ) async throws -> Values {
      guard let query = run.metrics.flatMap({ question.text($0, [run.scope]) }) else { return [:] }
      return try await ask(query, times, step)
    }
    var judge = RunJudge(plan: run.plan, scope: run.scope, metrics: run.metrics)
    let step = step(past, interval: run.plan.analysis.interval)
    if let first = past.first, first.began < first.from, run.plan.autopilot != nil {
      // What came between the first write and its verification harmed callers too, though no check counts it.
      var look = LookAnswers()
      for question in LookAnswers.Question.all(run.metrics) {
        let values = try await askMesh(question, first.began...first.began, step)
        look.answers[question] = .series(values[milliseconds(first.began)] ?? [])
      }
      judge.record(look, at: first.began, traffic: .stableOnly, writtenAt: nil, verifiedAt: nil)
    }
    for span in past {
      for times in times(span, step: step) {
        guard let first = times.first, let last = times.last else { continue }
        var answers: [LookAnswers.Question: Values] = [:]
        for question in LookAnswers.Question.all(run.metrics) {
          answers[question] = try await askMesh(question, first...last, step)
        }
        var counters: [QueryQuestion: Values] = [:]
        let texts = judge.counterTexts(run.queries, at: first, traffic: span.traffic, verifiedAt: span.from)
        for (question, text) in texts {
          counters[question] = try await ask(text, first...last, step)
        }
        for time in times {
          var look = LookAnswers()
          for (question, values) in answers { look.answers[question] = .series(values[milliseconds(time)] ?? []) }
          judge.record(look, at: time, traffic: span.traffic, writtenAt: span.from, verifiedAt: span.from)
          if !counters.isEmpty, let round = round(judge, run, span, at: time) {
            judge.record(
              [:], series: counters.mapValues { .series($0[milliseconds(time)] ?? []) }, of: round)
          }
        }
      }
    }
    return judge
  }

  private static func round(_ judge: RunJudge, _ run: JudgedRun, _ span: TrafficSpan, at time: Date) -> QueryRound? {
    judge.round(run.queries, now: time, traffic: span.traffic, writtenAt: span.from, verifiedAt: span.from)
  }
}

extension PrometheusClient {
  /// The series of a query at each of its times.
  func values(
    _ query: String, _ times: ClosedRange<Date>, step: Duration, timeout: Duration
  ) async throws -> PastLooks.Values {
    let result = try await queryRange(
      query, from: times.lowerBound, to: times.upperBound, step: step, timeout: timeout)
    guard case .matrix(let series) = result.value else {
      throw PrometheusError.nonsense("a \(result.value.typeName) for a query over time")
    }
    return PastLooks.values(series)
  }
}
