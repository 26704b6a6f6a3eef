import Foundation
import Tracing

/// Names a trace: 128 bits, as W3C Trace Context has it.
public struct TraceID: Hashable, Sendable, CustomStringConvertible {
  private let high: UInt64
  private let low: UInt64

  /// The trace of an object is named by its UID, so that whoever has the object finds the trace.
  /// - Parameter uid: a UUID; `nil` for another text, and for the one that is all zeros, which names no trace.
  public init?(uid: String) {
    let digits = uid.filter { $0 != "-" }
    guard digits.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
      let low = UInt64(digits.suffix(16), radix: 16), high | low != 0
    else { return nil }
    self.high = high
    self.low = low
  }

  /// 32 lower-case hexadecimal digits.
  public var description: String { high.hexadecimal + low.hexadecimal }
}

/// Names a span within its trace: 64 bits.
public struct SpanID: Hashable, Sendable, CustomStringConvertible {
  private let value: UInt64

  /// Of a span that may be told twice, as after a crash: the same text gives the same name (FNV-1a, 64 bits).
  init(of text: String) {
    let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    value = hash == 0 ? 1 : hash
  }

  static func random() -> SpanID { SpanID(value: UInt64.random(in: 1...UInt64.max)) }

  private init(value: UInt64) { self.value = value }

  /// 16 lower-case hexadecimal digits.
  public var description: String { value.hexadecimal }
}

extension UInt64 {
  fileprivate var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// A span as others refer to it.
public struct SpanContext: Hashable, Sendable {
  public var trace: TraceID
  public var span: SpanID

  /// The value of the header of that name (W3C Trace Context, version 00, sampled).
  var traceparent: String { "00-\(trace)-\(span)-01" }
}

extension ServiceContext {
  private enum SpanKey: ServiceContextKey {
    typealias Value = SpanContext
    static let nameOverride: String? = "span"
  }

  /// The span that what goes on now belongs to; `nil` where nothing is traced.
  var span: SpanContext? {
    get { self[SpanKey.self] }
    set { self[SpanKey.self] = newValue }
  }
}
