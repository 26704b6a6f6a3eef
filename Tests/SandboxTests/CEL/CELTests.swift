import KubernetesAPI
import Testing

@testable import Sandbox

/// Evaluates an expression over JSON variables.
private func evaluate(_ source: String, _ variables: [String: JSON] = [:], budget: Int = 1_000_000) throws -> CELValue {
  let environment = CELEnvironment(variables: variables.mapValues { _ in .dyn }, constructsPatches: true)
  return try CELExpression(source, in: environment).value(with: variables.mapValues { CELValue($0) }, budget: budget)
}

private func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Suite("CEL: evaluation")
struct CELEvaluationTests {
  static let shop: JSON = [
    "metadata": ["name": "web", "labels": ["app": "web", "a/b": "c"]],
    "spec": ["replicas": 3, "paused": true, "ports": [["name": "http", "port": 80], ["name": "grpc", "port": 90]]],
  ]

  @Test(
    "an expression that holds is true",
    arguments: [
      // Literals
      "0x1F == 31", "1u + 2u == 3u", "1e3 == 1000.0", ".5 < 1.0", "'a\\n' == \"a\\x0a\"", "r'a\\n'.size() == 3",
      "'''a'b\n'''.size() == 4", "b'\\xff' == b'\\377'", "-9223372036854775808 < 0", "'\\u00e9' == 'é'",
      "[1, 2,] == [1, 2]", "{'a': 1}.a == 1", "{1: 'x'}[1] == 'x'", "true ? true : false",
      // Arithmetic and comparison
      "7 / 2 == 3", "-7 / 2 == -3", "-7 % 2 == -1", "2 + 3 * 4 == 14", "(2 + 3) * 4 == 20", "1 < 1.5", "1u < 2",
      "'a' < 'b'",
      "'a' + 'b' == 'ab'", "[1] + [2] == [1, 2]", "1 != 2", "null == null", "!(1 == 2)", "- (1) == -1", "1.0 == 1.0",
      // Logic absorbs errors
      "true || 1 / 0 == 1", "1 / 0 == 1 || true", "!(false && 1 / 0 == 1)", "!(1 / 0 == 1 && false)",
      "[1, 0].exists(x, 2 / x == 2)", "![1, 0].all(x, 2 / x == 3)",
      // Selection and presence
      "o.spec.replicas == 3", "has(o.spec.paused)", "!has(o.spec.strategy)", "o.metadata.labels['a/b'] == 'c'",
      "'app' in o.metadata.labels", "!('b' in o.metadata.labels)", "3 in [1, 2, 3]", "o.spec.ports[1].port == 90",
      // Macros
      "o.spec.ports.all(p, p.port >= 80)", "o.spec.ports.exists(p, p.name == 'grpc')",
      "o.spec.ports.exists_one(p, p.port == 80)", "o.spec.ports.filter(p, p.port > 80).size() == 1",
      "o.spec.ports.map(p, p.name) == ['http', 'grpc']", "o.spec.ports.map(p, p.port > 80, p.port * 2) == [180]",
      "o.metadata.labels.all(k, k.size() > 0)", "[1, 2].all(i, v, v == i + 1)",
      "['a', 'b'].transformList(i, v, v + string(i)) == ['a0', 'b1']",
      "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}", "[[1], [2]].all(x, x.all(y, y > 0))",
      // Optionals
      "o.metadata.?annotations.orValue({}) == {}", "o.?spec.?replicas.orValue(0) == 3",
      "!o.metadata.?annotations[?'x'].hasValue()", "[1][?0].value() == 1", "optional.none().orValue(1) == 1",
      "optional.of(1).optMap(x, x + 1) == optional.of(2)", "[?optional.none(), 1] == [1]",
      "{?'a': optional.none()} == {}", "o.metadata.?labels[?'app'] == optional.of('web')",
      "optional.none().or(optional.of(2)).value() == 2", "optional.ofNonZeroValue('') == optional.none()",
      // Strings
      "'web-1'.startsWith('web')", "'web-1'.endsWith('-1')", "'web'.contains('e')",
      "'a.b.c'.split('.') == ['a', 'b', 'c']",
      "'a.b.c'.split('.', 2) == ['a', 'b.c']", "['a', 'b'].join('-') == 'a-b'", "'AbC'.lowerAscii() == 'abc'",
      "'abc'.upperAscii() == 'ABC'", "' a '.trim() == 'a'", "'hello'.substring(1, 3) == 'el'",
      "'hello'.indexOf('l') == 2",
      "'hello'.lastIndexOf('l') == 3", "'hello'.indexOf('z') == -1", "'aXbX'.replace('X', '-') == 'a-b-'",
      "'aXbX'.replace('X', '-', 1) == 'a-bX'", "'abc'.charAt(1) == 'b'", "size('naïve') == 5",
      "'50%'.matches('^[0-9]+%$')",
      "'abc 123'.find('[0-9]+') == '123'", "'a1b22'.findAll('[0-9]+') == ['1', '22']", "'abc'.reverse() == 'cba'",
      // Lists and sets
      "[1, 2, 3].isSorted()", "[1, 2, 3].sum() == 6", "[3, 1].min() == 1", "[3, 1].max() == 3",
      "[1, 2].indexOf(2) == 1",
      "sets.contains([1, 2], [2])", "sets.intersects([1], [1, 2])", "sets.equivalent([1, 2], [2, 1, 1])",
      "[1, 1, 2].distinct() == [1, 2]", "[2, 1].sort() == [1, 2]", "math.greatest(1, 2.5) == 2.5",
      // Conversions
      "int('12') == 12", "int(3.9) == 3", "string(12) == '12'", "string(true) == 'true'", "double('1.5') == 1.5",
      "type(1) == int", "type('a') == string", "type([]) == list", "string(duration('90s')) == '90s'", "uint(3) == 3u",
      // Time
      "duration('1h30m') == duration('90m')", "duration('1.5s') > duration('1s')", "duration('2m').getSeconds() == 120",
      "timestamp('2024-02-29T12:00:00Z').getFullYear() == 2024",
      "timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-29T00:00:00Z') == duration('24h')",
      "timestamp('2024-01-01T01:00:00+01:00') == timestamp('2024-01-01T00:00:00Z')",
      "timestamp('1970-01-01T00:00:00Z') - duration('1ns') < timestamp('1970-01-01T00:00:00Z')",
      "timestamp('2024-02-29T00:00:00Z').getDayOfWeek() == 4",
      // Addresses
      "isURL('https://a.example/b')", "!isURL('a b')", "url('https://a.example:80/b').getPort() == '80'", "isIP('::1')",
      "!isIP('1.2.3')", "!isIP('01.2.3.4')",
      // Patches
      "jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'",
    ])
  func holds(_ source: String) throws {
    let value = try evaluate(source, ["o": Self.shop])
    #expect(value.equals(.bool(true)), "\(source) gave \(value)")
  }

