import KubernetesAPI

/// Everything that is served under one group and version, as its OpenAPI document describes it.
struct OpenAPIGroup: Sendable {
  struct Kind: Sendable {
    struct Subresource: Sendable {
      var name: String
      /// `nil` where it shows the kind itself.
      var kind: ResourceType?
      var verbs: [String]
    }

    var type: ResourceType
    var schema: Schema
    var isCustom: Bool
    var verbs: [String]
    var subresources: [Subresource] = []
  }

  /// Empty for the core group.
  var group: String
  var version: String
  var kinds: [Kind]
  /// Changes whenever a schema or the list of kinds does, such as the resourceVersions of the definitions behind them.
  var revision: String

  /// `api/v1`, `apis/apps/v1`: the key in the index, and the end of the document's path.
  var path: String { group.isEmpty ? "api/\(version)" : "apis/\(group)/\(version)" }

  /// `AppsV1`, `CoreV1`, `RbacAuthorizationV1`: the part of operation ids that names the group.
  var operationName: String {
    var name = group.isEmpty ? "core" : group
    if name.hasSuffix(".k8s.io") { name.removeLast(".k8s.io".count) }
    let parts = name.split(whereSeparator: { $0 == "." || $0 == "-" }) + [Substring(version)]
    return parts.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// `io.k8s.api.apps.v1.Deployment`, `com.example.v1.Widget`: the name of a kind's schema.
  func schemaName(_ kind: Kind) -> String {
    let name = kind.type.kind
    if kind.isCustom {
      return (group.split(separator: ".").reversed() + [Substring(version), Substring(name)]).joined(separator: ".")
    }
    if group == "apiextensions.k8s.io" {
      return "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.\(version).\(name)"
    }
    return "io.k8s.api.\(group.split(separator: ".").first ?? "core").\(version).\(name)"
  }
}
