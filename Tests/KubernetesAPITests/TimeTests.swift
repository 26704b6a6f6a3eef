import Foundation
import Testing

@testable import KubernetesAPI

@Suite("Times")
struct TimeTests {
  @Test(
    "seconds since 1970 become the calendar's text and come back",
    arguments: [
      (Int64(0), "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (951_868_799, "2000-02-29T23:59:59Z"),
      (-1, "1969-12-31T23:59:59Z"), (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
      (1_767_323_045, "2026-01-02T03:04:05Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"),
    ])
  func calendar(seconds: Int64, text: String) {
    #expect(RFC3339.format(seconds: seconds) == text)
    #expect(RFC3339.parse(text)?.seconds == seconds)
  }

  @Test("the calendar agrees with Foundation's over four centuries")
  func agreement() {
    for day in stride(from: -36_000, through: 110_000, by: 97) {
      let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 43_261)
      #expect(Timestamp(date).description == date.formatted(.iso8601))
    }
  }

  @Test("a MicroTime always has six digits of fraction")
  func microTime() {
    #expect(MicroTime(microsecondsSince1970: 1).description == "1970-01-01T00:00:00.000001Z")
    #expect(MicroTime(microsecondsSince1970: -1).description == "1969-12-31T23:59:59.999999Z")
    #expect(MicroTime("2026-01-02T03:04:05Z")?.description == "2026-01-02T03:04:05.000000Z")
    #expect(MicroTime("2026-01-02T05:04:05.1234567+02:00")?.description == "2026-01-02T03:04:05.123456Z")
  }

  @Test("a MicroTime survives the way through Date", arguments: [Int64(1_767_323_045_123_456), 999_999, 1_000_001])
  func microTimeDate(microseconds: Int64) {
    let time = MicroTime(microsecondsSince1970: microseconds)
    #expect(MicroTime(time.date) == time)
  }

  @Test(
    "what is no RFC 3339 time is refused",
    arguments: [
      "", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
      "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "2026-1-1T00:00:00Z", "2026-01-01T00:00:00+0200",
    ])
  func refused(text: String) {
    #expect(Timestamp(text) == nil)
    #expect(MicroTime(text) == nil)
  }
}
