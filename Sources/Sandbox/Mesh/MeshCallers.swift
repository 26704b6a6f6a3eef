import Foundation
import KubernetesAPI

/// The simulated callers of one Service, as its annotations ask for them:
///
/// - `sandbox.sluice.dev/requests-per-second: "50"`: callers in the mesh, by the Service's name.
/// - `sandbox.sluice.dev/unmeshed-requests-per-second: "5"`: callers without a proxy, who reach the Service's endpoints
///   whatever the routing says.
/// - `sandbox.sluice.dev/gateway-requests-per-second: "20"`, with `gateway-host`, and `gateway-path` if it is not `/`:
///   callers from outside, through any gateway that a VirtualService of that host names.
/// - `sandbox.sluice.dev/caller-versions: "6.1=70%,7.0=30%"`: of those in the mesh, which have a pod for each version then;
///   all are `v1` else. At most ten versions; what their shares leave is the last one's.
/// - `sandbox.sluice.dev/caller-header: "x-beta=1:10%"`: 10 % of all requests carry this header.
struct MeshCallers: Sendable, Hashable {
  var service: ObjectKey
  /// The port that callers address: the Service's first.
  var port: Int
  /// Requests per second.
  var meshed: Double
  var unmeshed = 0.0
  var gateway = 0.0
  var gatewayHost = ""
  var gatewayPath = "/"
  var header: Header?
  /// Of the callers in the mesh; empty where all are alike.
  var versions: [Version] = []

  struct Version: Sendable, Hashable {
    var name: String
    /// 0 to 1.
    var share: Double
  }

  static let maxVersions = 10

  struct Header: Sendable, Hashable {
    var name: String
    var value: String
    /// 0 to 1.
    var share: Double
  }

  /// - Parameter defaultRate: for a Service that says nothing.
  init(service: JSON, defaultRate: Double) {
    self.service = service.objectKey
    port = service[path: ["spec", "ports"]]?[0]?["port"]?.int ?? 80
    let annotations = service.annotations
    func annotation(_ name: String) -> String? { annotations["sandbox.sluice.dev/\(name)"] }
    func rate(_ name: String) -> Double? {
      annotation(name).flatMap { Double($0) }.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
    meshed = rate("requests-per-second") ?? defaultRate
    unmeshed = rate("unmeshed-requests-per-second") ?? 0
    if let host = annotation("gateway-host") {
      gateway = rate("gateway-requests-per-second") ?? 0
      gatewayHost = host
      gatewayPath = annotation("gateway-path") ?? "/"
    }
    header = annotation("caller-header").flatMap(Self.header)
    versions = MeshApplication.shares(annotation("caller-versions") ?? "").prefix(Self.maxVersions).map {
      Version(name: $0.name, share: $0.share)
    }
  }

  /// The number and the version of a caller, by a number from 0 up to 1 that is drawn.
  func caller(_ drawn: Double) -> (index: Int, version: String) {
    var sum = 0.0
    for (index, version) in versions.enumerated() {
      sum += version.share
      if drawn < sum { return (index, version.name) }
    }
    return (versions.count - 1, versions.last?.name ?? "")
  }

  private static func header(_ text: String) -> Header? {
    guard let colon = text.lastIndex(of: ":"), let equals = text.firstIndex(of: "="), equals < colon,
      let share = MeshApplication.share(String(text[text.index(after: colon)...]))
    else { return nil }
    return Header(
      name: text[..<equals].lowercased(), value: String(text[text.index(after: equals)..<colon]), share: share)
  }
}

/// A request, as far as routing looks at it.
struct MeshRequest: Sendable {
  /// The gateway that it passes; `mesh` for a caller's own proxy.
  var gateway: String
  var host: String
  var port = 80
  var path = "/"
  var method = "GET"
  /// Names in lower case.
  var headers: [String: String] = [:]
  var sourceNamespace = ""
}
