import CanaryAnalysis
import Foundation
import RolloutAPI
import RolloutEngine
import TrafficRouting

/// What guards are given at one moment; `nil` where the source gave no answer.
struct GuardLook: Sendable {
  /// By pod and metric, see ``ContainerMetrics``.
  var containers: [String: [String: Double]]?
  /// The callers' counters of requests, by answer.
  var answers: [AnswerKey: Double]?
  /// Requests of the service since the look before, where they are not the sum of what both tracks answered.
  var serviceRequests: Double?
  var queries: [String] = []
}

/// Watches one run for anomalies that no objective names. Each guard is an e-process, and all of them together are judged
/// by e-BH at the guards' own risk, so that their number makes no false alarm likelier; see ``MultipleEValues``.
struct GuardJudge: Sendable {
  let scope: MetricsScope
  private let risk: Double
  var usual = UsualLevels()
  /// Whether requests are divided by the traffic that it is told.
  var watchesShare = true

  private var levels: [GuardKind: LevelWatch] = [
    .memory: LevelWatch(tolerance: 1.5, floor: 16 * 1024 * 1024), .cpu: LevelWatch(tolerance: 1.25, floor: 0.02),
    .throttling: LevelWatch(tolerance: 1.5, floor: 0.1), .garbageCollection: LevelWatch(tolerance: 2, floor: 0.02),
  ]
  private var growth = GrowthWatch()
  /// Its size at the end of the newest block.
  private var growthSeen: GrowthWatch.Growth?
  private var events: [GuardKind: EventWatch] = [:]
  private var mixes: [GuardKind: MixWatch] = [
    .responseCodes: MixWatch(tolerance: 2, margin: 0.005), .connections: MixWatch(tolerance: 2, margin: 0.001),
    .endpoints: MixWatch(tolerance: 1.5, margin: 0.01),
  ]
  private var shares = ShareWatch()
  private var volume: LevelWatch?

  private var block = GuardBlock()
  private var pods: [String: PodFacts] = [:]
  private var counted: [String: PodEvents] = [:]
  /// Events of the canary, by pod, for the name of one that makes most of them.
  private var eventsByPod: [GuardKind: [String: Double]] = [:]
  private var answers = CounterIncreases<AnswerKey>()
  private(set) var lastLook: Date?
  /// The guards that have had a number of both tracks.
  private var active: Set<GuardKind> = []
  private var found: [GuardKind: Date] = [:]
  /// What another process had found, in its words.
  private var recalled: [GuardKind: String] = [:]
  private var queries: [String] = []

  private struct PodEvents {
    var restarts: Double
    var kills: Double
  }

  init(scope: MetricsScope, risk: Double) {
    self.scope = scope
    self.risk = risk
  }

  /// Guards that abort have a share of what the checks have together.
  static func risk(of plan: Plan) -> Double {
    plan.analysis.guards == .abort ? plan.analysis.guardRisk * RiskShares(plan).checks : plan.analysis.guardRisk
  }

  /// Takes over what another process had found: a finding stands until a person accepts it.
  /// - Parameter findings: the messages, by the guards' names.
  mutating func recall(_ findings: [String: String], at now: Date) {
    for (name, message) in findings {
      guard let kind = GuardKind(rawValue: name) else { continue }
      recalled[kind] = message
      found[kind] = found[kind] ?? now
    }
  }

