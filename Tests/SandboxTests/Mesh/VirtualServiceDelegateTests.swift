import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("A VirtualService that delegates")
struct VirtualServiceDelegateTests {
  private func merged(root match: JSON?, _ rules: JSON) throws -> [JSON] {
    var rule: JSON = ["name": "pay", "timeout": "3s", "delegate": ["name": "checkout", "namespace": "shop"]]
    rule["match"] = match
    let root: JSON = [
      "metadata": ["name": "root", "namespace": "web"], "spec": ["hosts": ["a.example.com"], "http": [rule]],
    ]
    let delegate: JSON = ["metadata": ["name": "checkout", "namespace": "shop"], "spec": ["http": rules]]
    let resolved = VirtualServiceDelegates.resolved([root, delegate])
    #expect(resolved.map(\.name) == ["root"], "the delegate stands for nothing by itself")
    return resolved.first?[path: ["spec", "http"]]?.array ?? []
  }

  @Test("has the rules of the other one, under both names, with what it says itself where that says nothing")
  func joined() throws {
    let rules = try merged(
      root: [["uri": ["prefix": "/checkout"], "port": 80]],
      [
        ["name": "route", "match": [["headers": ["x": ["exact": "1"]]]], "route": [["destination": ["host": "a"]]]],
        ["name": "primary", "timeout": "1s", "route": [["destination": ["host": "b.shop.svc.cluster.local"]]]],
      ])
    #expect(
      rules == [
        [
          "name": "pay-route", "timeout": "3s",
          "match": [["headers": ["x": ["exact": "1"]], "uri": ["prefix": "/checkout"], "port": 80]],
          "route": [["destination": ["host": "a.shop.svc.cluster.local"]]],
        ],
        [
          "name": "pay-primary", "timeout": "1s", "match": [["uri": ["prefix": "/checkout"], "port": 80]],
          "route": [["destination": ["host": "b.shop.svc.cluster.local"]]],
        ],
      ])
  }

  @Test("loses rules that take other requests than its own, and all of them where there is no such object")
  func dropped() throws {
    let route: JSON = [["destination": ["host": "a"]]]
    for (root, leaf) in [
      (#"{"uri":{"prefix":"/a"}}"#, #"{"uri":{"prefix":"/b"}}"#),
      (#"{"uri":{"regex":"/a"}}"#, #"{"uri":{"exact":"/a"}}"#),
      (#"{"sourceNamespace":"x"}"#, #"{"method":{"exact":"GET"}}"#), (#"{"gateways":["g"]}"#, #"{"gateways":["h"]}"#),
    ] {
      let rules = try merged(
        root: [try JSON(parsing: root)], [["match": [try JSON(parsing: leaf)], "route": route], ["route": route]])
      #expect(rules.count == 1, "\(root) \(leaf)")
    }
    let root: JSON = [
      "metadata": ["name": "root", "namespace": "web"],
      "spec": ["hosts": ["a"], "http": [["delegate": ["name": "none"]], ["route": route]]],
    ]
    #expect(VirtualServiceDelegates.resolved([root]).first?[path: ["spec", "http"]] == [["route": route]])
  }
}
