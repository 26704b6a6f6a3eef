import KubernetesAPI

/// The Deployment controller of kube-controller-manager 1.36, as far as one can see it from outside.
struct DeploymentController: BuiltInController {
  let name = "deployment-controller"

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    switch change.type {
    case .deployments: [change.reference]
    case .replicaSets: deployments(of: change, in: cluster)
    case .pods: waitingDeployments(after: change, in: cluster)
    default: []
    }
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard let deployment = cluster.get(.deployments, object.key) else { return nil }
    var sync = DeploymentSync(deployment, in: cluster, events: EventRecorder(component: name))
    return try sync.run()
  }

  /// The Deployments that controlled or control a ReplicaSet; for one without a controller those that could adopt it.
  private func deployments(of change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    var names: Set<String> = []
    for set in [change.old, change.new].compactMap({ $0 }) {
      guard let controller = set.controllerReference, controller["kind"]?.string == "Deployment" else { continue }
      names.insert(controller["name"]?.string ?? "")
    }
    if let set = change.new, set.controllerReference == nil, !set.isBeingDeleted {
      for deployment in cluster.list(.deployments, namespace: set.namespace)
      where SelectorMatch.matches(deployment[path: ["spec", "selector"]], labels: set.labels) {
        names.insert(deployment.name)
      }
    }
    return names.map {
      TypedKey(type: .deployments, key: ObjectKey(namespace: change.reference.key.namespace, name: $0))
    }
  }

  /// A Deployment with the strategy Recreate waits until its old pods are gone.
  private func waitingDeployments(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    guard change.new == nil, let pod = change.old, let owner = pod.controllerReference,
      owner["kind"]?.string == "ReplicaSet",
      let set = cluster.get(.replicaSets, ObjectKey(namespace: pod.namespace, name: owner["name"]?.string ?? "")),
      let controller = set.controllerReference, controller["kind"]?.string == "Deployment"
    else { return [] }
    let key = ObjectKey(namespace: pod.namespace, name: controller["name"]?.string ?? "")
    guard let deployment = cluster.get(.deployments, key), DeploymentView(deployment).isRecreate else { return [] }
    return [TypedKey(type: .deployments, key: key)]
  }
}
