import KubernetesAPI

/// The admission plugin LimitRanger of Kubernetes 1.36, for pods (plugin/pkg/admission/limitranger/admission.go).
/// `maxLimitRequestRatio` is not looked at.
enum LimitRanger {
  static let annotation = "kubernetes.io/limit-ranger"
  private static let type = ResourceType(kind: "LimitRange", plural: "limitranges")

  static func ranges(in namespace: String, _ state: StoreState) -> [JSON] {
    state.objects(StoredResource(type), namespace: namespace)
  }

  /// Defaults of a LimitRange itself: a maximum is the limit where none is said, a limit the request, then a minimum.
  static func fill(_ spec: inout JSON) {
    spec.changeEach("limits") { item in
      guard item["type"] == "Container" else { return }
      for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        for (name, amount) in item[from]?.object ?? [:] where item[to]?[name] == nil {
          item[path: [to, name]] = amount
        }
      }
    }
  }

  /// Gives a new pod what it does not say.
  static func fill(_ pod: JSON, from ranges: [JSON]) -> JSON {
    var pod = pod
    for range in ranges {
      var notes: [String] = []
      for list in ["initContainers", "containers"] {
        pod.change("spec") { spec in
          spec.changeEach(list) { container in
            let isInit = list == "initContainers"
            for (field, word, from) in [("requests", "request", "defaultRequest"), ("limits", "limit", "default")] {
              let given = defaults(of: range, from).filter { container[path: ["resources", field, $0.key]] == nil }
              guard !given.isEmpty else { continue }
              for (name, amount) in given { container[path: ["resources", field, name]] = amount }
              notes.append(
                "\(given.keys.sorted().joined(separator: ", ")) \(word) for \(isInit ? "init " : "")container "
                  + (container["name"]?.string ?? ""))
            }
          }
        }
      }
      guard !notes.isEmpty else { continue }
      pod[path: ["metadata", "annotations", annotation]] =
        .string("LimitRanger plugin set: " + notes.joined(separator: "; "))
    }
    return pod
  }

  private static func defaults(of range: JSON, _ field: String) -> [String: JSON] {
    (range[path: ["spec", "limits"]]?.array ?? []).filter { $0["type"] == "Container" }
      .reduce(into: [:]) { all, item in all.merge(item[field]?.object ?? [:]) { $1 } }
  }

  /// - Throws: 403 for a pod that is beyond a range.
  static func validate(_ pod: JSON, _ ranges: [JSON]) throws(Status) {
    var faults: [String] = []
    for item in ranges.flatMap({ $0[path: ["spec", "limits"]]?.array ?? [] }) {
      switch item["type"]?.string {
      case "Container":
        for container in ContainerNeeds.all(of: pod) {
          faults += check(item, "Container", container.requests, container.limits)
        }
      case "Pod":
        faults += check(
          item, "Pod", ContainerNeeds.total(of: pod, \.requests), ContainerNeeds.total(of: pod, \.limits))
      default: break
      }
    }
    guard !faults.isEmpty else { return }
    // What is found twice is said once.
    var seen: Set<String> = []
    faults = faults.filter { seen.insert($0).inserted }
    throw Refusal.forbidden(
      .pods, pod.name, faults.count == 1 ? faults[0] : "[\(faults.joined(separator: ", "))]")
  }

  private static func check(_ item: JSON, _ kind: String, _ requests: Amounts, _ limits: Amounts) -> [String] {
    var faults: [String] = []
    for (name, least) in Amounts(item["min"]).byName.sorted(by: { $0.key < $1.key }) {
      let start = "minimum \(name) usage per \(kind) is \(least)"
      guard let request = requests[name] else {
        faults.append("\(start).  No request is specified")
        continue
      }
      if request < least {
        faults.append("\(start), but request is \(request)")
      } else if let limit = limits[name], limit < least {
        faults.append("\(start), but limit is \(limit)")
      }
    }
    for (name, most) in Amounts(item["max"]).byName.sorted(by: { $0.key < $1.key }) {
      let start = "maximum \(name) usage per \(kind) is \(most)"
      guard let limit = limits[name] else {
        faults.append("\(start).  No limit is specified")
        continue
      }
      if limit > most {
        faults.append("\(start), but limit is \(limit)")
      } else if let request = requests[name], request > most {
        faults.append("\(start), but request is \(request)")
      }
    }
    return faults
  }
}
