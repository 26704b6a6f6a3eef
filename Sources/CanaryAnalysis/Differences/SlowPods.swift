import Foundation

/// How long each pod of the canary took to answer, and which of them, and not the revision, make its answers slower than
/// stable's as a whole.
///
/// At which boundary the tracks differ most is known only once their comparison has failed, so whole histograms are kept:
/// of each pod of the canary, and of stable by the node of its pods; by the traffic under which they were made, as
/// ``PodBlame`` keeps its counts. Looks without answers of stable are passed over, as the comparison does.
public struct SlowPods: Codable, Sendable, Hashable {
  private struct Span: Codable, Sendable, Hashable {
    var pods: [String: LatencyHistogram] = [:]
    /// By node; empty where that is not known.
    var stable: [String: LatencyHistogram] = [:]
  }

  /// The same at one boundary.
  private struct Look {
    var pods: [String: Counts]
    var stable: [String: Counts]

    var usual: Counts { stable.values.reduce(.zero, +) }
    func sum(_ names: some Sequence<String>) -> Counts { names.reduce(.zero) { $0 + (pods[$1] ?? .zero) } }
  }

  private var spans: [Span] = []
  private var places: [String: String] = [:]

  /// As of ``PodBlame``.
  private static let maxSpans = 40
  private static let maxPods = 500
  /// A larger group of pods is no exception.
  private static let maxGroup = 8

  public init() {}

  /// Begins a span: the traffic changed.
  public mutating func beginSpan() {
    if spans.count < Self.maxSpans, spans.last?.pods.isEmpty != true { spans.append(Span()) }
  }

  /// Adds what pods did in one look.
  public mutating func record(
    canary: [String: LatencyHistogram], stable: [String: LatencyHistogram], places known: [PodPlace]
  ) {
    for pod in known { places[pod.pod] = pod.node }
    if places.count > known.count + Self.maxPods {
      // Those of pods that are gone and that no span tells apart.
      let there = Set(known.map(\.pod))
      places = places.filter { pod, _ in there.contains(pod) || spans.contains { $0.pods[pod] != nil } }
    }
    guard stable.values.contains(where: { $0.total > 0 }) else { return }
    if spans.isEmpty { spans.append(Span()) }
    func add(_ look: LatencyHistogram, to sums: inout [String: LatencyHistogram], _ key: String) {
      guard look.total > 0, sums[key] != nil || sums.count < Self.maxPods else { return }
      sums[key] = sums[key].map { $0 + look } ?? look
    }
    for (pod, look) in canary.sorted(by: { $0.key < $1.key }) { add(look, to: &spans[spans.count - 1].pods, pod) }
    for (pod, look) in stable.sorted(by: { $0.key < $1.key }) {
      add(look, to: &spans[spans.count - 1].stable, places[pod] ?? "")
    }
  }

  /// What explains that the canary's answers are slower.
  public struct Finding: Codable, Sendable, Hashable {
    /// The slowest first.
    public var pods: [String]
    /// Of one pod where it is known; of several the one that they all are on and the others are not.
    public var node: String?
    /// In milliseconds.
    public var boundary: Double
    /// The answers of these pods, of which those slower than the boundary are bad, and those of the canary's others.
    public var own: Counts
    public var rest: Counts
    public var others: Int
    /// How much larger the share of slower answers is, of all pods of the canary, than stable's.
    public var excess: Double
    /// The rest are stable's pods on other nodes: all of the canary's are on this one.
    public var isShared = false

    /// Whether one pod or one node explains it, and not several pods by chance of the revision.
    public var isOne: Bool { pods.count == 1 || node != nil }

    /// `the canary's slower answers come from pod x on node y: 82 % of its answers took more than 50 ms, 31 % of those of
    /// the other 3 canary pods, which are like stable`.
    public var sentence: String {
      func share(_ counts: Counts) -> String { Evidence.percent(counts.rate ?? 0) }
      let time = "\(Evidence.number(boundary)) ms"
      if isShared {
        return
          "all pods of the canary are on node \(node ?? ""), and stable's pods there are as slow: \(share(own)) of "
          + "their answers took more than \(time), \(share(rest)) of those of stable's pods on other nodes"
      }
      let names =
        pods.count > 1 ? "pods \(pods.dropLast().joined(separator: ", ")) and \(pods.last ?? "")" : "pod \(pods[0])"
      let place = node.map { " on node \($0)" } ?? ""
      let like = others == 1 ? "the other canary pod, which is" : "the other \(others) canary pods, which are"
      return
        "the canary's slower answers come from \(names)\(place): \(share(own)) of \(pods.count > 1 ? "their" : "its") "
        + "answers took more than \(time), \(share(rest)) of those of \(like) like stable"
    }
  }

