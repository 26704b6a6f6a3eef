import Foundation
import KubernetesAPI

/// One rule of a VirtualService's `http` list, compiled: the first whose match holds decides.
struct VirtualServiceRoute: Sendable, Hashable {
  /// Any of them; empty matches everything.
  var matches: [Match]
  var destinations: [Destination]
  var mirrors: [Mirror] = []
  /// A fixed answer in place of destinations.
  var directStatus: Int?
  /// In milliseconds.
  var timeout: Double?
  var retries: Retries

  struct Destination: Sendable, Hashable {
    var service: ObjectKey
    var port: Int?
    var weight: Int
    /// By which Envoy Gateway counts; empty of a VirtualService's.
    var cluster = ""
  }

  struct Mirror: Sendable, Hashable {
    var service: ObjectKey
    /// 0 to 1.
    var share: Double
  }

  struct Retries: Sendable, Hashable {
    var attempts = 2
    var onConnectFailure = true
    var on5xx = false
  }

  struct Match: Sendable, Hashable {
    var path: Text?
    var method: Text?
    var authority: Text?
    /// Names in lower case; `nil` asks for presence only.
    var headers: [String: Text?] = [:]
    var withoutHeaders: [String: Text?] = [:]
    var gateways: [String]?
    var port: Int?
    var sourceNamespace: String?
    var ignoreCase = false

    func holds(for request: MeshRequest) -> Bool {
      if let path, !path.matches(request.path, ignoreCase: ignoreCase) { return false }
      if let method, !method.matches(request.method) { return false }
      if let authority, !authority.matches(request.host) { return false }
      if let gateways, !gateways.contains(request.gateway) { return false }
      if let port, port != request.port { return false }
      if let sourceNamespace, sourceNamespace != request.sourceNamespace { return false }
      func has(_ name: String, _ text: Text?) -> Bool {
        request.headers[name].map { value in text.map { $0.matches(value) } ?? true } ?? false
      }
      return headers.allSatisfy { has($0.key, $0.value) } && !withoutHeaders.contains { has($0.key, $0.value) }
    }
  }

  /// Istio's StringMatch. A regular expression must match the whole text.
  enum Text: Sendable, Hashable {
    case exact(String)
    case prefix(String)
    case pattern(Pattern)
    /// A pattern that does not compile; Istio would refuse it.
    case never

    init?(_ json: JSON?) {
      guard let json else { return nil }
      if let text = json["exact"]?.string {
        self = .exact(text)
      } else if let text = json["prefix"]?.string {
        self = .prefix(text)
      } else if let text = json["regex"]?.string {
        self = (try? Pattern("^(?:\(text))$")).map(Text.pattern) ?? .never
      } else {
        return nil
      }
    }

    func matches(_ text: String, ignoreCase: Bool = false) -> Bool {
      switch self {
      case .exact(let wanted): ignoreCase ? wanted.lowercased() == text.lowercased() : wanted == text
      case .prefix(let wanted): ignoreCase ? text.lowercased().hasPrefix(wanted.lowercased()) : text.hasPrefix(wanted)
      case .pattern(let pattern): pattern.matches(text)
      case .never: false
      }
    }
  }
}

extension VirtualServiceRoute {
  /// - Parameter namespace: the VirtualService's, against which short hosts are resolved.
  init(http: JSON, namespace: String) {
    matches = (http["match"]?.array ?? []).map { Match($0, namespace: namespace) }
    destinations = (http["route"]?.array ?? []).map { route in
      Destination(
        service: Self.service(route[path: ["destination", "host"]]?.string ?? "", namespace: namespace),
        port: route[path: ["destination", "port", "number"]]?.int, weight: route["weight"]?.int ?? 0)
    }
    var mirrored = http["mirrors"]?.array ?? []
    if let single = http["mirror"] {
      mirrored.append(["destination": single, "percentage": http["mirrorPercentage"] ?? ["value": 100]])
    }
    mirrors = mirrored.map { mirror in
      Mirror(
        service: Self.service(mirror[path: ["destination", "host"]]?.string ?? "", namespace: namespace),
        share: (mirror[path: ["percentage", "value"]]?.double ?? 100) / 100)
    }
    directStatus = http[path: ["directResponse", "status"]]?.int
    if directStatus == nil, let redirect = http["redirect"] { directStatus = redirect["redirectCode"]?.int ?? 301 }
    timeout = http["timeout"]?.string.flatMap(MeshApplication.milliseconds)
    // Without `retries` Istio retries twice what never reached a backend.
    retries = Retries()
    if let asked = http["retries"] {
      let reasons = (asked["retryOn"]?.string ?? "connect-failure").split(separator: ",")
      retries = Retries(
        attempts: asked["attempts"]?.int ?? 2,
        onConnectFailure: reasons.contains {
          ["connect-failure", "refused-stream", "5xx", "gateway-error"].contains($0)
        },
        on5xx: reasons.contains { ["5xx", "gateway-error", "503"].contains($0) })
    }
  }

  /// The Service that a host names: `checkout`, `checkout.shop` or `checkout.shop.svc.cluster.local`.
  static func service(_ host: String, namespace: String) -> ObjectKey {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return ObjectKey(namespace: parts.count > 1 ? parts[1] : namespace, name: parts.first ?? "")
  }

  /// Draws a destination by weight. One alone gets everything, whatever its weight is; `nil` for a rule without any.
  func choose(random: inout MeshRandom) -> Destination? {
    if destinations.count < 2 { return destinations.first }
    let total = destinations.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return nil }
    var drawn = Int.random(in: 0..<total, using: &random)
    for destination in destinations {
      drawn -= destination.weight
      if drawn < 0 { return destination }
    }
    return nil
  }
}

extension VirtualServiceRoute.Match {
  init(_ json: JSON, namespace: String) {
    path = VirtualServiceRoute.Text(json["uri"])
    method = VirtualServiceRoute.Text(json["method"])
    authority = VirtualServiceRoute.Text(json["authority"])
    func texts(_ json: JSON?) -> [String: VirtualServiceRoute.Text?] {
      var texts: [String: VirtualServiceRoute.Text?] = [:]
      for (name, text) in json?.object ?? [:] { texts[name.lowercased()] = .some(VirtualServiceRoute.Text(text)) }
      return texts
    }
    headers = texts(json["headers"])
    withoutHeaders = texts(json["withoutHeaders"])
    gateways = json["gateways"]?.array?.compactMap(\.string).map { MeshConfig.gateway($0, namespace: namespace) }
    port = json["port"]?.int
    sourceNamespace = json["sourceNamespace"]?.string
    ignoreCase = json["ignoreUriCase"]?.bool ?? false
  }
}
