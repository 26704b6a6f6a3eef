import Foundation
import Synchronization

/// What the event loop is asked to do, and the pipe that wakes it.
final class Mailbox: Sendable {
  enum Command: Sendable {
    case start(Exchange)
    case resume(Exchange)
    case abandon(Exchange)
  }

  private struct State {
    var commands: [Command] = []
    var inFlight = 0
    var stopReason: String?
    var isAwake = false
  }

  private let state = Mutex(State())
  private let maxInFlight: Int
  /// The event loop polls this one.
  let wakeDescriptor: Int32
  private let signalDescriptor: Int32

  /// - Throws: ``TransportError/notConnected(_:)`` if the process has no file descriptors left.
  init(maxInFlight: Int) throws(TransportError) {
    self.maxInFlight = maxInFlight
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw .notConnected("no pipe for the event loop: \(String(cString: strerror(errno)))")
    }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    wakeDescriptor = ends[0]
    signalDescriptor = ends[1]
  }

  deinit {
    close(wakeDescriptor)
    close(signalDescriptor)
  }

  /// Hands an exchange to the loop.
  /// - Throws: ``TransportError/notConnected(_:)`` when the transport is shut down or full.
  func submit(_ exchange: Exchange) throws(TransportError) {
    // Check and hand over under one lock: nothing may be posted that a stopped loop would never see.
    let refusal: String? = wake { state in
      if let reason = state.stopReason { return reason }
      if state.inFlight >= maxInFlight { return "\(maxInFlight) requests are in flight already, the bound" }
      state.inFlight += 1
      state.commands.append(.start(exchange))
      return nil
    }
    if let refusal { throw .notConnected("\(exchange.request.label): \(refusal)") }
  }

  /// The loop is done with an exchange.
  func retired() { state.withLock { $0.inFlight -= 1 } }

  func post(_ command: Command) {
    wake { $0.commands.append(command) }
  }

  /// The loop ends as soon as it sees this. The first reason stays.
  func stop(because reason: String = "the transport was shut down") {
    wake { if $0.stopReason == nil { $0.stopReason = reason } }
  }

  /// What was posted since the last call, in order.
  func collect() -> (commands: [Command], stopReason: String?) {
    var sink: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
    while read(wakeDescriptor, &sink, sink.count) > 0 {}
    return state.withLock { state in
      defer {
        state.commands = []
        state.isAwake = false
      }
      return (state.commands, state.stopReason)
    }
  }

  /// One byte in the pipe is enough until the loop has read it.
  private func wake<Result: Sendable>(_ change: (inout State) -> Result) -> Result {
    let (result, wasAwake) = state.withLock { state in
      let result = change(&state)
      defer { state.isAwake = true }
      return (result, state.isAwake)
    }
    if !wasAwake {
      var byte: UInt8 = 1
      _ = write(signalDescriptor, &byte, 1)
    }
    return result
  }
}