  @Test(
    "a fault at run time says what it is",
    arguments: [
      ("o.data.a == '1'", "no such key: data"), ("1 / 0 == 1", "division by zero"),
      ("9223372036854775807 + 1 == 0", "integer overflow"), ("[1][3] == 1", "index out of bounds: 3"),
      ("int('x') == 1", "type conversion error from 'string' to 'int': \"x\""),
      ("optional.none().value() == 1", "optional.none() dereference"),
      ("{'a': 1, 'a': 2} == {}", "Failed with repeated key: a"),
      ("o.metadata.name + 1 == 'x'", "no such overload: string + int"),
      ("'a'.matches('(') || false", "missing closing )"),
    ])
  func runtimeFault(_ source: String, _ expected: String) {
    #expect(message { _ = try evaluate(source, ["o": Self.shop]) }.contains(expected))
  }

  @Test("an expression that would run for ever is cut off")
  func costLimit() {
    let list: JSON = .array((0..<1000).map { JSON($0) })
    let text = message { _ = try evaluate("l.all(x, l.all(y, l.all(z, x + y + z >= 0)))", ["l": list]) }
    #expect(text.contains("cost limit exceeded"))
    // Not even || makes that good.
    #expect(
      message { _ = try evaluate("l.all(x, l.all(y, l.all(z, true))) || true", ["l": list]) }.contains("cost limit"))
  }

  @Test("objects and patches are made as JSON")
  func constructs() throws {
    let object = try evaluate("Object{spec: Object.spec{paused: true, ?x: optional.none()}}").json
    #expect(object == ["spec": ["paused": true]])
    let patch = try evaluate("[JSONPatch{op: 'add', path: '/a', value: {'b': [1, 2.5, null]}}]").json
    #expect(patch == [["op": "add", "path": "/a", "value": ["b": [1, 2.5, .null]]]])
  }
}

@Suite("CEL: compilation")
struct CELCompilationTests {
  static let spec = Schema.object([
    "size": .integer, "min": .integer, "name": .string.with { $0.maxLength = 10 }, "ratio": .number,
    "tags": Schema.set(of: .string.with { $0.maxLength = 10 }).with { $0.maxItems = 5 }, "labels": .map(of: .string),
    "wait": .string(format: "duration"), "target": .intOrString, "a-b": .string, "namespace": .string,
  ])

  private func compile(_ source: String) throws -> CELExpression {
    try CELExpression(
      source, in: CELEnvironment(variables: ["self": .object(Self.spec, isRoot: false)]), returning: [.bool])
  }

