import KubernetesAPI
import KubernetesClient
import Testing

@testable import Operator

@Suite("The times of aborts")
struct AbortRecordTests {
  private let time = VirtualTime()
  private let record: AbortRecord
  private let web = ObjectKey(namespace: "shop", name: "web")

  init() {
    let time = time
    record = AbortRecord(time: TimeSource(VirtualClock(time: time), now: { time.now }))
  }

  private func pass(_ seconds: Double) { time.advance(to: time.now.addingTimeInterval(seconds)) }

  @Test("an abort is timed by stage, from the answer to the route, and counted once")
  func stages() {
    pass(1)
    record.proved(web, answered: .zero)
    pass(2)
    // The next look fails as well: the time of the first one counts.
    record.proved(web, answered: .seconds(3))
    record.begins(web)
    pass(4)
    record.writes(web)
    pass(8)
    #expect(
      record.wrote(web) == [
        .judge: .seconds(1), .queue: .seconds(2), .decide: .seconds(4), .write: .seconds(8), .all: .seconds(15),
      ])
    #expect(record.wrote(web) == nil)
    #expect(record.histogram(of: .all).count == 1)
    #expect(record.histogram(of: .all).seconds == 15)
  }

  @Test("a proof that no abort follows is forgotten, and one that comes during a turn is for the next turn")
  func turns() {
    record.proved(web, answered: .zero)
    record.begins(web)
    record.ends(web)
    #expect(record.wrote(web) == nil)
    record.begins(web)
    record.proved(web, answered: .zero)
    record.ends(web)
    record.begins(web)
    record.writes(web)
    #expect(record.wrote(web)?[.all] == .zero)
  }

  @Test("where the first turns fail the time runs on until the route is written")
  func failures() {
    record.proved(web, answered: .zero)
    record.begins(web)
    record.writes(web)
    pass(5)
    record.begins(web)
    record.writes(web)
    pass(1)
    #expect(record.wrote(web)?[.write] == .seconds(6))
  }
}
