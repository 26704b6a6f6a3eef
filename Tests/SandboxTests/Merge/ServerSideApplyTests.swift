import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// A little API server: applies and updates, with what the kind's schema does to every object.
private struct ApplyWorld {
  let type: ResourceType
  var live: JSON?

  var schema: Schema { BuiltIns.schema(for: type) ?? .anyObject }

  private func writer(_ manager: String) -> ManagedFields.Writer {
    .init(
      manager: manager, apiVersion: type.apiVersion,
      owned: .of(type, isCustom: false, hasStatus: type != .configMaps, subresource: ""),
      now: Date(timeIntervalSince1970: 0))
  }

  private func normal(_ object: JSON) -> JSON {
    var object = Normalization.normalized(object, schema)
    BuiltIns.applyDefaults(&object, type)
    object[path: ["metadata", "uid"]] = "1"
    return object
  }

  mutating func apply(_ fields: JSON, by manager: String, force: Bool = false) throws {
    var applied = fields
    applied["kind"] = .string(type.kind)
    applied["apiVersion"] = .string(type.apiVersion)
    applied[path: ["metadata", "name"]] = "one"
    live = normal(
      try ServerSideApply.apply(
        applied, to: live, by: writer(manager), force: force, schema: schema,
        skeleton: BuiltIns.skeleton(of: schema)))
  }

  mutating func update(by manager: String, _ change: (inout JSON) -> Void) {
    var object = live ?? ["metadata": ["name": "one"]]
    change(&object)
    live = ManagedFields.update(
      normal(object), old: live, by: writer(manager), schema: schema, skeleton: BuiltIns.skeleton(of: schema))
  }

  /// `fieldsV1` by manager.
  var owners: [String: JSON] {
    Dictionary(
      (live?.managedFields?.array ?? []).map { ($0["manager"]?.string ?? "", $0["fieldsV1"] ?? .null) },
      uniquingKeysWith: { first, _ in first })
  }
}

private func deployment(_ containers: JSON) -> JSON {
  [
    "spec": [
      "replicas": 0, "paused": false, "selector": ["matchLabels": ["app": "web"]],
      "template": ["metadata": ["labels": ["app": "web"]], "spec": ["containers": containers]],
    ]
  ]
}

@Suite("server-side apply")
struct ServerSideApplyTests {
  @Test("a field goes when its last owner no longer names it")
  func removal() throws {
    var world = ApplyWorld(type: .configMaps)
    try world.apply(["data": ["a": "1", "b": "1"]], by: "alpha")
    try world.apply(["data": ["a": "1"]], by: "beta")
    #expect(world.owners == ["alpha": ["f:data": ["f:a": [:], "f:b": [:]]], "beta": ["f:data": ["f:a": [:]]]])
    try world.apply(["data": ["b": "1"]], by: "alpha")
    #expect(world.live?["data"] == ["a": "1", "b": "1"])
    try world.apply(["data": ["c": "1"]], by: "beta")
    #expect(world.live?["data"] == ["b": "1", "c": "1"])
    try world.apply([:], by: "beta")
    #expect(world.live?["data"] == ["b": "1"])
    #expect(world.owners == ["alpha": ["f:data": ["f:b": [:]]]])
  }

