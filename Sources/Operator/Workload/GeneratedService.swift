import KubernetesAPI

/// The Services that Sluice makes beside a callers' Service, one for each track.
enum GeneratedService {
  enum Track: String, CaseIterable, Sendable {
    case stable, canary
  }

  static func name(of callers: String, _ track: Track) -> String { "\(callers)-\(track.rawValue)" }

  /// Fields that follow the callers' Service, also when it is edited later.
  private static let copied = [
    "sessionAffinity", "sessionAffinityConfig", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy",
    "publishNotReadyAddresses", "trafficDistribution",
  ]

  /// Annotations by which meshes and clusters steer a Service's traffic. Labels are not copied at all: a ServiceMonitor
  /// would find every pod twice.
  private static let annotationDomains = [
    "istio.io", "linkerd.io", "cilium.io", "kuma.io", "service.kubernetes.io", "traefik.ingress.kubernetes.io",
    "projectcontour.io",
  ]

  static func render(callers: JSON, track: Track, hash: String?, rollout: String) -> JSON {
    var spec: JSON = ["selector": JSON(selector(callers: callers, hash: hash)), "ports": ports(of: callers)]
    for field in copied { spec[field] = callers[path: ["spec", field]] }
    if callers[path: ["spec", "clusterIP"]]?.string == "None" { spec["clusterIP"] = "None" }
    return [
      "apiVersion": "v1", "kind": "Service",
      "metadata": [
        "name": .string(name(of: callers.name, track)), "namespace": .string(callers.namespace),
        "labels": [Names.rollout: .string(rollout), Names.track: .string(track.rawValue)],
        "annotations": JSON(annotations(of: callers)),
      ],
      "spec": spec,
    ]
  }

  /// A callers' Service that was deleted in mid-run, as its generated one remembers it: traffic can go on to be steered, and
  /// above all back.
  static func standIn(for callers: ObjectKey, in snapshot: any ClusterSnapshot, rollout: String) -> JSON? {
    for track in Track.allCases {
      let key = ObjectKey(namespace: callers.namespace, name: name(of: callers.name, track))
      guard var copy = snapshot.object(.services, key), copy.labels[Names.rollout] == rollout else { continue }
      copy[path: ["metadata", "name"]] = .string(callers.name)
      copy[path: ["metadata", "labels"]] = nil
      copy[path: ["spec", "selector", Names.templateHash]] = nil
      return copy
    }
    return nil
  }

  /// The callers' selector, without a pin, narrowed to a revision where one is given.
  static func selector(callers: JSON, hash: String?) -> [String: String] {
    var selector = callers[path: ["spec", "selector"]]?.strings ?? [:]
    selector[Names.templateHash] = hash
    return selector
  }

  /// Whether a live generated Service is what would be rendered, whatever revision it selects.
  static func isCurrent(_ live: JSON, callers: JSON, track: Track, rollout: String) -> Bool {
    let hash = live[path: ["spec", "selector", Names.templateHash]]?.string
    let wanted = render(callers: callers, track: track, hash: hash, rollout: rollout)
    for (field, value) in wanted["spec"]?.object ?? [:] {
      let found = field == "ports" ? ports(of: live) : live[path: ["spec", field]]
      if found != value { return false }
    }
    return wanted.annotations.allSatisfy { live.annotations[$0.key] == $0.value }
      && wanted.labels.allSatisfy { live.labels[$0.key] == $0.value }
  }

  private static func annotations(of callers: JSON) -> [String: String] {
    callers.annotations.filter { annotation in
      let domain = annotation.key.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
      return annotationDomains.contains { domain == $0 || domain.hasSuffix("." + $0) }
    }
  }

  /// The ports without the node ports that the callers' Service may have.
  private static func ports(of service: JSON) -> JSON {
    let ports = service[path: ["spec", "ports"]]?.array ?? []
    return .array(
      ports.map { port in
        var copy = port
        copy["nodePort"] = nil
        return copy
      })
  }
}
