import CLibcurl
import Foundation

/// Drives libcurl's multi interface in one thread: waits for sockets, timers and commands, and carries out what the
/// state machines of the transfers ask for. Created and used in that thread only.
///
/// Each lane has a multi handle, and so a connection pool, of its own. All share the thread, since no step of it blocks:
/// names are resolved in libcurl's resolver threads, and readers never run here.
final class EventLoop {
  private let mailbox: Mailbox
  private let configuration: TransportConfiguration
  private let lanes: [(lane: HTTPRequest.Lane, multi: CurlMulti)]
  private var transfers: [ObjectIdentifier: CurlTransfer] = [:]
  private var byHandle: [UnsafeMutableRawPointer: CurlTransfer] = [:]
  private let alarm = Alarm()
  private let clock = ContinuousClock()
  /// How long others may stand still behind a paused stream of their connection.
  private static let prodInterval = Duration.milliseconds(50)

  /// - Throws: ``TransportError/notConnected(_:)``.
  init(mailbox: Mailbox, configuration: TransportConfiguration) throws(TransportError) {
    self.mailbox = mailbox
    self.configuration = configuration
    // Writes come first in every round: an abort waits for nothing.
    var lanes: [(HTTPRequest.Lane, CurlMulti)] = []
    for lane in [HTTPRequest.Lane.write, .read, .watch] {
      lanes.append((lane, try CurlMulti(configuration.connections(of: lane))))
    }
    self.lanes = lanes
  }

  /// Runs until the mailbox is stopped; then every exchange that is left has failed.
  func run() {
    while true {
      let (commands, stopReason) = mailbox.collect()
      for command in commands { carryOut(command) }
      if let stopReason { return end(because: stopReason) }
      finishEnded()
      checkDeadlines()
      wait()
      finishEnded()
    }
  }

  private func end(because reason: String) {
    for transfer in transfers.values {
      retire(transfer, .failed(.connectionLost("\(transfer.exchange.request.label): \(reason)")))
    }
  }

  private func carryOut(_ command: Mailbox.Command) {
    switch command {
    case .start(let exchange):
      start(exchange)
    case .resume(let exchange):
      transfers[ObjectIdentifier(exchange)]?.resume()
    case .abandon(let exchange):
      guard let transfer = transfers[ObjectIdentifier(exchange)] else { return }
      transfer.distrustConnection()
      retire(transfer, nil)
    }
  }

  private func start(_ exchange: Exchange) {
    // A task that was cancelled early may have posted its farewell before this.
    if exchange.isCancelled { return mailbox.retired() }
    let transfer: CurlTransfer
    do throws(TransportError) {
      transfer = try CurlTransfer(exchange, configuration: configuration, alarm: alarm, now: clock.now)
    } catch {
      mailbox.retired()
      return exchange.finished(.failed(error))
    }
    transfers[ObjectIdentifier(exchange)] = transfer
    byHandle[transfer.easy] = transfer
    if let refusal = multi(of: transfer)?.add(transfer) {
      retire(transfer, .failed(.invalidRequest("\(exchange.request.label): \(refusal)")))
    }
  }

  private func multi(of transfer: CurlTransfer) -> CurlMulti? {
    lanes.first { $0.lane == transfer.exchange.request.lane }?.multi
  }

  /// Takes a transfer out of libcurl, which closes it if it is under way, and tells its reader.
  private func retire(_ transfer: CurlTransfer, _ ending: Ending?) {
    multi(of: transfer)?.remove(transfer)
    byHandle[transfer.easy] = nil
    transfers[ObjectIdentifier(transfer.exchange)] = nil
    mailbox.retired()
    if let ending { transfer.exchange.finished(ending) }
  }

  // MARK: Waiting

