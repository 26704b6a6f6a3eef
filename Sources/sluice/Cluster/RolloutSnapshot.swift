import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

/// A Rollout and the run that matters now: the one under way, else the newest.
struct RolloutSnapshot: Sendable, Equatable {
  var rollout: Rollout
  var run: RolloutRun?
}

extension Session {
  func rollout(_ name: String) async throws -> Rollout {
    try await rollout(name) { try await client.get(Rollout.self, $0) }
  }

  /// What is read of a Rollout, with words for one that is not there.
  func rollout<Answer>(_ name: String, by read: (ObjectKey) async throws -> Answer) async throws -> Answer {
    do {
      return try await read(key(name))
    } catch let error as KubernetesError where error.isNotFound && !error.isNotServed {
      throw CommandFailure("there is no Rollout \(name) in namespace \(namespace); see: sluice get -A")
    }
  }

  /// The same error, or what to do where the cluster does not know Sluice's resources.
  static func explained(_ error: any Error) -> any Error {
    guard let error = error as? KubernetesError, error.isNotServed, error.request.contains(".sluice.dev") else {
      return error
    }
    return CommandFailure(
      "cannot \(error.request) at \(error.server): Sluice is not installed there; `sluice doctor` says what is missing")
  }

  func snapshot(_ name: String) async throws -> RolloutSnapshot {
    let rollout = try await rollout(name)
    guard let run = rollout.status?.currentRun ?? rollout.status?.lastRun else {
      return RolloutSnapshot(rollout: rollout)
    }
    return RolloutSnapshot(rollout: rollout, run: try await client.find(RolloutRun.self, key(run)))
  }

  /// The runs of a Rollout, the oldest first.
  func runs(of rollout: String) async throws -> [RolloutRun] {
    let list = try await client.list(RolloutRun.self, namespace: namespace)
    for problem in list.unreadable { Output.note("\(problem)") }
    let own = list.items.filter { $0.spec.rolloutRef.name == rollout }
    return own.sorted { left, right in
      let times = [left, right].map { $0.metadata.creationTimestamp?.date ?? .distantPast }
      return times[0] == times[1] ? left.metadata.key < right.metadata.key : times[0] < times[1]
    }
  }

  /// What the Deployment's template holds, all read now: right after a change the Rollout's status still speaks of the time
  /// before it.
  func wanted(_ snapshot: RolloutSnapshot) async throws -> WantedRevision {
    guard let deployment = try await client.find(.deployments, key(snapshot.rollout.spec.workloadRef.name)) else {
      return .tried
    }
    func holds(_ name: String?) async throws -> Bool? {
      guard let name, let set = try await client.find(.replicaSets, key(name)) else { return nil }
      return Revisions.template(of: deployment) == Revisions.template(of: set)
    }
    if try await holds(snapshot.rollout.status?.stable?.replicaSet) ?? false { return .stable }
    return try await holds(snapshot.run?.status?.canary?.replicaSet) ?? true ? .tried : .new
  }
}

/// The revision in a Deployment's template, as a Rollout knows it.
enum WantedRevision: Sendable {
  case stable
  /// That of the run that matters now, or there is nothing to compare with.
  case tried
  /// Another one, which the controller has not looked at yet.
  case new
}
