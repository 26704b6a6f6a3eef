import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Operator
import RolloutAPI
import Testing

@testable import sluice

@Suite struct CommandTests {
  @Test(
    "a flag with a wrong value is named before anything is asked of a cluster",
    arguments: [
      ("undo web --to-revision=-1", "--to-revision: found -1"), ("undo web --to-revision two", "--to-revision"),
      ("status web --wait --timeout soon", "found 'soon'"),
      ("doctor --prometheus-url prometheus:9090", "found 'prometheus:9090'"),
      ("get web -A", "--all-namespaces goes without"),
      ("get web -w -o json", "--watch goes without"), ("get web --as-group admins", "--as is missing"),
      ("abort web --reason " + String(repeating: "x", count: 1025), "--reason: found 1025 characters"),
    ])
  func flags(line: String, wanted: String) {
    let error = #expect(throws: (any Error).self) {
      try Sluice.parseAsRoot(line.split(separator: " ").map(String.init))
    }
    if let error { #expect(Sluice.fullMessage(for: error).contains(wanted), "\(Sluice.fullMessage(for: error))") }
  }

  /// Answers everything with 404 and one body.
  private struct NotFound: Transport {
    var body: String

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
      HTTPResponse(status: 404, body: Data(body.utf8))
    }

    func stream(_ request: HTTPRequest) async throws -> HTTPStream { throw TransportError.invalidRequest("no watch") }
  }

  @Test("a Rollout that is not there is told apart from a cluster without Sluice")
  func missing() async throws {
    func words(_ body: String) async -> String {
      let client = KubernetesClient(server: "https://cluster.example", transport: NotFound(body: body))
      do {
        return "found \(try await Session(client: client, namespace: "shop").rollout("web"))"
      } catch {
        return "\(Session.explained(error))"
      }
    }
    let gone = #"{"kind": "Status", "code": 404, "reason": "NotFound", "message": "rollouts \"web\" not found"}"#
    #expect(await words(gone) == "there is no Rollout web in namespace shop; see: sluice get -A")
    #expect(
      await words("404 page not found\n")
        == "cannot get rollouts.sluice.dev shop/web at https://cluster.example: Sluice is not installed there; "
        + "`sluice doctor` says what is missing")
  }

  @Test("a command takes the next number, names the step that was seen, and replaces the last one whole")
  func command() throws {
    var run = try #require(try running().run)
    run.spec.command = RunCommand(action: .pause, reason: "lunch", sequence: 4)
    run.status?.commandSequence = 4
    let promote = RunCommandWriter.command(.promote, for: run, reason: nil, requestedBy: "ada")
    #expect(promote == RunCommand(action: .promote, step: 2, requestedBy: "ada", sequence: 5))
    #expect(
      RunCommandWriter.patch(promote, resourceVersion: "77") == [
        "metadata": ["resourceVersion": "77"],
        "spec": ["command": ["action": "Promote", "step": 2, "reason": .null, "requestedBy": "ada", "sequence": 5]],
      ])
    #expect(RunCommandWriter.command(.abort, for: run, reason: "bad", requestedBy: nil).step == nil)
  }

  @Test("a command that makes no sense is refused before anything is written")
  func refused() throws {
    var run = try #require(try running().run)
    try RunCommandWriter.check(run, .promote, rollout: "checkout", seen: run)
    #expect(throws: CommandFailure.self) { try RunCommandWriter.check(run, .retry, rollout: "checkout", seen: nil) }
    var moved = run
    moved.status?.step = 3
    #expect(throws: CommandFailure.self) { try RunCommandWriter.check(moved, .promote, rollout: "checkout", seen: run) }
    try RunCommandWriter.check(moved, .abort, rollout: "checkout", seen: run)
    var other = run
    other.spec.command = RunCommand(action: .abort, requestedBy: "eve", sequence: 1)
    let clash = #expect(throws: CommandFailure.self) {
      try RunCommandWriter.check(other, .pause, rollout: "checkout", seen: run)
    }
    #expect(clash?.description.contains("by eve (Abort)") == true)
    run.status?.phase = .promoted
    let late = #expect(throws: CommandFailure.self) {
      try RunCommandWriter.check(run, .abort, rollout: "checkout", seen: nil)
    }
    #expect(late?.description.contains("sluice undo checkout") == true)
    run.status?.phase = .aborted
    try RunCommandWriter.check(run, .retry, rollout: "checkout", seen: nil)
  }

  static func set(_ name: String, image: String, number: Int?, owner: String = "d", replicas: Int = 0) -> JSON {
    var set: JSON = [
      "metadata": ["name": .string(name), "ownerReferences": [["uid": .string(owner), "controller": true]]],
      "spec": [
        "replicas": JSON(replicas),
        "template": [
          "metadata": ["labels": ["app": "web", "pod-template-hash": .string(name)]],
          "spec": ["containers": [["name": "web", "image": .string(image)]]],
        ],
      ],
    ]
    if let number { set[path: ["metadata", "annotations", Names.revisionNumber]] = .string(String(number)) }
    return set
  }

  static func deployment(image: String) -> JSON {
    [
      "metadata": ["name": "web", "uid": "d", "resourceVersion": "5", "annotations": ["sluice.dev/held": "run-1"]],
      "spec": [
        "template": [
          "metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "web", "image": .string(image)]]],
        ]
      ],
    ]
  }

  @Test("an undo goes to the stable revision during a run, else to the newest other one, else to the number given")
  func undo() throws {
    let sets = [
      Self.set("a", image: "v1", number: 1), Self.set("b", image: "v2", number: 2),
      Self.set("c", image: "v3", number: 3), Self.set("x", image: "v9", number: 9, owner: "another"),
    ]
    let held = Self.deployment(image: "v3")
    #expect(try Revisions.earlier(than: held, among: sets, stable: "a").set == "a")
    #expect(try Revisions.earlier(than: held, among: sets, stable: "c").set == "b")
    #expect(try Revisions.earlier(than: held, among: sets, stable: nil, number: 1).set == "a")
    let earlier = try Revisions.earlier(than: held, among: sets, stable: "c")
    #expect(earlier.template.labels == ["app": "web"])
    #expect(
      UndoCommand.patch(held, to: earlier.template).body
        == [
          ["op": "replace", "path": "/metadata/resourceVersion", "value": "5"],
          ["op": "replace", "path": "/spec/template", "value": earlier.template.json],
        ])
    #expect(throws: CommandFailure.self) { try Revisions.earlier(than: held, among: sets, stable: nil, number: 9) }
    #expect(throws: CommandFailure.self) { try Revisions.earlier(than: held, among: sets, stable: nil, number: 3) }
    #expect(throws: CommandFailure.self) { try Revisions.earlier(than: held, among: [sets[2]], stable: nil) }
  }

  @Test("a restart writes the annotation that kubectl writes")
  func restart() throws {
    let time = try #require(Timestamp("2026-01-01T12:00:00Z"))
    #expect(
      RestartCommand.patch(at: time)[path: ["spec", "template", "metadata", "annotations"]]
        == ["kubectl.kubernetes.io/restartedAt": "2026-01-01T12:00:00Z"])
  }

  @Test("what a status says of a revision counts only while the Deployment's template holds that one")
  func standing() throws {
    var snapshot = try running()
    func standing(_ phase: RolloutPhase, _ wanted: WantedRevision) -> Standing {
      snapshot.rollout.status?.phase = phase
      return Standing(snapshot, wanted: wanted)
    }
    snapshot.run?.status?.phase = .paused
    let states: [(RolloutPhase, [Standing])] = [
      (.idle, [.settled, .unsettled, .unsettled]), (.rejected, [.unsettled, .rejected, .unsettled]),
      (.stalled, [.stalled, .stalled, .stalled]), (.paused, [.paused, .paused, .unsettled]),
      (.running, [.unsettled, .unsettled, .unsettled]),
    ]
    for (phase, expected) in states {
      #expect([.stable, .tried, .new].map { standing(phase, $0) } == expected, "\(phase)")
    }
    // While it bakes a run is promoting, paused or not.
    snapshot.run?.status?.phase = .promoting
    #expect(standing(.paused, .tried) == .paused)
    // A command let it go on a moment ago.
    snapshot.run?.status?.phase = .progressing
    #expect(standing(.paused, .tried) == .unsettled)
    snapshot.rollout.metadata.generation = 2
    #expect(standing(.idle, .stable) == .unsettled && standing(.stalled, .tried) == .unsettled)
    #expect([Standing.settled, .rejected, .stalled, .unsettled, .paused].map(\.rawValue) == [0, 2, 3, 4, 5])
  }

  @Test("a release ends the hold only where that starts nothing, and marks its write for the policies")
  func release() {
    let running = [Self.set("a", image: "v1", number: 1, replicas: 4)]
    #expect(Release.startsNothing(Self.deployment(image: "v1"), running))
    #expect(!Release.startsNothing(Self.deployment(image: "v2"), running))
    #expect(!Release.startsNothing(Self.deployment(image: "v1"), [Self.set("a", image: "v1", number: 1)]))
    var held = Self.deployment(image: "v1")
    held[path: ["metadata", "resourceVersion"]] = "7"
    #expect(
      Release.releasePatch(held, endsHold: true) == [
        "metadata": [
          "labels": ["sluice.dev/managed": .null], "resourceVersion": "7",
          "annotations": ["sluice.dev/held": .null, "sluice.dev/own-write": "sluice@0"],
        ], "spec": ["paused": .null],
      ])
    #expect(
      Release.releasePatch(held, endsHold: false) == [
        "metadata": [
          "labels": ["sluice.dev/managed": .null], "resourceVersion": "7",
          "annotations": ["sluice.dev/own-write": "sluice@0"],
        ]
      ])
  }

  @Test("only pods that Sluice holds for this Rollout are taken down")
  func canaries() {
    var canary = Self.set("b", image: "v2", number: nil, replicas: 2)
    canary[path: ["metadata", "labels"]] = ["sluice.dev/rollout": "web"]
    #expect(!Release.isHeldCanary(canary, rollout: "web", stable: "a"))
    canary[path: ["metadata", "ownerReferences"]] = [["uid": "d"]]
    #expect(Release.isHeldCanary(canary, rollout: "web", stable: "a"))
    #expect(!Release.isHeldCanary(canary, rollout: "web", stable: "b"))
    #expect(!Release.isHeldCanary(canary, rollout: "shop", stable: "a"))
  }
}