  /// The one pod of several, the one node, or else the few pods without which the canary is like stable, at the boundary at
  /// which the tracks differ most.
  ///
  /// Slow answers are usual at most boundaries, so it is their excess over stable's share that these pods must make 80 %
  /// of. They must differ from the canary's others beyond doubt (as in ``PodBlame``, and divided by the number of
  /// boundaries, since this one was chosen for its difference) and by more than is tolerated; the others must have enough
  /// answers to speak, and differ from stable by no more than is tolerated, or not be shown to. Of several pods that is
  /// asked of each: which of them are looked at follows from their numbers, so that they are named and not excused.
  /// - Parameter margin: how much larger a share of slower answers may be.
  public func finding(
    at boundary: Double, margin: Double, risk: Double, minimumRequests: Double = 50
  ) -> Finding? {
    let looks = spans.map { span in
      func counts(_ histograms: [String: LatencyHistogram]) -> [String: Counts] {
        histograms.compactMapValues { $0.slower(thanAtLeast: boundary) }
      }
      return Look(pods: counts(span.pods), stable: counts(span.stable))
    }
    let names = Set(looks.flatMap(\.pods.keys)).sorted()
    let doubt = log(Double(DistributionWatch.maxBoundaries)) - log(risk)
    let all = Self.excess(names, looks)
    guard all.answers > 0, all.excess / all.answers > margin else { return nil }
    func finding(_ pods: [String], node: String?) -> Finding? {
      let rest = names.filter { !pods.contains($0) }
      let (own, others) = (Self.excess(pods, looks), Self.excess(rest, looks))
      guard own.excess >= 0.8 * all.excess, own.excess > margin * own.answers, others.answers >= minimumRequests,
        others.excess <= margin * others.answers
          || Self.logEValue(looks, { $0.sum(rest) }, { $0.usual }) < max(log(3), -log(risk))
      else { return nil }
      return Finding(
        pods: pods, node: node, boundary: boundary, own: Self.sum(pods, looks), rest: Self.sum(rest, looks),
        others: rest.count, excess: all.excess / all.answers)
    }
    func evidence(of pods: [String], against rest: [String]) -> Double {
      Self.logEValue(looks, { $0.sum(pods) }, { $0.sum(rest) })
    }

    let nodes = Dictionary(grouping: names.filter { places[$0] != nil }) { places[$0] ?? "" }
      .filter { $0.value.count > 1 && $0.value.count < names.count }.sorted { $0.key < $1.key }
    let candidates = names.map { ([$0], places[$0]) } + nodes.map { ($0.value, $0.key) }
    var best: (finding: Finding, evidence: Double)?
    for (pods, node) in candidates where names.count > 1 {
      let shown = evidence(of: pods, against: names.filter { !pods.contains($0) })
      guard shown >= doubt + log(Double(candidates.count)), shown > best?.evidence ?? 0,
        let found = finding(pods, node: node)
      else { continue }
      best = (found, shown)
    }
    if let best { return best.finding }
    if let shared = sharedNode(names, looks, margin: margin, doubt: doubt, minimumRequests, all, boundary) {
      return shared
    }

    func rate(_ pod: String) -> Double {
      let own = Self.excess([pod], looks)
      return own.answers > 0 ? own.excess / own.answers : 0
    }
    let slowest = names.map { (name: $0, rate: rate($0)) }.sorted { ($1.rate, $0.name) < ($0.rate, $1.name) }.map(
      \.name)
    for count in stride(from: 2, through: min(names.count / 2, Self.maxGroup), by: 1) {
      let (pods, rest) = (Array(slowest.prefix(count)), Array(slowest.dropFirst(count)))
      guard pods.allSatisfy({ rate($0) > margin }), let found = finding(pods, node: nil),
        pods.allSatisfy({ evidence(of: [$0], against: rest) >= doubt + log(Double(names.count)) })
      else { continue }
      return found
    }
    return nil
  }

  /// The node that all pods of the canary are on, where stable's pods there are as slow as they.
  private func sharedNode(
    _ names: [String], _ looks: [Look], margin: Double, doubt: Double, _ minimumRequests: Double,
    _ all: (excess: Double, answers: Double), _ boundary: Double
  ) -> Finding? {
    guard let node = names.first.flatMap({ places[$0] }), names.allSatisfy({ places[$0] == node }) else { return nil }
    func elsewhere(_ look: Look) -> Counts {
      look.stable.filter { $0.key != node && !$0.key.isEmpty }.values.reduce(.zero, +)
    }
    func beside(_ look: Look) -> Counts { look.stable[node] ?? .zero }
    let (there, others) = (looks.map(beside).reduce(.zero, +), looks.map(elsewhere).reduce(.zero, +))
    let own = Self.sum(names, looks)
    guard others.requests >= minimumRequests, let slow = there.rate, let usual = others.rate, let rate = own.rate,
      slow - usual > margin, Self.logEValue(looks, beside, elsewhere) >= doubt,
      rate - slow <= margin || Self.logEValue(looks, { $0.sum(names) }, beside) < log(3)
    else { return nil }
    return Finding(
      pods: names, node: node, boundary: boundary, own: own, rest: others, others: 0,
      excess: all.excess / all.answers, isShared: true)
  }

  /// Slow answers beyond as many as stable would have had, traffic by traffic, and all answers.
  private static func excess(_ pods: [String], _ looks: [Look]) -> (excess: Double, answers: Double) {
    looks.reduce((0, 0)) { sum, look in
      let own = look.sum(pods)
      guard let usual = look.usual.rate else { return sum }
      return (sum.0 + own.bad - own.requests * usual, sum.1 + own.requests)
    }
  }

  private static func sum(_ pods: [String], _ looks: [Look]) -> Counts { looks.reduce(.zero) { $0 + $1.sum(pods) } }

  private static func logEValue(
    _ looks: [Look], _ worse: (Look) -> Counts, _ base: (Look) -> Counts
  ) -> Double {
    var comparison = SequentialComparison()
    for look in looks { comparison.update(canary: worse(look), stable: base(look)) }
    return comparison.logEValue
  }
}
