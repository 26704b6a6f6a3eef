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

  @Test("Linkerd's answers are told apart by status, error, caller and the routes of a Server")
  func linkerdAnswers() throws {
    let metrics = LinkerdMetrics()
    #expect(
      metrics.answersQuery([scope], view: .caller, by: [.code, .flags, .endpoint], reading: .counters)
        == metrics.requestQuery([scope], view: .caller, reading: .counters), "callers have no endpoints")
    let callee = try #require(
      metrics.answersQuery(
        [scope], view: .callee, by: Set(AnswerLabel.allCases), reading: .increase(.seconds(60))))
    #expect(
      callee.hasPrefix(
        "sum by (namespace, pod, classification, status_code, grpc_status, error, route_kind, route_name, client_id) "
          + "(increase(response_total{direction=\"inbound\","))
    let backend = ["backend_namespace": "shop", "backend_name": "checkout-canary", "pod": "caller-0"]
    let answers = metrics.answers(
      [
        series(backend.merging(["http_status": "404", "error": ""]) { $1 }, 6),
        series(backend.merging(["http_status": "", "error": "FAIL_FAST"]) { $1 }, 4),
      ], of: scope, view: .caller)
    #expect(
      answers == [
        AnswerKey(track: .canary, process: "//caller-0", labels: [.code: "404"]): 6,
        AnswerKey(
          track: .canary, process: "//caller-0", isError: true, labels: [.code: "FAIL_FAST", .flags: "FAIL_FAST"]): 4,
      ])
    let pod = ["namespace": "shop", "pod": "checkout-abc-abcde", "classification": "failure"]
    let received = metrics.answers(
      [
        series(
          pod.merging([
            "status_code": "200", "grpc_status": "14", "route_kind": "HTTPRoute", "route_name": "pay",
            "client_id": "web.shop.serviceaccount.identity.linkerd.cluster.local",
          ]) { $1 }, 3),
        series(pod.merging(["status_code": "503", "route_kind": "default", "route_name": "default"]) { $1 }, 2),
      ], of: scope, view: .callee)
    #expect(
      received == [
        AnswerKey(
          track: .canary, pod: "checkout-abc-abcde", process: "/shop/checkout-abc-abcde", isError: true,
          labels: [.code: "gRPC 14", .endpoint: "route pay", .caller: "shop/web"]): 3,
        AnswerKey(
          track: .canary, pod: "checkout-abc-abcde", process: "/shop/checkout-abc-abcde", isError: true,
          labels: [.code: "503"]): 2,
      ])
  }

  @Test("Envoy Gateway's answers are told apart by code, and failed connections count beside the requests")
  func envoyGatewayAnswers() throws {
    let metrics = EnvoyGatewayMetrics()
    let query = try #require(metrics.answersQuery([scope], view: .caller, by: [.code, .flags], reading: .counters))
    #expect(
      query.hasSuffix(
        " or sum by (__name__, envoy_cluster_name, instance, namespace, pod) ({__name__=~\"envoy_cluster_upstream_"
          + "(cx_connect_fail|cx_none_healthy|rq_pending_overflow|rq_timeout)\","
          + "envoy_cluster_name=~\"(httproute/shop/checkout/rule/)[0-9]+/backend/[01]\"})"))
    #expect(
      metrics.answersQuery([scope], view: .caller, by: [.code, .flags], reading: .increase(.seconds(60)))
        == metrics.requestQuery([scope], view: .caller, reading: .increase(.seconds(60))))
    #expect(metrics.answersQuery([scope], view: .callee, by: [.code], reading: .counters) == nil)
    let canary = ["envoy_cluster_name": "httproute/shop/checkout/rule/0/backend/1"]
    #expect(
      metrics.answers(
        [
          series(canary.merging(["envoy_response_code": "429"]) { $1 }, 5),
          series(canary.merging(["envoy_response_code": "503"]) { $1 }, 2),
          series(canary.merging(["__name__": "envoy_cluster_upstream_cx_connect_fail"]) { $1 }, 7),
        ], of: scope, view: .caller) == [
          AnswerKey(track: .canary, process: "//", labels: [.code: "429"]): 5,
          AnswerKey(track: .canary, process: "//", isError: true, labels: [.code: "503"]): 2,
          AnswerKey(track: .canary, process: "//", isRequest: false, labels: [.flags: "cx_connect_fail"]): 7,
        ])
  }
}
