import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

struct RestartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart", abstract: "Replace all pods, by the plan, as `kubectl rollout restart` does.")

  @Argument(help: "The Rollout.")
  var rollout: String
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await cluster.withSession { session in
      let rollout = try await session.rollout(self.rollout)
      let name = rollout.spec.workloadRef.name
      let now = Timestamp(session.client.time.now)
      _ = try await session.client.patch(.deployments, session.key(name), .merge(Self.patch(at: now)))
      Output.print([
        "deployment/\(name) restarts by the plan of rollout/\(self.rollout); see: sluice get \(self.rollout) --watch"
      ])
    }
  }

  static func patch(at now: Timestamp) -> JSON {
    ["spec": ["template": ["metadata": ["annotations": [Revisions.restartAnnotation: .string(now.description)]]]]]
  }
}

struct UndoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undo", abstract: "Put an earlier revision into the Deployment, as `kubectl rollout undo` does.",
    discussion: """
      During a run, and after an abort, that is the stable revision; else the one before it. A revision that was stable a \
      short time ago goes straight to all traffic. Where Git holds the Deployment, undo it there too.
      """)

  @Argument(help: "The Rollout.")
  var rollout: String
  @Option(help: "The number of the revision, as `kubectl rollout history` shows it; 0 is the one before.")
  var toRevision = 0
  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    guard toRevision < 0 else { return }
    throw ValidationError("--to-revision: found \(toRevision), wanted a revision's number, or 0 for the one before")
  }

  func run() async throws {
    try await cluster.withSession { session in
      let rollout = try await session.rollout(self.rollout)
      let key = session.key(rollout.spec.workloadRef.name)
      let earlier = try await session.untilNoConflict(over: "Deployment \(key.name)") {
        let deployment = try await session.client.get(.deployments, key)
        let sets = try await session.client.list(.replicaSets, namespace: session.namespace).items
        let earlier = try Revisions.earlier(
          than: deployment, among: sets, stable: rollout.status?.stable?.replicaSet,
          number: toRevision == 0 ? nil : toRevision)
        _ = try await session.client.patch(.deployments, key, Self.patch(deployment, to: earlier.template))
        return earlier
      }
      let number = earlier.number.map { "revision \($0) (\(earlier.set))" } ?? earlier.set
      Output.print(["deployment/\(key.name) goes back to \(number)"])
    }
  }

  /// Replaces the template whole, only if the Deployment is still the one that was read.
  static func patch(_ deployment: JSON, to template: PodTemplateSpec) -> Patch {
    .json([
      .replace(["metadata", "resourceVersion"], .string(deployment.resourceVersion)),
      .replace(["spec", "template"], template.json),
    ])
  }
}
