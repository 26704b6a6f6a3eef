import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI
import Testing
import TrafficRouting

@testable import Sandbox

/// What Sluice writes, against the definitions of Gateway API releases: those of the sandbox, and the released ones where
/// the environment variable `SLUICE_TEST_GATEWAY_API` names folders with their HTTPRoute definitions, divided by colons.
@Suite("HTTPRoutes against the Gateway API's definitions")
struct GatewayDefinitionTests {
  static let folders: [URL?] = [nil] + released.map(Optional.some)
  private static let released: [URL] = (ProcessInfo.processInfo.environment["SLUICE_TEST_GATEWAY_API"] ?? "")
    .split(separator: ":").map { URL(filePath: String($0)) }

  /// A server that serves HTTPRoute as a folder's definition says, or as the sandbox does.
  private func server(_ folder: URL?) throws -> (APIServer, JSON) {
    let server = APIServer(clock: SandboxClock(now: { Date() }, sleep: { _ in throw CancellationError() }))
    let cluster = InProcessAccess(server)
    let name = ObjectKey(name: GatewayCluster.definition)
    if let folder {
      let file = folder.appending(path: "gateway.networking.k8s.io_httproutes.yaml")
      let text = try String(contentsOf: file, encoding: .utf8)
      for document in try JSON.documents(yaml: text) {
        _ = try cluster.create(.customResourceDefinitions, document.json)
      }
    } else {
      try MeshDefinitions.install(in: cluster)
    }
    _ = try cluster.create(
      .namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "shop"]])
    return (server, try #require(cluster.get(.customResourceDefinitions, name)))
  }

  private func targets() throws -> [TrafficTarget] {
    let tenth = try #require(Weight(10))
    let beta = HTTPMatch(
      headers: [NameValueMatch(type: .regularExpression, name: "x-beta", value: "1|2")],
      queryParams: [NameValueMatch(name: "beta", value: "1")], method: .post)
    return [
      .stableOnly, .allToCanary, TrafficTarget(weight: tenth), TrafficTarget(weight: tenth, mirror: Percent(100)),
      TrafficTarget(weight: tenth, mirror: Percent(20)), TrafficTarget(weight: tenth, routes: [beta]),
      TrafficTarget(weight: tenth, routes: [beta], sticky: Sticky(cookie: "track", maxAge: .seconds(60))),
    ]
  }

  private func provider(_ definition: JSON, controller: String, policy: String) throws -> any TrafficProvider {
    let yaml = """
      apiVersion: sluice.dev/v1alpha1
      kind: Rollout
      metadata: {name: checkout, namespace: shop}
      spec:
        workloadRef: {name: checkout}
        serviceRefs: [{name: checkout, port: 80}]
        traffic:
          gatewayAPI:
            parentRefs: [{name: public, sectionName: https}, {name: public, sectionName: http}]
            hostnames: [shop.example.com, "*.example.org"]
            matches: [{path: {type: Exact, value: /checkout}}, {path: {value: /cart}, headers: [{name: a, value: b}]}]
          \(policy)
        steps: [{weight: 10, analyze: {for: 1m}}]
        analysis: {slos: [{name: errors, errorRate: {max: 1%}}]}
      """
    let plan = try Plan(try JSON.documents(yaml: yaml)[0].json.decode(Rollout.self))
    let service: JSON = [
      "metadata": ["name": "checkout", "namespace": "shop"], "spec": ["ports": [["name": "http", "port": 80]]],
    ]
    let gateways: [JSON] = [
      [
        "kind": "Gateway", "metadata": ["name": "public", "namespace": "shop"], "spec": ["gatewayClassName": "a-class"],
      ],
      ["kind": "GatewayClass", "metadata": ["name": "a-class"], "spec": ["controllerName": .string(controller)]],
      definition,
    ]
    return try plan.trafficProvider(
      ProviderSetting(
        services: RoutedService.resolve(plan, live: [service]), revision: "6f7c9", surroundings: gateways))
  }

  @Test(
    "every target that is not refused beforehand is taken with no field unknown, and is read back as it was written",
    arguments: folders,
    ["istio.io/gateway-controller", "gateway.envoyproxy.io/gatewayclass-controller"])
  func targets(folder: URL?, controller: String) throws {
    let (server, definition) = try server(folder)
    for policy in ["", "timeouts: {request: 10s, backendRequest: 2s500ms}", "retries: {attempts: 2, backoff: 100ms}"] {
      let provider = try provider(definition.typed(.customResourceDefinitions), controller: controller, policy: policy)
      let isExperimental = definition.annotations["gateway.networking.k8s.io/channel"] == "experimental"
      if policy.hasPrefix("retries"), !isExperimental {
        #expect(provider.obstacles.contains { $0.contains("experimental channel") })
        continue
      }
      for target in try targets() {
        guard provider.limits(target).isEmpty else {
          #expect(definition.annotations["gateway.networking.k8s.io/bundle-version"] == "v1.2.1")
          #expect(target.mirror == Percent(20))
          continue
        }
        try write(provider.objects(for: .split(target)), to: server)
        let live = InProcessAccess(server).list(.httpRoutes, namespace: "shop")
        #expect(provider.observe(live) == .routing(.split(target)))
      }
      try write(provider.objects(for: .released), to: server)
      #expect(provider.observe(InProcessAccess(server).list(.httpRoutes, namespace: "shop")) == .routing(.released))
    }
  }

  private func write(_ objects: [RoutingObject], to server: APIServer) throws {
    for wanted in objects {
      var object = wanted.object
      let live = InProcessAccess(server).get(wanted.type, wanted.key)
      object[path: ["metadata", "resourceVersion"]] = live.map { .string($0.resourceVersion) }
      let path = wanted.type.path(namespace: "shop", name: live == nil ? nil : wanted.key.name)
      let answer = server.handle(
        ServerRequest(
          live == nil ? "POST" : "PUT", path, query: [("fieldValidation", "Strict")],
          headers: [("Accept", "application/json"), ("Content-Type", "application/json")], body: object.bytes))
      guard case .bytes(let bytes) = answer.body else { continue }
      try #require(answer.status < 300, "\(String(decoding: bytes, as: UTF8.self))")
    }
  }
}
