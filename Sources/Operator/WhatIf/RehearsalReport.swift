import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// What happened when a plan was tried.
public struct RehearsalReport: Codable, Sendable, Hashable {
  public enum Outcome: String, Codable, Sendable, Hashable {
    case promoted = "Promoted"
    case aborted = "Aborted"
    /// It waits for a person.
    case paused = "Paused"
    /// The time was over before it was.
    case unfinished = "Unfinished"
  }

  /// What the requests of one track came to.
  public struct Requests: Codable, Sendable, Hashable {
    public var all = 0
    public var failed = 0
    /// Slower than the strictest latency limit of the plan, as far as the buckets tell.
    public var slow = 0

    /// The share of requests that failed; 0 without requests.
    public var failureRate: Double { all > 0 ? Double(failed) / Double(all) : 0 }
    public var slowRate: Double { all > 0 ? Double(slow) / Double(all) : 0 }
  }

  /// A look that says another thing than the one before.
  public struct Point: Codable, Sendable, Hashable {
    /// Seconds since the beginning.
    public var at: Double
    public var weight: Int
    /// In the order of ``RehearsalReport/checks``; absent while nothing is judged.
    public var verdicts: [Verdict]
  }

  public struct Step: Codable, Sendable, Hashable {
    /// From 1.
    public var step: Int
    public var name: String?
    public var title: String
    public var began: Double
    public var verified: Double?
    public var ended: Double?
    /// Whether a person let it pass; absent where none was asked.
    public var isApproved: Bool?
  }

  public struct Note: Codable, Sendable, Hashable {
    public var at: Double
    public var text: String
  }

  public struct Finding: Codable, Sendable, Hashable {
    public var name: String
    public var verdict: Verdict
    public var message: String
    public var isDryRun: Bool
  }

  public internal(set) var outcome = Outcome.unfinished
  /// Why it ended so.
  public internal(set) var reason = "the time was over"
  /// In seconds: when it was promoted, aborted or left waiting.
  public internal(set) var ended = 0.0
  /// When the last look was made.
  public internal(set) var watched = 0.0
  /// The names of the plan's checks.
  public let checks: [String]
  public internal(set) var steps: [Step] = []
  public internal(set) var findings: [Finding] = []
  public internal(set) var stable = Requests()
  public internal(set) var canary = Requests()
  public internal(set) var points: [Point] = []
  public internal(set) var notes: [Note] = []
  /// What limits the trust in it.
  public var cautions: [String] = []

  /// The pod of the canary that explains its bad requests, where one does.
  public internal(set) var blamed: String?

  /// The names of guards that spoke.
  public internal(set) var guards: [String] = []

  /// When the canary had all traffic and the plan's bake began, in seconds.
  public internal(set) var baked: Double?

  private let plan: Plan?
  private let latencyLimit: Double?
  private var isOver = false

  private enum CodingKeys: String, CodingKey {
    case outcome, reason, ended, watched, checks, steps, baked, findings, stable, canary, points, notes, cautions,
      guards, blamed
  }

  /// Of the requests that failed on the canary, those that would not have failed on stable, as its rate has it.
  public var harmed: Double { max(0, Double(canary.failed) - Double(canary.all) * stable.failureRate) }
  /// The same of slow requests.
  public var slowed: Double { max(0, Double(canary.slow) - Double(canary.all) * stable.slowRate) }

  init(_ plan: Plan) {
    checks = plan.analysis.slos.map(\.name)
    self.plan = plan
    latencyLimit = plan.analysis.latencyLimits.min()
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    outcome = try container.decode(Outcome.self, forKey: .outcome)
    reason = try container.decode(String.self, forKey: .reason)
    ended = try container.decode(Double.self, forKey: .ended)
    watched = try container.decode(Double.self, forKey: .watched)
    checks = try container.decode([String].self, forKey: .checks)
    steps = try container.decode([Step].self, forKey: .steps)
    findings = try container.decode([Finding].self, forKey: .findings)
    stable = try container.decode(Requests.self, forKey: .stable)
    canary = try container.decode(Requests.self, forKey: .canary)
    points = try container.decode([Point].self, forKey: .points)
    notes = try container.decode([Note].self, forKey: .notes)
    cautions = try container.decode([String].self, forKey: .cautions)
    baked = try container.decodeIfPresent(Double.self, forKey: .baked)
    guards = try container.decodeIfPresent([String].self, forKey: .guards) ?? []
    blamed = try container.decodeIfPresent(String.self, forKey: .blamed)
    plan = nil
    latencyLimit = nil
  }

