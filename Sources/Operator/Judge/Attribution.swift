import CanaryAnalysis
import Foundation
import TrafficRouting

/// Whether a pod or a node, and not the revision, is to blame for what one objective finds.
///
/// A canary of which one pod of several explains the excess is held, not blamed: the pod is bad luck until the rest of the
/// canary is bad too. That must not weaken the promise to callers, who do not care whose fault it is. So the excuse ends,
/// and the failure stands with the pod's name in it, as soon as all requests of the service together, both tracks', are
/// shown to break the objective's limit with the evidence that a failure of the canary needs: from then on the canary
/// harms users beyond the SLO as a whole, and an abort protects them. It ends as well where callers see more failures than
/// the canary's pods count, as when a pod does not answer at all.
///
/// The first few bad requests can fail a canary before they can tell a pod from a revision. Where they nearly all come from
/// one pod, the run is held until some more tell; a bad revision soon fails in its other pods too.
///
/// A canary whose answers are slower as a whole is told from its pods likewise, at the boundary at which the tracks differ
/// most (``SlowPods``). Several pods that explain it together are named and excuse nothing.
struct Attribution: Sendable {
  private let limit: Double
  private let risk: Double
  let unhiddenRisk: Double
  /// Whether answers are compared as a whole, so that pods' times are wanted.
  let comparesTimes: Bool
  private var slowPods = SlowPods()
  private var blame = PodBlame()
  private var service: BoundTest
  private var writtenAt: Date?

  /// A pod must differ from its track with at most this probability of chance.
  private static let podRisk = 0.01
  /// So many bad requests of one pod tell it from another: more of them need no benefit of the doubt.
  private static let mostSuspicious = 25.0

  /// - Parameters:
  ///   - risk: of the objective's check.
  ///   - unhiddenRisk: that a good canary is failed without stable's bad pod in the comparison.
  ///   - comparesTimes: answers are compared as a whole, too.
  init(limit: Double, risk: Double, unhiddenRisk: Double, comparesTimes: Bool = false) {
    self.comparesTimes = comparesTimes
    self.limit = limit
    self.risk = risk
    self.unhiddenRisk = unhiddenRisk
    service = BoundTest(limit: limit)
  }

  /// Adds a look.
  /// - Parameters:
  ///   - pods: what each pod's own proxy counted.
  ///   - looks: how long the pods took, where that is wanted.
  ///   - service: both tracks together, as one view counts them.
  mutating func record(
    pods: [String: (track: Track, look: Counts)], times looks: [String: (track: Track, look: LatencyHistogram)] = [:],
    service look: Counts?, writtenAt: Date?, places: [PodPlace]
  ) {
    if writtenAt != self.writtenAt {
      self.writtenAt = writtenAt
      blame.beginSpan()
      slowPods.beginSpan()
    }
    func counts(of track: Track) -> [String: Counts] { pods.filter { $0.value.track == track }.mapValues(\.look) }
    if !pods.isEmpty { blame.record(canary: counts(of: .canary), stable: counts(of: .stable)) }
    blame.place(places)
    func histograms(of track: Track) -> [String: LatencyHistogram] {
      looks.filter { $0.value.track == track }.mapValues(\.look)
    }
    slowPods.record(canary: histograms(of: .canary), stable: histograms(of: .stable), places: places)
    // One look alone never ends the excuse: errors of one look hang together.
    if let look { service.update(look, cap: 2.3) }
  }

  /// The judgement with the pod or node in it that explains it, where there is one.
  func judged(_ judgement: Judgement) -> Judgement {
    var judged = judgement
    func note(_ text: String) { judged.evidence.notes.append(text) }
    switch judgement.finding {
    case .worseThanStable, .limitBroken:
      let proven = blame.canaryCulprit(limit: limit, risk: Self.podRisk)
      let isYoung = judgement.evidence.canary.counts.bad <= Self.mostSuspicious
      guard let culprit = proven ?? (isYoung ? blame.canaryCulprit(limit: limit, risk: 1, minimumRequests: 10) : nil),
        judgement.evidence.canary.counts.bad <= 1.25 * culprit.trackBad + 10
      else {
        if blame.isCrowded { note(Self.crowded) }
        break
      }
      note(culprit.sentence)
      guard !service.isBroken(alpha: risk) else {
        note(Self.harmful)
        break
      }
      // The pod that breaks the limit excuses no revision that is slower in the others too.
      if judgement.evidence.distribution?.isSlower == true, !isExcused(slow(judgement), judgement) {
        judged.finding = .slowerThanStable
        break
      }
      judged.finding = .onePod
      if proven == nil { note("a few more requests tell whether that is chance") }
      note(Self.excuse)
    case .slowerThanStable:
      guard let found = slow(judgement) else { break }
      judged.evidence.distribution?.pods = found.pods
      note(found.sentence)
      guard isExcused(found, judgement) else { break }
      guard !service.isBroken(alpha: risk) else {
        note(Self.harmful)
        break
      }
      judged.finding = .onePod
      note(Self.excuse)
    case .environment:
      guard let culprit = blame.stableCulprit(limit: limit, risk: Self.podRisk) else { break }
      note(culprit.sentence)
      // Without stable's bad pod the tracks can be told apart after all.
      if blame.logEValue(without: culprit) >= -log(unhiddenRisk), judgement.evidence.canary.counts.rate ?? 0 > limit {
        judged.finding = .limitBroken
      }
    case .kept, .undecided:
      guard judgement.evidence.stable.counts.rate ?? 0 > limit,
        let culprit = blame.stableCulprit(limit: limit, risk: Self.podRisk)
      else { break }
      note(culprit.sentence)
    case .onePod, .warmingUp, .tooFewRequests, .noMeasurement: break
    }
    return judged
  }

  private static let harmful =
    "the revision may be good, but all callers together are served beyond the limit, so that it must go"
  private static let excuse =
    "the revision is not blamed as long as all callers together are served within the limit"

  private static let crowded =
    "more than \(PodBlame.maxPods) pods answered, and those beyond are not told apart"

  private func slow(_ judgement: Judgement) -> SlowPods.Finding? {
    guard let distribution = judgement.evidence.distribution, let boundary = distribution.boundary else { return nil }
    return slowPods.finding(at: boundary, margin: distribution.margin, risk: Self.podRisk)
  }

  /// Whether slow answers are one pod's or one node's, and callers see no more of them than the pods count.
  private func isExcused(_ found: SlowPods.Finding?, _ judgement: Judgement) -> Bool {
    guard let found, found.isOne, let distribution = judgement.evidence.distribution, let canary = distribution.canary,
      let stable = distribution.stable
    else { return false }
    return canary - stable <= 1.25 * found.excess + 0.02
  }
}

extension PodBlame.Culprit {
  /// The bad requests of its whole track.
  fileprivate var trackBad: Double { isShared ? own.bad : own.bad + rest.bad }
}

extension MetricsKey {
  /// The pod of the process that counted; empty where it is not known, or where the query summed over them.
  var pod: String { process.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? "" }
}
