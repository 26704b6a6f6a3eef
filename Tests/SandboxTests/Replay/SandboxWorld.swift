import Foundation
import KubernetesAPI
import Synchronization

@testable import Sandbox

/// A time that stands still until it is moved.
final class VirtualTime: Sendable {
  private let date: Mutex<Date>

  init(_ start: Date = Date(timeIntervalSince1970: 1_800_000_000)) { date = Mutex(start) }

  var now: Date { date.withLock { $0 } }

  func advance(to later: Date) { date.withLock { $0 = max($0, later) } }
  func advance(by seconds: TimeInterval) { date.withLock { $0 += seconds } }

  var clock: SandboxClock {
    SandboxClock(now: { self.now }, sleep: { _ in throw CancellationError() })
  }
}

/// A sandbox in process, with its controllers, in a time of its own.
final class SandboxWorld {
  let time = VirtualTime()
  let server: APIServer
  let controllers: ControllerManager

  init(seed: UInt64 = 1) {
    server = APIServer(clock: time.clock, random: MeshRandom(seed: seed))
    controllers = ControllerManager.builtIn(cluster: InProcessAccess(server))
  }

  /// Lets everything happen that is due now.
  func settleNow() { controllers.runDue() }

  /// Lets time pass, and everything happen that falls due in it.
  func pass(_ seconds: TimeInterval) {
    let end = time.now.addingTimeInterval(seconds)
    controllers.runDue()
    while let next = controllers.nextDue, next <= end {
      time.advance(to: next)
      controllers.runDue()
    }
    time.advance(to: end)
    controllers.runDue()
  }

  @discardableResult
  func send(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSON? = nil,
    contentType: String = "application/json"
  ) -> (status: Int, body: JSON) {
    let request = ServerRequest(
      method, path, query: query,
      headers: [("Accept", "application/json"), ("Content-Type", contentType), ("User-Agent", "recorder")],
      body: body?.bytes ?? [])
    let response = server.handle(request)
    return (response.status, response.json)
  }
}

extension ServerResponse {
  /// The body as JSON; as a string where it is none.
  var json: JSON {
    guard case .bytes(let bytes) = body else { return .null }
    if let value = try? JSON(parsing: bytes) { return value }
    return .string(String(decoding: bytes, as: UTF8.self))
  }
}
