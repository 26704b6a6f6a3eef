import KubernetesAPI

/// What proxies know of Services and endpoints: one cluster for each port of each Service, named as istiod names them,
/// with the endpoints that its EndpointSlices call ready.
struct EnvoyClusters: Sendable {
  /// A port of a Service, and where its ready pods really listen.
  private struct Port: Sendable {
    var cluster: String
    var endpoints: [Int]
  }

  private let ports: [Port]
  /// The port numbers of each Service, in the order of its spec.
  let servicePorts: [ObjectKey: [Int]]

  /// - Parameter listeners: by the uid of a pod the loopback port that stands for all of its own. A pod without one is
  ///   left out.
  init(services: [JSON], slices: [JSON], listeners: [String: Int]) {
    let ready = Self.readyPods(slices, listeners)
    var ports: [Port] = []
    var servicePorts: [ObjectKey: [Int]] = [:]
    for service in services.sorted(by: { $0.objectKey < $1.objectKey }) {
      for port in service[path: ["spec", "ports"]]?.array ?? [] {
        guard let number = port["port"]?.int, (port["protocol"]?.string ?? "TCP") == "TCP" else { continue }
        let endpoints = ready[service.objectKey]?[port["name"]?.string ?? ""] ?? []
        ports.append(Port(cluster: Self.name(service.objectKey, port: number), endpoints: endpoints.sorted()))
        servicePorts[service.objectKey, default: []].append(number)
      }
    }
    self.ports = ports
    self.servicePorts = servicePorts
  }

  /// By Service and name of port. Slices of a port leave out the pods that do not have it.
  private static func readyPods(_ slices: [JSON], _ listeners: [String: Int]) -> [ObjectKey: [String: Set<Int>]] {
    var ready: [ObjectKey: [String: Set<Int>]] = [:]
    for slice in slices {
      guard let service = slice.labels["kubernetes.io/service-name"] else { continue }
      let key = ObjectKey(namespace: slice.namespace, name: service)
      for endpoint in slice["endpoints"]?.array ?? [] {
        // A condition that is absent counts as true, as the API says of it.
        guard endpoint[path: ["conditions", "ready"]]?.bool != false,
          let uid = endpoint[path: ["targetRef", "uid"]]?.string, let listener = listeners[uid]
        else { continue }
        for port in slice["ports"]?.array ?? [] {
          ready[key, default: [:]][port["name"]?.string ?? "", default: []].insert(listener)
        }
      }
    }
    return ready
  }

  /// `outbound|80||checkout.shop.svc.cluster.local`
  static func name(_ service: ObjectKey, port: Int) -> String { "outbound|\(port)||\(MeshConfig.fullName(service))" }

  /// The Service of a cluster's name; `nil` for another name.
  static func service(ofCluster name: String) -> ObjectKey? {
    let parts = name.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "outbound" else { return nil }
    let labels = parts[3].split(separator: ".")
    return labels.count > 2 ? ObjectKey(namespace: String(labels[1]), name: String(labels[0])) : nil
  }

  /// The clusters, as Envoy's cluster discovery reads them.
  /// - Parameter endpointFile: where the ``assignments`` of a cluster are read.
  func clusters(endpointFile: (_ cluster: String) -> String) -> [JSON] {
    ports.map { port in
      [
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": .string(port.cluster), "type": "EDS",
        "eds_cluster_config": ["eds_config": EnvoyResources.source(endpointFile(port.cluster))],
        // Istio's defaults.
        "connect_timeout": "10s", "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": [
          "thresholds": [
            [
              "max_connections": .int(Self.unlimited), "max_pending_requests": .int(Self.unlimited),
              "max_requests": .int(Self.unlimited), "max_retries": .int(Self.unlimited),
            ]
          ]
        ],
      ]
    }
  }

  /// The endpoints of each cluster, as Envoy's endpoint discovery reads them.
  var assignments: [(cluster: String, json: JSON)] {
    ports.map { port in
      let endpoints = port.endpoints.map { JSON.object(["endpoint": ["address": EnvoyResources.address($0)]]) }
      let json: JSON = [
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": .string(port.cluster),
        "endpoints": endpoints.isEmpty ? [] : [["lb_endpoints": .array(endpoints)]],
      ]
      return (port.cluster, json)
    }
  }

  private static let unlimited = Int64(UInt32.max)
}

/// Small pieces of Envoy's configuration.
enum EnvoyResources {
  /// A file that is read again whenever another one is moved into its place.
  static func source(_ file: String) -> JSON {
    ["resource_api_version": "V3", "path_config_source": ["path": .string(file)]]
  }

  static func address(_ port: Int) -> JSON {
    ["socket_address": ["address": "127.0.0.1", "port_value": JSON(port)]]
  }

  /// The content of such a file.
  static func response(_ resources: [JSON], version: Int) -> JSON {
    ["version_info": .string(String(version)), "resources": .array(resources)]
  }
}
