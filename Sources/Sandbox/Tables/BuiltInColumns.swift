import Foundation
import KubernetesAPI

/// The columns of the built-in kinds, as the real server has them.
enum BuiltInColumns {
  typealias Column = TableRenderer.Column

  static let name = Column(name: "Name", format: "name", description: "The name of the object.")
  static let age = Column(name: "Age", description: "The time since the object was created.")

  static func columns(of type: ResourceType) -> [Column] {
    switch (type.group, type.plural) {
    case ("apps", "deployments"):
      [
        name, Column(name: "Ready", description: "Ready pods of the wanted ones."),
        Column(name: "Up-to-date", description: "Pods of the current template."),
        Column(name: "Available", description: "Pods that have been ready for minReadySeconds."), age,
      ] + template
    case ("apps", "replicasets"):
      [
        name, Column(name: "Desired", type: "integer", description: "Pods that there are to be."),
        Column(name: "Current", type: "integer", description: "Pods that there are."),
        Column(name: "Ready", type: "integer", description: "Pods that are ready."), age,
      ] + template
    case ("", "pods"):
      [
        name, Column(name: "Ready", description: "Ready containers of all."),
        Column(name: "Status", description: "What the containers are doing."),
        Column(name: "Restarts", description: "How often containers were restarted, and when last."), age,
        Column(name: "IP", description: "The pod's address.", priority: 1),
        Column(name: "Node", description: "Where the pod runs.", priority: 1),
        Column(name: "Nominated Node", description: "Where the pod is to run after a preemption.", priority: 1),
        Column(name: "Readiness Gates", description: "Conditions besides the containers' readiness.", priority: 1),
      ]
    case ("", "services"):
      [
        name, Column(name: "Type", description: "How the Service is exposed."),
        Column(name: "Cluster-IP", description: "The address inside the cluster."),
        Column(name: "External-IP", description: "Addresses outside the cluster."),
        Column(name: "Port(s)", description: "The ports that the Service exposes."), age,
        Column(name: "Selector", description: "The labels of the pods behind it.", priority: 1),
      ]
    case ("discovery.k8s.io", "endpointslices"):
      [
        name, Column(name: "AddressType", description: "IPv4, IPv6 or FQDN."),
        Column(name: "Ports", description: "The ports of the endpoints."),
        Column(name: "Endpoints", description: "The addresses, the first few."), age,
      ]
    case ("", "configmaps"), ("", "secrets"):
      [name]
        + (type.plural == "secrets" ? [Column(name: "Type", description: "What sort of secret this is.")] : [])
        + [Column(name: "Data", description: "How many entries there are."), age]
    case ("", "namespaces"), ("", "nodes"):
      [name, Column(name: "Status", description: "Its phase.")]
        + (type.plural == "nodes"
          ? [
            Column(name: "Roles", description: "What it is for."), age,
            Column(name: "Version", description: "Of the kubelet."),
          ] : [age])
    case ("", "events"), ("events.k8s.io", "events"):
      [
        Column(name: "Last Seen", description: "How long ago this happened last."),
        Column(name: "Type", description: "Normal or Warning."),
        Column(name: "Reason", description: "A word for the cause."),
        Column(name: "Object", description: "What it is about."),
        Column(name: "Subobject", description: "Which part of that.", priority: 1),
        Column(name: "Source", description: "Who reports it.", priority: 1),
        Column(name: "Message", description: "What happened."),
        Column(name: "First Seen", description: "How long ago this happened first.", priority: 1),
        Column(name: "Count", description: "How often this happened.", priority: 1),
        Column(name: "Name", format: "name", description: name.description, priority: 1),
      ]
    case ("coordination.k8s.io", "leases"):
      [name, Column(name: "Holder", description: "Who holds the lease."), age]
    case ("apiextensions.k8s.io", "customresourcedefinitions"):
      [name, Column(name: "Created At", type: "date", description: "When it was created.")]
    case ("", "serviceaccounts"):
      [name, Column(name: "Secrets", description: "How many secrets it names."), age]
    case ("autoscaling", "horizontalpodautoscalers"): LimitCells.autoscalerColumns
    case ("policy", "poddisruptionbudgets"): LimitCells.budgetColumns
    case ("", "resourcequotas"): LimitCells.quotaColumns
    case ("", "limitranges"): [name, Column(name: "Created At", type: "date", description: "When it was created.")]
    default: [name, age]
    }
  }

  private static let template = [
    Column(name: "Containers", description: "The containers of the template.", priority: 1),
    Column(name: "Images", description: "The images of the template.", priority: 1),
    Column(name: "Selector", description: "The labels of the pods.", priority: 1),
  ]