  private func wait() {
    var polls = [pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
    var owners: [CurlMulti] = []
    for (_, multi) in lanes {
      for (socket, events) in multi.interests {
        polls.append(pollfd(fd: socket, events: events, revents: 0))
        owners.append(multi)
      }
    }
    // libcurl 7.88 leaves bytes for a paused HTTP/2 stream in the way of the others, and may forget to come back for
    // them ("this could be busy loop", says its http2.c): without a prod the connection stands until the reader reads.
    let halted = lanes.filter { lane, _ in
      transfers.values.contains { $0.isPaused && $0.exchange.request.lane == lane }
    }
    let prod = halted.isEmpty ? nil : clock.now + Self.prodInterval
    let due = (lanes.map(\.multi.timer) + [alarm.earliest, prod]).compactMap { $0 }.min()
    let patience = due.map { max(0, min(($0 - clock.now).milliseconds, 60_000)) } ?? -1
    _ = poll(&polls, nfds_t(polls.count), Int32(patience))
    endLateWrites()

    for (entry, multi) in zip(polls.dropFirst(), owners) where entry.revents != 0 {
      // An earlier call may have closed the socket.
      if multi.interests[entry.fd] != nil { multi.ready(entry.fd, entry.revents) }
    }
    for (_, multi) in halted { multi.prod() }
    let now = clock.now
    for (_, multi) in lanes { multi.tick(at: now) }
  }

  // MARK: Endings

  private func finishEnded() {
    for (_, multi) in lanes {
      for (easy, code) in multi.finished() {
        guard let transfer = byHandle[easy] else { continue }
        retire(transfer, ending(of: transfer, code))
      }
    }
  }

  private func ending(of transfer: CurlTransfer, _ code: CURLcode) -> Ending {
    if code == CURLE_OK { return .complete }
    // libcurl's own connect bound, which it needs to share the time among several addresses, is the same as ours.
    if code == CURLE_OPERATION_TIMEDOUT && !transfer.isConnected { return .failed(error(.connect, transfer)) }
    return .failed(
      TransportError(
        code, label: transfer.exchange.request.label, detail: transfer.detail,
        proxyStatus: transfer.long(CURLINFO_HTTP_CONNECTCODE), wasConnected: transfer.isConnected))
  }

  // MARK: Deadlines

  /// Looks at all transfers, but only when the earliest bound has come: bounds that moved away cost nothing until then.
  private func checkDeadlines() {
    let now = clock.now
    guard let earliest = alarm.earliest, earliest <= now else { return }
    for transfer in transfers.values {
      if let breach = transfer.deadlines.breach(at: now) { end(transfer, breach) }
    }
    alarm.reset(to: transfers.values.compactMap(\.deadlines.next).min())
  }

  /// A process that was stopped in its wait comes back with writes half sent or not sent at all: those whose time is
  /// over are ended before libcurl may send another byte of them.
  private func endLateWrites() {
    let now = clock.now
    guard let earliest = alarm.earliest, earliest <= now else { return }
    for transfer in transfers.values where transfer.exchange.request.lane == .write {
      if let breach = transfer.deadlines.breach(at: now) { end(transfer, breach) }
    }
  }

  private func end(_ transfer: CurlTransfer, _ breach: Deadlines.Breach) {
    let error = error(breach, transfer)
    transfer.distrustConnection()
    retire(transfer, .failed(error))
  }

  private func error(_ breach: Deadlines.Breach, _ transfer: CurlTransfer) -> TransportError {
    let request = transfer.exchange.request
    let place = transfer.isConnected ? transfer.exchange.progress : "while waiting for a connection"
    return switch breach {
    case .connect:
      .notConnected("\(request.label): no connection within \(configuration.connectTimeout.text)")
    case .whole:
      .timedOut("\(request.label): \((request.timeout ?? .zero).text) passed \(place)")
    case .stall:
      .stalled("\(request.label): no byte for \((request.stallTimeout ?? .zero).text) \(place)")
    }
  }
}

/// The moment before which no bound of any transfer can be broken.
final class Alarm {
  private(set) var earliest: ContinuousClock.Instant?

  func note(_ deadline: ContinuousClock.Instant?) {
    guard let deadline else { return }
    earliest = min(earliest ?? deadline, deadline)
  }

  func reset(to deadline: ContinuousClock.Instant?) { earliest = deadline }
}
