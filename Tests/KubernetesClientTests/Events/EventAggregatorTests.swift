import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("Events as a function of what happens")
struct EventAggregatorTests {
  func occurrence(_ note: String = "rate 4 %", name: String = "web", version: String = "1") -> Occurrence {
    Occurrence(
      .warning,
      regarding: ObjectReference(
        apiVersion: "sluice.dev/v1alpha1", kind: "Rollout", namespace: "shop", name: name, uid: "u-\(name)",
        resourceVersion: version),
      reason: "Aborted", action: "Abort", note: note)
  }

  func aggregator() -> EventAggregator {
    EventAggregator(reportingController: "sluice.dev/controller", reportingInstance: "sluice-0")
  }

  func record(_ aggregator: inout EventAggregator, _ occurrence: Occurrence, at seconds: Int) -> EventAggregator.Write?
  {
    aggregator.record(
      occurrence, at: .seconds(seconds), now: MicroTime(microsecondsSince1970: Int64(seconds) * 1_000_000))
  }

  @Test("the first occurrence is an Event with all that the server requires")
  func first() throws {
    var aggregator = aggregator()
    guard case .create(let event)? = record(&aggregator, occurrence(), at: 1) else {
      Issue.record("expected an Event")
      return
    }
    let json = try JSON(encoding: event)
    #expect(json.namespace == "shop")
    #expect(json.name.hasPrefix("web."))
    #expect(json["eventTime"] == "1970-01-01T00:00:01.000000Z")
    #expect(json["reportingController"] == "sluice.dev/controller")
    #expect(json["reportingInstance"] == "sluice-0")
    #expect(json["type"] == "Warning")
    #expect(json["note"] == "rate 4 %")
    #expect(json[path: ["regarding", "uid"]] == "u-web")
    #expect(json["series"] == nil)
  }

  @Test("the same again is a series of the first, written at most every half minute, counting all")
  func series() {
    var aggregator = aggregator()
    guard case .create(let event)? = record(&aggregator, occurrence(), at: 0) else {
      Issue.record("expected an Event")
      return
    }
    #expect(record(&aggregator, occurrence(version: "2"), at: 10) == nil)
    #expect(record(&aggregator, occurrence(), at: 20) == nil)
    #expect(
      record(&aggregator, occurrence(), at: 30)
        == .series(
          event.metadata.key,
          Event.Series(count: 4, lastObservedTime: MicroTime(microsecondsSince1970: 30_000_000))))
    #expect(record(&aggregator, occurrence(), at: 40) == nil)
    guard case .create? = record(&aggregator, occurrence(), at: 400) else {
      Issue.record("after a long silence it is a new Event")
      return
    }
  }

  @Test("a series whose Event is gone begins anew")
  func gone() {
    var aggregator = aggregator()
    guard case .create(let event)? = record(&aggregator, occurrence(), at: 0) else {
      Issue.record("expected an Event")
      return
    }
    aggregator.forget(event.metadata.key)
    guard case .create? = record(&aggregator, occurrence(), at: 1) else {
      Issue.record("expected a new Event")
      return
    }
  }

  @Test("two Events of one microsecond have two names")
  func names() {
    var aggregator = aggregator()
    let writes = ["a", "b"].map { record(&aggregator, occurrence($0), at: 0) }
    let names = writes.compactMap { write in
      if case .create(let event)? = write { event.metadata.name } else { nil }
    }
    #expect(Set(names).count == 2)
  }

  @Test("one object cannot flood the server, and the others are not affected")
  func flood() {
    var aggregator = aggregator()
    let writes = (0..<100).compactMap { record(&aggregator, occurrence("note \($0)"), at: 0) }
    #expect(writes.count == 25)
    #expect(record(&aggregator, occurrence(name: "api"), at: 0) != nil)
    #expect(record(&aggregator, occurrence("later"), at: 301) != nil)
  }

  @Test("a long note is cut between characters to what the server takes")
  func longNotes() {
    let text = String(repeating: "é", count: 2000)
    let cut = EventAggregator.cut(text, to: 1024)
    #expect(cut.utf8.count <= 1024)
    #expect(cut.hasSuffix("é…"))
    #expect(EventAggregator.cut("short", to: 1024) == "short")
  }
}
