import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("YAML")
struct YAMLTests {
  @Test("scalars are what YAML says, quoted ones text")
  func scalars() throws {
    let json = try JSON(
      yaml: """
        int: 3
        quoted: "3"
        float: 1.5
        text: plain
        yes: true
        none: ~
        empty:
        date: 2026-01-01
        block: |
          a
          b
        list: [1, a, {b: c}]
        hex: 0x10
        version: "1.10"
        clock: 22:15
        off: off
        """)
    #expect(
      json == [
        "int": 3, "quoted": "3", "float": 1.5, "text": "plain", "yes": true, "none": .null, "empty": .null,
        "date": "2026-01-01", "block": "a\nb\n", "list": [1, "a", ["b": "c"]], "hex": 16, "version": "1.10",
        "clock": "22:15", "off": false,
      ])
  }

  @Test("several documents come with their lines, empty ones left out")
  func documents() throws {
    let documents = try JSON.documents(yaml: "a: 1\n---\n---\n# only a comment\n---\nb:\n- c: 2\n")
    #expect(documents.map(\.json) == [["a": 1], ["b": [["c": 2]]]])
    #expect(documents[1].line == 6)
    #expect(documents[1].lines["b[0].c"] == 7)
  }

  @Test("anchors are expanded, and members that stand in the mapping win over merged ones")
  func anchors() throws {
    let json = try JSON(yaml: "base: &b {x: 1, y: 2}\nuse:\n  y: 3\n  <<: *b\nlist: [*b]\n")
    #expect(json["use"] == ["x": 1, "y": 3])
    #expect(json["list"] == [["x": 1, "y": 2]])
    #expect(try JSON(yaml: "base: &b {x: 1}\nuse:\n  <<: *b\n  x: 3\n")["use"] == ["x": 3])
  }

  @Test(
    "what cannot be read is refused with its line", arguments: [("a: 1\nb: [", 3), ("a: 1\na: 2", 1), ("a: b: c", 1)])
  func refused(text: String, line: Int) {
    let error = #expect(throws: YAMLError.self) { try JSON(yaml: text) }
    #expect(error?.line == line, "\(error?.description ?? "")")
  }

  @Test("aliases that would expand without end are refused")
  func bomb() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...8 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(aliases)]\n"
    }
    #expect(throws: YAMLError.self) { try JSON(yaml: text) }
  }

  @Test("two documents are not one")
  func single() {
    #expect(throws: YAMLError.self) { try JSON(yaml: "a: 1\n---\nb: 1") }
  }
}
