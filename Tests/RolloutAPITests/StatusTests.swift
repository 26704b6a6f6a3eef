import Foundation
import KubernetesAPI
import Testing

@testable import RolloutAPI

@Suite struct StatusTests {
  static func check(_ name: String, _ verdict: CheckRecord.Verdict = .pass) -> CheckRecord {
    CheckRecord(
      name: name, verdict: verdict, finding: "Kept", message: "errors: 1 of 1000",
      at: MicroTime("2026-01-01T00:00:00Z"),
      evidence: EvidenceRecord(
        canary: .init(requests: "1000", bad: "1", latencyLower: "310", latencyUpper: "420"), quantile: "0.99",
        distribution: .init(
          margin: "0.05", boundary: "50", canary: "0.48", stable: "0.31", eValue: "3", threshold: "9",
          pods: ["c1"]),
        queries: [String(repeating: "q", count: 3000)], notes: ["coarse"]))
  }

  static func status(steps: Int) -> RolloutRunStatus {
    RolloutRunStatus(
      phase: .progressing, message: "step", checks: [check("errors", .fail)],
      timeline: (1...steps).map {
        StepRecord(
          kind: .step, step: $0, title: "weight \($0)%", outcome: .passed,
          checks: [check("errors"), check("p99", .insufficient)])
      })
  }

  static func size(_ status: RolloutRunStatus) throws -> Int { try JSON(encoding: status).bytes.count }

  @Test("a status within the bound is not touched")
  func small() throws {
    let status = Self.status(steps: 3)
    #expect(status.thinned() == status)
  }

  @Test("the oldest queries go first, and the newest stay whole")
  func oldestFirst() throws {
    let status = Self.status(steps: 10)
    let limit = try Self.size(status) - 5000
    let thinned = status.thinned(to: limit)
    #expect(try Self.size(thinned) <= limit)
    let first = try #require(thinned.timeline?.first)
    #expect(first.checks?.compactMap { $0.evidence?.queries }.isEmpty == true)
    #expect(first.checks?[0].evidence?.canary?.requests == "1000")
    #expect(thinned.timeline?.last == status.timeline?.last)
    #expect(thinned.checks == status.checks)
  }

  @Test("any status fits into any bound that its head fits into, and verdicts that did not pass outlive those that did")
  func anySize() throws {
    let status = Self.status(steps: 30)
    var before = Int.max
    for limit in [200_000, 50_000, 20_000, 8000, 4000, 2000, 500, 300] {
      let thinned = status.thinned(to: limit)
      let size = try Self.size(thinned)
      #expect(size <= limit, "\(limit)")
      #expect(size <= before)
      #expect(thinned.phase == .progressing)
      before = size
      let names = (thinned.timeline ?? []).flatMap { ($0.checks ?? []).map(\.name) }
      if names.contains("errors") { #expect(names.contains("p99")) }
    }
  }

  @Test("texts and lists beyond the schema's bounds are cut to them")
  func bounded() throws {
    let long = String(repeating: "é", count: 9000)
    var status = Self.status(steps: 70)
    status.message = long
    status.cause = AbortStatus(kind: .failedCheck, message: long)
    status.checks = (0..<80).map { Self.check("c\($0)") }
    status.checks?[0].evidence?.queries = [long]
    let cut = status.bounded()
    #expect(cut.message?.unicodeScalars.count == StatusBounds.message)
    #expect(cut.message?.hasSuffix("…") == true)
    #expect(cut.cause?.message?.unicodeScalars.count == StatusBounds.message)
    #expect(cut.checks?.count == StatusBounds.checks)
    #expect(cut.checks?[0].evidence?.queries?.first?.unicodeScalars.count == StatusBounds.query)
    #expect(cut.timeline?.count == StatusBounds.timeline)
    #expect(cut.timeline?.last?.step == 70)
    let rollout = RolloutStatus(message: long, conditions: [Condition(type: "Ready", status: .no, message: long)])
    #expect(rollout.bounded().conditions?[0].message?.unicodeScalars.count == StatusBounds.message)
  }

  @Test("the bounds of Swift are those of the schemas")
  func schemaBounds() throws {
    let run = try #require(try SchemaTests.schema(.rolloutRuns)[path: ["properties", "status", "properties"]])
    let rollout = try #require(try SchemaTests.schema(.rollouts)[path: ["properties", "status", "properties"]])
    let check = run[path: ["checks", "items", "properties"]]
    let evidence = check?[path: ["evidence", "properties"]]
    let entry = run[path: ["timeline", "items", "properties"]]
    let bounds: [(JSON?, Int)] = [
      (run[path: ["message", "maxLength"]], StatusBounds.message),
      (run[path: ["commandMessage", "maxLength"]], StatusBounds.message),
      (run[path: ["reason", "maxLength"]], StatusBounds.reason),
      (run[path: ["checks", "maxItems"]], StatusBounds.checks),
      (run[path: ["timeline", "maxItems"]], StatusBounds.timeline),
      (run[path: ["conditions", "maxItems"]], StatusBounds.conditions),
      (check?[path: ["message", "maxLength"]], StatusBounds.message),
      (evidence?[path: ["property", "maxLength"]], StatusBounds.property),
      (evidence?[path: ["queries", "maxItems"]], StatusBounds.queries),
      (evidence?[path: ["queries", "items", "maxLength"]], StatusBounds.query),
      (evidence?[path: ["notes", "maxItems"]], StatusBounds.notes),
      (evidence?[path: ["notes", "items", "maxLength"]], StatusBounds.note),
      (entry?[path: ["title", "maxLength"]], StatusBounds.title),
      (entry?[path: ["message", "maxLength"]], StatusBounds.message),
      (rollout[path: ["message", "maxLength"]], StatusBounds.message),
      (rollout[path: ["former", "maxItems"]], StatusBounds.former),
      (rollout[path: ["bypass", "properties", "services", "maxItems"]], StatusBounds.services),
      (rollout[path: ["stable", "properties", "images", "maxItems"]], StatusBounds.images),
      (rollout[path: ["stable", "properties", "images", "items", "maxLength"]], StatusBounds.image),
    ]
    for (index, (found, expected)) in bounds.enumerated() { #expect(found?.int == expected, "bound \(index)") }
  }

  @Test("a run goes to the wire and back unchanged")
  func run() throws {
    let rollout: Rollout = try json(checkout).decode()
    let run = RolloutRun(
      metadata: ObjectMeta(name: "checkout-abc", namespace: "shop"),
      spec: RolloutRunSpec(
        rolloutRef: RolloutReference(name: "checkout", uid: "u"), revision: "abc",
        stable: RunRevision(hash: "old", replicaSet: "checkout-old"), demand: 4, plan: rollout.spec,
        command: RunCommand(action: .promoteFull, step: 2, requestedBy: "ada", sequence: 3)),
      status: Self.status(steps: 2))
    #expect(try JSON(encoding: run).decode(RolloutRun.self) == run)
  }
}
