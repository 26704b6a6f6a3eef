import KubernetesClient

extension Session {
  /// Reads, decides and writes anew as long as somebody else writes in between, after pauses that grow and differ.
  /// - Parameter outcome: what is so, and what to do, where that does not end.
  func untilNoConflict<Answer>(
    over object: String, outcome: String = "nothing was done, try again", _ turn: () async throws -> Answer
  ) async throws -> Answer {
    let backoff = Backoff(initial: .milliseconds(50), maximum: .seconds(1))
    for attempt in 0..<8 {
      do {
        return try await turn()
      } catch let error as KubernetesError where error.isConflict {
        try await client.time.sleep(for: backoff.delay(attempt: attempt, random: .random(in: 0..<1)))
      }
    }
    throw CommandFailure("\(object) changed each time it was read; \(outcome)")
  }
}
