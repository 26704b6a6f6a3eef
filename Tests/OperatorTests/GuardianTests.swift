import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging
import Prometheus
import RolloutAPI
import RolloutEngine
import Testing
import TrafficRouting

@testable import Operator

@Suite("What guards ask of Prometheus") struct GuardianTests {
  private static let now = Date(timeIntervalSince1970: 1_800_000_000)

  private static func judged(_ traffic: IstioSpec = IstioSpec()) throws -> JudgedRun {
    var spec = spec()
    spec.traffic = TrafficSpec(istio: traffic)
    let plan = try Plan(Rollout(metadata: rollout().metadata, spec: spec))
    let scope = MetricsScope(
      namespace: "shop", services: plan.services, stableReplicaSet: "web-s1", canaryReplicaSet: "web-abc")
    return JudgedRun(
      name: "web-1", plan: plan, scope: scope, metrics: IstioMetrics(),
      queries: QuerySetting(plan: plan, scope: scope, hashes: [:], step: 0, namespaceLabel: nil), traffic: .stableOnly,
      pods: ["web-s1-aaaaa", "web-s1-bbbbb", "web-abc-ccccc"].map {
        PodFacts(name: $0, track: $0.hasPrefix("web-s1") ? .stable : .canary)
      })
  }

  private static func usual(_ change: (inout JudgedRun) -> Void = { _ in }) async throws -> UsualLevels {
    var run = try judged()
    change(&run)
    let guardian = Guardian(
      board: GuardBoard(), queue: WorkQueue<ObjectKey>(),
      prometheus: PrometheusClient(baseURL: "http://prometheus", transport: MomentTransport()),
      time: TimeSource(ContinuousClock(), now: { now }), logger: Logger(label: "test"))
    return await guardian.usual(run)
  }

  @Test("the usual requests are those that the guards count: not those beside a route that callers in the mesh lack")
  func usualRequests() throws {
    func services(_ traffic: IstioSpec) throws -> Substring? {
      let run = try Self.judged(traffic)
      let query = UsualQuestion.requests.text(run.plan, UsualQuestion.scope(run), run.metrics)
      return query?.firstMatch(of: /destination_service_name=~"([^"]*)"/)?.1
    }
    #expect(try services(IstioSpec()) == "web|web-canary|web-stable")
    let gateway = IstioSpec(hosts: ["shop.example.com"], gateways: ["shop/public"], mesh: false)
    #expect(try services(gateway) == "web-canary|web-stable")
  }

  // The transport gives the moment's distance from now in hours as cores, and as many requests in ten minutes.
  @Test("what a stable pod did before the run is asked at the moment before the canary got any requests")
  func before() async throws {
    let first = try #require(try await Self.usual().before)
    #expect(first.cpu == 0 && first.requests == 1, "of 1200 requests in ten minutes, each of two pods: one a second")
    let began = Self.now - 7200
    let later = try #require(
      try await Self.usual {
        $0.traffic = TrafficTarget(weight: Weight(50) ?? .none)
        $0.past = [TrafficSpan(traffic: $0.traffic, began: began, from: began + 30, until: Self.now)]
      }.before)
    #expect(later.cpu == 2)
    let unknown = try await Self.usual { $0.traffic = TrafficTarget(weight: Weight(50) ?? .none) }
    #expect(unknown.before == nil, "with a canary in it the moment is not the one before")
    #expect(try await Self.usual { $0.pods = [] }.before == nil)
  }
}

/// Answers each question at a moment, and none over time.
private struct MomentTransport: Transport {
  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let fields = request.form
    guard fields["start"] == nil else {
      let body = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}"
      return HTTPResponse(status: 200, headers: [], body: Data(body.utf8))
    }
    let time = Double(fields["time"] ?? "") ?? 0
    let isCPU = fields["query"]?.contains("container_cpu_usage_seconds_total") == true
    let value = isCPU ? (1_800_000_000 - time) / 3600 : 1200
    let labels =
      "\"destination_service_namespace\":\"shop\",\"destination_service_name\":\"web\",\"response_code\":\"200\""
    let body =
      "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\(isCPU ? "" : labels)},"
      + "\"value\":[\(time),\"\(value)\"]}]}}"
    return HTTPResponse(status: 200, headers: [], body: Data(body.utf8))
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    throw TransportError.invalidRequest("nothing to stream")
  }
}
