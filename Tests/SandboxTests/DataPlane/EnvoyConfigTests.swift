import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

/// A Service of two tracks as Sluice routes it, with a gateway in front.
private enum Shop {
  static func service(_ name: String, ports: JSON = [["name": "http", "port": 80]]) -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"],
      "spec": ["selector": ["app": "checkout"], "ports": ports],
    ]
  }

  static func slice(_ service: String, _ endpoints: [JSON], port: String = "http") -> JSON {
    [
      "metadata": [
        "name": .string("\(service)-x"), "namespace": "shop",
        "labels": ["kubernetes.io/service-name": .string(service)],
      ],
      "ports": [["name": .string(port), "port": 8080]], "endpoints": .array(endpoints),
    ]
  }

  static func endpoint(_ pod: String, ready: Bool? = true, terminating: Bool = false) -> JSON {
    var conditions: JSON = ["serving": true, "terminating": .bool(terminating)]
    conditions["ready"] = ready.map(JSON.bool)
    return [
      "addresses": ["10.244.0.9"], "conditions": conditions,
      "targetRef": ["kind": "Pod", "name": .string(pod), "uid": .string("uid-\(pod)")],
    ]
  }

  static let services = [
    service("checkout", ports: [["name": "http", "port": 80], ["name": "admin", "port": 9000]]),
    service("checkout-stable"), service("checkout-canary"), service("prices"),
  ]

  static let slices = [
    slice("checkout", [endpoint("a"), endpoint("b")]), slice("checkout-stable", [endpoint("a")]),
    slice("checkout-canary", [endpoint("b"), endpoint("c", ready: false, terminating: true)]),
  ]

  static let listeners = ["uid-a": 40001, "uid-b": 40002, "uid-c": 40003]

  static func destination(_ service: String, weight: Int) -> JSON {
    [
      "destination": ["host": .string("\(service).shop.svc.cluster.local"), "port": ["number": 80]],
      "weight": JSON(weight),
    ]
  }

  static let virtualService: JSON = [
    "metadata": ["name": "checkout", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"],
    "spec": [
      "hosts": ["shop.example.com", "checkout.shop.svc.cluster.local"], "gateways": ["shop/public", "mesh"],
      "http": [
        [
          "match": [
            ["gateways": ["shop/public"], "uri": ["prefix": "/checkout"], "headers": ["x-beta": ["exact": "1"]]],
            ["gateways": ["mesh"], "port": 80, "headers": ["cookie": ["regex": "(.*;\\s*)?track=b(;.*)?"]]],
          ],
          "route": [destination("checkout-stable", weight: 0), destination("checkout-canary", weight: 100)],
        ],
        [
          "match": [
            ["gateways": ["mesh"], "port": 80], ["gateways": ["shop/public"], "uri": ["prefix": "/checkout"]],
          ],
          "route": [destination("checkout-stable", weight: 90), destination("checkout-canary", weight: 10)],
          "mirrors": [["destination": ["host": "checkout-canary"], "percentage": ["value": 12.5]]], "timeout": "2500ms",
          "retries": ["attempts": 3, "retryOn": "5xx,connect-failure"],
        ],
        ["match": [["gateways": ["mesh"], "port": 9000]], "route": [["destination": ["host": "checkout"]]]],
      ],
    ],
  ]

  static let config = MeshConfig(virtualServices: [virtualService], services: services, slices: slices)
  static let clusters = EnvoyClusters(services: services, slices: slices, listeners: listeners)
  static let bootstrap = EnvoyBootstrap(
    ports: EnvoyBootstrap.Ports(mesh: 15001, gateway: 15002, admin: 15003), folder: "/data-plane")

  static func routes(_ http: JSON) -> JSON {
    var object = virtualService
    object[path: ["spec", "http"]] = http
    let config = MeshConfig(virtualServices: [object], services: services, slices: slices)
    return EnvoyRoutes(config, servicePorts: clusters.servicePorts).configuration(.mesh)
  }

  /// The routes of a virtual host.
  static func host(_ name: String, of configuration: JSON) -> JSON? {
    configuration["virtual_hosts"]?.array?.first { $0["name"]?.string == name }
  }
}

@Suite("Envoy's configuration")
struct EnvoyConfigTests {
  @Test("Envoy's configuration is what the golden files say", arguments: Golden.allCases)
  fileprivate func golden(_ golden: Golden) throws {
    if ProcessInfo.processInfo.environment["SLUICE_GOLDEN"] == "write" {
      try Data((golden.json.pretty + "\n").utf8).write(to: golden.file)
    }
    let recorded = try JSON(parsing: Data(contentsOf: golden.file))
    #expect(golden.json == recorded, "run with SLUICE_GOLDEN=write, and review the difference")
  }

  @Test("Envoy itself accepts the golden files", .enabled(if: Envoy.program != nil, "there is no envoy in PATH"))
  func validated() async throws {
    let envoy = try #require(Envoy.program)
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-golden-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }

    // Envoy looks at files of resources only when it runs, so here they stand in the bootstrap itself.
    let bootstrap = EnvoyBootstrap(ports: Shop.bootstrap.ports, folder: folder.path)
    var json = bootstrap.json
    json["dynamic_resources"] = nil
    for (cluster, assignment) in Shop.clusters.assignments {
      let file = URL(filePath: bootstrap.path(.endpoints(cluster: cluster)))
      try EnvoyResources.response([assignment], version: 1).data.write(to: file)
    }
    let clusters = Shop.clusters.clusters { bootstrap.path(.endpoints(cluster: $0)) }.map(Self.untyped)
    json[path: ["static_resources", "clusters"]] = .array(clusters)
    let routes = EnvoyRoutes(Shop.config, servicePorts: Shop.clusters.servicePorts)
    let listeners = try #require(json[path: ["static_resources", "listeners"]]?.array)
    json[path: ["static_resources", "listeners"]] = .array(
      zip(listeners, EnvoyRoutes.Entrance.allCases).map { listener, entrance in
        var manager = listener["filter_chains"]?[0]?["filters"]?[0]?["typed_config"] ?? [:]
        manager["rds"] = nil
        manager["route_config"] = Self.untyped(routes.configuration(entrance))
        var filter = listener["filter_chains"]?[0]?["filters"]?[0] ?? [:]
        filter["typed_config"] = manager
        var listener = listener
        listener["filter_chains"] = [["filters": [filter]]]
        return listener
      })
    try json.data.write(to: URL(filePath: bootstrap.path(.bootstrap)))

