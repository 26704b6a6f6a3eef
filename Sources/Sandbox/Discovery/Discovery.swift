import Foundation
import KubernetesAPI

/// What clients read first: version, health, groups and resources.
extension APIServer {
  func discovery(_ request: ServerRequest, _ segments: [String]) throws(Status) -> ServerResponse {
    guard request.method == "GET" else { throw Refusal.methodNotAllowed }
    let notFound = ServerResponse.text(404, "404 page not found\n")
    switch segments.first {
    case nil:
      return .json(200, ["paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]])
    case "healthz", "livez", "readyz": return .text(200, "ok")
    case "version": return segments.count == 1 ? .json(200, Self.version) : notFound
    case "openapi": return try openAPI(request, segments)
    case "api", "apis": break
    default: return notFound
    }
    let media = try MediaTypes.negotiate(accept: request.header("Accept"))
    let state = store.state
    let catalog = DiscoveryCatalog(kinds.all(state), reviews: Reviews.kinds)
    let body: JSON?
    switch segments {
    case ["api"]:
      body = media.isAggregatedDiscovery ? catalog.aggregated(core: true) : Self.coreVersions(request)
    case ["apis"]:
      body = media.isAggregatedDiscovery ? catalog.aggregated(core: false) : catalog.groupList
    default:
      if segments.first == "api" {
        body = segments.count == 2 && segments[1] == "v1" ? catalog.resources(group: "", version: "v1") : nil
      } else if segments.count == 2 {
        body = catalog.group(segments[1])
      } else {
        body = segments.count == 3 ? catalog.resources(group: segments[1], version: segments[2]) : nil
      }
    }
    guard let body else { return notFound }
    var response = ServerResponse.json(200, body)
    if media.isAggregatedDiscovery { response.contentType = media.contentType }
    return response
  }

  private static let version: JSON = [
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35", "gitVersion": "v1.36.2+sluice-sandbox", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swift", "platform": "linux",
  ]

  private static func coreVersions(_ request: ServerRequest) -> JSON {
    let server = request.header("Host") ?? "127.0.0.1"
    return [
      "kind": "APIVersions", "versions": ["v1"],
      "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": .string(server)]],
    ]
  }
}

/// The groups, versions and resources of the API in the three forms in which clients ask for them.
struct DiscoveryCatalog: Sendable {
  private let kinds: [ServedKind]

  init(_ kinds: [ServedKind], reviews: [ServedKind] = []) {
    self.kinds = kinds + reviews
  }

  private var groups: [String] { Set(kinds.map(\.type.group)).subtracting([""]).sorted() }

  /// The preferred version first: stable before beta before alpha, higher before lower.
  private func versions(of group: String) -> [String] {
    Set(kinds.filter { $0.type.group == group }.map(\.type.version)).sorted { VersionOrder($0) > VersionOrder($1) }
  }

  private func kinds(group: String, version: String) -> [ServedKind] {
    kinds.filter { $0.type.group == group && $0.type.version == version }.sorted { $0.type.plural < $1.type.plural }
  }

  func group(_ name: String) -> JSON? {
    guard var entry = entry(name) else { return nil }
    entry["kind"] = "APIGroup"
    entry["apiVersion"] = "v1"
    return entry
  }

  private func entry(_ name: String) -> JSON? {
    let versions = versions(of: name).map { version -> JSON in
      ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
    }
    guard !name.isEmpty, let preferred = versions.first else { return nil }
    return ["name": .string(name), "versions": .array(versions), "preferredVersion": preferred]
  }

  var groupList: JSON {
    ["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.compactMap(entry))]
  }

  func resources(group: String, version: String) -> JSON? {
    let found = kinds(group: group, version: version)
    guard !found.isEmpty else { return nil }
    var list: JSON = [
      "kind": "APIResourceList", "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"),
      "resources": .array(found.flatMap(resources)),
    ]
    // The list of the core group says no apiVersion.
    if !group.isEmpty { list["apiVersion"] = "v1" }
    return list
  }

