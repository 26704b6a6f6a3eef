import Testing

@testable import KubernetesAPI

@Suite("JSON")
struct JSONTests {
  @Test("a document comes back as it was, members sorted")
  func roundTrip() throws {
    let text = #"{"a":[1,-2.5,"x\n\"é",true,null,{}],"b":{"c":1e30}}"#
    let value = try JSON(parsing: text)
    #expect(value["a"]?[0] == .int(1))
    #expect(value[path: ["b", "c"]]?.double == 1e30)
    #expect(try JSON(parsing: value.description) == value)
  }

  @Test("whole numbers and fractions stay apart")
  func numbers() throws {
    #expect(try JSON(parsing: "3") == .int(3))
    #expect(try JSON(parsing: "3.0") == .double(3))
    #expect(try JSON(parsing: "-9223372036854775808") == .int(.min))
  }

  @Test(
    "what is not JSON is refused with the place of the fault",
    arguments: ["", "{", "[1,]", "{\"a\" 1}", "01", "1.", "\"\u{1}\"", "nul", "1 2", "\"\\x\"", "\"\\ud800\\u0041\""])
  func refused(text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test("duplicate members are reported by path, and the last one wins")
  func duplicates() throws {
    var duplicates: [String] = []
    let value = try JSON(
      parsing: #"{"spec":{"replicas":1,"replicas":2,"ports":[{"name":"a","name":"b"}]}}"#.utf8, duplicates: &duplicates)
    #expect(duplicates == ["spec.replicas", "spec.ports[0].name"])
    #expect(value[path: ["spec", "replicas"]]?.int == 2)
  }

  @Test("a path makes the objects on its way, and removing does not")
  func paths() {
    var value = JSON.emptyObject
    value[path: ["a", "b"]] = 1
    #expect(value == ["a": ["b": 1]])
    value[path: ["x", "y"]] = nil
    #expect(value == ["a": ["b": 1]])
    value[path: ["a", "b"]] = nil
    #expect(value == ["a": [:]])
  }

  @Test("typed values come out of JSON and go back into it")
  func coding() throws {
    let json: JSON = ["name": "web", "labels": ["app": "web"], "creationTimestamp": "2026-01-02T03:04:05Z"]
    let meta: ObjectMeta = try json.decode()
    #expect(meta.labels == ["app": "web"])
    #expect(try JSON(encoding: meta) == json)
  }
}
