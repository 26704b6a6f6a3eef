import Foundation
import KubernetesAPI

/// What has to change so that the slices of a Service hold its endpoints. Slices that are right are not touched.
struct EndpointSlicePlan {
  struct Changes: Equatable {
    var create: [JSON] = []
    var update: [JSON] = []
    var delete: [JSON] = []
  }

  static let triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time"
  static let headless = "service.kubernetes.io/headless"
  private static let capacity = 100

  var service: JSON
  var pods: [PodView]
  /// Those of this address family.
  var slices: [JSON]
  var family: String
  var trigger: Date?

  func changes() -> Changes {
    var changes = Changes()
    let desired = endpointsByPorts()
    for slice in slices where desired[ports(of: slice)] == nil { changes.delete.append(slice) }
    for ports in desired.keys.sorted(by: { JSON.array($0).description < JSON.array($1).description }) {
      fill(desired[ports] ?? [], ports: ports, into: &changes)
    }
    // A Service without endpoints has one slice without ports.
    if changes.delete.count == slices.count, changes.create.isEmpty {
      if changes.delete.count == 1, isPlaceholder(changes.delete[0]) {
        changes.delete = []
      } else {
        changes.create.append(newSlice(ports: [], endpoints: []))
      }
    }
    reuseNames(in: &changes)
    return changes
  }

  // MARK: - Endpoints

  /// Pods whose port of a name has different numbers stand in different slices.
  private func endpointsByPorts() -> [[JSON]: [JSON]] {
    var endpoints: [[JSON]: [JSON]] = [:]
    for pod in pods {
      let addresses = pod.addresses(ofFamily: family)
      guard !pod.isFinished, !addresses.isEmpty else { continue }
      endpoints[ports(of: pod), default: []].append(endpoint(of: pod, addresses: addresses))
    }
    return endpoints
  }

  private func endpoint(of pod: PodView, addresses: [String]) -> JSON {
    let serves = pod.isReady
    let isTerminating = pod.json.isBeingDeleted
    let publishes = service[path: ["spec", "publishNotReadyAddresses"]]?.bool ?? false
    var endpoint: JSON = [
      "addresses": .array(addresses.map(JSON.string)),
      "conditions": [
        "ready": .bool(publishes || (serves && !isTerminating)), "serving": .bool(serves),
        "terminating": .bool(isTerminating),
      ],
      "targetRef": [
        "kind": "Pod", "namespace": .string(pod.json.namespace), "name": .string(pod.name), "uid": .string(pod.uid),
      ],
    ]
    if !pod.nodeName.isEmpty { endpoint["nodeName"] = .string(pod.nodeName) }
    if let hostname = pod.json[path: ["spec", "hostname"]]?.string, !hostname.isEmpty,
      pod.json[path: ["spec", "subdomain"]]?.string == service.name
    {
      endpoint["hostname"] = .string(hostname)
    }
    return endpoint
  }

  private func ports(of pod: PodView) -> [JSON] {
    var ports: [JSON] = []
    for port in service[path: ["spec", "ports"]]?.array ?? [] {
      guard let number = number(of: port, in: pod) else { continue }
      var entry: JSON = [
        "name": port["name"] ?? "", "protocol": port["protocol"] ?? "TCP", "port": JSON(number),
      ]
      entry["appProtocol"] = port["appProtocol"]
      ports.append(entry)
    }
    return sorted(ports)
  }

  private func ports(of slice: JSON) -> [JSON] { sorted(slice["ports"]?.array ?? []) }

  private func sorted(_ ports: [JSON]) -> [JSON] {
    ports.sorted { ($0["name"]?.string ?? "", $0["port"]?.int ?? 0) < ($1["name"]?.string ?? "", $1["port"]?.int ?? 0) }
  }

  /// A target port by name is each pod's own; a pod that does not have it lacks this port.
  private func number(of port: JSON, in pod: PodView) -> Int? {
    guard let target = port["targetPort"] else { return port["port"]?.int }
    if let number = target.int { return number == 0 ? port["port"]?.int : number }
    let containers = pod.json[path: ["spec", "containers"]]?.array ?? []
    return containers.lazy.flatMap { $0["ports"]?.array ?? [] }.first { candidate in
      candidate["name"]?.string == target.string
        && (candidate["protocol"]?.string ?? "TCP") == (port["protocol"]?.string ?? "TCP")
    }?["containerPort"]?.int
  }