  @Test(
    "what is wrong is found before anything runs",
    arguments: [
      ("self.missing == 1", "undefined field 'missing'"), ("other == 1", "undeclared reference to 'other'"),
      ("self.size ==", "Syntax error: mismatched input '<EOF>'"),
      ("self.size == 'x'", "no matching overload for '_==_'"),
      ("self.size + 1", "must evaluate to bool"), ("self.name.foo()", "undeclared reference to 'foo'"),
      ("self.name.startsWith(1)", "no matching overload for 'startsWith'"),
      ("self.size.x == 1", "does not support field selection"),
      ("self.tags.all(t, t > 1)", "no matching overload for '_>_'"), ("self.size.all(x, true)", "cannot be range"),
      ("has(self)", "invalid argument to has() macro"), ("self.size && true", "no matching overload for '_&&_'"),
      ("'a' == \"a", "unterminated string literal"), ("Object{} == Object{}", "undeclared reference to 'Object'"),
      ("self.tags.all(t.x, true)", "argument is not an identifier"), ("while == 1", "reserved identifier"),
    ])
  func refused(_ source: String, _ expected: String) {
    let text = message { _ = try compile(source) }
    #expect(text.contains(expected), "\(source): \(text)")
  }

  @Test(
    "what fits the schema compiles",
    arguments: [
      "self.min <= self.size", "self.ratio < 1.0 && self.size < 1.5", "self.a__dash__b == 'x'",
      "self.__namespace__ == 'x'", "self.tags.all(t, t.startsWith('x'))", "self.wait < duration('1h')",
      "type(self.target) == int || self.target.matches('%$')", "self.labels.all(k, self.labels[k] != '')",
      "self.?name.orValue('x') == 'x'", "self.name == null || true",
    ])
  func accepted(_ source: String) throws { _ = try compile(source) }

  @Test("a syntax error points at its place")
  func place() {
    let text = message { _ = try compile("self.size == 1 &&\n  self.min $ 2") }
    #expect(text.contains("ERROR: <input>:2:12: token recognition error at: '$'"))
    #expect(text.hasSuffix(" | ...........^"))
  }

  @Test("deep nesting is refused and does not overflow the stack")
  func nesting() {
    let parentheses = String(repeating: "(", count: 5000) + "true" + String(repeating: ")", count: 5000)
    #expect(message { _ = try compile(parentheses) }.contains("nests deeper"))
    #expect(
      message { _ = try compile(Array(repeating: "true", count: 5000).joined(separator: " && ")) }.contains("in a row"))
    #expect(message { _ = try compile(String(repeating: "!", count: 5000) + "true") }.contains("in a row"))
  }

  @Test("the cost follows the bounds of the schema")
  func cost() throws {
    let bounded = try compile("self.tags.all(t, t.contains('x'))").cost
    let unbounded = try compile("self.labels.all(k, self.labels[k].contains('x'))").cost
    #expect(bounded < 100)
    #expect(unbounded > DefinitionSchemaCheck.ruleCostLimit)
  }
}

@Suite("CEL: data of a schema")
struct CELDataTests {
  @Test("a field is what its schema says, and an error only once it is read")
  func typed() throws {
    let schema = Schema.object([
      "size": .integer, "wait": .string(format: "duration"), "ratio": .number, "set": .set(of: .string), "x.y": .string,
    ])
    let environment = CELEnvironment(variables: ["self": .object(schema, isRoot: false)])
    func holds(_ source: String, _ json: JSON) throws -> CELValue {
      try CELExpression(source, in: environment).value(with: ["self": CELValue(json, schema: schema)])
    }
    #expect(try holds("self.wait == duration('60s')", ["wait": "1m"]).equals(.bool(true)))
    #expect(try holds("self.ratio == 1.0", ["ratio": 1]).equals(.bool(true)))
    #expect(try holds("self.x__dot__y == 'a'", ["x.y": "a"]).equals(.bool(true)))
    #expect(try holds("self.set == ['b', 'a']", ["set": ["a", "b"]]).equals(.bool(true)))
    #expect(try holds("has(self.size)", ["size": 3.0]).equals(.bool(true)))
    #expect(
      message { _ = try holds("self.size > 1", ["size": 3.0]) } == "invalid data, expected int, got float64")
  }

  @Test("a list map compares by its keys, and joining replaces entries")
  func listMap() {
    let kind = CELListKind.map(keys: ["name"])
    func entry(_ name: String, _ value: Int64) -> CELValue {
      .map([.string("name"): .string(name), .string("v"): .int(value)])
    }
    let one = CELValue.list([entry("a", 1), entry("b", 2)], kind)
    #expect(one.equals(.list([entry("b", 2), entry("a", 1)], kind)))
    #expect(!one.equals(.list([entry("b", 2), entry("a", 3)], kind)))
    let joined = try? CELOperators.apply(.add, one, .list([entry("b", 5), entry("c", 6)], kind))
    #expect(joined?.equals(.list([entry("a", 1), entry("b", 5), entry("c", 6)], kind)) == true)
  }
}
