/// Cuts the body of a watch into lines and the lines into events. Pieces may end anywhere.
public struct WatchDecoder: Sendable {
  /// Longer lines are skipped and reported; the server's own bound on an object is 3 MiB.
  public let maxLineBytes: Int
  private var pending: [UInt8] = []
  private var skipping = false

  public init(maxLineBytes: Int = 8 << 20) {
    self.maxLineBytes = maxLineBytes
  }

  /// The events that the piece completes.
  public mutating func feed(_ piece: some Sequence<UInt8>) -> [WatchEvent] {
    var events: [WatchEvent] = []
    for part in Array(piece).split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      // Each part after the first stands behind a newline, which completes what is pending.
      if part.offset > 0 { completeLine(into: &events) }
      append(part.element, into: &events)
    }
    return events
  }

  /// Ends the body. What is left without a newline was cut off: that is reported, never used.
  public mutating func finish() -> [WatchEvent] {
    defer { pending = [] }
    guard pending.contains(where: { !Self.isSpace($0) }) else { return [] }
    return [.malformed(problem("the body ended in mid-line"))]
  }

  private mutating func append(_ bytes: ArraySlice<UInt8>, into events: inout [WatchEvent]) {
    guard !skipping else { return }
    guard pending.count + bytes.count <= maxLineBytes else {
      pending.append(contentsOf: bytes.prefix(200))
      events.append(.malformed(problem("longer than \(maxLineBytes) bytes")))
      pending = []
      skipping = true
      return
    }
    pending.append(contentsOf: bytes)
  }

  private mutating func completeLine(into events: inout [WatchEvent]) {
    if !skipping, pending.contains(where: { !Self.isSpace($0) }) { events.append(WatchEvent(line: pending)) }
    skipping = false
    pending.removeAll(keepingCapacity: pending.count < 1 << 16)
  }

  private func problem(_ text: String) -> MalformedWatchLine {
    MalformedWatchLine(
      problem: text, excerpt: String(String(decoding: pending.prefix(800), as: UTF8.self).prefix(200)))
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0D || byte == 0x09 }
}
