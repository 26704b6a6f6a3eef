import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("The mesh's metrics and applications")
struct MeshMetricsTests {
  @Test("the exposition has Istio's labels, cumulative buckets, a sum and a count")
  func exposition() {
    var metrics = MeshMetrics()
    let pod = MeshMetrics.Series.Workload(
      name: "checkout", namespace: "shop", pod: "checkout-5d4c-x", app: "checkout", version: "v1",
      principal: "spiffe://cluster.local/ns/shop/sa/\"odd\"", canonicalRevision: "v1")
    let series = MeshMetrics.Series(
      reporter: .destination, proxy: pod, source: .unknown, destination: pod, service: "checkout-stable",
      serviceNamespace: "shop", responseCode: 200, responseFlags: "-", securityPolicy: "mutual_tls")
    for milliseconds in [0.4, 1, 7, 4_000_000] { metrics.count(series, milliseconds: milliseconds) }
    let labels =
      #"reporter="destination",source_workload="unknown",source_workload_namespace="unknown","#
      + #"source_canonical_service="unknown",source_canonical_revision="latest",source_principal="unknown","#
      + #"source_app="unknown",source_version="unknown",source_cluster="Kubernetes",destination_workload="checkout","#
      + #"destination_workload_namespace="shop",destination_canonical_service="checkout","#
      + #"destination_canonical_revision="v1","#
      + #"destination_principal="spiffe://cluster.local/ns/shop/sa/\"odd\"",destination_app="checkout","#
      + #"destination_version="v1",destination_cluster="Kubernetes","#
      + #"destination_service="checkout-stable.shop.svc.cluster.local",destination_service_name="checkout-stable","#
      + #"destination_service_namespace="shop",request_protocol="http",response_code="200",grpc_response_status="","#
      + #"response_flags="-",connection_security_policy="mutual_tls",namespace="shop",pod="checkout-5d4c-x""#
    let lines = metrics.exposition().split(separator: "\n").map(String.init)
    #expect(lines.contains("istio_requests_total{\(labels)} 4"))
    let name = "istio_request_duration_milliseconds"
    let expected = [
      ("0.5", 1), ("1", 2), ("5", 2), ("10", 3), ("25", 3), ("50", 3), ("100", 3), ("250", 3), ("500", 3), ("1000", 3),
      ("2500", 3), ("5000", 3), ("10000", 3), ("30000", 3), ("60000", 3), ("300000", 3), ("600000", 3), ("1800000", 3),
      ("3600000", 3), ("+Inf", 4),
    ].map { "\(name)_bucket{\(labels),le=\"\($0)\"} \($1)" }
    #expect(lines.filter { $0.hasPrefix("\(name)_bucket") } == expected)
    #expect(lines.contains("\(name)_sum{\(labels)} 4000008.4"))
    #expect(lines.contains("\(name)_count{\(labels)} 4"))
  }

  @Test("no two series of an exposition have the same labels")
  func distinct() {
    var world = MeshWorld.twoTracks(canaryImage: "x:v2-errors30")
    world.pod("stable-2")
    world.service("checkout-stable", pods: ["stable-1", "stable-2"])
    world.virtualService([MeshWorld.split(50, 50)])
    world.run(seconds: 20)
    let names = world.mesh.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
      .map { $0.prefix { $0 != "}" } }
    #expect(names.count > 100)
    #expect(Set(names).count == names.count)
  }

  @Test(
    "an application is what its image's tag and its annotations say",
    arguments: [
      ("shop/checkout:v1", [:], 0.0, 20.0, 80.0), ("shop/checkout:v2-errors5", [:], 0.05, 20, 80),
      ("host:5000/checkout:v2-errors0.5-slow400", [:], 0.005, 400, 800), ("host:5000/checkout", [:], 0, 20, 80),
      ("x:v2-tail900", [:], 0, 20, 900), ("x:v2-errors500@sha256:00", [:], 1, 20, 80), ("x:v2-errorsx", [:], 0, 20, 80),
      ("x:v2-errors5", ["error-rate": "0.25", "latency": "1.5s", "latency-p99": "3s"], 0.25, 1500, 3000),
      ("x:v2", ["latency": "80ms", "error-rate": "nonsense"], 0, 80, 160),
    ] as [(String, [String: String], Double, Double, Double)])
  func applications(image: String, annotations: [String: String], errors: Double, median: Double, tail: Double) {
    let named = Dictionary(uniqueKeysWithValues: annotations.map { ("sandbox.sluice.dev/\($0.key)", $0.value) })
    let application = MeshApplication(pod: [
      "metadata": ["annotations": JSON(named)], "spec": ["containers": [["image": .string(image)]]],
    ])
    #expect(application.errorRate == errors)
    #expect(application.latency == median)
    #expect(application.latencyP99 == tail)
  }

