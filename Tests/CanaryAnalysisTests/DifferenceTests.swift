import Foundation
import Testing

@testable import CanaryAnalysis

@Suite("One bad pod, and what differs most")
struct DifferenceTests {
  private static func blame(
    canary: [(String, Double, Double)], stable: [(String, Double, Double)], nodes: [String: String] = [:]
  ) -> PodBlame {
    var blame = PodBlame()
    blame.beginSpan()
    blame.record(canary: looks(canary), stable: looks(stable))
    blame.place(nodes.map { PodPlace(pod: $0.key, node: $0.value) })
    return blame
  }

  private static func looks(_ pods: [(String, Double, Double)]) -> [String: Counts] {
    Dictionary(uniqueKeysWithValues: pods.map { ($0.0, counts($0.1, $0.2)) })
  }

  private static let good = [("s1", 1000.0, 1.0), ("s2", 1000, 0), ("s3", 1000, 1)]

  @Test("one pod of several explains the excess, with its share and its node")
  func onePod() throws {
    let blame = Self.blame(
      canary: [("c1", 500, 0), ("c2", 500, 93), ("c3", 500, 7)], stable: Self.good, nodes: ["c2": "n7"])
    // 7 of 1000 are seven times stable's rate: the rest is not like stable yet.
    #expect(blame.canaryCulprit(limit: 0.001, risk: 0.01) == nil)
    let clean = Self.blame(
      canary: [("c1", 500, 1), ("c2", 500, 93), ("c3", 500, 0)], stable: Self.good, nodes: ["c2": "n7"])
    let culprit = try #require(clean.canaryCulprit(limit: 0.01, risk: 0.01))
    #expect(culprit.name == "c2")
    #expect(culprit.node == "n7")
    #expect(isClose(culprit.share, 93.0 / 94))
    #expect(
      culprit.sentence
        == "98.9 % of the canary's bad requests come from pod c2 on node n7; the other 2 canary pods are like stable "
        + "(1 bad of 1000)")
  }

  @Test("a bad pod excuses the canary until its other pods are worse than stable beyond the same doubt")
  func doubt() throws {
    func excused(_ rest: Double, limit: Double = 0.02) -> Bool {
      Self.blame(canary: [("c1", 500, rest), ("c2", 500, 93)], stable: [("s1", 1000, 2), ("s2", 1000, 2)])
        .canaryCulprit(limit: limit, risk: 0.01) != nil
    }
    func evidence(_ rest: Double) -> Double {
      var comparison = SequentialComparison()
      comparison.update(canary: counts(500, rest), stable: counts(2000, 4))
      return comparison.logEValue
    }
    // A chance of one in three of once coming so far is no doubt.
    #expect(evidence(7) > log(3) && evidence(7) < log(100))
    #expect(excused(7))
    #expect(!excused(7, limit: 0.01), "beyond the limit is beyond it")
    #expect(evidence(18) > log(100))
    #expect(!excused(18, limit: 0.05))
  }

  @Test("a canary that is bad in every pod, and one with a single pod, is not excused")
  func whole() {
    let all = Self.blame(canary: [("c1", 500, 50), ("c2", 500, 60)], stable: Self.good)
    #expect(all.canaryCulprit(limit: 0.01, risk: 0.01) == nil)
    let single = Self.blame(canary: [("c1", 500, 50)], stable: Self.good)
    #expect(single.canaryCulprit(limit: 0.01, risk: 0.01) == nil)
    // The rest has had too few requests to be called good.
    let young = Self.blame(canary: [("c1", 500, 50), ("c2", 10, 0)], stable: Self.good)
    #expect(young.canaryCulprit(limit: 0.01, risk: 0.01) == nil)
  }

  @Test("a node of several pods, and a node that stable's pods share, are named")
  func nodes() throws {
    let two = Self.blame(
      canary: [("c1", 500, 45), ("c2", 500, 50), ("c3", 500, 0), ("c4", 500, 0)], stable: Self.good,
      nodes: ["c1": "bad", "c2": "bad", "c3": "n2", "c4": "n3"])
    let node = try #require(two.canaryCulprit(limit: 0.01, risk: 0.01))
    #expect(node.kind == .node && node.name == "bad")
    let shared = Self.blame(
      canary: [("c1", 500, 50)], stable: [("s1", 1000, 100), ("s2", 1000, 0), ("s3", 1000, 1)],
      nodes: ["c1": "bad", "s1": "bad", "s2": "n2", "s3": "n3"])
    let culprit = try #require(shared.canaryCulprit(limit: 0.01, risk: 0.01))
    #expect(culprit.isShared && culprit.name == "bad")
    #expect(culprit.sentence.contains("stable's pods there fail like them"))
  }

  @Test("stable's bad pod is named, and without it the canary can be told from stable")
  func stablePod() throws {
    let blame = Self.blame(
      canary: [("c1", 500, 40), ("c2", 500, 45)], stable: [("s1", 1000, 300), ("s2", 1000, 1), ("s3", 1000, 0)])
    let culprit = try #require(blame.stableCulprit(limit: 0.01, risk: 0.01))
    #expect(culprit.name == "s1" && !culprit.isCanary)
    #expect(blame.logEValue(without: culprit) > log(100))
  }

  @Test("counts of different weights are not thrown together")
  func spans() {
    // At 1 % the service failed as a whole; at 50 % it does not. Summed up, the canary would look good and stable bad.
    var blame = PodBlame()
    blame.beginSpan()
    blame.record(canary: ["c1": counts(10, 5)], stable: ["s1": counts(990, 495)])
    blame.beginSpan()
    blame.record(canary: ["c1": counts(500, 50)], stable: ["s1": counts(500, 0)])
    let none = PodBlame.Culprit(
      kind: .pod, name: "nobody", isCanary: false, share: 0, own: .zero, rest: .zero, pods: 0)
    #expect(blame.logEValue(without: none) > log(100))
  }

  @Test("pods that are gone make room: the 501st is told apart, and what the others did still counts")
  func manyPods() throws {
    var blame = PodBlame()
    blame.beginSpan()
    // 490 pods of stable, and 10 of a canary, one of which fails once.
    let stable = Dictionary(uniqueKeysWithValues: (0..<490).map { ("s\($0)", counts(10, 0)) })
    let young = Dictionary(uniqueKeysWithValues: (0..<10).map { ("c\($0)", counts(10, $0 == 0 ? 1 : 0)) })
    blame.record(canary: young, stable: stable)
    // The canary's are replaced, and for 30 looks that may be a gap.
    for _ in 0..<29 { blame.record(canary: [:], stable: stable) }
    blame.record(canary: ["late": counts(10, 0)], stable: stable)
    let isCrowded = blame.isCrowded
    #expect(isCrowded)
    blame.record(canary: ["late": counts(500, 90), "c3": counts(40, 0)], stable: stable)
    let culprit = try #require(blame.canaryCulprit(limit: 0.02, risk: 0.01))
    #expect(culprit.name == "late")
    // Its first 10 were not told apart; they stand beside the 100 of those that went and the 40 of the one that came back.
    #expect(culprit.own == counts(500, 90))
    #expect(culprit.rest == counts(150, 1))
    // Ten pods, of which one made room, and the one that was not told apart.
    #expect(culprit.pods == 11)
  }

  @Test("a pod that is gone is named as long as it has the most bad requests")
  func goneCulprit() throws {
    var blame = PodBlame()
    blame.beginSpan()
    let stable = Dictionary(uniqueKeysWithValues: (0..<498).map { ("s\($0)", counts(10, 0)) })
    blame.record(canary: ["bad": counts(500, 90), "good": counts(500, 1)], stable: stable)
    for _ in 0..<31 { blame.record(canary: [:], stable: stable) }
    blame.record(canary: ["new": counts(100, 0)], stable: stable)
    #expect(!blame.isCrowded)
    let culprit = try #require(blame.canaryCulprit(limit: 0.02, risk: 0.01))
    #expect(culprit.name == "bad")
    #expect(culprit.rest == counts(600, 1))
    #expect(culprit.pods == 2)
  }

  @Test("of more pods at once than are told apart none is lost from the sums")
  func crowd() throws {
    var blame = PodBlame()
    blame.beginSpan()
    // The first 500 names are told apart; the last one is good and counts with the rest.
    let canary = Dictionary(uniqueKeysWithValues: (100..<601).map { ("c\($0)", counts(10, $0 == 100 ? 9 : 0)) })
    blame.record(canary: canary, stable: ["s": counts(10, 0)])
    #expect(blame.isCrowded)
    let culprit = try #require(blame.canaryCulprit(limit: 0.02, risk: 0.01))
    #expect(culprit.name == "c100")
    #expect(culprit.rest == counts(5000, 0))
    #expect(culprit.pods == 500)
  }

  // ln of the mixture of 120 of 1000 against 5 of 9000, computed with NumPy, less ln 2 for the half that bets later: 252.6.
  @Test("places are ranked by their share of the excess, and chance names none")
  func ranking() throws {
    let ranked = DifferenceRanking.rank([
      .pod: Breakdown(
        canary: ["c1": counts(1000, 120), "c2": counts(9000, 5)], stable: ["s1": counts(90_000, 50)]),
      .endpoint: Breakdown(
        canary: ["POST /pay": counts(2000, 122), "GET /": counts(8000, 3)],
        stable: ["POST /pay": counts(18_000, 20), "GET /": counts(72_000, 30)]),
      .responseCode: Breakdown(canary: ["503": counts(10_000, 125)], stable: ["503": counts(90_000, 50)]),
      .caller: Breakdown(
        canary: ["shop/web": counts(5000, 63), "shop/app": counts(5000, 62)],
        stable: ["shop/web": counts(45_000, 25), "shop/app": counts(45_000, 25)]),
    ])
    #expect(Set(ranked.map(\.value)) == ["503", "c1", "POST /pay"])
    let pod = try #require(ranked.first { $0.value == "c1" })
    // Excess 120 − 1000 · 50/90000 = 119.44 of 119.44 + 0: c2 has no excess.
    #expect(isClose(pod.share, 1))
    #expect(isClose(pod.logEValue, 252.63157811875521))
    #expect(
      DifferenceRanking.sentence(ranked) == "503 on POST /pay, 100 % of them from pod c1")
    #expect(DifferenceRanking.rank([:]).isEmpty)
    #expect(DifferenceRanking.sentence([]) == nil)
  }

  @Test(
    "a zone that explains what each of its pods and nodes explains by half is named alone, and the caller beside it")
  func zone() {
    let pods = Breakdown(
      canary: ["c1": counts(500, 250), "c2": counts(500, 250), "c3": counts(500, 0), "c4": counts(500, 0)],
      stable: ["s1": counts(2000, 2)])
    func halves(_ good: String, _ bad: String, _ all: Double) -> Breakdown {
      Breakdown(
        canary: [good: counts(1000, 500 - all), bad: counts(1000, all)],
        stable: [good: counts(1000, 1), bad: counts(1000, 1)])
    }
    let zone = DifferenceRanking.rank([.pod: pods, .node: pods, .zone: halves("a", "b", 500)])
    #expect(DifferenceRanking.sentence(zone) == "bad requests, 100 % of them in zone b")
    #expect(zone.map(\.aspect) == [.zone, .node, .node, .pod, .pod], "all of them are told in full")
    let both = DifferenceRanking.rank([.zone: halves("a", "b", 480), .callerVersion: halves("6.1", "7.0", 499)])
    #expect(
      DifferenceRanking.sentence(both)
        == "bad requests, 96.2 % of them in zone b, 100 % of them from callers of version 7.0")
    // One pod on a node of its own is the place itself.
    let one = Breakdown(canary: ["c1": counts(500, 250), "c2": counts(500, 1)], stable: ["s1": counts(2000, 2)])
    #expect(
      DifferenceRanking.sentence(DifferenceRanking.rank([.pod: one, .node: one]))
        == "bad requests, 99.8 % of them from pod c1, 99.8 % of them on node c1")
  }
}
