import Foundation
import HTTPTransport
import Logging
import RolloutAPI
import ServiceLifecycle
import Synchronization
import Testing

@testable import Notifications

@Suite(.timeLimit(.minutes(1))) struct OutboxTests {
  private let clock = ManualClock()
  private let lines = LogRecorder.Lines()

  private func url(_ name: String) -> String { "https://hooks.example/services/T000/SECRET-\(name)" }

  private func outbox(
    _ receivers: ScriptedReceivers, limits: OutboxLimits = OutboxLimits(), lookup: Outbox<ManualClock>.Lookup? = nil
  ) -> Outbox<ManualClock> {
    let logger = Logger(label: "test") { [lines] _ in LogRecorder(lines: lines) }
    return Outbox(
      transport: receivers, limits: limits, clock: clock, logger: logger, random: { 1 },
      lookup: lookup ?? { channel, _ in
        Destination(format: .slack, url: "https://hooks.example/services/T000/SECRET-\(channel.name)")
      })
  }

  /// Runs the outbox around a test, then shuts it down gracefully, so that everything under way is done.
  private func running(_ outbox: Outbox<ManualClock>, _ body: () async throws -> Void) async throws {
    let group = ServiceGroup(
      configuration: .init(services: [outbox], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await body()
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  @Test("a message is posted as JSON to the address of its channel")
  func delivers() async throws {
    let receivers = ScriptedReceivers()
    let outbox = outbox(receivers)
    try await running(outbox) {
      outbox.enqueue(message(.promoted, "all is well"), to: channel("a"), key: "1")
      await receivers.waitForRequests(1)
    }
    let request = try #require(receivers.seen.first)
    #expect(request.url == url("a"))
    #expect(request.body.contains("all is well"))
    #expect(request.request.method == .post)
    #expect(request.request.timeout == .seconds(10))
    #expect(request.request.headers.map { "\($0.name): \($0.value)" } == ["Content-Type: application/json"])
    #expect(outbox.counts.delivered == 1)
    #expect(outbox.waiting == 0)
  }

  @Test("a hanging receiver delays neither the caller nor other channels, and is left at the deadline")
  func hangs() async throws {
    let receivers = ScriptedReceivers([url("stuck"): [.hang]])
    let outbox = outbox(receivers)
    try await running(outbox) {
      for key in 0..<50 { outbox.enqueue(message(), to: channel("stuck"), key: "\(key)") }
      await receivers.waitForRequests(1)
      for key in 0..<5 { outbox.enqueue(message(.step, "fine"), to: channel("free"), key: "\(key)") }
      await receivers.waitForRequests(6)
      #expect(receivers.seen.filter { $0.url == url("stuck") }.count == 1)

      await clock.waitForSleeper(until: .seconds(10))
      clock.advance(to: .seconds(10))
      await clock.waitForSleeper(until: .seconds(11))
      #expect(outbox.counts.retries == 1)
      clock.advance(to: .seconds(11))
      await receivers.waitForRequests(6 + 50)
      #expect(receivers.seen.last?.url == url("stuck"))
    }
  }

  @Test("a failed attempt is repeated after the pause, on a new connection, until it succeeds")
  func retries() async throws {
    let receivers = ScriptedReceivers([
      url("a"): [.status(500), .error(.connectionLost("POST https://hooks.example:443: reset"))]
    ])
    let outbox = outbox(receivers)
    try await running(outbox) {
      outbox.enqueue(message(), to: channel("a"), key: "1")
      for second in [1, 3] {
        await clock.waitForSleeper(until: .seconds(second))
        clock.advance(to: .seconds(second))
      }
      await receivers.waitForRequests(3)
    }
    #expect(receivers.seen.map(\.request.freshConnection) == [false, true, true])
    #expect(outbox.counts == counts { ($0.accepted, $0.delivered, $0.retries) = (1, 1, 2) })
  }

  @Test("Retry-After is obeyed")
  func retryAfter() async throws {
    let receivers = ScriptedReceivers([url("a"): [.status(429, headers: [("retry-after", "30")])]])
    let outbox = outbox(receivers)
    try await running(outbox) {
      outbox.enqueue(message(), to: channel("a"), key: "1")
      await clock.waitForSleeper(until: .seconds(30))
      #expect(receivers.seen.count == 1)
      clock.advance(to: .seconds(30))
      await receivers.waitForRequests(2)
    }
  }

  @Test("a refusal is not repeated, is reported once, and the next message goes out")
  func refusal() async throws {
    let receivers = ScriptedReceivers([url("a"): [.status(404, body: "no_service")]])
    let givenUp = Mutex<[String]>([])
    let outbox = Outbox(
      transport: receivers, clock: clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      onGiveUp: { channel, message, reason in givenUp.withLock { $0.append("\(channel) \(message.summary) \(reason)") }
      },
      lookup: { [url = url("a")] _, _ in Destination(format: .webhook, url: url) })
    try await running(outbox) {
      outbox.enqueue(message(.step, "first"), to: channel("a"), key: "1")
      outbox.enqueue(message(.step, "second"), to: channel("a"), key: "2")
      await receivers.waitForRequests(2)
    }
    #expect(givenUp.withLock { $0 } == ["shop/a first refused: status 404: no_service"])
    #expect(outbox.counts.rejected == 1)
  }

  @Test("an address that is not there yet is looked up again, and an event nobody wants is not sent")
  func lookups() async throws {
    struct NoSecret: Error, CustomStringConvertible { let description = "Secret shop/hooks not found" }
    let receivers = ScriptedReceivers()
    let looks = Mutex(0)
    let address = url("a")
    let outbox = outbox(receivers) { _, event in
      if event == .step { return nil }
      if looks.withLock({ looks in
        defer { looks += 1 }; return looks
      }) == 0 {
        throw NoSecret()
      }
      return Destination(format: .slack, url: address)
    }
    try await running(outbox) {
      outbox.enqueue(message(.step), to: channel("a"), key: "1")
      outbox.enqueue(message(.aborted), to: channel("a"), key: "2")
      await clock.waitForSleeper(until: .seconds(1))
      clock.advance(to: .seconds(1))
      await receivers.waitForRequests(1)
    }
    #expect(receivers.seen.count == 1)
    #expect(outbox.counts == counts { ($0.accepted, $0.delivered, $0.retries) = (2, 1, 1) })
    #expect(lines.all.contains { $0.contains("Secret shop/hooks not found") })
  }

  @Test("no log line holds the address or its secret part, whatever an error says")
  func secrets() async throws {
    let receivers = ScriptedReceivers([
      url("a"): [
        .error(.notConnected("cannot reach \(url("a"))")),
        .status(503, body: "no such hook: /services/T000/SECRET-a"),
        .status(404, body: "SECRET-a is gone"),
      ]
    ])
    let outbox = outbox(receivers)
    try await running(outbox) {
      outbox.enqueue(message(), to: channel("a"), key: "1")
      for second in [1, 3] {
        await clock.waitForSleeper(until: .seconds(second))
        clock.advance(to: .seconds(second))
      }
      await receivers.waitForRequests(3)
    }
    #expect(lines.all.count == 3)
    #expect(!lines.all.contains { $0.contains("SECRET") || $0.contains("hooks.example/") })
  }

  @Test("a graceful shutdown delivers what waits")
  func drains() async throws {
    let receivers = ScriptedReceivers()
    let outbox = outbox(receivers)
    for key in 0..<10 { outbox.enqueue(message(), to: channel("a"), key: "\(key)") }
    try await running(outbox) { await receivers.waitForRequests(1) }
    #expect(outbox.counts.delivered == 10)
    #expect(outbox.counts.dropped == 0)
  }

  @Test("a graceful shutdown ends at its bound though a receiver hangs, and counts what is left")
  func drainBound() async throws {
    let receivers = ScriptedReceivers([url("a"): [.hang]])
    let outbox = outbox(receivers)
    for key in 0..<3 { outbox.enqueue(message(), to: channel("a"), key: "\(key)") }
    let group = ServiceGroup(
      configuration: .init(services: [outbox], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      await receivers.waitForRequests(1)
      clock.advance(to: .seconds(2))
      await group.triggerGracefulShutdown()
      await clock.waitForSleeper(until: .seconds(7))
      clock.advance(to: .seconds(7))
      try await tasks.waitForAll()
    }
    #expect(outbox.counts.dropped == 3)
    #expect(outbox.waiting == 0)
  }

  private func counts(_ change: (inout OutboxCounts) -> Void) -> OutboxCounts {
    var counts = OutboxCounts()
    change(&counts)
    return counts
  }
}

@Suite struct DeliveryRulesTests {
  @Test(
    "statuses are delivered, worth another attempt, or refused",
    arguments: [
      (200, "delivered"), (204, "delivered"), (302, "rejected"), (400, "rejected"), (403, "rejected"),
      (404, "rejected"), (408, "retry"), (410, "rejected"), (429, "retry"), (500, "retry"), (503, "retry"),
    ])
  func statuses(status: Int, kind: String) {
    #expect("\(DeliveryRules.outcome(of: HTTPResponse(status: status), secret: "x"))".hasPrefix(kind))
  }

  @Test(
    "Retry-After is seconds or a date",
    arguments: [
      ("120", Duration.seconds(120)), ("-5", .zero), ("999999999", .seconds(86_400)), ("soon", nil),
      ("Wed, 21 Oct 2015 07:28:30 GMT", .seconds(30)), ("Wed, 21 Oct 2015 07:27:00 GMT", .zero),
    ])
  func retryAfter(text: String, expected: Duration?) {
    let response = HTTPResponse(
      status: 429, headers: [("Date", "Wed, 21 Oct 2015 07:28:00 GMT"), ("Retry-After", text)])
    #expect(DeliveryRules.retryAfter(response) == expected)
  }

  @Test("errors of the transport are worth another attempt, but for those that cannot change")
  func errors() {
    func kind(_ error: any Error) -> String { "\(DeliveryRules.outcome(of: error, secret: "x"))" }
    #expect(kind(TransportError.timedOut("y")).hasPrefix("retry"))
    #expect(kind(TransportError.tls("y")).hasPrefix("retry"))
    #expect(kind(CancellationError()).hasPrefix("retry"))
    #expect(kind(TransportError.invalidRequest("y")).hasPrefix("rejected"))
    #expect(kind(TransportError.responseTooLarge(limit: 1)).hasPrefix("rejected"))
  }
}
