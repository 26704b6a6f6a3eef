import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("The list and watch machine")
struct ListWatchTests {
  func machine(_ inputs: [ListWatch.Input]) -> ListWatch {
    var machine = ListWatch(backoff: Backoff(initial: .seconds(1), maximum: .seconds(8), jitter: 0))
    for input in inputs { _ = machine.handle(input, random: 0) }
    return machine
  }

  static let expired = WatchEvent.failed(Status(code: 410, reason: "Expired", message: "too old"))

  @Test("it begins with a list and watches from its version")
  func begin() {
    #expect(machine([]).step == .list)
    #expect(machine([.listed(version: "5")]).step == .watch(from: "5"))
  }

  @Test("a watch that ends in the usual way goes on at once from the last version, a bookmark's too")
  func resume() {
    let bookmark = WatchEvent.bookmark(resourceVersion: "9", initialEventsEnd: false)
    #expect(
      machine([.listed(version: "5"), .watchBegan, .event(bookmark), .watchEnded(lasted: .seconds(300))]).step
        == .watch(from: "9"))
    #expect(
      machine([.listed(version: "5"), .watchBegan, .watchEnded(lasted: .seconds(300))]).step == .watch(from: "5"))
  }

  @Test("a malformed line changes neither the version nor the watch")
  func malformed() {
    var machine = machine([.listed(version: "5"), .watchBegan])
    let line = MalformedWatchLine(problem: "p", excerpt: "e")
    #expect(machine.handle(.event(.malformed(line)), random: 0) == .report(line))
    #expect(machine.step == .watch(from: "5"))
  }

  @Test("410 in the stream or as the answer leads to a new list, after a pause")
  func expiry() {
    var inStream = machine([.listed(version: "5"), .watchBegan])
    guard case .endWatch = inStream.handle(.event(Self.expired), random: 0) else {
      Issue.record("the watch goes on")
      return
    }
    #expect(inStream.step == .wait(.seconds(1)))
    _ = inStream.handle(.waited, random: 0)
    #expect(inStream.step == .list)
    #expect(machine([.listed(version: "5"), .watchBegan, .watchFailed(isExpired: true), .waited]).step == .list)
  }

  @Test("a watch that breaks goes on from its version, with growing pauses up to a bound")
  func breaks() {
    var machine = machine([.listed(version: "5")])
    var pauses: [ListWatch.Step] = []
    for _ in 0..<5 {
      _ = machine.handle(.watchBegan, random: 0)
      _ = machine.handle(.watchFailed(isExpired: false), random: 0)
      pauses.append(machine.step)
      _ = machine.handle(.waited, random: 0)
      #expect(machine.step == .watch(from: "5"))
    }
    #expect(pauses == [1, 2, 4, 8, 8].map { .wait(.seconds($0)) })
    for _ in 0..<3 {
      _ = machine.handle(.watchFailed(isExpired: false), random: 0)
      _ = machine.handle(.waited, random: 0)
    }
    #expect(machine.step == .list, "a version that never works is given up")
  }

  @Test("a server that ends each watch at once is not hammered, and one event makes it good again")
  func shortWatches() {
    let short = ListWatch.Input.watchEnded(lasted: .milliseconds(10))
    let twice = machine([.listed(version: "5"), .watchBegan, short, .waited, .watchBegan, short])
    #expect(twice.step == .wait(.seconds(2)))
    let good = machine([
      .listed(version: "5"), .watchBegan, short, .waited, .watchBegan, .event(.added(object("a", 6))), short,
    ])
    #expect(good.step == .watch(from: "6"))
  }

  @Test("lists and watches that expire in turn slow down too")
  func expiryLoop() {
    var machine = machine([])
    for _ in 0..<3 {
      for input: ListWatch.Input in [.listed(version: "1"), .watchBegan, .event(Self.expired)] {
        _ = machine.handle(input, random: 0)
      }
      guard machine.step != .wait(.seconds(4)) else { return }
      _ = machine.handle(.waited, random: 0)
    }
    Issue.record("three expiries in a row should pause for 4 s, found \(machine.step)")
  }
}
