import Foundation
import KubernetesAPI

/// The configuration with which Envoy starts: a listener for each entrance, everything else read from files.
struct EnvoyBootstrap: Sendable {
  /// Loopback ports.
  var ports: Ports
  /// Where the files are.
  var folder: String

  struct Ports: Sendable, Equatable {
    var mesh: Int
    var gateway: Int
    var admin: Int

    subscript(_ entrance: EnvoyRoutes.Entrance) -> Int { entrance == .mesh ? mesh : gateway }
  }

  /// A file of the folder.
  enum File: Sendable, Hashable {
    case bootstrap, clusters, accessLog, addresses
    case routes(EnvoyRoutes.Entrance)
    /// Of one cluster: Envoy takes one set of endpoints from a file.
    case endpoints(cluster: String)

    var name: String {
      switch self {
      case .bootstrap: "envoy.json"
      case .clusters: "clusters.json"
      case .accessLog: "access-log"
      case .addresses: "addresses.json"
      case .routes(let entrance): "routes-\(entrance.rawValue).json"
      case .endpoints(let cluster): "endpoints-\(cluster.replacingOccurrences(of: "|", with: "-")).json"
      }
    }
  }

  func path(_ file: File) -> String { "\(folder)/\(file.name)" }

  var json: JSON {
    [
      "node": ["id": "sandbox", "cluster": "sandbox"],
      "admin": ["address": EnvoyResources.address(ports.admin)],
      "static_resources": ["listeners": .array(EnvoyRoutes.Entrance.allCases.map(listener))],
      "dynamic_resources": ["cds_config": EnvoyResources.source(path(.clusters))],
    ]
  }

  private func listener(_ entrance: EnvoyRoutes.Entrance) -> JSON {
    [
      "name": .string(entrance.rawValue), "address": EnvoyResources.address(ports[entrance]),
      "filter_chains": [
        [
          "filters": [
            [
              "name": "envoy.filters.network.http_connection_manager",
              "typed_config": connectionManager(entrance),
            ]
          ]
        ]
      ],
    ]
  }

  private func connectionManager(_ entrance: EnvoyRoutes.Entrance) -> JSON {
    var manager: JSON = [
      "@type":
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      "stat_prefix": .string(entrance.rawValue),
      "rds": [
        "route_config_name": .string(entrance.rawValue),
        "config_source": EnvoyResources.source(path(.routes(entrance))),
      ],
      "http_filters": [
        [
          "name": "envoy.filters.http.router",
          "typed_config": ["@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"],
        ]
      ],
      "access_log": [
        [
          "name": "envoy.access_loggers.file",
          "typed_config": [
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": .string(path(.accessLog)), "log_format": ["json_format": AccessLogEntry.format(entrance)],
          ],
        ]
      ],
    ]
    // A gateway knows hosts only; of a Service the port matters.
    if entrance == .gateway { manager["strip_any_host_port"] = true }
    return manager
  }
}
