import Foundation

/// Where a pod runs.
public struct PodPlace: Codable, Sendable, Hashable {
  public var pod: String
  /// `nil` where it is not known.
  public var node: String?

  public init(pod: String, node: String? = nil) {
    self.pod = pod
    self.node = node
  }
}

/// Bad requests pod by pod, as their own proxies count them, and whether one pod or one node, and not the revision,
/// explains them.
///
/// Counts are kept apart by the traffic under which they were made, since the canary's share of requests changes with its
/// weight, and a comparison over all of them together would compare seasons.
///
/// Pods that are gone make room for new ones: what they did stays in the sums of their track, as of one that has no name.
public struct PodBlame: Codable, Sendable, Hashable {
  private var spans: [[String: Counts]] = []
  private var tracks: [String: Bool] = [:]
  private var places: [String: String] = [:]
  /// The number of looks, and the newest one that each pod was in.
  private var looks = 0
  private var seen: [String: Int] = [:]
  /// How many pods of a track are in its nameless one.
  private var nameless: [Bool: Int] = [:]
  /// There were more pods at once than are told apart.
  public private(set) var isCrowded = false

  /// More spans than a plan has steps; beyond, the last one takes what comes.
  private static let maxSpans = 40
  /// Beyond, pods are not told apart: a Deployment of this size hides one bad pod anyway.
  public static let maxPods = 500
  /// A pod that is missing for more looks is gone, as in ``ScrapeGaps``.
  private static let patience = 30

  public init() {}

  /// Begins a span: the traffic changed.
  public mutating func beginSpan() {
    if spans.count < Self.maxSpans, spans.last?.isEmpty != true { spans.append([:]) }
  }

  /// Adds what each pod did in one look, also where that is nothing.
  public mutating func record(canary: [String: Counts], stable: [String: Counts]) {
    looks += 1
    if spans.isEmpty { spans.append([:]) }
    // Those that are known first, so that none of them makes room for another.
    for pod in [canary.keys, stable.keys].joined() where seen[pod] != nil { seen[pod] = looks }
    for (isCanary, pods) in [(true, canary), (false, stable)] {
      var others = 0
      for (pod, counts) in pods.sorted(by: { $0.key < $1.key }) {
        if seen[pod] != nil || hasRoom() {
          tracks[pod] = isCanary
          seen[pod] = looks
          spans[spans.count - 1][pod, default: .zero] += counts
        } else {
          others += 1
          spans[spans.count - 1][Self.nameless(isCanary), default: .zero] += counts
        }
      }
      guard others > 0 else { continue }
      isCrowded = true
      nameless[isCanary] = max(nameless[isCanary] ?? 0, others)
      tracks[Self.nameless(isCanary)] = isCanary
    }
  }

  /// Pods of a track that are not told apart, under a name that no pod can have.
  private static func nameless(_ isCanary: Bool) -> String { isCanary ? "(canary)" : "(stable)" }

  /// Whether one more pod can be told apart, if need be in the place of one that is gone: of those the one with the fewest
  /// bad requests, which explains the least.
  private mutating func hasRoom() -> Bool {
    guard seen.count >= Self.maxPods else { return true }
    let gone = seen.filter { looks - $0.value > Self.patience }.map {
      (pod: $0.key, bad: sum([$0.key]).bad, at: $0.value)
    }
    guard let least = gone.min(by: { ($0.bad, $0.at, $0.pod) < ($1.bad, $1.at, $1.pod) })?.pod,
      let isCanary = tracks[least]
    else { return false }
    let name = Self.nameless(isCanary)
    for index in spans.indices {
      guard let counts = spans[index].removeValue(forKey: least) else { continue }
      spans[index][name, default: .zero] += counts
    }
    (seen[least], tracks[least], places[least]) = (nil, nil, nil)
    tracks[name] = isCanary
    nameless[isCanary, default: 0] += 1
    return true
  }

  public mutating func place(_ pods: [PodPlace]) {
    for pod in pods where seen[pod.pod] != nil { places[pod.pod] = pod.node }
  }

  /// Who explains the bad requests of a track.
  public struct Culprit: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, Hashable { case pod, node }

    public var kind: Kind
    public var name: String
    /// Of a pod, where that is known.
    public var node: String?
    public var isCanary: Bool
    /// The share of the track's bad requests that it made, 0 to 1.
    public var share: Double
    /// Its requests, and those of the rest of the track.
    public var own: Counts
    public var rest: Counts
    public var pods: Int
    /// The rest are stable's pods on other nodes: all of the canary's are on this one.
    public var isShared = false