  // MARK: - Writing it

  /// The engine says some things again each time it looks.
  mutating func note(_ text: String, at time: Double) {
    guard !notes.contains(where: { $0.text == text }) else { return }
    notes.append(Note(at: time, text: text))
  }

  mutating func follow(from before: RunState, to after: RunState, checks: [CheckReport], at time: Double) {
    if let index = after.stage.stepIndex, let own = plan?.step(index, of: after), steps.last?.step != index + 1 {
      close(at: time)
      let step = Step(step: index + 1, name: own.name, title: own.description, began: time)
      steps.append(step)
    }
    if after.verifiedAt != nil, before.verifiedAt == nil, let last = steps.indices.last, steps[last].ended == nil {
      steps[last].verified = time
    }
    // An autopilot that gets pods for all traffic may still go back to its step.
    if case .promoting(let stage) = after.stage, stage != .scaling || before.stage != after.stage { close(at: time) }
    if case .promoting(.baking) = after.stage, baked == nil { baked = time }
    if case .aborting(_, let cause) = after.stage, !isOver {
      close(at: time)
      isOver = true
      outcome = .aborted
      reason = cause.message
      ended = time
      findings = checks.map(Finding.init)
    }
  }

  /// A person lets the present step pass.
  mutating func approve() {
    if let last = steps.indices.last { steps[last].isApproved = true }
  }

  private mutating func close(at time: Double) {
    if let last = steps.indices.last, steps[last].ended == nil { steps[last].ended = time }
  }

  mutating func count(
    _ look: [Track: TrackLook], weight: Int, share: Double, checks: [CheckReport], at time: Double,
    boundaries: [Double]
  ) {
    // The drain after an abort has no canary requests to harm; all of them count until then.
    let boundary = latencyLimit.flatMap { limit in boundaries.firstIndex { $0 >= limit } }
    for (track, counts) in look {
      let slow = boundary.map { counts.requests - counts.buckets[$0] } ?? 0
      if track == .stable {
        stable.add(counts, slow: slow)
      } else {
        canary.add(counts, slow: slow)
      }
    }
    let point = Point(at: time, weight: weight, verdicts: share > 0 ? checks.map(\.verdict) : [])
    if points.last?.weight != point.weight || points.last?.verdicts != point.verdicts { points.append(point) }
    watched = time
  }

  mutating func finish(_ run: RunState, at time: Double, checks: [CheckReport]) {
    guard !isOver else { return }
    isOver = true
    ended = time
    findings = checks.map(Finding.init)
    switch (run.stage, run.pause) {
    case (.finished(.promoted), _):
      outcome = .promoted
      reason = "every step passed"
    case (.finished(.aborted(let cause)), _):
      outcome = .aborted
      reason = cause.message
    case (_, .undecided(let text)), (_, .conflict(let text)), (_, .anomaly(let text)):
      outcome = .paused
      reason = text
    case (_, .plan), (_, .person):
      outcome = .paused
      reason = "it waits for a person"
    default: reason = "the time was over before the run was"
    }
  }
}

extension RehearsalReport.Requests {
  fileprivate mutating func add(_ counts: TrackLook, slow: Int) {
    all += counts.requests
    failed += counts.failed
    self.slow += slow
  }
}

extension RehearsalReport.Finding {
  fileprivate init(_ report: CheckReport) {
    self.init(name: report.name, verdict: report.verdict, message: report.message, isDryRun: report.isDryRun)
  }
}