  private func resources(_ kind: ServedKind) -> [JSON] {
    var main: JSON = [
      "name": .string(kind.type.plural), "singularName": .string(kind.singular),
      "namespaced": .bool(kind.type.namespaced), "kind": .string(kind.type.kind), "verbs": strings(kind.verbs),
    ]
    if !kind.shortNames.isEmpty { main["shortNames"] = strings(kind.shortNames) }
    if !kind.categories.isEmpty { main["categories"] = strings(kind.categories) }
    if kind.allows("list") { main["storageVersionHash"] = .string(storageHash(kind)) }
    let parts = kind.subresources.map { part -> JSON in
      var entry: JSON = [
        "name": .string("\(kind.type.plural)/\(part.name)"), "singularName": "",
        "namespaced": .bool(kind.type.namespaced), "kind": .string(part.kind), "verbs": strings(part.verbs),
      ]
      if !part.group.isEmpty { entry["group"] = .string(part.group) }
      if !part.version.isEmpty { entry["version"] = .string(part.version) }
      return entry
    }
    return [main] + parts
  }

  /// Changes when objects are stored in another version: the beginning of a digest of group, version and kind.
  private func storageHash(_ kind: ServedKind) -> String {
    let group = kind.stored.group
    let version = kind.custom.map { $0.storageVersion.split(separator: "/").last.map(String.init) ?? "" } ?? "v1"
    let name = "\(group)/\(version)/\(kind.type.kind)"
    return Data(SHA256.digest(Array(name.utf8)).prefix(8)).base64EncodedString()
  }

  /// `apidiscovery.k8s.io/v2`: all groups in one answer.
  func aggregated(core: Bool) -> JSON {
    let names = core ? [""] : groups
    let items = names.map { group -> JSON in
      let versions = versions(of: group).map { version -> JSON in
        [
          "version": .string(version), "freshness": "Current",
          "resources": .array(kinds(group: group, version: version).map(aggregatedResource)),
        ]
      }
      return ["metadata": group.isEmpty ? [:] : ["name": .string(group)], "versions": .array(versions)]
    }
    return [
      "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": [:],
      "items": .array(items),
    ]
  }

  private func aggregatedResource(_ kind: ServedKind) -> JSON {
    // Custom resources spell out the group of what they answer with, built-in ones leave it empty.
    let own: JSON =
      kind.isCustom
      ? responseKind(kind.type.group, kind.type.version, kind.type.kind) : responseKind("", "", kind.type.kind)
    var entry: JSON = [
      "resource": .string(kind.type.plural), "responseKind": own,
      "scope": kind.type.namespaced ? "Namespaced" : "Cluster", "singularResource": .string(kind.singular),
      "verbs": strings(kind.verbs),
    ]
    if !kind.shortNames.isEmpty { entry["shortNames"] = strings(kind.shortNames) }
    if !kind.categories.isEmpty { entry["categories"] = strings(kind.categories) }
    if !kind.subresources.isEmpty {
      entry["subresources"] = .array(
        kind.subresources.map { part in
          let answers = part.group.isEmpty ? own : responseKind(part.group, part.version, part.kind)
          return [
            "subresource": .string(part.name), "verbs": strings(part.verbs),
            "responseKind": part.kind == kind.type.kind ? own : answers,
          ]
        })
    }
    return entry
  }

  private func responseKind(_ group: String, _ version: String, _ kind: String) -> JSON {
    ["group": .string(group), "version": .string(version), "kind": .string(kind)]
  }

  private func strings(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
}

/// The order of API versions: `v2` over `v1` over `v1beta2` over `v1alpha1` over anything else.
struct VersionOrder: Comparable {
  private let rank: [Int]
  private let text: String

  init(_ text: String) {
    self.text = text
    var rest = Substring(text)
    guard rest.first == "v" else {
      rank = [0, 0, 0]
      return
    }
    rest = rest.dropFirst()
    let major = rest.prefix(while: \.isNumber)
    rest = rest.dropFirst(major.count)
    let stages = ["": 3, "beta": 2, "alpha": 1]
    let stage = rest.prefix(while: \.isLetter)
    let minor = rest.dropFirst(stage.count)
    guard let number = Int(major), let level = stages[String(stage)], stage.isEmpty || Int(minor) != nil else {
      rank = [0, 0, 0]
      return
    }
    rank = [level, number, Int(minor) ?? 0]
  }

  static func < (left: Self, right: Self) -> Bool {
    if left.rank == right.rank { return left.text > right.text }
    return left.rank.lexicographicallyPrecedes(right.rank)
  }
}