  @Test(
    "what the node does with a pod follows from the same tag and annotations",
    arguments: [
      ("x:v1", nil, PodBehaviour.serves(startsAfter: .milliseconds(500), readyAfter: .milliseconds(500))),
      ("x:v2-errors5-crash", nil, .crashing), ("x:v2-unready", nil, .neverReady(startsAfter: .milliseconds(500))),
      ("x:crashed", nil, .serves(startsAfter: .milliseconds(500), readyAfter: .milliseconds(500))),
      ("x:v2", "crash-loop", .crashing), ("x:v2-crash", "never-ready", .neverReady(startsAfter: .milliseconds(500))),
      (
        "x:v2-nopull", nil,
        .imagePullBackOff(
          error:
            "failed to pull and unpack image \"x:v2-nopull\": failed to resolve reference \"x:v2-nopull\": not found")
      ),
    ] as [(String, String?, PodBehaviour)])
  func behaviours(image: String, annotation: String?, expected: PodBehaviour) {
    var pod: JSON = ["spec": ["containers": [["image": .string(image)]]]]
    pod[path: ["metadata", "annotations", "sandbox.sluice.dev/behaviour"]] = annotation.map(JSON.string)
    #expect(ApplicationBehaviours().behaviour(of: pod) == expected)
  }

  @Test("a pod that takes its time becomes ready when its annotation says")
  func start() {
    let pod: JSON = ["metadata": ["annotations": ["sandbox.sluice.dev/start": "3s"]]]
    #expect(
      ApplicationBehaviours().behaviour(of: pod) == .serves(startsAfter: .milliseconds(500), readyAfter: .seconds(3)))
  }

  @Test("latencies have the median and the 99th percentile that were asked for, and errors begin when they should")
  func distribution() {
    var application = MeshApplication()
    application.latency = 50
    application.latencyP99 = 400
    application.errorRate = 1
    application.errorsAfter = 30
    var random = MeshRandom(seed: 9)
    let times = (0..<20_000).map { _ in application.answer(podAge: 10, random: &random).milliseconds }.sorted()
    #expect(abs(times[10_000] - 50) < 2.5)
    #expect(abs(times[19_800] - 400) < 40)
    #expect(application.answer(podAge: 29, random: &random).status == 200)
    #expect(application.answer(podAge: 30, random: &random).status == 503)
  }
}

@Suite("A VirtualService in the mesh")
struct VirtualServiceRouteTests {
  func matches(_ match: JSON, _ request: MeshRequest) -> Bool {
    VirtualServiceRoute.Match(match, namespace: "shop").holds(for: request)
  }

  let request = MeshRequest(
    gateway: "shop/public", host: "shop.example.com", path: "/Checkout/7", method: "POST",
    headers: ["cookie": "a=1; canary=always", "x-beta": "1"], sourceNamespace: "web")

  @Test("matches hold as Istio documents them")
  func match() {
    #expect(matches(["uri": ["prefix": "/Checkout"]], request))
    #expect(!matches(["uri": ["prefix": "/checkout"]], request))
    #expect(matches(["uri": ["prefix": "/checkout"], "ignoreUriCase": true], request))
    #expect(matches(["uri": ["regex": "/Checkout/[0-9]+"]], request))
    #expect(!matches(["uri": ["regex": "/Checkout"]], request))
    #expect(!matches(["uri": ["regex": "(unclosed"]], request))
    #expect(matches(["headers": ["Cookie": ["regex": "^(.*?;)?( *canary=always)(;.*)?$"]]], request))
    #expect(matches(["headers": ["x-beta": [:]]], request))
    #expect(!matches(["headers": ["x-gamma": [:]]], request))
    #expect(!matches(["withoutHeaders": ["x-beta": ["exact": "1"]]], request))
    #expect(matches(["withoutHeaders": ["x-beta": ["exact": "2"]]], request))
    #expect(matches(["method": ["exact": "POST"], "gateways": ["public"], "sourceNamespace": "web"], request))
    #expect(!matches(["gateways": ["mesh"]], request))
    #expect(matches(["port": 80], request))
    #expect(!matches(["port": 9090], request))
  }

  @Test("hosts are names of Services, short or full")
  func hosts() {
    let key = ObjectKey(namespace: "other", name: "checkout")
    #expect(VirtualServiceRoute.service("checkout", namespace: "other") == key)
    #expect(VirtualServiceRoute.service("checkout.other", namespace: "shop") == key)
    #expect(VirtualServiceRoute.service("checkout.other.svc.cluster.local", namespace: "shop") == key)
  }

  @Test("a proxy obeys the oldest of two objects for one host, a gateway appends them")
  func conflicts() {
    func object(_ name: String, _ created: String) -> JSON {
      [
        "metadata": ["name": .string(name), "namespace": "shop", "creationTimestamp": .string(created)],
        "spec": [
          "hosts": ["shop.example.com"], "gateways": ["mesh", "public"],
          "http": [["route": [["destination": ["host": .string(name)]]]]],
        ],
      ]
    }
    let config = MeshConfig(
      virtualServices: [object("new", "2026-02-01T00:00:00Z"), object("old", "2026-01-01T00:00:00Z")], services: [],
      slices: [])
    func names(_ gateway: String) -> [String]? {
      config.routes(for: MeshRequest(gateway: gateway, host: "shop.example.com"))?.flatMap(\.destinations)
        .map(\.service.name)
    }
    #expect(names("mesh") == ["old"])
    #expect(names("shop/public") == ["old", "new"])
    #expect(names("shop/other") == nil)
  }
}
