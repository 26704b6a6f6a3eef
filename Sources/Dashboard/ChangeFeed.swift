import KubernetesAPI
import Synchronization

/// Tells those who look that something has changed. They read it for themselves: one who is slow misses nothing but
/// intermediate states, and holds up nobody.
final class ChangeFeed: Sendable {
  /// A browser opens one stream for each of its tabs.
  static let maxReaders = 256

  private struct State {
    var next = 0
    var readers: [Int: AsyncStream<ObjectKey>.Continuation] = [:]
    var isOver = false
  }

  private let state = Mutex(State())

  /// - Parameter key: of the Rollout that changed, or whose run did.
  func changed(_ key: ObjectKey) {
    let readers = state.withLock { Array($0.readers.values) }
    for reader in readers { reader.yield(key) }
  }

  /// - Returns: the changes from now on; `nil` where there are too many readers already, or no more to come.
  func read() -> AsyncStream<ObjectKey>? {
    let (stream, reader) = AsyncStream.makeStream(of: ObjectKey.self, bufferingPolicy: .bufferingNewest(16))
    let id = state.withLock { state -> Int? in
      guard state.readers.count < Self.maxReaders, !state.isOver else { return nil }
      state.next += 1
      state.readers[state.next] = reader
      return state.next
    }
    guard let id else { return nil }
    reader.onTermination = { [self] _ in state.withLock { _ = $0.readers.removeValue(forKey: id) } }
    return stream
  }

  /// Ends all streams, so that a server which waits for its answers to end can.
  func end() {
    let readers = state.withLock { state in
      state.isOver = true
      return Array(state.readers.values)
    }
    for reader in readers { reader.finish() }
  }

  var readers: Int { state.withLock { $0.readers.count } }
}
