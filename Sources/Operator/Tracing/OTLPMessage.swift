import Foundation
import KubernetesAPI
import Tracing

/// Spans as OTLP has them in its JSON encoding: names in lowerCamelCase, ids in hexadecimal, 64-bit numbers as texts
/// (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding").
struct OTLPMessage {
  /// What describes the process: `service.name` and the like.
  var resource: [FinishedSpan.Attribute]
  /// Of the program.
  var version: String
  var spans: [FinishedSpan]

  var json: JSON {
    let scope: JSON = ["name": "sluice", "version": .string(version)]
    return [
      "resourceSpans": [
        [
          "resource": ["attributes": Self.attributes(resource)],
          "scopeSpans": [["scope": scope, "spans": .array(spans.map(Self.span))]],
        ]
      ]
    ]
  }

  private static func span(_ span: FinishedSpan) -> JSON {
    var json: JSON = [
      "traceId": .string("\(span.context.trace)"), "spanId": .string("\(span.context.span)"),
      "name": .string(cut(span.name)), "kind": JSON(kind(span.kind)),
      "startTimeUnixNano": .string("\(span.start)"), "endTimeUnixNano": .string("\(span.end)"),
    ]
    if let parent = span.parent { json["parentSpanId"] = .string("\(parent)") }
    if !span.attributes.isEmpty { json["attributes"] = attributes(span.attributes) }
    if !span.events.isEmpty {
      json["events"] = .array(
        span.events.map { event in
          [
            "name": .string(cut(event.name)), "timeUnixNano": .string("\(event.at)"),
            "attributes": attributes(event.attributes),
          ]
        })
    }
    // 2 is STATUS_CODE_ERROR; unset means that nobody complained.
    if let error = span.error { json["status"] = ["code": 2, "message": .string(cut(error))] }
    return json
  }

  private static func kind(_ kind: SpanKind) -> Int {
    switch kind {
    case .internal: 1
    case .server: 2
    case .client: 3
    case .producer: 4
    case .consumer: 5
    }
  }

  private static func attributes(_ attributes: [FinishedSpan.Attribute]) -> JSON {
    .array(attributes.map { ["key": .string($0.name), "value": value($0.value)] })
  }

  private static func value(_ value: SpanAttribute) -> JSON {
    switch value {
    case .int32(let number): ["intValue": .string("\(number)")]
    case .int64(let number): ["intValue": .string("\(number)")]
    case .double(let number) where number.isFinite: ["doubleValue": JSON(floatLiteral: number)]
    case .bool(let flag): ["boolValue": .bool(flag)]
    case .string(let text): ["stringValue": .string(cut(text))]
    case .stringArray(let texts):
      ["arrayValue": ["values": .array(texts.map { ["stringValue": .string(cut($0))] })]]
    default: ["stringValue": .string(cut("\(value)"))]
    }
  }

  private static func cut(_ text: String) -> String {
    text.count <= FinishedSpan.longestText ? text : "\(text.prefix(FinishedSpan.longestText - 1))…"
  }
}
