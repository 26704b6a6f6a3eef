import KubernetesAPI

/// Services and EndpointSlices.
enum ServiceValidation {
  static let protocols: [JSON] = ["SCTP", "TCP", "UDP"]
  private static let types: [JSON] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
  private static let affinities: [JSON] = ["ClientIP", "None"]
  private static let trafficPolicies: [JSON] = ["Cluster", "Local"]

  static func service(_ spec: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let type = spec["type"] ?? "ClusterIP"
    let isHeadless = spec["clusterIP"]?.string == "None"
    let ports = spec["ports"]?.array ?? []
    if ports.isEmpty, !isHeadless, type != "ExternalName" { causes.append(.required("spec.ports")) }
    causes += self.ports(ports)
    causes += MetaValidation.labels(spec["selector"]?.strings ?? [:], at: "spec.selector")
    if !types.contains(type) { causes.append(.notSupported("spec.type", type, among: types)) }
    let choices = [
      ("sessionAffinity", affinities), ("internalTrafficPolicy", trafficPolicies),
      ("externalTrafficPolicy", trafficPolicies),
    ]
    for (field, allowed) in choices {
      if let value = spec[field], !allowed.contains(value) {
        causes.append(.notSupported("spec.\(field)", value, among: allowed))
      }
    }
    if type == "ExternalName", (spec["externalName"]?.string ?? "").isEmpty {
      causes.append(.invalid("spec.externalName", "", "must not be empty"))
    }
    if type == "LoadBalancer" || type == "NodePort", isHeadless {
      causes.append(
        .invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for \(type.string ?? "") services"))
    }
    if let old, type != "ExternalName", old["type"] != "ExternalName",
      let before = old["clusterIP"]?.string, !before.isEmpty, spec["clusterIP"]?.string != before
    {
      causes.append(.invalid("spec.clusterIPs[0]", spec["clusterIPs"], "may not change once set"))
    }
    return causes
  }

  private static func ports(_ ports: [JSON]) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    var names: Set<String> = []
    var served: Set<[JSON]> = []
    for (index, port) in ports.enumerated() {
      let field = "spec.ports[\(index)]"
      let name = port["name"]?.string ?? ""
      if name.isEmpty {
        if ports.count > 1 { causes.append(.required("\(field).name")) }
      } else if let fault = Names.labelFault(name) {
        causes.append(.invalid("\(field).name", .string(name), fault))
      } else if !names.insert(name).inserted {
        causes.append(.duplicate("\(field).name", .string(name)))
      }
      let number = port["port"]?.int ?? 0
      if !Names.isPort(number) { causes.append(.invalid("\(field).port", JSON(number), Names.portRange)) }
      if let value = port["protocol"], !protocols.contains(value) {
        causes.append(.notSupported("\(field).protocol", value, among: protocols))
      }
      if let target = port["targetPort"]?.int, !Names.isPort(target) {
        causes.append(.invalid("\(field).targetPort", JSON(target), Names.portRange))
      } else if let target = port["targetPort"]?.string, let fault = Names.portNameFault(target) {
        causes.append(.invalid("\(field).targetPort", .string(target), fault))
      }
      if let value = port["appProtocol"]?.string {
        causes += Names.qualifiedNameFaults(value).map { .invalid("\(field).appProtocol", .string(value), $0) }
      }
      if Names.isPort(number), !served.insert([JSON(number), port["protocol"] ?? "TCP"]).inserted {
        causes.append(.duplicate(field, ["port": JSON(number), "protocol": port["protocol"] ?? "TCP"]))
      }
    }
    return causes
  }

  private static let addressTypes: [JSON] = ["FQDN", "IPv4", "IPv6"]

  static func endpointSlice(_ object: JSON, old: JSON?) -> [Status.Cause] {
    var causes: [Status.Cause] = []
    let type = object["addressType"] ?? ""
    if type == "" {
      causes.append(.required("addressType"))
    } else if !addressTypes.contains(type) {
      causes.append(.notSupported("addressType", type, among: addressTypes))
    }
    if let old, old["addressType"] != object["addressType"] {
      causes.append(.invalid("addressType", type, "field is immutable"))
    }
    for (index, endpoint) in (object["endpoints"]?.array ?? []).enumerated() {
      let count = endpoint["addresses"]?.array?.count ?? 0
      let field = "endpoints[\(index)].addresses"
      if count == 0 { causes.append(.required(field, "must contain at least 1 address")) }
      if count > 100 { causes.append(.tooMany(field, count, most: 100)) }
    }
    return causes
  }
}