  @Test("another value is a conflict with each owner, and force takes the field from all")
  func conflict() throws {
    var world = ApplyWorld(type: .configMaps)
    try world.apply(["data": ["a": "1", "b": "1"]], by: "alpha")
    world.update(by: "hand") { $0[path: ["data", "b"]] = "2" }
    let one = #expect(throws: Status.self) { try world.apply(["data": ["a": "2"]], by: "beta") }
    #expect(one?.code == 409)
    #expect(one?.message == "Apply failed with 1 conflict: conflict with \"alpha\": .data.a")
    #expect(
      one?.details?.causes == [
        .init(reason: "FieldManagerConflict", message: "conflict with \"alpha\"", field: ".data.a")
      ])
    let two = #expect(throws: Status.self) { try world.apply(["data": ["a": "2", "b": "3"]], by: "beta") }
    #expect(
      two?.message
        == "Apply failed with 2 conflicts: conflicts with \"alpha\":\n- .data.a\nconflicts with \"hand\" using v1:\n- .data.b"
    )
    try world.apply(["data": ["a": "2", "b": "3"]], by: "beta", force: true)
    #expect(world.owners == ["beta": ["f:data": ["f:a": [:], "f:b": [:]]]])
  }

  @Test("after all owners were forgotten, the first apply finds what was there in other hands")
  func forgotten() throws {
    var world = ApplyWorld(type: .configMaps)
    try world.apply(["data": ["b": "1"]], by: "alpha")
    world.update(by: "hand") { $0.managedFields = [[:]] }
    #expect(world.live?.managedFields == nil)
    world.update(by: "hand") { $0[path: ["data", "b"]] = "2" }
    #expect(world.live?.managedFields == nil)
    let status = #expect(throws: Status.self) { try world.apply(["data": ["b": "1"]], by: "alpha") }
    #expect(
      status?.message == "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.b")
  }

  @Test("a Service's selector is one field, its labels are many, its ports have keys with a default")
  func service() throws {
    var world = ApplyWorld(type: .services)
    try world.apply(
      [
        "metadata": ["labels": ["a": "1"]],
        "spec": ["selector": ["app": "web"], "ports": [["name": "http", "port": 80, "targetPort": 8080]]],
      ], by: "team")
    try world.apply(["metadata": ["labels": ["b": "1"]]], by: "other")
    #expect(
      world.owners == [
        "team": [
          "f:metadata": ["f:labels": ["f:a": [:]]],
          "f:spec": [
            "f:ports": [
              "k:{\"port\":80,\"protocol\":\"TCP\"}": [".": [:], "f:name": [:], "f:port": [:], "f:targetPort": [:]]
            ], "f:selector": [:],
          ],
        ], "other": ["f:metadata": ["f:labels": ["f:b": [:]]]],
      ])
    let status = #expect(throws: Status.self) {
      try world.apply(["spec": ["selector": ["app": "web", "hash": "x"]]], by: "sluice")
    }
    #expect(status?.details?.causes?.map(\.field) == [".spec.selector"])
  }

  @Test("an element of a list goes with its last owner, and what others own of it stays")
  func listMap() throws {
    var world = ApplyWorld(type: .deployments)
    try world.apply(deployment([["name": "c", "image": "app:1", "args": ["x"]]]), by: "team")
    try world.apply(
      ["spec": ["template": ["spec": ["containers": [["name": "side", "image": "side:1"]]]]]], by: "injector")
    func names() -> [String?] {
      (world.live?[path: ["spec", "template", "spec", "containers"]]?.array ?? []).map { $0["name"]?.string }
    }
    #expect(names() == ["c", "side"])
    try world.apply(
      ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "app:1"]]]]]], by: "injector")
    #expect(names() == ["c"])
    try world.apply(deployment([["name": "d", "image": "d:1"]]), by: "team")
    #expect(names() == ["c", "d"])
    let kept = world.live?[path: ["spec", "template", "spec", "containers"]]?[0]
    #expect(kept?["image"] == "app:1")
    #expect(kept?["args"] == nil)
    // False is not stored, and owned all the same.
    #expect(world.live?["spec"]?["paused"] == nil)
    #expect(world.owners["team"]?["f:spec"]?["f:paused"] == [:])
  }

  @Test("what does not fit the schema is a server error that names the field")
  func misfit() {
    let cases: [(JSON, String)] = [
      (["spec": ["replica": 3]], ".spec.replica: field not declared in schema"),
      (["spec": ["replicas": "3"]], ".spec.replicas: expected integer"),
      (
        deployment([["name": "c", "image": "1"], ["name": "c", "image": "2"]]),
        ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]"
      ),
    ]
    for (fields, text) in cases {
      var world = ApplyWorld(type: .deployments)
      let status = #expect(throws: Status.self) { try world.apply(fields, by: "m") }
      #expect(status?.code == 500)
      #expect(status?.message?.contains("(/one; apps/v1, Kind=Deployment): \(text)") == true)
    }
  }

  @Test("a creation owns what it brings and its defaults, but nothing that every object of the kind holds")
  func creation() {
    var world = ApplyWorld(type: .deployments)
    world.update(by: "team") { object in
      object["spec"] = deployment([["name": "c", "image": "app:1"]])["spec"]
      object[path: ["spec", "replicas"]] = 2
    }
    #expect(
      world.owners["team"] == [
        "f:spec": [
          "f:progressDeadlineSeconds": [:], "f:replicas": [:], "f:revisionHistoryLimit": [:], "f:selector": [:],
          "f:strategy": ["f:rollingUpdate": [".": [:], "f:maxSurge": [:], "f:maxUnavailable": [:]], "f:type": [:]],
          "f:template": [
            "f:metadata": ["f:labels": [".": [:], "f:app": [:]]],
            "f:spec": [
              "f:containers": [
                "k:{\"name\":\"c\"}": [
                  ".": [:], "f:image": [:], "f:imagePullPolicy": [:], "f:name": [:], "f:resources": [:],
                  "f:terminationMessagePath": [:], "f:terminationMessagePolicy": [:],
                ]
              ], "f:dnsPolicy": [:], "f:restartPolicy": [:], "f:schedulerName": [:], "f:securityContext": [:],
              "f:terminationGracePeriodSeconds": [:],
            ],
          ],
        ]
      ])
  }

  @Test("kubectl may take what its client-side apply stated and nobody changed since")
  func migration() throws {
    var world = ApplyWorld(type: .configMaps)
    let key = "kubectl.kubernetes.io/last-applied-configuration"
    world.update(by: "kubectl-client-side-apply") { object in
      object["data"] = ["a": "1"]
      object[path: ["metadata", "annotations", key]] = #"{"data":{"a":"1"}}"#
    }
    let refused = #expect(throws: Status.self) { try world.apply(["data": ["a": "2"]], by: "other") }
    #expect(refused?.code == 409)
    try world.apply(["data": ["a": "2"]], by: "kubectl")
    #expect(world.live?["data"] == ["a": "2"])
    #expect(world.live?.annotations[key]?.contains(#""a":"2""#) == true)
  }

  @Test(
    "a set of fields reads what it writes",
    arguments: [
      ["f:data": [".": [:], "f:a": [:]]], ["f:x": ["k:{\"name\":\"c\"}": ["f:image": [:]], "v:\"t/a\"": [:]]],
    ] as [JSON])
  func fieldsV1(_ json: JSON) { #expect(FieldSet(json)?.json == json) }

  @Test("a malformed set of fields is none", arguments: [["data": [:]], ["k:name": [:]], "x", ["f:a": 1]] as [JSON])
  func malformed(_ json: JSON) { #expect(FieldSet(json) == nil) }

  @Test("more than ten updaters are kept as ten and their ancestors as one")
  func cap() {
    var world = ApplyWorld(type: .configMaps)
    for number in 0..<12 { world.update(by: "m\(number)") { $0[path: ["data", "k\(number)"]] = "1" } }
    #expect(world.owners.count == 10)
    #expect(world.owners[ManagedEntries.ancient]?["f:data"]?["f:k0"] == [:])
  }
}
