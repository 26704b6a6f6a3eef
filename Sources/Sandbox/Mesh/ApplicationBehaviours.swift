import KubernetesAPI

/// What the node does with the pods of simulated applications, by the same rules as ``MeshApplication``: the parts of
/// the image's tag, and annotations of the pod template, which win.
///
/// - `crash`, or `sandbox.sluice.dev/behaviour: crash-loop`: ends at once after each start.
/// - `unready`, or `never-ready`: runs and never becomes ready.
/// - `nopull`, or `image-pull`: the image cannot be pulled.
/// - `unschedulable`, by annotation only: no node has room.
/// - `restart20` and `oom20`: runs for about 20 seconds, a little differently in each pod, and is started again, with the
///   kubelet's back-off; `oom` for want of memory.
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
    default:
      for (word, code) in [("restart", 1), ("oom", 137)] {
        guard let seconds = tag.compactMap({ Self.number($0, after: word) }).first else { continue }
        // Else all pods would be away at once.
        let part = Double(pod.name.utf8.reduce(0) { ($0 * 31 + Int($1)) % 100 }) / 100
        return .crashLoop(
          runsFor: .seconds(seconds * (0.7 + 0.6 * part)), readyAfter: .milliseconds(start), exitCode: code)
      }
      return .serves(startsAfter: .milliseconds(min(500, start)), readyAfter: .milliseconds(start))
    }
  }

  private static func number(_ part: Substring, after word: String) -> Double? {
    guard part.hasPrefix(word), let value = Double(part.dropFirst(word.count)), value > 0, value < 1e6 else {
      return nil
    }
    return value
  }

  func termination(of pod: JSON) -> Duration { .seconds(1) }

  private static func pullError(_ image: String) -> String {
    "failed to pull and unpack image \"\(image)\": failed to resolve reference \"\(image)\": not found"
  }
}
