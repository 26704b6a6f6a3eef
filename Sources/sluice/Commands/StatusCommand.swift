import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

/// How a Rollout stands for a pipeline, and the exit code that says so.
enum Standing: Int32, Sendable, Equatable {
  /// What the Deployment's template holds is stable and has all traffic.
  case settled = 0
  case rejected = 2
  case stalled = 3
  /// Under way, or waiting for something.
  case unsettled = 4
  /// A run waits for a person.
  case paused = 5

  /// What the status says of a revision counts only while that one is wanted: a pipeline asks right after its change.
  init(_ snapshot: RolloutSnapshot, wanted: WantedRevision) {
    let (rollout, run) = (snapshot.rollout, snapshot.run?.status)
    let isObserved = (rollout.status?.observedGeneration ?? 0) >= (rollout.metadata.generation ?? 0)
    switch rollout.status?.phase {
    case .idle: self = isObserved && wanted == .stable ? .settled : .unsettled
    case .rejected: self = wanted == .tried ? .rejected : .unsettled
    case .stalled: self = isObserved ? .stalled : .unsettled
    // The run's own status is the first to tell of a command that let it go on.
    case .paused: self = wanted != .new && run?.phase != .progressing ? .paused : .unsettled
    case .waiting, .running, .deleting, nil: self = .unsettled
    }
  }
}

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Say how a Rollout stands; with --wait when it has come to an end.",
    discussion: """
      Exit codes: 0 the revision in the Deployment has all traffic; 1 the command itself failed; 2 the revision was \
      rejected; 3 stalled, a person must act; 4 not at an end yet, or not within --timeout; 5 a run waits for a person \
      (with --wait only where --exit-on-pause is given).
      """)

  @Argument(help: "The Rollout.")
  var rollout: String
  @Flag(name: .shortAndLong, help: "Wait until it is promoted, rejected or stalled.")
  var wait = false
  @Option(help: "How long to wait at most, as 30m or 90s.", transform: FlagValue.duration)
  var timeout = Duration.seconds(3600)
  @Flag(help: "With --wait: a pause for a person is an end too.")
  var exitOnPause = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let standing = try await cluster.withSession { session in try await follow(session) }
    if standing != .settled { throw ExitCode(standing.rawValue) }
  }

  private func follow(_ session: Session) async throws -> Standing {
    let time = session.client.time
    let end = time.uptime + timeout
    var said = ""
    while true {
      let snapshot = try await session.snapshot(rollout)
      let standing = Standing(snapshot, wanted: try await session.wanted(snapshot))
      let line = RolloutPanel.line(snapshot)
      if line != said { Output.print([line]) }
      said = line
      switch standing {
      case .settled, .rejected, .stalled: return standing
      case .paused where exitOnPause: return standing
      case .paused, .unsettled: if !wait { return standing }
      }
      guard time.uptime < end else {
        Output.note("not at an end within \(timeout.text)")
        return .unsettled
      }
      try await time.sleep(for: min(.seconds(1), max(.milliseconds(10), end - time.uptime)))
    }
  }
}
