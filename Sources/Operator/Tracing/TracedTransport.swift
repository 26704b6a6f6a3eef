import HTTPTransport
import Tracing

/// A transport whose requests are spans of what they belong to, and say so to the server. A request outside a trace
/// passes as it is.
struct TracedTransport: Transport {
  let transport: any Transport
  let tracer: SpanTracer

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard ServiceContext.current?.span != nil else { return try await transport.send(request) }
    return try await tracer.withSpan(Self.name(request), ofKind: .client) { span in
      var request = request
      tracer.inject(span.context, into: &request.headers, using: HeaderInjector())
      span.attributes["http.request.method"] = request.method.rawValue
      span.attributes["url.path"] = Self.path(request.url)
      let response = try await transport.send(request)
      span.attributes["http.response.status_code"] = response.status
      if response.status >= 400 { span.setStatus(SpanStatus(code: .error, message: "HTTP \(response.status)")) }
      return response
    }
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream { try await transport.stream(request) }

  /// As `PATCH virtualservices/shop`: the verb and the last two parts of the path.
  private static func name(_ request: HTTPRequest) -> String {
    let parts = path(request.url).split(separator: "/").suffix(2)
    return "\(request.method.rawValue) \(parts.joined(separator: "/"))"
  }

  /// Without what may hold a secret.
  private static func path(_ url: String) -> String {
    guard let scheme = url.range(of: "://"), let slash = url[scheme.upperBound...].firstIndex(of: "/") else {
      return ""
    }
    return String(url[slash...].prefix { $0 != "?" && $0 != "#" })
  }
}

private struct HeaderInjector: Injector {
  func inject(_ value: String, forKey key: String, into carrier: inout [(name: String, value: String)]) {
    carrier.append((key, value))
  }
}
