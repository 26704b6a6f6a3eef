import KubernetesAPI
import Tracing

/// A span that has ended, as it is exported.
struct FinishedSpan: Sendable, Equatable {
  struct Event: Sendable, Equatable {
    var name: String
    var at: UInt64
    var attributes: [Attribute] = []
  }

  /// A name and its value; they keep their order.
  struct Attribute: Sendable, Equatable {
    var name: String
    var value: SpanAttribute

    init(_ name: String, _ value: SpanAttribute) {
      self.name = name
      self.value = value
    }
  }

  /// Longer texts are cut: a span is no place for evidence of many pages.
  static let longestText = 4096

  var context: SpanContext
  /// `nil` for the first span of a trace.
  var parent: SpanID?
  var name: String
  var kind: SpanKind = .internal
  /// Nanoseconds since 1970.
  var start: UInt64
  var end: UInt64
  var attributes: [Attribute] = []
  var events: [Event] = []
  /// What went wrong; `nil` where nothing did.
  var error: String?
}

extension FinishedSpan.Attribute {
  /// Nothing where there is no value.
  static func some(_ name: String, _ value: String?) -> [Self] {
    value.map { [Self(name, .string($0))] } ?? []
  }
}

extension MicroTime {
  /// Since 1970; 0 before.
  var nanoseconds: UInt64 { UInt64(max(0, microsecondsSince1970)) * 1000 }
}
