/// The time bounds of one transfer: pure, with the time given. libcurl's own timers are not used for these, since they
/// count in seconds, also count while a transfer waits for a connection, and cannot be tested without waiting.
struct Deadlines: Sendable {
  typealias Instant = ContinuousClock.Instant

  enum Breach: Equatable, Sendable {
    case connect, whole, stall
  }

  private let whole: Instant?
  private let stall: Duration?
  private var lastByte: Instant
  private var isPaused = false
  private var connect: Instant?

  init(whole: Instant?, stall: Duration?, start: Instant) {
    self.whole = whole
    self.stall = stall
    self.lastByte = start
  }

  /// The earliest moment at which a bound may be broken; `nil`: none can.
  var next: Instant? {
    [whole, connect, stalls].compactMap { $0 }.min()
  }

  /// The bound that is broken at that moment, if any.
  func breach(at now: Instant) -> Breach? {
    if let connect, connect <= now { return .connect }
    if let whole, whole <= now { return .whole }
    if let stalls, stalls <= now { return .stall }
    return nil
  }

  /// A connection is begun: it has so long. Another attempt of the same transfer does not get more.
  mutating func connecting(until limit: Instant) {
    if connect == nil { connect = limit }
  }

  /// The connection stands.
  mutating func connected() { connect = nil }

  mutating func received(at now: Instant) { lastByte = now }

  /// The reader is slow: silence is no fault of the server's.
  mutating func paused() { isPaused = true }

  mutating func resumed(at now: Instant) {
    isPaused = false
    lastByte = now
  }

  private var stalls: Instant? {
    guard let stall, !isPaused else { return nil }
    return lastByte + stall
  }
}
