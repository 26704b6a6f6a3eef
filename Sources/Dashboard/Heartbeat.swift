import KubernetesClient

extension AsyncStream where Element: Sendable {
  /// The elements, and `nil` whenever there was none for so long.
  func withHeartbeat(every interval: Duration, _ time: TimeSource) -> AsyncStream<Element?> {
    AsyncStream<Element?>(bufferingPolicy: .bufferingNewest(16)) { beats in
      let work = Task {
        await withTaskGroup(of: Void.self) { group in
          group.addTask {
            for await element in self { beats.yield(element) }
          }
          group.addTask {
            while (try? await time.sleep(for: interval)) != nil { beats.yield(nil) }
          }
          await group.next()
          group.cancelAll()
        }
        beats.finish()
      }
      beats.onTermination = { _ in work.cancel() }
    }
  }
}
