import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("strategic merge patch")
struct StrategicMergePatchTests {
  let spec: JSON = [
    "containers": [
      [
        "name": "c", "image": "app:1", "args": ["a", "b"],
        "env": [["name": "A", "value": "1"], ["name": "B", "value": "2"]],
        "ports": [["containerPort": 80, "name": "http"], ["containerPort": 90, "name": "metrics"]],
      ],
      ["name": "side", "image": "side:1"],
    ],
    "volumes": [["name": "v", "emptyDir": [:]]], "tolerations": [["key": "x", "operator": "Exists"]],
  ]

  func patched(_ patch: JSON) throws -> JSON {
    try StrategicMergePatch.apply(patch, to: spec, schema: PodSchemas.spec)
  }

  func names(_ list: JSON?) -> [String] { (list?.array ?? []).compactMap { $0["name"]?.string } }

  @Test("containers, variables and ports are found by their keys, other lists are replaced")
  func byKey() throws {
    let result = try patched([
      "containers": [
        [
          "name": "c", "image": "app:2", "env": [["name": "B", "value": "3"], ["name": "C", "value": "4"]],
          "ports": [["containerPort": 90, "name": "prom"], ["containerPort": 100]], "args": ["z"],
        ]
      ], "tolerations": [["key": "y"]],
    ])
    #expect(
      result["containers"] == [
        [
          "name": "c", "image": "app:2", "args": ["z"],
          "env": [["name": "A", "value": "1"], ["name": "B", "value": "3"], ["name": "C", "value": "4"]],
          "ports": [
            ["containerPort": 80, "name": "http"], ["containerPort": 90, "name": "prom"], ["containerPort": 100],
          ],
        ],
        ["name": "side", "image": "side:1"],
      ])
    #expect(result["tolerations"] == [["key": "y"]])
  }

  @Test("a new element stands first, unless the order is given")
  func order() throws {
    let new: JSON = ["name": "new", "image": "new:1"]
    #expect(names(try patched(["containers": [new]])["containers"]) == ["new", "c", "side"])
    let ordered = try patched([
      "$setElementOrder/containers": [["name": "side"], ["name": "c"], ["name": "new"]], "containers": [new],
    ])
    #expect(names(ordered["containers"]) == ["side", "c", "new"])
    let onlyOrder = try patched(["$setElementOrder/containers": [["name": "side"], ["name": "c"]]])
    #expect(names(onlyOrder["containers"]) == ["side", "c"])
  }

  @Test("$patch deletes elements, also such as are not there, and replaces lists")
  func directives() throws {
    let deleted = try patched([
      "containers": [["name": "side", "$patch": "delete"], ["name": "gone", "$patch": "delete"]]
    ])
    #expect(names(deleted["containers"]) == ["c"])
    let replaced = try patched([
      "containers": [["name": "c", "env": [["$patch": "replace"], ["name": "ONLY", "value": "1"]]]]
    ])
    #expect(replaced["containers"]?[0]?["env"] == [["name": "ONLY", "value": "1"]])
    #expect(try patched(["$patch": "replace", "containers": []]) == ["containers": []])
  }

  @Test("$retainKeys drops what it does not name")
  func retainKeys() throws {
    let result = try patched([
      "volumes": [["name": "v", "$retainKeys": ["name", "configMap"], "configMap": ["name": "m"]]]
    ])
    #expect(result["volumes"] == [["name": "v", "configMap": ["name": "m"]]])
  }

  @Test("finalizers are merged as a set, and single ones are taken out")
  func primitives() throws {
    let metadata: JSON = ["finalizers": ["t/a"]]
    let merged = try StrategicMergePatch.apply(
      ["finalizers": ["t/b"]], to: metadata, schema: MetaSchemas.objectMeta)
    #expect(merged["finalizers"] == ["t/b", "t/a"])
    let less = try StrategicMergePatch.apply(
      ["$deleteFromPrimitiveList/finalizers": ["t/a"], "$setElementOrder/finalizers": ["t/b"]], to: merged,
      schema: MetaSchemas.objectMeta)
    #expect(less["finalizers"] == ["t/b"])
  }

  @Test("a missing merge key and an unknown directive are server errors")
  func refused() {
    for patch: JSON in [["containers": [["image": "app:4"]]], ["$patch": "nonsense"]] {
      let status = #expect(throws: Status.self) { try patched(patch) }
      #expect(status?.code == 500)
      #expect(status?.reason == nil)
    }
  }
}
