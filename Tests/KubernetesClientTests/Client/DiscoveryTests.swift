import HTTPTransport
import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("Discovery")
struct DiscoveryTests {
  private static let aggregatedCore: JSON = [
    "kind": "APIGroupDiscoveryList",
    "items": [
      [
        "metadata": [:],
        "versions": [
          [
            "version": "v1",
            "resources": [
              [
                "resource": "pods", "responseKind": ["kind": "Pod"], "scope": "Namespaced", "verbs": ["get"],
                "shortNames": ["po"], "subresources": [["subresource": "status"]],
              ]
            ],
          ]
        ],
      ]
    ],
  ]
  private static let aggregatedGroups: JSON = [
    "kind": "APIGroupDiscoveryList",
    "items": [
      [
        "metadata": ["name": "autoscaling"],
        "versions": [
          [
            "version": "v2",
            "resources": [["resource": "hpas", "responseKind": ["kind": "HPA"], "scope": "Namespaced"]],
          ],
          [
            "version": "v1",
            "resources": [["resource": "hpas", "responseKind": ["kind": "HPA"], "scope": "Namespaced"]],
          ],
        ],
      ],
      ["metadata": ["name": "metrics.k8s.io"], "versions": [["version": "v1beta1", "freshness": "Stale"]]],
    ],
  ]
  private static let older: [String: JSON] = [
    "/api": ["kind": "APIVersions", "versions": ["v1"]],
    "/api/v1": [
      "resources": [
        ["name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["get"], "shortNames": ["po"]],
        ["name": "pods/status", "kind": "Pod", "namespaced": true],
      ]
    ],
    "/apis": [
      "kind": "APIGroupList",
      "groups": [
        [
          "name": "autoscaling", "preferredVersion": ["version": "v2"],
          "versions": [["version": "v1"], ["version": "v2"]],
        ],
        ["name": "metrics.k8s.io", "versions": [["version": "v1beta1"]]],
      ],
    ],
    "/apis/autoscaling/v1": ["resources": [["name": "hpas", "kind": "HPA", "namespaced": true]]],
    "/apis/autoscaling/v2": ["resources": [["name": "hpas", "kind": "HPA", "namespaced": true]]],
  ]

  private func check(_ catalog: APICatalog) {
    let pod = ResourceType(kind: "Pod", plural: "pods")
    #expect(
      catalog.resource(group: "", kind: "Pod")
        == APIResource(type: pod, verbs: ["get"], shortNames: ["po"], subresources: ["status"]))
    #expect(catalog.versions(of: "autoscaling") == ["v2", "v1"])
    #expect(catalog.resource(group: "autoscaling", kind: "HPA")?.type.version == "v2")
    #expect(catalog.serves(ResourceType(group: "autoscaling", version: "v1", kind: "HPA", plural: "hpas")))
    #expect(!catalog.serves(ResourceType(group: "autoscaling", version: "v3", kind: "HPA", plural: "hpas")))
    #expect(catalog.versions(of: "batch") == [])
    #expect(catalog.unavailable == ["metrics.k8s.io/v1beta1"])
  }

  @Test("two requests read everything where the server aggregates")
  func aggregated() async throws {
    let transport = ScriptedTransport { request, _ in
      .json(request.line == "GET /api" ? Self.aggregatedCore : Self.aggregatedGroups)
    }
    check(try await makeClient(transport).discover())
    #expect(transport.requests.map(\.line) == ["GET /api", "GET /apis"])
    #expect(
      transport.requests[0].header("Accept")?
        .hasPrefix("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,") == true)
  }

  @Test(
    "an older server, and one behind something that refuses the header, is asked version by version",
    arguments: [true, false])
  func fallBack(refuses: Bool) async throws {
    let transport = ScriptedTransport { request, _ in
      if refuses, request.header("Accept") != "application/json" { return .status(406, "NotAcceptable") }
      let path = String(request.line.dropFirst("GET ".count))
      return Self.older[path].map { .json($0) } ?? .status(503, "ServiceUnavailable")
    }
    check(try await makeClient(transport).discover())
    let lines = transport.requests.map(\.line)
    #expect(lines.contains("GET /api/v1"))
    #expect(lines.filter { $0 == "GET /apis/autoscaling/v2" }.count == 1)
  }

  @Test("a server that cannot be asked at all is an error")
  func down() async {
    let transport = ScriptedTransport { _, _ in .status(403, "Forbidden") }
    await #expect(throws: KubernetesError.self) { try await makeClient(transport).discover() }
  }
}