  static func cells(of type: ResourceType, _ object: JSON, now: Date) -> [JSON] {
    let name = JSON.string(object.name)
    let age = JSON.string(Age.text(since: object[path: ["metadata", "creationTimestamp"]], now: now))
    let spec = object["spec"] ?? .emptyObject
    let status = object["status"] ?? .emptyObject
    func count(_ field: String) -> Int { status[field]?.int ?? 0 }

    switch (type.group, type.plural) {
    case ("apps", "deployments"):
      return [
        name, "\(count("readyReplicas"))/\(spec["replicas"]?.int ?? 0)", JSON(count("updatedReplicas")),
        JSON(count("availableReplicas")), age,
      ] + templateCells(spec)
    case ("apps", "replicasets"):
      return [
        name, JSON(spec["replicas"]?.int ?? 0), JSON(count("replicas")), JSON(count("readyReplicas")), age,
      ] + templateCells(spec)
    case ("", "pods"):
      return PodCells.cells(object, name: name, age: age, now: now)
    case ("", "services"):
      return [
        name, .string(spec["type"]?.string ?? ""), orNone(spec["clusterIP"]?.string), .string(externalAddress(object)),
        orNone(ports(spec)), age, orNone(labels(spec["selector"]?.strings ?? [:])),
      ]
    case ("discovery.k8s.io", "endpointslices"):
      let addresses = (object["endpoints"]?.array ?? []).flatMap { $0["addresses"]?.array ?? [] }.compactMap(\.string)
      let ports = (object["ports"]?.array ?? []).map { $0["port"]?.int.map(String.init) ?? "*" }
      return [
        name, .string(object["addressType"]?.string ?? ""), firstFew(ports, empty: "<unset>"),
        firstFew(addresses, empty: "<unset>"), age,
      ]
    case ("", "configmaps"):
      return [name, JSON((object["data"]?.object?.count ?? 0) + (object["binaryData"]?.object?.count ?? 0)), age]
        .map { $0 }
    case ("", "secrets"):
      return [name, .string(object["type"]?.string ?? "Opaque"), JSON(object["data"]?.object?.count ?? 0), age]
    case ("", "namespaces"):
      return [name, .string(status["phase"]?.string ?? ""), age]
    case ("", "nodes"):
      return [
        name, .string(isReady(status) ? "Ready" : "NotReady"), "<none>", age,
        .string(status[path: ["nodeInfo", "kubeletVersion"]]?.string ?? ""),
      ]
    case ("", "events"), ("events.k8s.io", "events"):
      return EventCells.cells(type.group.isEmpty ? object : EventConversion.toCoreGroup(object), now: now)
    case ("coordination.k8s.io", "leases"):
      return [name, .string(spec["holderIdentity"]?.string ?? ""), age]
    case ("apiextensions.k8s.io", "customresourcedefinitions"):
      return [name, object[path: ["metadata", "creationTimestamp"]] ?? .null]
    case ("", "serviceaccounts"):
      return [name, JSON(object["secrets"]?.array?.count ?? 0), age]
    case ("autoscaling", "horizontalpodautoscalers"):
      return [name] + LimitCells.autoscaler(spec, status) + [age]
    case ("policy", "poddisruptionbudgets"):
      return [name] + LimitCells.budget(spec, status) + [age]
    case ("", "resourcequotas"):
      return [name] + LimitCells.quota(status) + [age]
    case ("", "limitranges"):
      return [name, object[path: ["metadata", "creationTimestamp"]] ?? .null]
    default:
      return [name, age]
    }
  }

  private static func templateCells(_ spec: JSON) -> [JSON] {
    let containers = spec[path: ["template", "spec", "containers"]]?.array ?? []
    return [
      .string(containers.compactMap { $0["name"]?.string }.joined(separator: ",")),
      .string(containers.compactMap { $0["image"]?.string }.joined(separator: ",")),
      .string(SelectorText.render(spec["selector"] ?? .emptyObject)),
    ]
  }

  static func orNone(_ text: String?) -> JSON { .string(text.flatMap { $0.isEmpty ? nil : $0 } ?? "<none>") }

  private static func labels(_ labels: [String: String]) -> String {
    labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
  }

  private static func ports(_ spec: JSON) -> String {
    (spec["ports"]?.array ?? []).map { port in
      let node = port["nodePort"]?.int.map { ":\($0)" } ?? ""
      return "\(port["port"]?.int ?? 0)\(node)/\(port["protocol"]?.string ?? "TCP")"
    }.joined(separator: ",")
  }

  private static func externalAddress(_ service: JSON) -> String {
    let spec = service["spec"] ?? .emptyObject
    let external = (spec["externalIPs"]?.array ?? []).compactMap(\.string)
    switch spec["type"]?.string {
    case "ExternalName": return spec["externalName"]?.string ?? ""
    case "LoadBalancer":
      let given = (service[path: ["status", "loadBalancer", "ingress"]]?.array ?? []).compactMap {
        $0["ip"]?.string ?? $0["hostname"]?.string
      }
      let all = given + external
      return all.isEmpty ? "<pending>" : all.joined(separator: ",")
    default: return external.isEmpty ? "<none>" : external.joined(separator: ",")
    }
  }

