import Foundation

/// Asks until there is an answer, at short intervals, and throws at the deadline.
func poll<Answer>(
  _ what: String, within limit: Duration, every interval: Duration = .milliseconds(50),
  isolation: isolated (any Actor)? = #isolation, _ ask: () async throws -> Answer?
) async throws -> Answer {
  let end = ContinuousClock.now + limit
  while true {
    if let answer = try await ask() { return answer }
    guard ContinuousClock.now < end else { throw HarnessError("waited \(limit) in vain for \(what)") }
    try await Task.sleep(for: interval)
  }
}
