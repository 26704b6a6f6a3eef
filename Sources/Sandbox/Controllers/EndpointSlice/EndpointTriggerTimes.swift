import Foundation
import KubernetesAPI

/// Finds the change that a new state of a Service's slices answers, for the annotation
/// `endpoints.kubernetes.io/last-change-trigger-time`, from which the delay of the network can be measured.
struct EndpointTriggerTimes {
  private struct Seen {
    var service: Date
    var pods: [String: Date]
  }

  private var seen: [ObjectKey: Seen] = [:]

  /// - Returns: the earliest of the times that are new since the last look; at the first look the creation of the
  ///   Service; `nil` when none is new.
  mutating func trigger(of service: JSON, pods: [PodView]) -> Date? {
    let key = service.objectKey
    let created = ControllerTime.creation(of: service)
    let last = seen[key]
    var times: [String: Date] = [:]
    for pod in pods {
      times[pod.name] = ControllerTime.date(pod.condition("Ready")?["lastTransitionTime"])
    }
    seen[key] = Seen(service: created, pods: times)
    guard let last else { return created }
    var new = times.compactMap { name, time in time > last.pods[name] ?? .distantPast ? time : nil }
    if created > last.service { new.append(created) }
    return new.min()
  }

  mutating func forget(_ service: ObjectKey) { seen[service] = nil }
}
