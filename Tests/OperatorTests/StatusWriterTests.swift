import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine
import Testing

@testable import Operator

@Suite("Status writer")
struct StatusWriterTests {
  private let writer = StatusWriter()
  private let cluster = ScriptedCluster()
  private let key = ObjectKey(namespace: "shop", name: "web-abc")

  init() throws {
    var run = run()
    run.status = try status(.step(0, .scaling))
    cluster.put(.rolloutRuns, try JSON(encoding: run))
  }

  private func status(
    _ stage: Stage, message: String = "step", pause: RunState.Pause? = nil, sequence: Int = 0
  ) throws -> RolloutRunStatus {
    var state = RunState(
      name: "web-abc", revision: "abc", set: "web-abc", stable: Revision(set: "web-s1", hash: "s1"), demand: 4,
      stage: stage, since: Date(timeIntervalSince1970: 1_000_000), commandSequence: sequence)
    state.pause = pause
    return RunRecord.status(
      state, of: run(), before: nil, plan: try plan(), canaryHash: "abc", traffic: nil, checks: [],
      situation: .running(message), now: Date(timeIntervalSince1970: 1_000_000))
  }

  private func live() throws -> JSON { try #require(cluster.object(.rolloutRuns, key)) }

  private func write(_ status: RolloutRunStatus, at second: Int) async throws -> Duration? {
    try await writer.write(status, over: live(), .rolloutRuns, by: cluster, uptime: .seconds(second))
  }

  private func seen() throws -> Stage? {
    RunRecord.state(of: try writer.current(live(), .rolloutRuns).decode())?.stage
  }

  @Test("stages of a step that nobody stops wait to be written together, and are known meanwhile")
  func together() async throws {
    #expect(try await write(status(.step(0, .verifying)), at: 10) == .seconds(5))
    #expect(try await write(status(.step(0, .analyzing)), at: 12) == .seconds(3))
    #expect(cluster.writes.isEmpty)
    #expect(try seen() == .step(0, .analyzing))
    #expect(try await write(status(.step(0, .analyzing)), at: 15) == nil)
    #expect(cluster.writes == ["replace rolloutruns shop/web-abc"])
    #expect(try live()[path: ["status", "stage"]]?.string == "Analyzing")
    #expect(try await write(status(.step(0, .analyzing)), at: 16) == nil)
    #expect(cluster.writes.count == 1)
  }

  @Test("what people or a next leader must know is written at once, with all that waited")
  func urgent() async throws {
    for (index, urgent) in [
      try status(.step(0, .pausing), pause: .plan), try status(.step(1, .scaling), sequence: 1),
      try status(.promoting(.scaling)), try status(.aborting(.returningTraffic, .person("ann"))),
    ].enumerated() {
      let waiting = try await write(status(.step(0, .verifying), message: "now \(index)"), at: 10 * index)
      #expect(waiting != nil || index > 0)
      #expect(try await write(urgent, at: 10 * index + 1) == nil)
      #expect(try live()["status"] == JSON(encoding: urgent))
    }
  }

  @Test("what waits is void once another process wrote the status")
  func otherWriter() async throws {
    _ = try await write(status(.step(0, .verifying)), at: 10)
    var other = try live()
    other["status"] = try JSON(encoding: status(.step(1, .pausing)))
    cluster.put(.rolloutRuns, other)
    #expect(try seen() == .step(1, .pausing))
    #expect(try await write(status(.step(1, .scaling)), at: 14) == .seconds(5))
  }

  @Test("a change that comes to nothing is not written")
  func nothing() async throws {
    _ = try await write(status(.step(0, .verifying)), at: 10)
    #expect(try await write(status(.step(0, .scaling)), at: 11) == nil)
    #expect(try await write(status(.step(0, .scaling)), at: 30) == nil)
    #expect(cluster.writes.isEmpty)
  }

  @Test("a Rollout tells its weight and its conditions at once, and its words with them or a little later")
  func rollout() throws {
    func status(_ situation: Situation, weight: Int, step: String) throws -> JSON {
      var status = RolloutRecord.status(
        RolloutState(stable: Revision(set: "web-s1", hash: "s1"), situation: situation), of: OperatorTests.rollout(),
        RolloutRecord.Surroundings(), now: Date(timeIntervalSince1970: 1_000_000))
      status.weight = weight
      status.step = step
      return try JSON(encoding: status)
    }
    let first = try status(.running("step 1 of 2"), weight: 10, step: "1/2")
    func news(_ status: JSON) -> StatusNews { StatusNews(status, since: first, of: .rollouts) }
    #expect(news(first) == .nothing)
    #expect(news(try status(.running("step 2 of 2"), weight: 10, step: "2/2")) == .canWait)
    #expect(news(try status(.running("step 2 of 2"), weight: 50, step: "2/2")) == .urgent)
    #expect(news(try status(.paused("step 1 of 2"), weight: 10, step: "1/2")) == .urgent)
    // That it can be told anew what reaches the canary beside the route comes with each step, and goes with the next.
    var told = first
    told[path: ["bypass", "share"]] = "0.0%"
    #expect(news(told) == .canWait)
    #expect(news(try status(.idle, weight: 10, step: "1/2")) == .urgent)
  }
}
