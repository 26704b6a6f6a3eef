import KubernetesAPI

/// The kinds by which meshes route, as far as the sandbox needs them. A mesh brings its own definitions; of Istio's these
/// only know the outline, so that what a team has for its cluster is taken here too. Of the Gateway API's HTTPRoute they
/// know what the standard channel has, so that fields are filled in and unknown ones refused as in a cluster.
enum MeshDefinitions {
  private static let definitions = ResourceType(
    group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions",
    namespaced: false)

  static func install(in cluster: any ClusterAccess) throws(Status) {
    for (plural, kind, short) in [
      ("virtualservices", "VirtualService", "vs"), ("destinationrules", "DestinationRule", "dr"),
      ("gateways", "Gateway", "gw"),
    ] {
      let outline = Outline(
        group: "networking.istio.io", plural: plural, kind: kind, short: short, versions: ["v1", "v1beta1"])
      _ = try cluster.create(definitions, outline.definition)
    }
    let peers = Outline(
      group: "security.istio.io", plural: "peerauthentications", kind: "PeerAuthentication", short: "pa",
      versions: ["v1", "v1beta1"])
    _ = try cluster.create(definitions, peers.definition)
    for outline in gatewayKinds { _ = try cluster.create(definitions, outline.definition) }
  }

  private struct Outline {
    var group: String
    var plural: String
    var kind: String
    var short: String
    var versions = ["v1"]
    var scope = "Namespaced"
    var annotations: JSON = .emptyObject
    var spec: JSON = Schemas.open

    var definition: JSON {
      let schema: JSON = ["type": "object", "properties": ["spec": spec, "status": Schemas.open]]
      let versions: [JSON] = versions.enumerated().map { index, version in
        [
          "name": .string(version), "served": true, "storage": .bool(index == 0), "schema": ["openAPIV3Schema": schema],
          "subresources": ["status": [:]],
        ]
      }
      return [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": ["name": .string("\(plural).\(group)"), "annotations": annotations],
        "spec": [
          "group": .string(group), "scope": .string(scope), "versions": .array(versions),
          "names": [
            "plural": .string(plural), "singular": .string(kind.lowercased()), "kind": .string(kind),
            "listKind": .string("\(kind)List"), "shortNames": short.isEmpty ? [] : [.string(short)],
          ],
        ],
      ]
    }
  }

  private static var gatewayKinds: [Outline] {
    let group = "gateway.networking.k8s.io"
    let annotations: JSON = [
      "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328",
      "gateway.networking.k8s.io/bundle-version": "v1.4.1", "gateway.networking.k8s.io/channel": "standard",
    ]
    return [
      Outline(
        group: group, plural: "gatewayclasses", kind: "GatewayClass", short: "gc", scope: "Cluster",
        annotations: annotations),
      Outline(group: group, plural: "gateways", kind: "Gateway", short: "gtw", annotations: annotations),
      Outline(
        group: group, plural: "httproutes", kind: "HTTPRoute", short: "", annotations: annotations,
        spec: Schemas.httpRoute),
    ]
  }

  /// Structural schemas, with the defaults that the real definitions have.
  private enum Schemas {
    static let open: JSON = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
    private static let text: JSON = ["type": "string"]
    private static let integer: JSON = ["type": "integer", "format": "int32"]

    private static func text(default value: String) -> JSON { ["type": "string", "default": .string(value)] }

    private static func object(_ properties: JSON, required: [String] = []) -> JSON {
      var schema: JSON = ["type": "object", "properties": properties]
      if !required.isEmpty { schema["required"] = .array(required.map(JSON.string)) }
      return schema
    }

    private static func list(_ items: JSON, most: Int) -> JSON {
      ["type": "array", "maxItems": JSON(most), "items": items, "x-kubernetes-list-type": "atomic"]
    }

    private static func reference(_ group: String, _ kind: String, _ more: JSON) -> JSON {
      var properties: JSON = [
        "group": text(default: group), "kind": text(default: kind), "namespace": text, "name": text, "port": integer,
      ]
      for (name, schema) in more.object ?? [:] { properties[name] = schema }
      return object(properties, required: ["name"])
    }

    private static var pairs: JSON {
      list(
        object(["type": text(default: "Exact"), "name": text, "value": text], required: ["name", "value"]), most: 16)
    }

    private static var match: JSON {
      let path = object(["type": text(default: "PathPrefix"), "value": text(default: "/")])
      var defaulted = path
      defaulted["default"] = ["type": "PathPrefix", "value": "/"]
      return object(["path": defaulted, "headers": pairs, "queryParams": pairs, "method": text])
    }

    private static var filters: JSON {
      let change = list(object(["name": text, "value": text], required: ["name", "value"]), most: 16)
      let headers = object(["add": change, "set": change, "remove": list(text, most: 16)])
      let mirror = object(
        [
          "backendRef": reference("", "Service", .emptyObject), "percent": integer,
          "fraction": object(["numerator": integer, "denominator": ["type": "integer", "default": 100]]),
        ], required: ["backendRef"])
      return list(
        object(
          [
            "type": text, "requestHeaderModifier": headers, "responseHeaderModifier": headers,
            "requestMirror": mirror, "requestRedirect": open, "urlRewrite": open, "extensionRef": open,
          ], required: ["type"]), most: 16)
    }

    static var httpRoute: JSON {
      let backend = reference(
        "", "Service", ["weight": ["type": "integer", "default": 1, "minimum": 0], "filters": filters])
      var matches = list(match, most: 64)
      matches["default"] = [["path": ["type": "PathPrefix", "value": "/"]]]
      let rule = object([
        "name": text, "matches": matches, "filters": filters, "backendRefs": list(backend, most: 16),
        "timeouts": object(["request": text, "backendRequest": text]),
      ])
      return object([
        "parentRefs": list(reference("gateway.networking.k8s.io", "Gateway", ["sectionName": text]), most: 32),
        "hostnames": list(text, most: 16), "rules": list(rule, most: 16),
      ])
    }
  }
}
