import KubernetesAPI

/// What `kubectl get` shows of autoscalers, budgets and quotas (pkg/printers/internalversion of Kubernetes 1.36).
enum LimitCells {
  private typealias Column = BuiltInColumns.Column

  static let autoscalerColumns: [TableRenderer.Column] = [
    BuiltInColumns.name, Column(name: "Reference", description: "What is scaled."),
    Column(name: "Targets", description: "What the metrics are and are to be."),
    Column(name: "MinPods", description: "The fewest pods."), Column(name: "MaxPods", description: "The most pods."),
    Column(name: "Replicas", description: "The pods that there are."), BuiltInColumns.age,
  ]

  static let budgetColumns: [TableRenderer.Column] = [
    BuiltInColumns.name, Column(name: "Min Available", description: "The fewest pods that evictions leave."),
    Column(name: "Max Unavailable", description: "The most pods that evictions take."),
    Column(name: "Allowed Disruptions", type: "integer", description: "How many may be evicted now."),
    BuiltInColumns.age,
  ]

  static let quotaColumns: [TableRenderer.Column] = [
    BuiltInColumns.name, Column(name: "Request", description: "What is used of what may be asked for."),
    Column(name: "Limit", description: "What is used of what may be the limit."), BuiltInColumns.age,
  ]

  static func autoscaler(_ spec: JSON, _ status: JSON) -> [JSON] {
    let target = spec["scaleTargetRef"] ?? .emptyObject
    return [
      .string("\(target.kind)/\(target["name"]?.string ?? "")"), .string(targets(spec, status)),
      .string(spec["minReplicas"]?.int.map(String.init) ?? "<unset>"), JSON(spec["maxReplicas"]?.int ?? 0),
      JSON(status["currentReplicas"]?.int ?? 0),
    ]
  }

  /// `cpu: 40%/50%, memory: <unknown>/1Gi`; of metrics other than resources only what is wanted.
  private static func targets(_ spec: JSON, _ status: JSON) -> String {
    // The older version knows CPU alone.
    if let wanted = spec["targetCPUUtilizationPercentage"]?.int {
      let found = status["currentCPUUtilizationPercentage"]?.int.map { "\($0)%" } ?? "<unknown>"
      return "cpu: \(found)/\(wanted)%"
    }
    let current = status["currentMetrics"]?.array ?? []
    let texts = (spec["metrics"]?.array ?? []).map { metric -> String in
      guard let resource = metric["resource"], let name = resource["name"]?.string else { return "<unknown>" }
      let seen = current.first { $0[path: ["resource", "name"]]?.string == name }?[path: ["resource", "current"]]
      if let wanted = resource[path: ["target", "averageUtilization"]]?.int {
        return "\(name): \(seen?["averageUtilization"]?.int.map { "\($0)%" } ?? "<unknown>")/\(wanted)%"
      }
      let wanted = resource[path: ["target", "averageValue"]]?.string ?? "<unset>"
      return "\(name): \(seen?["averageValue"]?.string ?? "<unknown>")/\(wanted)"
    }
    if texts.isEmpty { return "<none>" }
    return texts.count > 2
      ? "\(texts.prefix(2).joined(separator: ", ")) + \(texts.count - 2) more..."
      : texts.joined(separator: ", ")
  }

  static func budget(_ spec: JSON, _ status: JSON) -> [JSON] {
    ["minAvailable", "maxUnavailable"].map { field in
      .string(spec[field]?.string ?? spec[field]?.int.map(String.init) ?? "N/A")
    } + [JSON(status["disruptionsAllowed"]?.int ?? 0)]
  }

  static func quota(_ status: JSON) -> [JSON] {
    let used = status["used"]?.strings ?? [:]
    let texts = (status["hard"]?.strings ?? [:]).sorted { $0.key < $1.key }.map { name, hard in
      (isLimit: name.hasPrefix("limits."), text: "\(name): \(used[name] ?? "0")/\(hard)")
    }
    return [false, true].map { isLimit in
      .string(texts.filter { $0.isLimit == isLimit }.map(\.text).joined(separator: ", "))
    }
  }
}
