import Foundation
import Tracing

/// Where spans go and whose they are, as OpenTelemetry's environment variables say.
public struct TracingSettings: Sendable, CustomStringConvertible {
  /// The whole address, as `http://jaeger:4318/v1/traces`.
  var endpoint: String
  /// May hold a token.
  var headers: [(name: String, value: String)]
  var resource: [FinishedSpan.Attribute]
  /// Of the program.
  var version: String

  /// Without the headers and the address, which may hold a password.
  public var description: String { "tracing" }

  /// A variable that cannot be used as it is.
  public struct Problem: Error, CustomStringConvertible {
    public var description: String
  }

  /// Reads the variables that OpenTelemetry's specification names ("Environment Variable Specification", "OTLP exporter").
  /// - Parameter instance: names this process.
  /// - Returns: `nil` where no endpoint is named, or tracing is switched off.
  /// - Throws: ``Problem`` that names the variable; never its value where that may be a secret.
  public init?(environment: [String: String], version: String, instance: String) throws(Problem) {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    func specific(_ name: String) -> String? {
      value("OTEL_EXPORTER_OTLP_TRACES_\(name)") ?? value("OTEL_EXPORTER_OTLP_\(name)")
    }
    guard value("OTEL_SDK_DISABLED")?.lowercased() != "true", value("OTEL_TRACES_EXPORTER")?.lowercased() != "none"
    else { return nil }
    let whole = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    guard let address = whole ?? value("OTEL_EXPORTER_OTLP_ENDPOINT") else { return nil }
    guard let url = URLComponents(string: address), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false
    else {
      throw Problem(
        description: (whole == nil ? "OTEL_EXPORTER_OTLP_ENDPOINT" : "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
          + ": wanted an address as http://collector:4318")
    }
    if let encoding = specific("PROTOCOL"), encoding != "http/json" {
      throw Problem(
        description: "OTEL_EXPORTER_OTLP_PROTOCOL: found '\(encoding)', wanted http/json, which is what is sent")
    }
    self.version = version
    endpoint = whole ?? (address.hasSuffix("/") ? address : address + "/") + "v1/traces"
    headers = try Self.pairs(specific("HEADERS"), "OTEL_EXPORTER_OTLP_HEADERS").map { ($0.name, $0.value) }
    var resource: [(name: String, value: String)] = [
      ("service.name", "sluice"), ("service.version", version), ("service.instance.id", instance),
    ]
    for (name, value) in try Self.pairs(value("OTEL_RESOURCE_ATTRIBUTES"), "OTEL_RESOURCE_ATTRIBUTES") {
      resource.removeAll { $0.name == name }
      resource.append((name, value))
    }
    if let name = value("OTEL_SERVICE_NAME") {
      resource.removeAll { $0.name == "service.name" }
      resource.insert(("service.name", name), at: 0)
    }
    self.resource = resource.map { FinishedSpan.Attribute($0.name, .string($0.value)) }
  }

  /// `a=b,c=d`, with percent-encoded values.
  private static func pairs(
    _ text: String?, _ variable: String
  ) throws(Problem) -> [(name: String, value: String)] {
    var pairs: [(name: String, value: String)] = []
    for part in (text ?? "").split(separator: ",") {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      guard sides.count == 2, !sides[0].isEmpty, let value = sides[1].removingPercentEncoding else {
        throw Problem(description: "\(variable): wanted name=value pairs, separated by commas")
      }
      pairs.append((sides[0], value))
    }
    return pairs
  }
}
