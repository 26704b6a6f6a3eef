import Foundation
import KubernetesAPI
import KubernetesClient
import Notifications
import RolloutAPI
import RolloutEngine

/// Tells people. Never waits: Events and notifications go out on their own.
protocol Announcing: Sendable {
  var now: Date { get }
  func announce(_ news: Announcement, rollout: JSON, plan: Plan, run: RolloutRun?)
}

struct Announcer: Announcing {
  let events: EventRecorder
  let outbox: Outbox<ContinuousClock>
  let time: TimeSource

  var now: Date { time.now }

  func announce(_ news: Announcement, rollout: JSON, plan: Plan, run: RolloutRun?) {
    events.record(
      Occurrence(
        news.isWarning ? .warning : .normal,
        regarding: ObjectReference(
          apiVersion: ResourceType.rollouts.apiVersion, kind: "Rollout", namespace: plan.namespace, name: plan.name,
          uid: rollout.uid),
        reason: news.kind.rawValue, action: news.kind.rawValue, note: String(news.message.prefix(1000))))
    guard let event = NotificationEvent(rawValue: news.kind.rawValue) else { return }
    let message = NotificationMessage(
      event, namespace: plan.namespace, rollout: plan.name, run: run?.metadata.name, revision: run?.spec.revision,
      stableRevision: run?.spec.stable.hash, summary: news.message,
      facts: event == .aborted || event == .paused
        ? (run?.status?.checks ?? []).filter { !$0.isRoutine }.map { NotificationMessage.Fact($0) } : [],
      hint: hint(event, plan), time: now)
    for target in plan.notify where target.events.contains(event) {
      outbox.enqueue(
        message, to: ChannelID(namespace: plan.namespace, name: target.channel), key: "\(rollout.uid)/\(news.key)")
    }
  }

  private func hint(_ event: NotificationEvent, _ plan: Plan) -> String? {
    switch event {
    case .paused: "sluice promote \(plan.name) -n \(plan.namespace)"
    case .aborted: "sluice explain \(plan.name) -n \(plan.namespace)"
    default: nil
    }
  }
}
