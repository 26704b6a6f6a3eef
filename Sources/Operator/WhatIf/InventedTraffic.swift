import CanaryAnalysis
import Foundation
import RolloutAPI
import TrafficRouting

/// What requests a simulation invents.
public struct TrafficModel: Codable, Sendable, Hashable {
  /// How a track answers.
  public struct Behaviour: Codable, Sendable, Hashable {
    /// The share of requests that fail, 0 to 1.
    public var errors: Double
    /// The median time of an answer, in milliseconds.
    public var latency: Double

    public init(errors: Double, latency: Double) {
      self.errors = errors
      self.latency = latency
    }
  }

  /// What a query of the plan gives, with the deviation of its noise: of events their number per request (or per what
  /// they are counted per), of a mean the mean and the deviation of the single values.
  public struct Value: Codable, Sendable, Hashable {
    public var stable: Double
    public var canary: Double
    public var deviation: Double

    public init(stable: Double, canary: Double, deviation: Double = 0) {
      self.stable = stable
      self.canary = canary
      self.deviation = deviation
    }
  }

  /// Requests per second of both tracks together.
  public var rate: Double
  public var stable: Behaviour
  public var canary: Behaviour
  /// The deviation of the logarithm of an answer's time; its law is log-normal.
  public var spread: Double
  /// The same of the canary's answers; that of stable's where absent.
  public var canarySpread: Double?
  /// How far the rate swings up and down in the course of a day, 0 to 1.
  public var swing: Double
  /// The mean size of clumps of errors; 1 for independent ones.
  public var clumps: Double
  /// Seconds from the beginning during which the canary still behaves as stable does.
  public var faultAfter: Double
  /// By the name of the SLO.
  public var values: [String: Value]
  /// What the canary's pods do beside answering.
  public var pods = PodModel()
  /// The share of the service's requests, of both tracks, that do not come while the canary is faulty, 0 to 1.
  public var missing = 0.0

  public init(
    rate: Double, stable: Behaviour, canary: Behaviour, spread: Double = 0.5, canarySpread: Double? = nil,
    swing: Double = 0, clumps: Double = 1, faultAfter: Double = 0, values: [String: Value] = [:]
  ) {
    self.rate = rate
    self.stable = stable
    self.canary = canary
    self.spread = spread
    self.canarySpread = canarySpread
    self.swing = swing
    self.clumps = clumps
    self.faultAfter = faultAfter
    self.values = values
  }
}

/// Requests drawn from a model.
struct InventedTraffic: TrafficSource {
  let model: TrafficModel
  let boundaries: [Double]
  private let seed: UInt64
  private var random: SeededRandom
  private var pods: InventedPods
  private(set) var canaryParts: [TrackLook] = []
  private var canaryPods = 1

  init(_ model: TrafficModel, seed: UInt64) {
    self.model = model
    self.seed = seed
    pods = InventedPods(model.pods, faultAfter: model.faultAfter, seed: seed)
    random = SeededRandom(seed: seed)
    boundaries = [
      0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
      3_600_000,
    ]
  }

  var duration: Double? { nil }

  private func behaviour(_ track: Track, at time: Double) -> TrafficModel.Behaviour {
    track == .stable || time < model.faultAfter ? model.stable : model.canary
  }

  private func spread(_ track: Track, at time: Double) -> Double {
    track == .stable || time < model.faultAfter ? model.spread : model.canarySpread ?? model.spread
  }

  mutating func look(from: Double, to: Double, share: Double) -> [Track: TrackLook] {
    let mean = rate(from, to) * (to - from)
    let share = from >= model.faultAfter ? share * (1 - model.pods.away) : share
    var look: [Track: TrackLook] = [:]
    canaryParts = []
    for (track, part) in [(Track.stable, 1 - share), (.canary, share)] where part > 0 {
      let requests = random.poisson(mean * part)
      guard track == .canary, let bad = model.pods.oneBad, from >= model.faultAfter, canaryPods > 1 else {
        look[track] = draw(requests, behaviour(track, at: from), spread(track, at: from))
        continue
      }
      let behaviours = (0..<canaryPods).map { pod in
        TrafficModel.Behaviour(errors: pod == 0 ? bad : model.canary.errors, latency: model.canary.latency)
      }
      canaryParts = behaviours.map {
        draw(random.poisson(Double(requests) / Double(canaryPods)), $0, spread(.canary, at: from))
      }
      look[track] = canaryParts.dropFirst().reduce(canaryParts[0], +)
    }
    return look
  }

