import CanaryAnalysis
import Foundation
import TrafficRouting

/// What an invented canary's pods do that no request tells. The rest of them, and all of stable's, is usual.
public struct PodModel: Codable, Sendable, Hashable {
  /// Ends of a container of the canary, for each pod in an hour.
  public var restarts: Double
  /// Bytes a second by which the memory of a canary pod grows.
  public var growth: Double
  /// How many times stable's CPU a request of the canary takes.
  public var cpu: Double
  /// The share of time that the canary spends in garbage collection, 0 to 1; `nil` for stable's.
  public var collection: Double?
  /// The share of its requests that the canary answers with 404, 0 to 1; `nil` for stable's.
  public var notFound: Double?
  /// The share of its requests that one pod of the canary fails, and no other, 0 to 1; `nil` where all are alike.
  public var oneBad: Double?
  /// The share of the canary's requests that stay away and go to stable instead, 0 to 1.
  public var away: Double

  public init(
    restarts: Double = 0, growth: Double = 0, cpu: Double = 1, collection: Double? = nil, notFound: Double? = nil,
    oneBad: Double? = nil, away: Double = 0
  ) {
    self.restarts = restarts
    self.growth = growth
    self.cpu = cpu
    self.collection = collection
    self.notFound = notFound
    self.oneBad = oneBad
    self.away = away
  }
}

/// Pods as clusters have them: each differs a little from the next for good, wavers with a memory of its own, warms up when
/// it is new, collects garbage, is now and then throttled, and may have a neighbour that takes its CPU for a while. What
/// the kubelet's cAdvisor exports is up to fifteen seconds old.
struct InventedPods: Sendable {
  private struct Pod: Sendable {
    var name: String
    var track: Track
    var began: Double
    /// Lasting factors of CPU and memory.
    var cpuFactor: Double
    var memoryFactor: Double
    /// What wavers, as the logarithm of a factor.
    var waver = 0.0
    /// Of the garbage collector's saw, in seconds.
    var period: Double
    var phase: Double
    var neighbour: ClosedRange<Double>?
    var restarts = 0
    var killed = false
    /// When the container last began.
    var containerBegan: Double
    var counters: [String: Double] = [:]
    var exported: [String: Double] = [:]
    var exportDue: Double
  }

  private let model: PodModel
  private let faultAfter: Double
  private var random: SeededRandom
  private var pods: [Pod] = []
  private var number = 0
  /// The requests of the days before, as factors of what is usual, and what else differed between them.
  private let days: [Day]

  private struct Day: Sendable {
    var requests: Double
    var cpu: Double
    var memory: Double
  }

  /// Of a pod with the requests that it usually has.
  private static let cpu = 0.2
  private static let memory = 256.0 * 1024 * 1024
  static let memoryLimit = 512.0 * 1024 * 1024
  private static let collection = 0.01
  private static let throttled = 0.01
  static let notFound = 0.01
  /// One a month.
  private static let restarts = 1.0 / 720

  init(_ model: PodModel, faultAfter: Double, seed: UInt64) {
    self.model = model
    self.faultAfter = faultAfter
    random = SeededRandom(seed: seed ^ 0x5EED_0F_90D5)
    var past = SeededRandom(seed: seed ^ 0x5EED_0F_DA75)
    days = (0..<7).map { _ in
      Day(requests: exp(0.08 * past.normal()), cpu: exp(0.02 * past.normal()), memory: exp(0.01 * past.normal()))
    }
  }

  /// Lets time pass, with as many pods of each track as there are now.
  /// - Parameters:
  ///   - load: the requests of one pod of a track, divided by those that are usual.
  mutating func advance(from: Double, to: Double, count: [Track: Int], load: [Track: Double]) {
    for track in Track.allCases { resize(track, to: count[track] ?? 0, at: from) }
    for index in pods.indices {
      var pod = pods[index]
      advance(&pod, from, to, load: load[pod.track] ?? 0)
      pods[index] = pod
    }
  }

  private mutating func resize(_ track: Track, to count: Int, at time: Double) {
    let own = pods.indices.filter { pods[$0].track == track }
    for index in own.dropFirst(count).reversed() { pods.remove(at: index) }
    for _ in own.count..<max(own.count, count) {
      number += 1
      let set = track == .stable ? ImaginedCluster.stable.set : "imagined-\(ImaginedCluster.revision)"
      // Stable pods have run for days.
      let began = track == .stable && time <= 0 ? time - 86_400 * (1 + 6 * random.unit()) : time
      let period = 30 + 90 * random.unit()
      let hasNeighbour = random.unit() < 0.03
      let start = time + 3600 * random.unit()
      pods.append(
        Pod(
          name: ImaginedCounters.pod(number, of: set), track: track, began: began,
          cpuFactor: exp(0.05 * random.normal()), memoryFactor: exp(0.03 * random.normal()), period: period,
          phase: period * random.unit(), neighbour: hasNeighbour ? start...(start + 900) : nil, containerBegan: began,
          exportDue: time + 15 * random.unit()))
    }
  }