  private static func firstFew(_ texts: [String], empty: String) -> JSON {
    if texts.isEmpty { return .string(empty) }
    let shown = texts.prefix(3).joined(separator: ",")
    return .string(texts.count > 3 ? "\(shown) + \(texts.count - 3) more..." : shown)
  }

  static func isReady(_ status: JSON) -> Bool {
    (status["conditions"]?.array ?? []).contains { $0["type"]?.string == "Ready" && $0["status"]?.string == "True" }
  }
}

/// What a pod is doing, in one word, as `kubectl get pods` has it.
enum PodCells {
  static func cells(_ pod: JSON, name: JSON, age: JSON, now: Date) -> [JSON] {
    let spec = pod["spec"] ?? .emptyObject
    let status = pod["status"] ?? .emptyObject
    let containers = status["containerStatuses"]?.array ?? []
    let ready = containers.filter { $0["ready"]?.bool == true }.count
    let gates = spec["readinessGates"]?.array ?? []
    let met = gates.filter { gate in
      (status["conditions"]?.array ?? []).contains {
        $0["type"] == gate["conditionType"] && $0["status"]?.string == "True"
      }
    }
    return [
      name, "\(ready)/\(spec["containers"]?.array?.count ?? 0)", .string(phase(pod, containers)),
      .string(restarts(containers, now)), age, BuiltInColumns.orNone(status["podIP"]?.string),
      BuiltInColumns.orNone(spec["nodeName"]?.string), BuiltInColumns.orNone(status["nominatedNodeName"]?.string),
      gates.isEmpty ? "<none>" : "\(met.count)/\(gates.count)",
    ]
  }

  private static func phase(_ pod: JSON, _ containers: [JSON]) -> String {
    let status = pod["status"] ?? .emptyObject
    if pod.isBeingDeleted { return status["reason"]?.string == "NodeLost" ? "Unknown" : "Terminating" }
    for container in status["initContainerStatuses"]?.array ?? [] {
      if container[path: ["state", "terminated", "exitCode"]]?.int == 0 { continue }
      if let reason = reason(container), reason != "PodInitializing" { return "Init:\(reason)" }
    }
    for container in containers.reversed() {
      if let reason = reason(container) { return reason }
    }
    return status["reason"]?.string ?? status["phase"]?.string ?? "Unknown"
  }

  private static func reason(_ container: JSON) -> String? {
    if let reason = container[path: ["state", "waiting", "reason"]]?.string, !reason.isEmpty { return reason }
    guard let ended = container[path: ["state", "terminated"]] else { return nil }
    if let reason = ended["reason"]?.string, !reason.isEmpty { return reason }
    if let signal = ended["signal"]?.int, signal != 0 { return "Signal:\(signal)" }
    return "ExitCode:\(ended["exitCode"]?.int ?? 0)"
  }

  private static func restarts(_ containers: [JSON], _ now: Date) -> String {
    let count = containers.compactMap { $0["restartCount"]?.int }.reduce(0, +)
    let last = containers.compactMap { $0[path: ["lastState", "terminated", "finishedAt"]]?.string }
      .compactMap(Timestamp.init).max()
    guard count > 0, let last else { return String(count) }
    return "\(count) (\(Age.text(seconds: Int(now.timeIntervalSince(last.date)))) ago)"
  }
}

enum EventCells {
  static func cells(_ event: JSON, now: Date) -> [JSON] {
    let series = event["series"]
    let first = event["firstTimestamp"]?.string.map(JSON.string) ?? event["eventTime"]
    let last = series?["lastObservedTime"] ?? event["lastTimestamp"]?.string.map(JSON.string) ?? first
    let object = event["involvedObject"] ?? .emptyObject
    let component =
      event["reportingComponent"]?.string.flatMap { $0.isEmpty ? nil : $0 }
      ?? event[path: ["source", "component"]]?.string ?? ""
    let instance =
      event["reportingInstance"]?.string.flatMap { $0.isEmpty ? nil : $0 }
      ?? event[path: ["source", "host"]]?.string ?? ""
    return [
      .string(Age.text(since: last, now: now)), .string(event["type"]?.string ?? ""),
      .string(event["reason"]?.string ?? ""),
      .string("\(object.kind.lowercased())/\(object["name"]?.string ?? "")"),
      .string(object["fieldPath"]?.string ?? ""),
      .string([component, instance].filter { !$0.isEmpty }.joined(separator: ", ")),
      .string((event["message"]?.string ?? "").trimmingCharacters(in: .whitespacesAndNewlines)),
      .string(Age.text(since: first, now: now)), JSON(series?["count"]?.int ?? event["count"]?.int ?? 1),
      .string(event.name),
    ]
  }
}
