import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle
import Synchronization

/// What is known of the kinds that a cluster may lack: which of them some plan needs, and which the cluster serves.
final class ServedKinds: Sendable {
  enum Answer: Sendable { case served, absent }

  private struct State {
    var wanted: Set<ResourceType> = []
    var answers: [ResourceType: Answer] = [:]
  }

  private let state: Mutex<State>

  /// - Parameter wanted: needed whatever the plans say.
  init(wanted: Set<ResourceType> = []) { state = Mutex(State(wanted: wanted)) }

  /// Kinds are never given up again: a watch costs little, and a plan may come back.
  func want(_ types: some Sequence<ResourceType>) { state.withLock { $0.wanted.formUnion(types) } }

  func isWanted(_ type: ResourceType) -> Bool { state.withLock { $0.wanted.contains(type) } }

  func tell(_ answer: Answer, of type: ResourceType) { state.withLock { $0.answers[type] = answer } }

  /// The server said that it does not serve the kind.
  func isAbsent(_ type: ResourceType) -> Bool { state.withLock { $0.answers[type] == .absent } }
}

/// Watches a kind once it is wanted, for as long as the cluster serves it.
struct OptionalWatch: ServiceLifecycle.Service {
  let type: ResourceType
  /// One that ends when its kind is not served.
  let informer: Informer<JSON>
  let kinds: ServedKinds
  let client: KubernetesClient
  let logger: Logger

  /// How soon a plan's kinds are watched, and how often is asked for one that is not served.
  private static let pause = Duration.milliseconds(200)
  private static let pauseWhereAbsent = Duration.seconds(5)

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      do {
        while !Task.isCancelled {
          guard kinds.isWanted(type) else {
            try await client.time.sleep(for: Self.pause)
            continue
          }
          guard await isServed() else {
            try await client.time.sleep(for: Self.pauseWhereAbsent * (1 + client.randomness.next / 2))
            continue
          }
          try await informer.run()
        }
      } catch is CancellationError {
        return
      }
    }
  }

  private func isServed() async -> Bool {
    do {
      let list = try await client.send(.raw("/apis/\(type.apiVersion)"))
      let isServed = (list["resources"]?.array ?? []).contains { $0["name"]?.string == type.plural }
      kinds.tell(isServed ? .served : .absent, of: type)
      return isServed
    } catch let error as KubernetesError where error.isNotFound {
      kinds.tell(.absent, of: type)
      return false
    } catch {
      logger.warning(
        "cannot find out whether a kind is served",
        metadata: ["kind": "\(type.qualifiedName)", "problem": "\(error)"])
      return false
    }
  }
}
