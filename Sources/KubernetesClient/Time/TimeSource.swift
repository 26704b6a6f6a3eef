import Foundation

/// The time as the client sees it, injected so that tests and simulations own it.
public struct TimeSource: Sendable {
  private let elapsed: @Sendable () -> Duration
  private let wall: @Sendable () -> Date
  private let pause: @Sendable (Duration) async throws -> Void

  /// - Parameters:
  ///   - clock: measures and waits.
  ///   - now: the wall clock, for times that are written into objects; never used to measure.
  public init(_ clock: some Clock<Duration>, now: @escaping @Sendable () -> Date = { Date() }) {
    let start = clock.now
    elapsed = { start.duration(to: clock.now) }
    wall = now
    pause = { try await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }
  }

  /// The machine's clock, which goes on while the machine sleeps: a lease expires meanwhile too.
  public static let system = TimeSource(ContinuousClock())

  /// Time since this source was made; never goes back.
  public var uptime: Duration { elapsed() }
  public var now: Date { wall() }

  /// - Throws: `CancellationError` when the task is cancelled.
  public func sleep(for duration: Duration) async throws {
    guard duration > .zero else { return try Task.checkCancellation() }
    try await pause(duration)
  }
}

/// Where random numbers come from, injected so that a simulation repeats itself.
public struct Randomness: Sendable {
  private let draw: @Sendable () -> Double

  /// - Parameter draw: a number in `0..<1`.
  public init(_ draw: @escaping @Sendable () -> Double) { self.draw = draw }

  public static let system = Randomness { Double.random(in: 0..<1) }

  /// A number in `0..<1`.
  public var next: Double { draw() }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }

  static func * (duration: Duration, factor: Double) -> Duration { .seconds(duration.seconds * factor) }

  /// `1.5 s`, for messages.
  var text: String { formatted(.units(allowed: [.minutes, .seconds, .milliseconds], width: .narrow)) }
}
