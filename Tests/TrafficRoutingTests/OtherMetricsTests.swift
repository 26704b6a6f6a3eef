import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("The metrics of Linkerd and of Envoy Gateway")
struct OtherMetricsTests {
  private let scope: MetricsScope

  init() throws {
    scope = MetricsScope(
      namespace: "shop", services: try gatewayPlan(["metrics": "Linkerd"]).services, routes: ["checkout"],
      stableReplicaSet: "checkout-s1", canaryReplicaSet: "checkout-abc")
  }

  private func series(_ labels: [String: String], _ value: Double) -> MetricSeries {
    MetricSeries(labels: labels, value: value)
  }

  @Test("Linkerd's callers count by the route's backend, its callees by pod, and probes count for nobody")
  func linkerdQueries() {
    let metrics = LinkerdMetrics()
    #expect(
      metrics.requestQuery([scope], view: .caller, reading: .counters)
        == "sum by (backend_namespace, backend_name, http_status, error, instance, namespace, pod) "
        + "(outbound_http_route_backend_response_statuses_total{backend_kind=\"Service\",backend_namespace=\"shop\","
        + "backend_name=~\"checkout-canary|checkout-stable\"})")
    let callee = metrics.requestQuery([scope], view: .callee, reading: .increase(.seconds(60))) ?? ""
    #expect(callee.hasPrefix("sum by (namespace, pod, classification) (increase(response_total{direction=\"inbound\","))
    #expect(callee.contains("route_name!=\"probe\""))
    #expect(
      metrics.securityQuery([scope], reading: .counters)?.contains("tls=\"true\",client_id!=\"\"") == true)
  }

  @Test("Linkerd's answers are sorted by track; seconds become milliseconds, and an error without a status is one")
  func linkerdReadings() {
    let metrics = LinkerdMetrics()
    let backend = ["backend_namespace": "shop", "backend_name": "checkout-canary", "pod": "caller-0"]
    let requests = metrics.readings(
      [
        series(backend.merging(["http_status": "200", "error": ""]) { $1 }, 90),
        series(backend.merging(["http_status": "503", "error": ""]) { $1 }, 6),
        series(backend.merging(["http_status": "", "error": "FAIL_FAST"]) { $1 }, 4),
        series(["backend_namespace": "shop", "backend_name": "other", "http_status": "500"], 7),
      ], of: scope, view: .caller)
    #expect(
      requests == [
        MetricsKey(track: .canary, process: "//caller-0"): 90,
        MetricsKey(track: .canary, process: "//caller-0", isError: true): 10,
      ])
    let slow = metrics.readings([series(backend.merging(["le": "0.025"]) { $1 }, 5)], of: scope, view: .caller)
    #expect(slow.keys.map(\.boundary) == [25])
    let callee = metrics.readings(
      [
        series(["namespace": "shop", "pod": "checkout-s1-abcde", "classification": "failure"], 2),
        series(["namespace": "shop", "pod": "checkout-zz-abcde", "classification": "success"], 2),
      ], of: scope, view: .callee)
    #expect(callee == [MetricsKey(track: .stable, process: "/shop/checkout-s1-abcde", isError: true): 2])
  }

  @Test("Envoy Gateway's clusters are told apart by the route, the namespace and the place of the backend")
  func envoyGateway() {
    let metrics = EnvoyGatewayMetrics()
    #expect(metrics.views == [.caller])
    #expect(
      metrics.requestQuery([scope], view: .caller, reading: .counters)
        == "sum by (envoy_cluster_name, envoy_response_code, instance, namespace, pod) (envoy_cluster_upstream_rq{"
        + "envoy_cluster_name=~\"(httproute/shop/checkout/rule/)[0-9]+/backend/[01]\"})")
    func cluster(_ name: String, _ code: String, _ value: Double) -> MetricSeries {
      series(["envoy_cluster_name": name, "envoy_response_code": code], value)
    }
    let answer = [
      cluster("httproute/shop/checkout/rule/0/backend/0", "200", 90),
      cluster("httproute/shop/checkout/rule/1/backend/1", "503", 10),
      cluster("httproute/shop/checkout-2/rule/1/backend/1", "503", 5),
    ]
    #expect(
      metrics.readings(answer, of: scope, view: .caller) == [
        MetricsKey(track: .stable, process: ""): 90, MetricsKey(track: .canary, process: "", isError: true): 10,
      ])
    #expect(metrics.byNamespace(answer, view: .caller).keys.sorted() == ["shop"])
  }
}
