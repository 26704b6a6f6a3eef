import Testing

@testable import CanaryAnalysis

@Suite("Which pods make a canary's answers slower")
struct SlowPodsTests {
  /// 100 answers, of which so many take more than 50 ms, and a tenth of these more than 100.
  private static func look(_ slow: Double, of all: Double = 100) -> LatencyHistogram {
    LatencyHistogram(unchecked: [50, 100], [all - slow, all - slow / 10], all)
  }

  private static func finding(
    _ canary: [String: Double], stable: [String: Double] = ["s1": 300, "s2": 300], nodes: [String: String] = [:],
    looks: Int = 20, margin: Double = 0.05
  ) -> SlowPods.Finding? {
    var pods = SlowPods()
    for _ in 0..<looks {
      pods.record(
        canary: canary.mapValues { look($0) }, stable: stable.mapValues { look($0, of: 1000) },
        places: nodes.map { PodPlace(pod: $0.key, node: $0.value) })
    }
    return pods.finding(at: 50, margin: margin, risk: 0.01)
  }

  @Test("one pod of several is named, with its share, the others' and its node")
  func onePod() throws {
    let found = try #require(Self.finding(["c1": 80, "c2": 30, "c3": 30, "c4": 30], nodes: ["c1": "n1"]))
    #expect(found.isOne && found.pods == ["c1"])
    // 1600 + 1800 slow ones of 8000, where stable's share of 30 % makes 2400.
    #expect(abs(found.excess - 0.125) < 1e-9)
    #expect(
      found.sentence == "the canary's slower answers come from pod c1 on node n1: 80 % of its answers took more than "
        + "50 ms, 30 % of those of the other 3 canary pods, which are like stable")
  }

  @Test("a slow revision is slow in all its pods, and names none; nor does one whose pods are as fast as stable's")
  func revision() {
    #expect(Self.finding(["c1": 48, "c2": 48, "c3": 48]) == nil)
    #expect(Self.finding(["c1": 90, "c2": 48, "c3": 48]) == nil, "one is slower still, and the others are no excuse")
    #expect(Self.finding(["c1": 30, "c2": 30, "c3": 30]) == nil)
    #expect(Self.finding(["c1": 80]) == nil, "there is no other to compare with")
  }

  @Test("what chance makes of a few answers names nobody")
  func young() {
    #expect(Self.finding(["c1": 45, "c2": 30], looks: 1) == nil)
    #expect(Self.finding(["c1": 45, "c2": 30], looks: 20)?.pods == ["c1"])
  }

  @Test("a few pods that are slow together are named and are no single one; on one node they are")
  func several() throws {
    let canary = ["c1": 70.0, "c2": 30, "c3": 80, "c4": 30, "c5": 30]
    let found = try #require(Self.finding(canary))
    #expect(!found.isOne && found.pods == ["c3", "c1"])
    #expect(
      found.sentence == "the canary's slower answers come from pods c3 and c1: 75 % of their answers took more than "
        + "50 ms, 30 % of those of the other 3 canary pods, which are like stable")
    let node = try #require(Self.finding(canary, nodes: ["c1": "n1", "c3": "n1", "c2": "n2", "c4": "n2"]))
    #expect(node.isOne && node.node == "n1" && node.pods == ["c1", "c3"])
  }

  @Test("a node that slows stable's pods too is to blame for all of the canary's on it")
  func sharedNode() throws {
    let nodes = ["c1": "n1", "c2": "n1", "s1": "n1", "s2": "n2"]
    let found = try #require(Self.finding(["c1": 80, "c2": 80], stable: ["s1": 800, "s2": 300], nodes: nodes))
    #expect(found.isShared && found.isOne && found.node == "n1")
    #expect(
      found.sentence == "all pods of the canary are on node n1, and stable's pods there are as slow: 80 % of their "
        + "answers took more than 50 ms, 30 % of those of stable's pods on other nodes")
    #expect(Self.finding(["c1": 80, "c2": 80], stable: ["s1": 300, "s2": 300], nodes: nodes) == nil)
  }

  @Test("pods that came at another time of the day are compared with stable at that time")
  func seasons() {
    var pods = SlowPods()
    for _ in 0..<20 {
      pods.record(
        canary: ["c1": Self.look(60), "c2": Self.look(60)], stable: ["s": Self.look(600, of: 1000)], places: [])
    }
    pods.beginSpan()
    for _ in 0..<20 {
      pods.record(
        canary: ["c1": Self.look(40), "c2": Self.look(40), "c3": Self.look(40)],
        stable: ["s": Self.look(300, of: 1000)], places: [])
    }
    #expect(pods.finding(at: 50, margin: 0.01, risk: 0.01) == nil, "each is slower by the same tenth, in the evening")
  }

  @Test("while stable answers nothing there is nothing to compare with")
  func alone() {
    var pods = SlowPods()
    pods.record(canary: ["c1": Self.look(90), "c2": Self.look(10)], stable: ["s": Self.look(0, of: 0)], places: [])
    #expect(pods.finding(at: 50, margin: 0, risk: 0.01) == nil)
  }
}
