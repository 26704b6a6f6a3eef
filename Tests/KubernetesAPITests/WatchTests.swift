import Testing

@testable import KubernetesAPI

@Suite("Watch events")
struct WatchTests {
  let line = #"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"5"},"x":"é"}}"#

  @Test("events come out whole wherever the pieces end", arguments: [1, 2, 3, 7, 50, 1000])
  func pieces(size: Int) {
    let body = Array((line + "\n\r\n" + line.replacing("ADDED", with: "DELETED") + "\n").utf8)
    var decoder = WatchDecoder()
    var events: [WatchEvent] = []
    for start in stride(from: 0, to: body.count, by: size) {
      events += decoder.feed(body[start..<min(start + size, body.count)])
    }
    let object: JSON = ["metadata": ["name": "a", "resourceVersion": "5"], "x": "é"]
    #expect(events == [.added(object), .deleted(object)])
    #expect(decoder.finish() == [])
  }

  @Test("bookmarks, errors and versions are told apart")
  func kinds() {
    let bookmark = WatchEvent(
      line:
        #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#
        .utf8)
    #expect(bookmark == .bookmark(resourceVersion: "9", initialEventsEnd: true))
    #expect(bookmark.resourceVersion == "9")
    let error = WatchEvent(
      line: #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#.utf8)
    guard case .failed(let status) = error else {
      Issue.record("expected an error, found \(error)")
      return
    }
    #expect(status.failure == .expired)
    #expect(error.resourceVersion == nil)
  }

  @Test(
    "a line that is no event is reported and the next one still read",
    arguments: [
      "{", "[]", #"{"type":"ADDED"}"#, #"{"type":"ADDED","object":{}}"#,
      #"{"type":"NEW","object":{"metadata":{"name":"a"}}}"#,
      #"{"object":{"metadata":{"name":"a"}}}"#,
    ])
  func malformed(text: String) {
    var decoder = WatchDecoder()
    let events = decoder.feed((text + "\n" + line + "\n").utf8)
    #expect(events.count == 2)
    guard case .malformed(let fault)? = events.first else {
      Issue.record("expected a malformed line, found \(events)")
      return
    }
    #expect(fault.excerpt == text)
    #expect(events.last?.resourceVersion == "5")
  }

  @Test("a line beyond the bound is skipped, reported once, and the next one still read")
  func longLines() {
    var decoder = WatchDecoder(maxLineBytes: 200)
    var events = decoder.feed([UInt8](repeating: 0x78, count: 150))
    events += decoder.feed([UInt8](repeating: 0x78, count: 150))
    events += decoder.feed([UInt8](repeating: 0x78, count: 150))
    events += decoder.feed(("\n" + line + "\n").utf8)
    #expect(events.count == 2)
    #expect(events.last?.resourceVersion == "5")
  }

  @Test("a line that is cut off by the end is reported, never used")
  func truncated() {
    var decoder = WatchDecoder()
    #expect(decoder.feed(line.utf8) == [])
    guard case .malformed? = decoder.finish().first else {
      Issue.record("expected a malformed line")
      return
    }
    #expect(decoder.finish() == [])
  }
}