    let (code, output) = try await Envoy.run(envoy, ["--mode", "validate", "-c", bootstrap.path(.bootstrap)])
    #expect(code == 0, "\(output)")
    #expect(output.contains("OK"))
    // A field that does not exist is refused, so that the answer above means something.
    json[path: ["static_resources", "clusters"]] = [["name": "x", "no_such_field": 1]]
    try json.data.write(to: URL(filePath: bootstrap.path(.bootstrap)))
    #expect(try await Envoy.run(envoy, ["--mode", "validate", "-c", bootstrap.path(.bootstrap)]).code != 0)
  }

  private static func untyped(_ resource: JSON) -> JSON {
    var resource = resource
    resource["@type"] = nil
    return resource
  }

  @Test("a cluster has the endpoints that slices call ready, where they really listen, and no pod that does not listen")
  func readyEndpoints() {
    let slices = [
      Shop.slice(
        "prices",
        [
          Shop.endpoint("a", ready: nil), Shop.endpoint("b", ready: false),
          Shop.endpoint("c", ready: false, terminating: true), Shop.endpoint("elsewhere"),
        ]),
      // Of a port that the Service does not have.
      Shop.slice("prices", [Shop.endpoint("c")], port: "admin"),
    ]
    let clusters = EnvoyClusters(services: [Shop.service("prices")], slices: slices, listeners: Shop.listeners)
    let assignment = clusters.assignments[0].json
    #expect(assignment["cluster_name"] == "outbound|80||prices.shop.svc.cluster.local")
    let endpoints = assignment["endpoints"]?[0]?["lb_endpoints"]?.array ?? []
    let path = ["endpoint", "address", "socket_address", "port_value"]
    #expect(endpoints.compactMap { $0[path: path]?.int } == [40001])
  }

  @Test("a lone destination gets everything, and one of weight 0 beside others nothing")
  func weights() {
    let alone = Shop.routes([["route": [Shop.destination("checkout-canary", weight: 0)]]])
    let canary = "outbound|80||checkout-canary.shop.svc.cluster.local"
    let name = "checkout.shop.svc.cluster.local:80"
    #expect(Shop.host(name, of: alone)?["routes"]?[0]?[path: ["route", "cluster"]]?.string == canary)

    let split = Shop.routes([
      ["route": [Shop.destination("checkout-stable", weight: 0), Shop.destination("checkout-canary", weight: 100)]]
    ])
    let action = Shop.host(name, of: split)?["routes"]?[0]?["route"]
    #expect(action?["cluster"]?.string == canary)
    #expect(action?["weighted_clusters"] == nil)

    let nothing = Shop.routes([
      ["route": [Shop.destination("checkout-stable", weight: 0), Shop.destination("checkout-canary", weight: 0)]]
    ])
    #expect(Shop.host(name, of: nothing)?["routes"]?[0]?[path: ["direct_response", "status"]] == 503)
  }

  @Test("a Service that no routing object covers is routed to plainly, by each way to write its name")
  func plain() {
    let host = Shop.host("prices.shop.svc.cluster.local:80", of: Shop.routes([]))
    #expect(
      host?[path: ["domains"]] == [
        "prices.shop.svc.cluster.local", "prices.shop.svc.cluster.local:80", "prices.shop", "prices.shop:80",
        "prices.shop.svc", "prices.shop.svc:80",
      ])
    #expect(
      host?["routes"]?[0]?[path: ["route", "cluster"]] == "outbound|80||prices.shop.svc.cluster.local")
  }
}

/// What the golden files hold.
private enum Golden: String, CaseIterable {
  case bootstrap, clusters, endpoints, routesMesh = "routes-mesh", routesGateway = "routes-gateway"

  var file: URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(rawValue).json")
  }

  var json: JSON {
    let routes = EnvoyRoutes(Shop.config, servicePorts: Shop.clusters.servicePorts)
    return switch self {
    case .bootstrap: Shop.bootstrap.json
    case .clusters: .array(Shop.clusters.clusters { Shop.bootstrap.path(.endpoints(cluster: $0)) })
    case .endpoints: .array(Shop.clusters.assignments.map(\.json))
    case .routesMesh: routes.configuration(.mesh)
    case .routesGateway: routes.configuration(.gateway)
    }
  }
}

private enum Envoy {
  static let program: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/envoy" }.first(where: FileManager.default.isExecutableFile(atPath:))
  }()

  static func run(_ program: String, _ arguments: [String]) async throws -> (code: Int32, output: String) {
    let file = FileManager.default.temporaryDirectory.appending(path: "sluice-envoy-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data().write(to: file)
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = try FileHandle(forWritingTo: file)
    process.standardError = process.standardOutput
    let code = try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Int32, any Error>) in
      process.terminationHandler = { ended.resume(returning: $0.terminationStatus) }
      do { try process.run() } catch { ended.resume(throwing: error) }
    }
    return (code, String(decoding: try Data(contentsOf: file), as: UTF8.self))
  }
}