  func past(of windows: [Double]) -> [Double: TrackLook] {
    // Of random numbers of its own, so that what follows is as it would be without a past.
    var earlier = self
    earlier.random = SeededRandom(seed: ~seed)
    var (past, nearer, begin): ([Double: TrackLook], TrackLook?, Double) = ([:], nil, 0)
    for window in windows.sorted() where window > begin {
      guard let look = earlier.look(from: -window, to: -begin, share: 0)[.stable] else { continue }
      nearer = nearer.map { $0 + look } ?? look
      past[window] = nearer
      begin = window
    }
    return past
  }

  /// It measures what the mesh does.
  func histogram(of slo: String, _ track: Track, _ look: TrackLook, at time: Double) -> TrackLook? { look }
  func boundaries(of slo: String) -> [Double] { boundaries }
  func past(of windows: [Double], histogram slo: String) -> [Double: TrackLook] { past(of: windows) }

  private func rate(_ from: Double, _ to: Double) -> Double {
    usualRate((from + to) / 2) * (from >= model.faultAfter ? 1 - model.missing : 1)
  }

  /// Of any day at this time.
  private func usualRate(_ time: Double) -> Double { model.rate * (1 + model.swing * sin(2 * .pi * time / 86_400)) }

  mutating func signals(_ look: TrialLook) -> TrialSignals? {
    canaryPods = look.pods[.canary] ?? 1
    // Usual are as many requests as a pod gets when all of the service's stable ones share them.
    let usual = model.rate / Double(max(1, look.pods[.stable] ?? 1))
    var load: [Track: Double] = [:]
    for (track, counts) in look.served {
      let pods = Double(max(1, look.pods[track] ?? 1))
      load[track] = Double(counts.requests) / pods / max(1e-3, look.to - look.from) / max(1e-9, usual)
    }
    pods.advance(from: look.from, to: look.to, count: look.pods, load: load)
    let mood = pods.mood()
    var answers: [Track: [String: Int]] = [:]
    for (track, counts) in look.served.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let missing = pods.notFound(counts.requests - counts.failed, track, at: look.from, mood: mood)
      answers[track] = [
        "200": counts.requests - counts.failed - missing, "404": missing, "503": counts.failed,
      ]
    }
    let stable = Double(max(1, look.pods[.stable] ?? 1))
    return TrialSignals(
      containers: pods.containers, pods: pods.facts(look.start), answers: answers,
      usual: pods.usual(rate: usualRate(look.to), ofAll: model.rate, before: usualRate(0), pods: stable))
  }

  private mutating func draw(_ requests: Int, _ behaviour: TrafficModel.Behaviour, _ spread: Double) -> TrackLook {
    var failed = 0
    if model.clumps <= 1 {
      failed = random.binomial(requests, behaviour.errors)
    } else {
      for _ in 0..<random.poisson(Double(requests) * behaviour.errors / model.clumps) {
        // Geometric sizes, at least 1.
        failed += 1 + Int((log(random.unit()) / log1p(-1 / model.clumps)).rounded(.down))
      }
      failed = min(failed, requests)
    }
    var buckets: [Int] = []
    var rest = requests
    var before = 0.0
    for boundary in boundaries {
      // Of those that are not in a bucket below, each is in this one with the conditional probability.
      let below = Self.share(atMost: boundary, behaviour.latency, spread)
      let here = before < 1 ? random.binomial(rest, min(1, max(0, (below - before) / (1 - before)))) : 0
      rest -= here
      before = below
      buckets.append(requests - rest)
    }
    return TrackLook(requests: requests, failed: failed, buckets: buckets)
  }

  /// Of a log-normal law.
  private static func share(atMost boundary: Double, _ median: Double, _ spread: Double) -> Double {
    0.5 * erfc(-(log(boundary / median) / spread) / 2.0.squareRoot())
  }

  mutating func value(_ slo: SLO, _ track: Track, at time: Double, share: Double) -> Measured<Double> {
    guard let value = model.values[slo.name], case .query(let query) = slo.objective else { return .missing }
    let mean = track == .stable || time < model.faultAfter ? value.stable : value.canary
    let part = query.expression.growsWithTraffic ? share : 1
    return .value((mean + value.deviation * random.normal()) * part)
  }

  /// Each request is one of those that the events are counted per.
  mutating func events(
    _ slo: SLO, _ counted: SLO.Counted, _ track: Track, requests: Int, at time: Double
  ) -> EventCount? {
    guard let value = model.values[slo.name] else { return nil }
    let mean = max(0, track == .stable || time < model.faultAfter ? value.stable : value.canary)
    let number = Double(requests)
    guard let bounds = counted.bounds else {
      let events = mean <= 1 ? random.binomial(requests, mean) : random.poisson(number * mean)
      return EventCount(requests: number, events: Double(events))
    }
    let sum = number * mean + number.squareRoot() * value.deviation * random.normal()
    return EventCount(
      requests: number, events: min(max(sum, number * bounds.min.double), number * bounds.max.double))
  }
}
