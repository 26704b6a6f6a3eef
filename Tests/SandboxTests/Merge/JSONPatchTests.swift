import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("JSON patch")
struct JSONPatchTests {
  let object: JSON = ["data": ["a": "1", "b": "2"], "list": ["x", "y"], "metadata": ["annotations": ["x/y": "z"]]]

  func patched(_ operations: JSON...) throws -> JSON { try JSONPatch.apply(.array(operations), to: object) }

  @Test("all six operations do what RFC 6902 says")
  func operations() throws {
    let result = try patched(
      ["op": "test", "path": "/data/a", "value": "1"],
      ["op": "add", "path": "/metadata/annotations/x~1w", "value": "v"],
      ["op": "copy", "from": "/data/a", "path": "/data/c"], ["op": "move", "from": "/data/b", "path": "/data/d"],
      ["op": "replace", "path": "/data/a", "value": "9"], ["op": "add", "path": "/list/0", "value": "w"],
      ["op": "add", "path": "/list/-", "value": "z"], ["op": "remove", "path": "/list/1"])
    #expect(
      result == [
        "data": ["a": "9", "c": "1", "d": "2"], "list": ["w", "y", "z"],
        "metadata": ["annotations": ["x/y": "z", "x/w": "v"]],
      ])
  }

  @Test("a replace of a member that is not there adds it, and a test for null holds where nothing is")
  func leniency() throws {
    #expect(try patched(["op": "replace", "path": "/data/c", "value": "3"])["data"]?["c"] == "3")
    #expect(try patched(["op": "test", "path": "/data/c", "value": .null]) == object)
  }

  @Test(
    "what cannot be carried out is a 422",
    arguments: [
      ["op": "test", "path": "/data/a", "value": "2"], ["op": "test", "path": "/data/c", "value": "1"],
      ["op": "remove", "path": "/data/c"], ["op": "add", "path": "/none/x", "value": "1"],
      ["op": "remove", "path": "/list/7"], ["op": "replace", "path": "/list/2", "value": "1"],
      ["op": "add", "path": "/list/3", "value": "1"], ["op": "frobnicate", "path": "/data/a"],
      ["op": "add", "path": "data", "value": "1"], ["op": "copy", "from": "/none", "path": "/data/x"],
    ] as [JSON])
  func refused(_ operation: JSON) {
    let status = #expect(throws: Status.self) { try patched(operation) }
    #expect(status?.code == 422)
    #expect(status?.reason == "Invalid")
    #expect(status?.details == .init())
  }

  @Test("a document that is no list of operations is a 400", arguments: [["data": [:]], ["x"]] as [JSON])
  func noPatch(_ document: JSON) {
    let status = #expect(throws: Status.self) { try JSONPatch.apply(document, to: object) }
    #expect(status?.code == 400)
  }

  @Test("a merge patch removes what is null, merges objects and replaces lists")
  func merge() {
    let result = MergePatch.apply(["data": ["a": .null, "c": ["d": .null]], "list": ["z"]], to: object)
    #expect(
      result == ["data": ["b": "2", "c": [:]], "list": ["z"], "metadata": ["annotations": ["x/y": "z"]]])
  }
}
