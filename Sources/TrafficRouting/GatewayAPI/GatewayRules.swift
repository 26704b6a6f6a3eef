import KubernetesAPI
import RolloutAPI

extension GatewayProvider {
  /// The rules of one route, the most particular first.
  func rules(_ entrance: Entrance, routing: Routing) -> [JSON] {
    guard case .split(let target) = routing else {
      let backend = Self.backend(entrance.service.name, entrance.port, weight: 100)
      return [rule(matches: entrance.matches, backends: [backend])]
    }
    let toCanary = split(entrance, canary: 100)
    var rules: [JSON] = []
    let routed = entrance.matches.meeting(target.routes).met
    if !routed.isEmpty { rules.append(rule(matches: routed, backends: toCanary)) }
    var backends = split(entrance, canary: target.weight.value)
    if let sticky = target.sticky {
      let cookie = NameValueMatch(type: .regularExpression, name: "Cookie", value: sticky.pattern(revision))
      let all = entrance.matches.isEmpty ? [HTTPMatch()] : entrance.matches
      let kept = all.map { match in
        var match = match
        match.headers = (match.headers ?? []) + [cookie]
        return match
      }
      rules.append(rule(matches: kept, backends: toCanary))
      backends[1] = Self.adding(Self.filter(addingHeader: "Set-Cookie", sticky.setCookie(revision)), to: backends[1])
    }
    var last = rule(matches: entrance.matches, backends: backends)
    if let mirror = target.mirror {
      last["filters"] = [Self.filter(mirroring: mirror, to: Self.reference(entrance.service.canaryName, entrance.port))]
    }
    return rules + [last]
  }

  private func rule(matches: [HTTPMatch], backends: [JSON]) -> JSON {
    var rule: JSON = [
      "matches": .array((matches.isEmpty ? [HTTPMatch()] : matches).map(GatewayMatch.json)),
      "backendRefs": .array(backends),
    ]
    if let timeouts = plan.policy.timeouts {
      var json = JSON.emptyObject
      json["request"] = timeouts.request.map { .string($0.text) }
      json["backendRequest"] = timeouts.backendRequest.map { .string($0.text) }
      rule["timeouts"] = json
    }
    if let retries = plan.policy.retries {
      var json: JSON = ["attempts": JSON(retries.attempts)]
      if !retries.codes.isEmpty { json["codes"] = .array(retries.codes.map { JSON($0) }) }
      json["backoff"] = retries.backoff.map { .string($0.text) }
      rule["retry"] = json
    }
    return rule
  }

  /// Stable first, then the canary, in every rule: Envoy Gateway names its clusters by these places.
  private func split(_ entrance: Entrance, canary: Int) -> [JSON] {
    let backends = [
      Self.backend(entrance.service.stableName, entrance.port, weight: 100 - canary),
      Self.backend(entrance.service.canaryName, entrance.port, weight: canary),
    ]
    guard cluster.metrics == .envoyGateway, !entrance.isMesh else { return backends }
    // Only backends with a filter get a cluster each, without which it would count both tracks as one.
    return backends.map { Self.adding(EnvoyGatewayMetrics.emptyFilter, to: $0) }
  }

  // MARK: Parts

  /// With all that the API server would fill in, so that it is read back as written.
  static func reference(_ service: String, _ port: Int) -> JSON {
    ["group": "", "kind": "Service", "name": .string(service), "port": JSON(port)]
  }

  private static func backend(_ service: String, _ port: Int, weight: Int) -> JSON {
    var backend = reference(service, port)
    backend["weight"] = JSON(weight)
    return backend
  }

  static func filter(mirroring share: Percent, to backend: JSON) -> JSON {
    var copy: JSON = ["backendRef": backend]
    // Without a percentage it is all of them, which every version knows.
    if let percent = share.whole, percent < 100 { copy["percent"] = JSON(percent) }
    return ["type": "RequestMirror", "requestMirror": copy]
  }

  static func filter(addingHeader name: String, _ value: String) -> JSON {
    [
      "type": "ResponseHeaderModifier",
      "responseHeaderModifier": ["add": [["name": .string(name), "value": .string(value)]]],
    ]
  }

  /// A filter of response headers may be there once, so that another one is joined with it.
  static func adding(_ filter: JSON, to backend: JSON) -> JSON {
    var backend = backend
    var filters = backend["filters"]?.array ?? []
    if let index = filters.firstIndex(where: { $0["type"] == filter["type"] }) {
      for (member, value) in filter["responseHeaderModifier"]?.object ?? [:] {
        let before = filters[index][path: ["responseHeaderModifier", member]]?.array ?? []
        filters[index][path: ["responseHeaderModifier", member]] = .array(before + (value.array ?? []))
      }
    } else {
      filters.append(filter)
    }
    backend["filters"] = .array(filters)
    return backend
  }
}
