import RolloutAPI
import Testing

@testable import TrafficRouting

@Suite("Istio's metrics as PromQL")
struct IstioMetricsTests {
  let metrics = IstioMetrics()

  func scope(
    _ service: String = "checkout", namespace: String = "shop", stable: String = "checkout-5d4c",
    canary: String = "checkout-6f7c"
  ) throws -> MetricsScope {
    let services = try plan(services: [["name": .string(service), "port": 80]]).services
    return MetricsScope(
      namespace: namespace, services: services, stableReplicaSet: stable, canaryReplicaSet: canary)
  }

  @Test("callers' requests are told apart by the generated Services, callees' by pods")
  func queries() throws {
    let scope = try scope()
    #expect(
      metrics.requestQuery([scope], view: .caller, reading: .counters)
        == "sum by (destination_service_namespace, destination_service_name, response_code, grpc_response_status, "
        + "instance, namespace, pod) (istio_requests_total{reporter=~\"source|waypoint\","
        + "destination_service_namespace=\"shop\",destination_service_name=~\"checkout-canary|checkout-stable\"})")
    #expect(
      metrics.requestQuery([scope], view: .callee, reading: .increase(.seconds(30)))
        == "sum by (destination_workload_namespace, pod, response_code, grpc_response_status) "
        + "(increase(istio_requests_total{reporter=\"destination\",destination_workload_namespace=\"shop\","
        + "pod=~\"checkout-5d4c-[a-z0-9]{5}|checkout-6f7c-[a-z0-9]{5}\"}[30s]))")
    #expect(
      metrics.latencyQuery([scope], view: .caller, reading: .increase(.milliseconds(1500)))
        == "sum by (destination_service_namespace, destination_service_name, le) "
        + "(increase(istio_request_duration_milliseconds_bucket{reporter=~\"source|waypoint\","
        + "destination_service_namespace=\"shop\",destination_service_name=~\"checkout-canary|checkout-stable\"}"
        + "[1500ms])) or sum by (destination_service_namespace, destination_service_name) "
        + "(increase(istio_request_duration_milliseconds{reporter=~\"source|waypoint\","
        + "destination_service_namespace=\"shop\",destination_service_name=~\"checkout-canary|checkout-stable\"}"
        + "[1500ms]))", "classic or native")
  }

  @Test("native buckets are read where there are no classic ones, and never beside them")
  func native() throws {
    let scope = try scope()
    func bucket(_ boundary: String, _ count: Double, isNative: Bool) -> MetricSeries {
      MetricSeries(
        labels: [
          "destination_service_namespace": "shop", "destination_service_name": "checkout-stable", "pod": "a",
          "le": boundary,
        ], value: count, isNative: isNative)
    }
    let native = [bucket("256.0", 3, isNative: true), bucket("+Inf", 4, isNative: true)]
    let found = metrics.readings(native, of: scope, view: .caller)
    #expect(found.count == 2 && found.keys.allSatisfy(\.isNative))
    let both = metrics.readings(native + [bucket("250", 3, isNative: false)], of: scope, view: .caller)
    #expect(both.count == 1 && both.keys.first?.bucket == "250")
  }

  @Test("one query serves many runs, and each finds its own series")
  func shared() throws {
    let scopes = [try scope(), try scope("cart", namespace: "web", stable: "cart-1", canary: "cart-2")]
    let query = try #require(metrics.requestQuery(scopes, view: .caller, reading: .counters))
    #expect(query.contains("destination_service_namespace=~\"shop|web\""))
    #expect(
      query.contains("destination_service_name=~\"cart-canary|cart-stable|checkout-canary|checkout-stable\""))
    func series(_ namespace: String, _ service: String, _ code: String, _ value: Double) -> MetricSeries {
      MetricSeries(
        labels: [
          "destination_service_namespace": namespace, "destination_service_name": service, "response_code": code,
          "instance": "10.0.0.9:15020", "pod": "web-1",
        ], value: value)
    }
    let answer = [
      series("shop", "checkout-stable", "200", 90), series("shop", "checkout-stable", "404", 5),
      series("shop", "checkout-canary", "200", 8), series("shop", "checkout-canary", "503", 2),
      series("shop", "checkout-canary", "0", 1), series("web", "checkout-canary", "200", 1000),
      series("web", "cart-canary", "200", 7),
    ]
    let process = "10.0.0.9:15020//web-1"
    #expect(
      metrics.readings(answer, of: scopes[0], view: .caller) == [
        MetricsKey(track: .stable, process: process): 95, MetricsKey(track: .canary, process: process): 8,
        MetricsKey(track: .canary, process: process, isError: true): 3,
      ])
    #expect(
      metrics.readings(answer, of: scopes[1], view: .caller) == [MetricsKey(track: .canary, process: process): 7])
  }

  @Test("latency buckets keep their boundary; a summed query has no process")
  func buckets() throws {
    let answer = [("250", 7.0), ("+Inf", 9)].map { boundary, value in
      MetricSeries(
        labels: [
          "destination_service_namespace": "shop", "destination_service_name": "checkout-canary", "le": boundary,
        ], value: value)
    }
    let readings = metrics.readings(answer, of: try scope(), view: .caller)
    #expect(readings[MetricsKey(track: .canary, process: "", bucket: "250")] == 7)
    #expect(Set(readings.keys.compactMap(\.boundary)) == [250, .infinity])
  }

  @Test("a pod belongs to the ReplicaSet whose name it begins with, also when one name begins with the other")
  func pods() throws {
    let long = String(repeating: "a", count: 62)
    var scope = try scope(stable: "checkout", canary: "checkout-x")
    #expect(scope.track(pod: "checkout-x-abcde") == .canary)
    #expect(scope.track(pod: "checkout-abcde") == .stable)
    #expect(scope.track(pod: "checkout-x-abcdef") == nil)
    #expect(scope.track(pod: "cart-abcde") == nil)
    // A pod's name has at most 63 characters, of which five are drawn.
    scope = try self.scope(stable: long, canary: "")
    #expect(scope.track(pod: String(repeating: "a", count: 58) + "bcdef") == .stable)
    #expect(scope.podPattern([.canary]) == nil)
  }

  @Test(
    "an error is the callee's fault, in HTTP or gRPC",
    arguments: [
      ("200", "", false), ("404", "", false), ("499", "", false), ("500", "", true), ("504", "", true), ("0", "", true),
      ("200", "0", false), ("200", "5", false), ("200", "14", true), ("200", "4", true), ("50", "", false),
    ])
  func errors(code: String, grpc: String, isError: Bool) {
    #expect(IstioMetrics.isError(["response_code": code, "grpc_response_status": grpc]) == isError)
  }

  @Test("label values are escaped, also inside regular expressions")
  func escaping() {
    #expect(PromQL.oneOf("a", ["x\"} or up{b=\"", "x\"} or up{b=\""]) == "a=\"x\\\"} or up{b=\\\"\"")
    #expect(PromQL.oneOf("a", ["b.c", "d\\e"]) == "a=~\"b\\\\.c|d\\\\\\\\e\"")
    #expect(PromQL.quoted("a\nb") == "\"a\\nb\"")
  }

  @Test("before the first pod there is nothing to ask at the callee")
  func nothing() throws {
    let scope = try scope(stable: "", canary: "")
    #expect(metrics.requestQuery([scope], view: .callee, reading: .counters) == nil)
    #expect(metrics.securityQuery([scope], reading: .counters) == nil)
    #expect(metrics.requestQuery([], view: .caller, reading: .counters) == nil)
  }

  @Test("a first error begins at zero, a stable process that was never seen may not")
  func beginnings() {
    #expect(MetricsKey(track: .stable, process: "a", isError: true).beginsAtZero(known: ["a"]))
    #expect(!MetricsKey(track: .stable, process: "b").beginsAtZero(known: ["a"]))
    #expect(MetricsKey(track: .canary, process: "b").beginsAtZero(known: ["a"]))
  }

  @Test("the policies of connections are counted by track")
  func policies() throws {
    func series(_ pod: String, _ policy: String, _ value: Double) -> MetricSeries {
      MetricSeries(
        labels: ["destination_workload_namespace": "shop", "pod": pod, "connection_security_policy": policy],
        value: value)
    }
    let answer = [
      series("checkout-5d4c-aaaaa", "mutual_tls", 5), series("checkout-5d4c-bbbbb", "mutual_tls", 6),
      series("checkout-6f7c-ccccc", "none", 1), series("stranger-ccccc", "none", 9),
    ]
    #expect(
      metrics.security(answer, of: try scope()) == [
        .stable: ConnectionSecurity(mutual: 11), .canary: ConnectionSecurity(other: 1),
      ])
    var known = answer[2]
    known.labels.merge(["source_workload_namespace": "web", "source_workload": "front"]) { $1 }
    #expect(metrics.security([known], of: try scope())[.canary]?.callers == ["web/front"])
    #expect(IstioMetrics(views: [.caller]).securityQuery([try scope()], reading: .counters) == nil)
  }
}