    /// `93 % of the canary's bad requests come from pod x on node y; the other 3 canary pods are like stable`.
    public var sentence: String {
      let numbers = "(\(Evidence.number(rest.bad)) bad of \(Evidence.number(rest.requests)))"
      if isShared {
        return "all pods of the canary are on node \(name), and stable's pods there fail like them; stable's pods on "
          + "other nodes are well \(numbers)"
      }
      let track = isCanary ? "canary" : "stable"
      let place = kind == .pod ? "pod \(name)\(node.map { " on node \($0)" } ?? "")" : "the pods on node \(name)"
      let others = pods == 1 ? "the other \(track) pod is" : "the other \(pods) \(track) pods are"
      let like = isCanary ? "like stable" : "well"
      return "\(Evidence.percent(share)) of \(isCanary ? "the canary's" : "stable's") bad requests come from \(place); "
        + "\(others) \(like) \(numbers)"
    }
  }

  /// The one pod of several canary pods, or the one node, without which the canary is like stable.
  ///
  /// It must differ from the rest of its track beyond doubt (an e-value of at least 1/`risk`, the mean over all
  /// candidates, which is an e-value whatever their number), make at least 80 % of the track's bad requests, and the rest
  /// must have enough requests to speak and show nothing: no e-value of "worse than stable" that is beyond the same doubt
  /// (of a rest that is like stable it once comes to 3 in up to a third of all runs), and a rate within the limit or within
  /// twice stable's.
  public func canaryCulprit(limit: Double, risk: Double, minimumRequests: Double = 50) -> Culprit? {
    guard let culprit = culprit(isCanary: true, risk: risk) else {
      return sharedNode(limit: limit, risk: risk, minimumRequests: minimumRequests)
    }
    guard culprit.rest.requests >= minimumRequests else { return nil }
    let apart = members(of: culprit)
    let rest = comparison { tracks[$0] == true && !apart.contains($0) }
    guard rest.logEValue < max(log(3), -log(risk)), (culprit.rest.rate ?? 1) <= max(limit, 2 * (stableRate ?? 0)) else {
      return nil
    }
    return culprit
  }

  /// The node that all canary pods are on, where stable's pods there are as bad as they, and worse than stable's others.
  private func sharedNode(limit: Double, risk: Double, minimumRequests: Double) -> Culprit? {
    let own = tracks.filter(\.value).map(\.key)
    guard let node = own.first.flatMap({ places[$0] }), own.allSatisfy({ places[$0] == node }) else { return nil }
    let beside = Set(tracks.filter { !$0.value && places[$0.key] == node }.keys)
    let elsewhere = tracks.filter { !$0.value && places[$0.key] != node }.map(\.key)
    let rest = sum(elsewhere)
    guard !beside.isEmpty, rest.requests >= minimumRequests, (rest.rate ?? 1) <= limit else { return nil }
    let isNodeBad = comparison(stable: { tracks[$0] == false && !beside.contains($0) }) { beside.contains($0) }
    let isCanaryWorse = comparison(stable: beside.contains) { tracks[$0] == true }
    guard isNodeBad.logEValue >= -log(risk), isCanaryWorse.logEValue < log(3) else { return nil }
    return Culprit(
      kind: .node, name: node, isCanary: true, share: 1, own: sum(own), rest: rest, pods: elsewhere.count,
      isShared: true)
  }

  /// The same of stable: it hides what the canary does, or makes the service look bad. The rest keeps the limit.
  public func stableCulprit(limit: Double, risk: Double, minimumRequests: Double = 50) -> Culprit? {
    guard let culprit = culprit(isCanary: false, risk: risk), culprit.rest.requests >= minimumRequests,
      (culprit.rest.rate ?? 1) <= limit
    else { return nil }
    return culprit
  }

  /// ln of the e-value of "the canary is worse than stable without these pods".
  public func logEValue(without culprit: Culprit) -> Double {
    let apart = members(of: culprit)
    return comparison(stable: { tracks[$0] == false && !apart.contains($0) }) { tracks[$0] == true }.logEValue
  }

  private func members(of culprit: Culprit) -> Set<String> {
    switch culprit.kind {
    case .pod: [culprit.name]
    case .node: Set(places.filter { $0.value == culprit.name }.keys)
    }
  }

  private func culprit(isCanary: Bool, risk: Double) -> Culprit? {
    let own = tracks.filter { $0.value == isCanary }.keys.sorted()
    let named = own.filter { $0 != Self.nameless(isCanary) }
    let number = named.count + (nameless[isCanary] ?? 0)
    guard own.count > 1 else { return nil }
    let nodes = Dictionary(grouping: own.filter { places[$0] != nil }) { places[$0] ?? "" }
      .filter { $0.value.count > 1 && $0.value.count < own.count }
    let candidates =
      named.map { (Culprit.Kind.pod, $0, [$0]) } + nodes.sorted { $0.key < $1.key }.map { (.node, $0.key, $0.value) }
    let all = sum(own)
    var best: (culprit: Culprit, evidence: Double)?
    for (kind, name, pods) in candidates {
      let part = sum(pods)
      guard all.bad > 0, part.bad >= 0.8 * all.bad,
        let rest = Counts(requests: all.requests - part.requests, bad: max(0, all.bad - part.bad))
      else { continue }
      let within = Set(pods)
      let evidence = comparison(stable: { tracks[$0] == isCanary && !within.contains($0) }) { within.contains($0) }
        .logEValue
      guard evidence - log(Double(candidates.count)) >= -log(risk), evidence > best?.evidence ?? 0 else { continue }
      best = (
        Culprit(
          kind: kind, name: name, node: kind == .pod ? places[name] : nil, isCanary: isCanary,
          share: part.bad / all.bad, own: part, rest: rest, pods: number - pods.count), evidence
      )
    }
    return best?.culprit
  }

  private func comparison(
    stable isStable: ((String) -> Bool)? = nil, canary isCanary: (String) -> Bool
  ) -> SequentialComparison {
    var comparison = SequentialComparison()
    for span in spans {
      var (worse, base) = (Counts.zero, Counts.zero)
      for (pod, counts) in span {
        if isCanary(pod) {
          worse += counts
        } else if isStable?(pod) ?? (tracks[pod] == false) {
          base += counts
        }
      }
      comparison.update(canary: worse, stable: base)
    }
    return comparison
  }

  private var stableRate: Double? { sum(tracks.filter { !$0.value }.map(\.key)).rate }

  private func sum(_ pods: [String]) -> Counts {
    spans.reduce(.zero) { total, span in pods.reduce(total) { $0 + (span[$1] ?? .zero) } }
  }
}
