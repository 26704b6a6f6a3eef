import KubernetesAPI

/// What the node does with the pods of simulated applications, by the same rules as ``MeshApplication``: the parts of
/// the image's tag, and annotations of the pod template, which win.
///
/// - `crash`, or `sandbox.sluice.dev/behaviour: crash-loop`: ends at once after each start.
/// - `unready`, or `never-ready`: runs and never becomes ready.
/// - `nopull`, or `image-pull`: the image cannot be pulled.
/// - `unschedulable`, by annotation only: no node has room.
/// - `sandbox.sluice.dev/start: 5s`: how long a pod takes until it is ready; half a second else.
///
/// A pod that is deleted goes on serving for a second, longer than the proxies need to learn of it.
struct ApplicationBehaviours: PodBehaviours {
  func behaviour(of pod: JSON) -> PodBehaviour {
    let annotations = pod.annotations
    let image = pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
    let start = annotations["sandbox.sluice.dev/start"].flatMap(MeshApplication.milliseconds) ?? 500
    let tag = MeshApplication.tagParts(of: image)
    switch annotations["sandbox.sluice.dev/behaviour"] {
    case "crash-loop": return .crashing
    case "never-ready": return .neverReady(startsAfter: .milliseconds(start))
    case "image-pull": return .imagePullBackOff(error: Self.pullError(image))
    case "unschedulable": return .unschedulable(message: "0/1 nodes are available: 1 Insufficient cpu.")
    case nil where tag.contains("crash"): return .crashing
    case nil where tag.contains("unready"): return .neverReady(startsAfter: .milliseconds(start))
    case nil where tag.contains("nopull"): return .imagePullBackOff(error: Self.pullError(image))
    default: return .serves(startsAfter: .milliseconds(min(500, start)), readyAfter: .milliseconds(start))
    }
  }

  func termination(of pod: JSON) -> Duration { .seconds(1) }

  private static func pullError(_ image: String) -> String {
    "failed to pull and unpack image \"\(image)\": failed to resolve reference \"\(image)\": not found"
  }
}