  private mutating func advance(_ pod: inout Pod, _ from: Double, _ to: Double, load: Double) {
    let seconds = to - from
    let isFaulty = pod.track == .canary && from >= faultAfter
    let rate = Self.restarts + (isFaulty ? model.restarts : 0)
    let ends = random.poisson(rate * seconds / 3600)
    if ends > 0 {
      pod.restarts += ends
      pod.containerBegan = to
    }
    let age = to - pod.containerBegan
    let isCrowded = pod.neighbour?.contains(to) ?? false
    pod.waver = 0.8 * pod.waver + 0.05 * random.normal()
    // A process that is new compiles and fills its caches.
    let warmUp = 1 + 0.5 * exp(-age / 60)
    let cpu =
      Self.cpu * pod.cpuFactor * (0.3 + 0.7 * load) * exp(pod.waver) * warmUp * (isCrowded ? 1.2 : 1)
      * (isFaulty ? model.cpu : 1)
    let burst = random.unit() < 0.02 ? 0.3 * random.unit() : 0
    let throttled = min(1, Self.throttled + burst + (isCrowded ? 0.3 : 0) + max(0, warmUp - 1.2) * 0.2)
    let usual = Self.collection * exp(pod.waver) * (1 + exp(-age / 90))
    let collection = isFaulty ? (model.collection ?? usual) * (model.collection == nil ? 1 : exp(pod.waver)) : usual
    pod.counters[ContainerMetrics.cpu, default: 0] += cpu * seconds
    pod.counters[ContainerMetrics.periods, default: 0] += 10 * seconds
    pod.counters[ContainerMetrics.throttled, default: 0] += 10 * seconds * throttled
    pod.counters[ContainerMetrics.collection[0], default: 0] += collection * seconds
    // Runtimes give memory back to the kernel slowly, so that little of the heap's saw is seen.
    let saw = (to + pod.phase).truncatingRemainder(dividingBy: pod.period) / pod.period
    let filled = 1 - 0.25 * exp(-age / 300)
    let leaked = isFaulty ? model.growth * max(0, to - max(pod.containerBegan, faultAfter)) : 0
    pod.counters[ContainerMetrics.memory] =
      Self.memory * pod.memoryFactor * filled * (0.96 + 0.08 * saw + 0.005 * random.normal()) + leaked
    if pod.exportDue <= to || pod.exported.isEmpty {
      pod.exported = pod.counters
      pod.exportDue = max(pod.exportDue, from) + 15
    }
    pod.exported[ContainerMetrics.restarts] = Double(pod.restarts)
  }

  /// What the days before were like at one time of the day, when stable had all requests.
  /// - Parameters:
  ///   - rate: the service's usual requests in a second at this time, `before` those at the run's beginning, and `ofAll`
  ///     those with which a pod has its usual load.
  func usual(rate: Double, ofAll all: Double, before: Double, pods: Double) -> UsualLevels {
    func cpu(_ load: Double) -> Double { Self.cpu * (0.3 + 0.7 * load) }
    return UsualLevels(
      cpu: PastLevel(days.map { cpu($0.requests * rate / all) * $0.cpu }),
      memory: PastLevel(days.map { Self.memory * $0.memory }), requests: PastLevel(days.map { $0.requests * rate }),
      before: PodLoad(requests: before / pods, cpu: cpu(before / all)))
  }

  var containers: [String: [String: Double]] {
    Dictionary(uniqueKeysWithValues: pods.map { ($0.name, $0.exported) })
  }

  /// - Parameter start: of the trial's clock.
  func facts(_ start: Date) -> [PodFacts] {
    pods.map { pod in
      PodFacts(
        name: pod.name, track: pod.track, startedAt: start.addingTimeInterval(pod.began), restarts: pod.restarts,
        memoryLimit: Self.memoryLimit)
    }
  }

  /// How many of a track's good answers are 404s. What users ask for changes for both tracks alike.
  mutating func notFound(_ good: Int, _ track: Track, at time: Double, mood: Double) -> Int {
    let usual = min(0.5, Self.notFound * mood)
    let share = track == .canary && time >= faultAfter ? model.notFound ?? usual : usual
    return random.binomial(good, share)
  }

  /// A factor of what users ask for, of one look.
  mutating func mood() -> Double { exp(0.3 * random.normal()) }
}
