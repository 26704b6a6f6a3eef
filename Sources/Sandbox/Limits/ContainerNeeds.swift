import KubernetesAPI

/// What the containers of a pod ask for and may use.
struct ContainerNeeds {
  var name: String
  var isInit: Bool
  /// An init container that goes on running beside the others.
  var isSidecar: Bool
  var requests: Amounts
  var limits: Amounts

  static func all(of pod: JSON) -> [ContainerNeeds] {
    [("containers", false), ("initContainers", true)].flatMap { list, isInit in
      (pod[path: ["spec", list]]?.array ?? []).map { container in
        ContainerNeeds(
          name: container["name"]?.string ?? "", isInit: isInit, isSidecar: container["restartPolicy"] == "Always",
          requests: Amounts(container[path: ["resources", "requests"]]),
          limits: Amounts(container[path: ["resources", "limits"]]))
      }
    }
  }

  /// What a pod counts for: those that run together, or the largest that runs before, and its overhead.
  static func total(of pod: JSON, _ amounts: (ContainerNeeds) -> Amounts) -> Amounts {
    var running = Amounts()
    var starting = Amounts()
    for container in all(of: pod) {
      if container.isInit, !container.isSidecar {
        starting.raise(to: amounts(container))
      } else {
        running.add(amounts(container))
      }
    }
    running.raise(to: starting)
    running.add(Amounts(pod[path: ["spec", "overhead"]]).only(running.names))
    return running
  }
}
