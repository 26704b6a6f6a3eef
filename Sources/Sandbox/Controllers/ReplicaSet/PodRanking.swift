import Foundation

/// Which of its pods a ReplicaSet gives up first.
struct PodRanking {
  var now: Date
  /// Active pods of related sets (those of the same Deployment) per node: a crowded node is relieved first.
  var podsPerNode: [String: Int] = [:]

  /// The pods, the first to go first.
  func ordered(_ pods: [PodView]) -> [PodView] { pods.sorted(by: goesBefore) }

  /// Unassigned before assigned, Pending before Unknown before Running, not ready before ready, cheap before dear,
  /// on a crowded node before a free one, briefly ready before long ready, often restarted first, young before old.
  func goesBefore(_ left: PodView, _ right: PodView) -> Bool {
    if left.nodeName.isEmpty != right.nodeName.isEmpty { return left.nodeName.isEmpty }
    if left.phase != right.phase { return rank(left.phase) < rank(right.phase) }
    if left.isReady != right.isReady { return !left.isReady }
    if left.cost != right.cost { return left.cost < right.cost }
    let (leftCrowd, rightCrowd) = (podsPerNode[left.nodeName] ?? 0, podsPerNode[right.nodeName] ?? 0)
    if leftCrowd != rightCrowd { return leftCrowd > rightCrowd }
    if left.isReady, right.isReady, left.readySince != right.readySince {
      return isYounger(left.readySince, right.readySince, left, right)
    }
    if left.restarts != right.restarts { return left.restarts > right.restarts }
    let (leftCreated, rightCreated) = (ControllerTime.creation(of: left.json), ControllerTime.creation(of: right.json))
    if leftCreated != rightCreated { return isYounger(leftCreated, rightCreated, left, right) }
    // Kubernetes leaves it open here; the uid makes it repeatable.
    return left.uid < right.uid
  }

  private func rank(_ phase: String) -> Int {
    switch phase {
    case "Pending": 0
    case "Unknown": 1
    default: 2
    }
  }

  /// Ages are compared in powers of two, so that pods of about the same age are chosen without regard to it.
  private func isYounger(_ left: Date?, _ right: Date?, _ leftPod: PodView, _ rightPod: PodView) -> Bool {
    let (first, second) = (ageClass(left), ageClass(right))
    return first == second ? leftPod.uid < rightPod.uid : first < second
  }

  private func ageClass(_ date: Date?) -> Int {
    guard let date else { return -1 }
    let nanoseconds = now.timeIntervalSince(date) * 1e9
    return nanoseconds > 0 ? Int(log2(nanoseconds)) : -1
  }
}