  /// Adds a look, all of which lies after the traffic was verified; one without `isCounted` is only a beginning.
  mutating func record(_ look: GuardLook, pods facts: [PodFacts], traffic: TrafficTarget, at now: Date, isCounted: Bool)
  {
    pods = Dictionary(facts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    queries = look.queries
    let seconds = lastLook.map { now.timeIntervalSince($0) } ?? 0
    lastLook = now
    let known = Set(answers.keys.map(\.process))
    // As in the objectives' counters: a proxy's first answer of a kind makes a new series.
    let increase = look.answers.flatMap {
      answers.record($0, at: now, of: \.process) { $0.track == .canary || known.contains($0.process) }
    }
    recordEvents(look, facts, seconds: seconds, isCounted: isCounted)
    guard isCounted, traffic.reachesCanary else {
      block = GuardBlock()
      return
    }
    if let increase {
      recordAnswers(increase.values, traffic)
      block.add(requests: increase.values.filter(\.key.isRequest), ofService: look.serviceRequests)
    }
    if let containers = look.containers { block.add(containers, of: scope, at: now) }
    if block.isComplete { closeBlock(at: now, isCompared: traffic.weight < .all) }
    discover(at: now)
  }

  // MARK: - Events

  /// From the API server, which knows them at once and whatever is scraped; by kube-state-metrics for pods that it no
  /// longer has.
  private mutating func recordEvents(_ look: GuardLook, _ facts: [PodFacts], seconds: Double, isCounted: Bool) {
    var totals: [String: PodEvents] = [:]
    for pod in facts {
      let known = counted[pod.name] ?? PodEvents(restarts: 0, kills: 0)
      let new = max(0, Double(pod.restarts) - known.restarts)
      totals[pod.name] = PodEvents(
        restarts: Double(pod.restarts), kills: known.kills + (pod.wasKilledForMemory ? new : 0))
    }
    if facts.isEmpty {
      for (pod, values) in look.containers ?? [:] {
        guard let restarts = values[ContainerMetrics.restarts] else { continue }
        let known = counted[pod] ?? PodEvents(restarts: restarts, kills: 0)
        let new = max(0, restarts - known.restarts)
        let isKill = values[ContainerMetrics.terminated] ?? 0 > 0
        totals[pod] = PodEvents(restarts: restarts, kills: known.kills + (isKill ? new : 0))
      }
    }
    guard !totals.isEmpty else { return }
    if events.isEmpty { beginEvents(totals) }
    for kind in [GuardKind.restarts, .outOfMemory] {
      var (canary, stable) = (0.0, 0.0)
      var (canaryTime, stableTime) = (0.0, 0.0)
      for (pod, now) in totals {
        guard let track = pods[pod]?.track ?? scope.track(pod: pod) else { continue }
        // What a canary pod did before its first look counts as well; of a stable one it is the past.
        let before = counted[pod] ?? (track == .canary ? PodEvents(restarts: 0, kills: 0) : now)
        let new = kind == .restarts ? max(0, now.restarts - before.restarts) : max(0, now.kills - before.kills)
        if track == .canary {
          canary += new
          canaryTime += counted[pod] == nil ? max(seconds, age(pod)) : seconds
          if new > 0 { eventsByPod[kind, default: [:]][pod, default: 0] += new }
        } else {
          stable += new
          stableTime += seconds
        }
      }
      guard let worse = Counts(requests: max(canaryTime, canary), bad: canary),
        let base = Counts(requests: max(stableTime, stable), bad: stable), worse.requests > 0
      else { continue }
      active.insert(kind)
      events[kind]?.record(canary: worse, stable: base)
    }
    counted = totals
  }

  /// In seconds; 0 where it is not known.
  private func age(_ pod: String) -> Double {
    guard let start = pods[pod]?.startedAt, let lastLook else { return 0 }
    return lastLook.timeIntervalSince(start)
  }

  private mutating func beginEvents(_ totals: [String: PodEvents]) {
    for kind in [GuardKind.restarts, .outOfMemory] {
      var past = Counts.zero
      for (name, total) in totals {
        guard let pod = pods[name], pod.track == .stable, let start = pod.startedAt, let lastLook else { continue }
        let number = kind == .restarts ? total.restarts : total.kills
        past += Counts(requests: max(number, lastLook.timeIntervalSince(start)), bad: number) ?? .zero
      }
      events[kind] = EventWatch(past: past, risk: risk / 100)
    }
  }

  // MARK: - Answers

  private mutating func recordAnswers(_ increase: [AnswerKey: Double], _ traffic: TrafficTarget) {
    var requests: [Track: Double] = [:]
    var codes: [Track: [String: Double]] = [:]
    var flags: [Track: [String: Double]] = [:]
    var endpoints: [Track: [String: (all: Double, bad: Double)]] = [:]
    for (key, value) in increase {
      if key.isRequest { requests[key.track, default: 0] += value }
      if let code = key.labels[.code], !key.isError, !code.hasPrefix("2"), !code.hasPrefix("1"), code != "304" {
        codes[key.track, default: [:]][code, default: 0] += value
      }
      if let flag = key.labels[.flags] { flags[key.track, default: [:]][flag, default: 0] += value }
      if let endpoint = key.labels[.endpoint] {
        endpoints[key.track, default: [:]][endpoint, default: (0, 0)].all += value
        if key.isError { endpoints[key.track, default: [:]][endpoint, default: (0, 0)].bad += value }
      }
    }
    guard let worse = requests[.canary], let base = requests[.stable], worse > 0, base > 0 else { return }
    active.formUnion([.responseCodes, .connections])
    mixes[.responseCodes]?.record(canary: Self.parts(codes, .canary, worse), stable: Self.parts(codes, .stable, base))
    mixes[.connections]?.record(canary: Self.parts(flags, .canary, worse), stable: Self.parts(flags, .stable, base))
    if !endpoints.isEmpty {
      active.insert(.endpoints)
      func counts(_ track: Track) -> [String: Counts] {
        (endpoints[track] ?? [:]).compactMapValues { Counts(requests: $0.all, bad: $0.bad) }
      }
      mixes[.endpoints]?.record(canary: counts(.canary), stable: counts(.stable))
    }
    if watchesShare {
      active.insert(.requestShare)
      shares.record(canary: worse, all: worse + base, traffic)
    }
  }

  /// Each kind as a part of all the requests of its track; a kind that only one track has is none on the other.
  private static func parts(_ kinds: [Track: [String: Double]], _ track: Track, _ all: Double) -> [String: Counts] {
    let names = Set(kinds.values.flatMap(\.keys))
    let own = kinds[track] ?? [:]
    return Dictionary(
      uniqueKeysWithValues: names.compactMap { name in
        // Of one request several connections may fail.
        Counts(requests: all, bad: min(all, own[name] ?? 0)).map { (name, $0) }
      })
  }

  // MARK: - Levels

  /// - Parameter isCompared: stable has requests too. Pods that idle are no measure of those that work, so that what
  ///   follows the requests is not compared with them.
  private mutating func closeBlock(at now: Date, isCompared: Bool) {
    let closed = block
    block = block.next
    if isCompared, let cpu = closed.rates(ContainerMetrics.cpu) {
      // A canary pod that gets more requests than a stable one may use more.
      let requests = closed.requests(podCounts())
      let stable = requests.map {
        PodLoad(requests: $0.stable, cpu: cpu.stable).cpu(for: $0.canary, earlier: usual.before)
      }
      record(.cpu, canary: cpu.canary, stable: stable ?? cpu.stable, usual: usual.cpu?.upper)
    }
    if let memory = closed.memory {
      if isCompared {
        record(.memory, canary: memory.canary, stable: memory.stable, usual: usual.memory?.upper)
      }
      active.insert(.memoryGrowth)
      growth.record(
        canary: closed.troughs(.canary), stable: closed.troughs(.stable), at: now.timeIntervalSince1970)
      growthSeen = growth.growth
    }
    if isCompared, let share = closed.ratio(ContainerMetrics.throttled, of: ContainerMetrics.periods) {
      record(.throttling, canary: share.canary, stable: share.stable, usual: nil)
    }
    for name in ContainerMetrics.collection where isCompared {
      guard let time = closed.rates(name) else { continue }
      record(.garbageCollection, canary: time.canary, stable: time.stable, usual: nil)
      break
    }
    if let past = usual.requests, past.values.count >= UsualLevels.fewestDays, let rate = closed.requestRate {
      active.insert(.requestVolume)
      // Less than half of the usual, and less than days differ: the missing part takes the place of a level.
      let allowed = max(past.median / 2, past.median - past.lower)
      volume = volume ?? LevelWatch(tolerance: 1, floor: 0)
      volume?.record(canary: past.median - rate, stable: allowed)
    }
  }

  private mutating func record(_ kind: GuardKind, canary: Double, stable: Double, usual: Double?) {
    active.insert(kind)
    levels[kind]?.record(canary: canary, stable: stable, usual: usual)
  }

  private func podCounts() -> [Track: Double] {
    Dictionary(grouping: pods.values, by: \.track).mapValues { Double($0.count) }
  }

  // MARK: - All together

  private func logEValue(_ kind: GuardKind) -> Double {
    switch kind {
    case .restarts, .outOfMemory: events[kind]?.logEValue ?? 0
    case .memory, .cpu, .throttling, .garbageCollection: levels[kind]?.logEValue ?? 0
    case .memoryGrowth: growth.logEValue
    case .responseCodes, .connections, .endpoints: mixes[kind]?.logEValue ?? 0
    case .requestShare: shares.logEValue
    case .requestVolume: volume?.logEValue ?? 0
    }
  }

  /// A difference that is certain and harmless is none.
  private func matters(_ kind: GuardKind) -> Bool {
    switch kind {
    case .memoryGrowth: growthSeen?.matters ?? false
    case .responseCodes, .connections, .endpoints: mixes[kind]?.matters ?? false
    default: true
    }
  }

  private mutating func discover(at now: Date) {
    let kinds = GuardKind.allCases
    for index in MultipleEValues.discoveries(kinds.map(logEValue), alpha: risk) where matters(kinds[index]) {
      if found[kinds[index]] == nil { found[kinds[index]] = now }
      recalled[kinds[index]] = nil
    }
  }

  /// The guards that speak.
  var findings: Set<GuardKind> { Set(found.keys) }

  /// Whether any guard speaks of the canary.
  var findsAnomaly: Bool { found.keys.contains { !$0.isOfService } }

  /// - Parameter isUnread: what it saw before this process is still to be read.
  func reports(isUnread: Bool = false) -> [GuardReport] {
    GuardKind.allCases.map { kind in
      if isUnread, found[kind] == nil {
        return GuardReport(
          name: kind.rawValue, finding: .unread,
          message: "what it saw before the controller was started is being read again")
      }
      guard active.contains(kind) || recalled[kind] != nil else {
        return GuardReport(name: kind.rawValue, finding: .inactive, message: "no such metric of both tracks")
      }
      let finding: GuardReport.Finding =
        found[kind] == nil ? .normal : kind.isOfService ? .unusualService : .anomaly
      let values = values(kind)
      return GuardReport(
        name: kind.rawValue, finding: finding,
        // Its own words, once it has found the same by itself.
        message: recalled[kind] ?? message(kind), canary: values.canary, stable: values.stable,
        eValue: min(exp(logEValue(kind)), 1e300), threshold: Double(GuardKind.allCases.count) / risk, risk: risk,
        queries: queries, notes: notes(kind))
    }
  }

  private func values(_ kind: GuardKind) -> (canary: Double?, stable: Double?) {
    switch kind {
    case .restarts, .outOfMemory:
      return (events[kind]?.canaryEvents.events, events[kind]?.stableEvents.events)
    case .memory, .cpu, .throttling, .garbageCollection:
      return (levels[kind]?.levels?.canary, levels[kind]?.levels?.stable)
    case .memoryGrowth: return (growthSeen?.slope, nil)
    case .responseCodes, .connections, .endpoints:
      return (mixes[kind]?.leader?.canary.rate, mixes[kind]?.leader?.stable.rate)
    case .requestShare, .requestVolume: return (nil, nil)
    }
  }

  private func message(_ kind: GuardKind) -> String {
    GuardSentences(
      events: events[kind], level: levels[kind]?.levels, growth: growthSeen, leader: mixes[kind]?.leader,
      memoryLimit: memoryLimit, share: shares.observed, usual: usual, requests: block.requestRate ?? volumeSeen
    ).sentence(kind)
  }

  private var volumeSeen: Double? {
    guard let past = usual.requests, let missing = volume?.levels?.canary else { return nil }
    return past.median - missing
  }

  private var memoryLimit: Double? { pods.values.filter { $0.track == .canary }.compactMap(\.memoryLimit).min() }

  /// Who makes most of the events, where it is one of several pods.
  private func notes(_ kind: GuardKind) -> [String] {
    var notes: [String] = []
    if let byPod = eventsByPod[kind], podCounts()[.canary] ?? 0 > 1 {
      let total = byPod.values.reduce(0, +)
      if total >= 3, let (pod, count) = byPod.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), count >= 0.8 * total
      {
        let node = pods[pod]?.node.map { " on node \($0)" } ?? ""
        notes.append(
          "\(Int(nearest: count)) of \(Int(nearest: total)) are of pod \(pod)\(node): it may be the pod and not the revision"
        )
      }
    }
    if [.responseCodes, .connections, .endpoints].contains(kind), let note = answers.note { notes.append(note) }
    if recalled[kind] != nil { notes.append("found before the controller was started") }
    if let since = found[kind] { notes.append("since \(since.formatted(.iso8601))") }
    return notes
  }
}
