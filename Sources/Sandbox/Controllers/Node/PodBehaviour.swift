import KubernetesAPI

/// What the containers of a pod do once it has a node.
enum PodBehaviour: Sendable, Equatable {
  /// They start, and later become ready and stay so.
  case serves(startsAfter: Duration, readyAfter: Duration)
  /// They run and never become ready.
  case neverReady(startsAfter: Duration)
  /// They end with an error again and again. `readyAfter` is from each start; `nil` for never ready.
  case crashLoop(runsFor: Duration, readyAfter: Duration?, exitCode: Int)
  /// The image cannot be pulled.
  case imagePullBackOff(error: String)
  /// No node has room.
  case unschedulable(message: String)
  /// The pod gets a node and nothing more happens: its status is for others to write.
  case untouched

  /// Starts and is ready at once after half a second, as long as kubelets take to look.
  static let ready = PodBehaviour.serves(startsAfter: .milliseconds(500), readyAfter: .milliseconds(500))

  /// Ends at once after each start.
  static let crashing = PodBehaviour.crashLoop(runsFor: .seconds(1), readyAfter: nil, exitCode: 1)
}

/// Says what each pod does. Asked again at each look, so an answer may change while a pod runs.
protocol PodBehaviours: Sendable {
  func behaviour(of pod: JSON) -> PodBehaviour

  /// How long a pod that is marked for deletion takes to end.
  func termination(of pod: JSON) -> Duration

  /// When to ask again although nothing changes in the cluster; `nil` for never.
  func lookAgain(at pod: JSON) -> Duration?
}

extension PodBehaviours {
  func termination(of pod: JSON) -> Duration { .zero }
  func lookAgain(at pod: JSON) -> Duration? { nil }
}

/// Decides by the image of the first container: by default everything serves, and nothing happens to images that
/// contain `bad`.
struct ImageBehaviours: PodBehaviours {
  private let decide: @Sendable (String) -> PodBehaviour

  init(
    _ decide: @escaping @Sendable (_ image: String) -> PodBehaviour = { $0.contains("bad") ? .untouched : .ready }
  ) {
    self.decide = decide
  }

  func behaviour(of pod: JSON) -> PodBehaviour {
    decide(pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? "")
  }
}

/// How the containers of a pod are at one moment.
enum ContainerState: Sendable, Equatable {
  /// Waiting with a reason before the first start.
  case waiting(reason: String, message: String)
  case running(ready: Bool, restarts: Int, lastExitCode: Int?)
  /// Ended, and not started again yet.
  case backOff(restarts: Int, delay: Duration, exitCode: Int)
}

extension PodBehaviour {
  /// Waits between restarts: none before the first, then 10 s, doubled up to 5 min, as the kubelet does it.
  static func backOff(beforeRestart restart: Int) -> Duration {
    restart <= 1 ? .zero : min(.seconds(10) * (1 << min(restart - 2, 10)), .seconds(300))
  }

  /// The state after some time on the node, and the time of the next change; `nil` for none.
  func state(after elapsed: Duration) -> (state: ContainerState, next: Duration?)? {
    switch self {
    case .serves(let start, let ready):
      let ready = max(start, ready)
      if elapsed < start { return (.waiting(reason: "ContainerCreating", message: ""), start) }
      if elapsed < ready { return (.running(ready: false, restarts: 0, lastExitCode: nil), ready) }
      return (.running(ready: true, restarts: 0, lastExitCode: nil), nil)
    case .neverReady(let start):
      if elapsed < start { return (.waiting(reason: "ContainerCreating", message: ""), start) }
      return (.running(ready: false, restarts: 0, lastExitCode: nil), nil)
    case .crashLoop(let runsFor, let readyAfter, let exitCode):
      return Self.crashLoop(
        elapsed, runsFor: max(runsFor, .milliseconds(1)), readyAfter: readyAfter, exitCode: exitCode)
    case .imagePullBackOff(let error):
      let first = Duration.seconds(1)
      if elapsed < first { return (.waiting(reason: "ErrImagePull", message: error), first) }
      return (.waiting(reason: "ImagePullBackOff", message: error), nil)
    case .unschedulable, .untouched:
      return nil
    }
  }

  private static func crashLoop(
    _ elapsed: Duration, runsFor: Duration, readyAfter: Duration?, exitCode: Int
  ) -> (state: ContainerState, next: Duration?) {
    var start = Duration.zero
    var restarts = 0
    while true {
      let last = restarts == 0 ? nil : exitCode
      if let readyAfter, readyAfter < runsFor {
        if elapsed < start + readyAfter {
          return (.running(ready: false, restarts: restarts, lastExitCode: last), start + readyAfter)
        }
        if elapsed < start + runsFor {
          return (.running(ready: true, restarts: restarts, lastExitCode: last), start + runsFor)
        }
      } else if elapsed < start + runsFor {
        return (.running(ready: false, restarts: restarts, lastExitCode: last), start + runsFor)
      }
      let delay = backOff(beforeRestart: restarts + 1)
      let again = start + runsFor + delay
      if elapsed < again { return (.backOff(restarts: restarts, delay: delay, exitCode: exitCode), again) }
      start = again
      restarts += 1
    }
  }
}
