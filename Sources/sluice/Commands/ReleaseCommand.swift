import ArgumentParser
import KubernetesAPI
import KubernetesClient
import RolloutAPI

struct ReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Take a Rollout down when the controller is gone: traffic first, then the hold.",
    discussion: """
      Does what the controller does when a Rollout is deleted, and deletes the Rollout. While a controller runs, delete the \
      Rollout instead. Every part can be repeated.
      """)

  @Argument(help: "The Rollout.")
  var rollout: String
  @Flag(help: "Do it; without this it is only said what the command is for.")
  var yes = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await cluster.withSession { session in
      let rollout = try await session.rollout(self.rollout)
      guard yes else {
        throw CommandFailure(
          "this deletes Rollout \(self.rollout) and hands traffic and Deployment \(rollout.spec.workloadRef.name) back; "
            + "if no controller runs and you mean it, add --yes")
      }
      let deletesRoute = (rollout.spec.deletionPolicy ?? Defaults.deletionPolicy) == .delete
      try await Release(
        session: session, rollout: rollout, deletesRoute: deletesRoute, say: { Output.print([$0]) }
      ).run()
    }
  }
}
