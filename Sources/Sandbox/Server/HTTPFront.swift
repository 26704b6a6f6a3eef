import Foundation
import HTTPTypes
import Hummingbird
import KubernetesAPI
import Logging
import NIOCore
import ServiceLifecycle

/// Serves an ``APIServer`` over plain HTTP on a loopback address. A watch ends when its client goes, and all of them
/// when the service shuts down.
public struct SandboxHTTPServer: ServiceLifecycle.Service {
  private let server: APIServer
  private let host: String
  private let port: Int
  private let logger: Logger
  private let onListening: @Sendable (Int) async -> Void

  /// - Parameters:
  ///   - port: 0 for one that is free.
  ///   - onListening: called with the port once requests are answered.
  init(
    _ server: APIServer, host: String = "127.0.0.1", port: Int = 0, logger: Logger = Logger(label: "sandbox.http"),
    onListening: @escaping @Sendable (Int) async -> Void = { _ in }
  ) {
    self.server = server
    self.host = host
    self.port = port
    self.logger = logger
    self.onListening = onListening
  }

  /// Serves until the service group shuts down.
  /// - Throws: where the address is taken.
  public func run() async throws {
    let application = Application(
      responder: APIResponder(server: server), server: .http1(),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
      onServerRunning: { [onListening] channel in await onListening(channel.localAddress?.port ?? 0) },
      logger: logger)
    try await application.run()
  }
}

private struct APIResponder: HTTPResponder {
  /// As the real server: larger than any object that its store takes.
  private static let maxBodyBytes = 3 << 20

  let server: APIServer

  func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
    var request = request
    let body: ByteBuffer
    do {
      body = try await request.collectBody(upTo: Self.maxBodyBytes)
    } catch {
      return Self.response(
        .failure(
          Status(
            code: 413, reason: "RequestEntityTooLarge",
            message: "the request is longer than the \(Self.maxBodyBytes) bytes that are taken")))
    }
    let call = ServerRequest(
      request.method.rawValue, request.uri.path, query: Self.query(request.uri.query ?? ""),
      headers: request.headers.map { (name: $0.name.rawName, value: $0.value) }
        + [(name: "Host", value: request.head.authority ?? "")],
      body: Array(buffer: body))
    let answer = server.handle(call)
    guard case .watch(let stream) = answer.body else { return Self.response(answer) }
    let incoming = request.body
    return Response(
      status: .init(code: answer.status), headers: Self.headers(answer),
      body: ResponseBody { writer in
        // The head goes out at once: clients wait for it before they count on the watch.
        try await writer.write(ByteBuffer())
        defer { stream.cancel() }
        try await incoming.consumeWithInboundCloseHandler { _ in
          while let bytes = await cancelWhenGracefulShutdown({ await stream.next() }) {
            try await writer.write(ByteBuffer(bytes: bytes))
          }
        } onInboundClosed: {
          // The client is gone.
          stream.cancel()
        }
        try await writer.finish(nil)
      })
  }

  private static func response(_ answer: ServerResponse) -> Response {
    guard case .bytes(let bytes) = answer.body else { return Response(status: .internalServerError) }
    return Response(
      status: .init(code: answer.status), headers: headers(answer),
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private static func headers(_ answer: ServerResponse) -> HTTPFields {
    var fields = HTTPFields()
    for (name, value) in answer.allHeaders {
      guard let name = HTTPField.Name(name) else { continue }
      fields.append(HTTPField(name: name, value: value))
    }
    fields[.cacheControl] = "no-cache, private"
    return fields
  }

  /// `a=1&a=2&watch` with percent signs and pluses decoded.
  static func query(_ text: String) -> [(name: String, value: String)] {
    text.split(separator: "&").map { pair in
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { side in
        let spaced = side.replacing("+", with: " ")
        return spaced.removingPercentEncoding ?? String(spaced)
      }
      return (name: sides[0], value: sides.count > 1 ? sides[1] : "")
    }
  }
}
