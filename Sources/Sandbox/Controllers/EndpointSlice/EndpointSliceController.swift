import Foundation
import KubernetesAPI
import Synchronization

/// The EndpointSlice controller of kube-controller-manager 1.36: slices for the Services that have a selector.
final class EndpointSliceController: BuiltInController {
  static let managedBy = "endpointslice.kubernetes.io/managed-by"
  static let manager = "endpointslice-controller.k8s.io"
  static let serviceName = "kubernetes.io/service-name"

  let name = "endpoint-slice-controller"
  private let triggers = Mutex(EndpointTriggerTimes())

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    switch change.type {
    case .services: return [change.reference]
    case .pods: return services(of: change, in: cluster)
    case .endpointSlices:
      guard let slice = change.new ?? change.old, slice.labels[Self.managedBy] == Self.manager,
        let service = slice.labels[Self.serviceName]
      else { return [] }
      return [TypedKey(type: .services, key: ObjectKey(namespace: slice.namespace, name: service))]
    default: return []
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    // The slices of a Service that is gone go by their owner reference.
    guard let service = cluster.get(.services, object.key) else {
      triggers.withLock { $0.forget(object.key) }
      return nil
    }
    let selector = service[path: ["spec", "selector"]]?.strings ?? [:]
    guard service[path: ["spec", "type"]]?.string != "ExternalName", !selector.isEmpty else { return nil }
    let pods = cluster.list(.pods, namespace: service.namespace)
      .filter { SelectorMatch.matches(map: selector, labels: $0.labels) }.map(PodView.init)
    let slices = cluster.list(.endpointSlices, namespace: service.namespace).filter { slice in
      slice.labels[Self.serviceName] == service.name && slice.labels[Self.managedBy] == Self.manager
        && !slice.isBeingDeleted
    }
    let trigger = triggers.withLock { $0.trigger(of: service, pods: pods) }
    let families = service[path: ["spec", "ipFamilies"]]?.array?.compactMap(\.string) ?? ["IPv4"]
    for slice in slices where !families.contains(slice["addressType"]?.string ?? "") {
      try cluster.delete(.endpointSlices, slice.objectKey, uid: slice.uid)
    }
    for family in families {
      let plan = EndpointSlicePlan(
        service: service, pods: pods, slices: slices.filter { $0["addressType"]?.string == family }, family: family,
        trigger: trigger)
      try carryOut(plan.changes(), in: cluster)
    }
    return nil
  }

  private func carryOut(_ changes: EndpointSlicePlan.Changes, in cluster: any ClusterAccess) throws(Status) {
    for slice in changes.create { _ = try cluster.create(.endpointSlices, slice) }
    for slice in changes.update { _ = try cluster.update(.endpointSlices, slice, subresource: nil) }
    for slice in changes.delete { try cluster.delete(.endpointSlices, slice.objectKey, uid: slice.uid) }
  }

  /// The Services that selected or select a pod, if the change concerns endpoints at all: a change of its phase alone
  /// does not.
  private func services(of change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    let states = [change.old, change.new].compactMap { $0 }
    if let old = change.old, let new = change.new, !Self.concernsEndpoints(PodView(old), PodView(new)) { return [] }
    return cluster.list(.services, namespace: change.reference.key.namespace).filter { service in
      let selector = service[path: ["spec", "selector"]]?.strings ?? [:]
      return states.contains { SelectorMatch.matches(map: selector, labels: $0.labels) }
    }.map { TypedKey(type: .services, key: $0.objectKey) }
  }

  private static func concernsEndpoints(_ old: PodView, _ new: PodView) -> Bool {
    func facts(_ pod: PodView) -> [JSON?] {
      [
        pod.json[path: ["metadata", "labels"]], pod.json[path: ["metadata", "deletionTimestamp"]],
        pod.json[path: ["metadata", "uid"]], .bool(pod.isReady), pod.json[path: ["status", "podIPs"]],
        pod.json[path: ["status", "podIP"]], pod.json[path: ["spec", "nodeName"]],
        pod.json[path: ["spec", "hostname"]], pod.json[path: ["spec", "subdomain"]],
      ]
    }
    return facts(old) != facts(new)
  }
}
