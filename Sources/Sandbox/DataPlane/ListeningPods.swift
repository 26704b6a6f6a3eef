import KubernetesAPI

/// Where the pods of applications serve for real, each is ready once it listens and no sooner.
struct ListeningPods: PodBehaviours {
  var applications = ApplicationBehaviours()
  var isListening: @Sendable (_ uid: String) -> Bool

  func behaviour(of pod: JSON) -> PodBehaviour {
    let behaviour = applications.behaviour(of: pod)
    guard case .serves(let start, _) = behaviour, !isListening(pod.uid) else { return behaviour }
    return .neverReady(startsAfter: start)
  }

  func termination(of pod: JSON) -> Duration { applications.termination(of: pod) }

  func lookAgain(at pod: JSON) -> Duration? {
    guard case .serves = applications.behaviour(of: pod), !isListening(pod.uid) else { return nil }
    return .milliseconds(50)
  }
}