  // MARK: - Slices

  private func fill(_ endpoints: [JSON], ports: [JSON], into changes: inout Changes) {
    var missing = endpoints
    var kept: [(slice: JSON, endpoints: [JSON], isChanged: Bool)] = []
    for slice in slices where self.ports(of: slice) == ports {
      var remaining: [JSON] = []
      let current = slice["endpoints"]?.array ?? []
      for endpoint in current {
        guard let index = missing.firstIndex(where: { isSame($0, endpoint) }) else { continue }
        remaining.append(missing.remove(at: index))
      }
      if remaining.isEmpty {
        changes.delete.append(slice)
      } else {
        let labelsDiffer = JSON(labels) != slice[path: ["metadata", "labels"]]
        kept.append((slice, remaining, remaining != current || labelsDiffer))
      }
    }
    // New endpoints go first where something is written anyway, then where there is room.
    let order = kept.indices.sorted { kept[$0].isChanged && !kept[$1].isChanged }
    for index in order where !missing.isEmpty {
      let room = Self.capacity - kept[index].endpoints.count
      // A slice that is right is opened only when all the rest fits.
      guard room > 0, kept[index].isChanged || missing.count <= room else { continue }
      kept[index].endpoints += missing.prefix(room)
      kept[index].isChanged = true
      missing.removeFirst(min(room, missing.count))
    }
    for entry in kept where entry.isChanged { changes.update.append(updated(entry.slice, endpoints: entry.endpoints)) }
    while !missing.isEmpty {
      changes.create.append(newSlice(ports: ports, endpoints: Array(missing.prefix(Self.capacity))))
      missing.removeFirst(min(Self.capacity, missing.count))
    }
  }

  /// Whether two entries mean the same pod at the same addresses.
  private func isSame(_ left: JSON, _ right: JSON) -> Bool {
    left["addresses"] == right["addresses"] && left[path: ["targetRef", "name"]] == right[path: ["targetRef", "name"]]
      && left["hostname"] == right["hostname"]
  }

  /// A slice to be created takes the name of one to be deleted: one event instead of two.
  private func reuseNames(in changes: inout Changes) {
    while !changes.delete.isEmpty, !changes.create.isEmpty {
      let old = changes.delete.removeFirst()
      let new = changes.create.removeFirst()
      var slice = old
      slice["ports"] = new["ports"]
      slice["endpoints"] = new["endpoints"]
      slice[path: ["metadata", "labels"]] = new[path: ["metadata", "labels"]]
      changes.update.append(stamped(slice))
    }
  }

  private func updated(_ slice: JSON, endpoints: [JSON]) -> JSON {
    var slice = slice
    slice["endpoints"] = .array(endpoints)
    slice[path: ["metadata", "labels"]] = JSON(labels)
    return stamped(slice)
  }

  private func newSlice(ports: [JSON], endpoints: [JSON]) -> JSON {
    stamped([
      "apiVersion": .string(ResourceType.endpointSlices.apiVersion), "kind": "EndpointSlice",
      "metadata": [
        "generateName": .string(service.name + "-"), "namespace": .string(service.namespace), "labels": JSON(labels),
        "ownerReferences": [Ownership.controllerReference(to: service, of: .services)],
      ],
      "addressType": .string(family),
      "ports": ports.isEmpty ? .null : .array(ports),
      "endpoints": endpoints.isEmpty ? .null : .array(endpoints),
    ])
  }

  private func stamped(_ slice: JSON) -> JSON {
    var annotations = slice.annotations
    annotations[Self.triggerAnnotation] = trigger?.stamp
    var slice = slice
    slice[path: ["metadata", "annotations"]] = annotations.isEmpty ? nil : JSON(annotations)
    return slice
  }

  private func isPlaceholder(_ slice: JSON) -> Bool {
    ports(of: slice).isEmpty && (slice["endpoints"]?.array ?? []).isEmpty
      && JSON(labels) == slice[path: ["metadata", "labels"]]
  }

  /// The labels of the Service and our own.
  private var labels: [String: String] {
    var labels = service.labels
    labels[Self.headless] = service[path: ["spec", "clusterIP"]]?.string == "None" ? "" : nil
    labels[EndpointSliceController.serviceName] = service.name
    labels[EndpointSliceController.managedBy] = EndpointSliceController.manager
    return labels
  }
}
