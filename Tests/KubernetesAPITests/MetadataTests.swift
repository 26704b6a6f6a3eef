import Foundation
import Testing

@testable import KubernetesAPI

@Suite("Selectors, quantities and conditions")
struct MetadataTests {
  @Test(
    "a selector reads its string form and writes it again",
    arguments: [
      ("app=web", "app=web"), ("b==2, a = 1", "a=1,b=2"), ("a!=b", "a notin (b)"), ("a in (x, y),b", "a in (x,y),b"),
      ("a notin (x)", "a notin (x)"), ("!a,example.com/b", "!a,example.com/b"), ("", ""), ("a=", "a="),
    ])
  func selectorText(text: String, written: String) throws {
    let selector = try LabelSelector(parsing: text)
    #expect(selector.description == written)
    #expect(try LabelSelector(parsing: written).description == written)
  }

  @Test(
    "what is no selector is refused and quoted", arguments: ["a=b=c", "=a", "a b", "a in x", "a of (x)", "a,,b", "a!"])
  func selectorRefused(text: String) {
    #expect(throws: LabelSelectorError.self) { try LabelSelector(parsing: text) }
  }

  @Test(
    "a selector matches as Kubernetes has it",
    arguments: [
      ("app=web", true), ("app=api", false), ("tier in (a,b)", true), ("tier in (b)", false), ("tier notin (b)", true),
      ("absent notin (b)", true), ("absent!=b", true), ("app", true), ("absent", false), ("!absent", true),
      ("!app", false), ("app=web,tier=b", false), ("app=web,app=api", false), ("", true),
    ])
  func selectorMatches(text: String, matches: Bool) throws {
    #expect(try LabelSelector(parsing: text).matches(["app": "web", "tier": "a"]) == matches)
  }

  @Test(
    "quantities compare by value",
    arguments: [
      ("1000m", "1"), ("1Ki", "1024"), ("1.5Gi", "1610612736"), ("1e3", "1k"), ("0.1", "100m"), ("2E", "2E18"),
    ])
  func quantities(left: String, right: String) throws {
    #expect(try #require(Quantity(left)) == #require(Quantity(right)))
    #expect(try #require(Quantity(left)).description == left)
  }

  @Test("a quantity that is none is refused", arguments: ["", "m", "1 Gi", "1.2.3", "Gi", "1Zi", "--1", "1e", "1-2"])
  func badQuantities(text: String) {
    #expect(Quantity(text) == nil)
  }

  @Test("percentages are of the total, rounded as asked, and port names are no number")
  func intOrString() throws {
    #expect(IntOrString.string("25%").resolved(of: 10, roundingUp: true) == 3)
    #expect(IntOrString.string("25%").resolved(of: 10, roundingUp: false) == 2)
    #expect(IntOrString.int(7).resolved(of: 10, roundingUp: true) == 7)
    #expect(IntOrString.string("http").resolved(of: 10, roundingUp: true) == nil)
    #expect(try JSON.array([3, "http"]).decode([IntOrString].self) == [3, "http"])
  }

  @Test("a condition keeps its transition time while its status stays")
  func conditions() {
    let first = Timestamp(Date(timeIntervalSince1970: 10))
    let second = Timestamp(Date(timeIntervalSince1970: 20))
    var conditions = [Condition(type: "Ready", status: .no, lastTransitionTime: first, reason: "A")]
    conditions.set(Condition(type: "Ready", status: .no, lastTransitionTime: second, reason: "B"))
    #expect(conditions == [Condition(type: "Ready", status: .no, lastTransitionTime: first, reason: "B")])
    conditions.set(Condition(type: "Ready", status: .yes, lastTransitionTime: second))
    #expect(conditions[type: "Ready"]?.lastTransitionTime == second)
    conditions.set(Condition(type: "Stalled", status: .no))
    #expect(conditions.map(\.type) == ["Ready", "Stalled"])
  }

  @Test("a template loses a label without losing anything else")
  func template() {
    let template = PodTemplateSpec(["metadata": ["labels": ["app": "web", "h": "1"]], "spec": ["future": [1]]])
    #expect(template.removingLabel("h").json == ["metadata": ["labels": ["app": "web"]], "spec": ["future": [1]]])
    let only = PodTemplateSpec(["metadata": ["labels": ["h": "1"]], "spec": [:]])
    #expect(only.removingLabel("h").json == ["spec": [:]])
  }

  @Test("a Secret never shows a value, however it is printed")
  func secret() {
    let secret = Secret(metadata: ObjectMeta(name: "s", namespace: "n"), data: ["url": Data("hunter2".utf8)])
    var dumped = ""
    dump(secret, to: &dumped)
    for text in ["\(secret)", dumped, String(reflecting: secret)] {
      #expect(text.contains("url"))
      #expect(!text.contains("hunter2"))
      #expect(!text.contains("bytes"))
    }
    #expect(secret.text("url") == "hunter2")
  }
}
