import Foundation
import HTTPTypes
import Hummingbird
import KubernetesAPI
import Logging
import ServiceLifecycle
import Synchronization

/// The application in a pod as a real HTTP server on a loopback port of its own, which stands for all ports of the pod.
/// It is a well-behaved one: told to stop, it takes no new connections and answers what it has begun.
final class PodServer: Sendable {
  /// Counts a request that was answered: whether it came through a proxy, the status, and how long it took.
  typealias Count = @Sendable (_ isMeshed: Bool, _ status: Int, _ milliseconds: Double) -> Void

  let pod: ObjectKey
  private let group: ServiceGroup

  /// - Parameters:
  ///   - answer: the fate of a request: the status, and how long it takes, in milliseconds.
  ///   - onListening: called with the port once requests are answered.
  init(
    _ object: JSON, answer: @escaping @Sendable () -> (status: Int, milliseconds: Double),
    count: @escaping Count, onListening: @escaping @Sendable (Int) -> Void
  ) {
    pod = object.objectKey
    // What the server says of connections that end with it is no news.
    let logger = Logger(label: "sandbox.pod") { _ in SwiftLogNoOpLogHandler() }
    let responder = PodResponder(object, answer: answer, count: count)
    let application = Application(
      responder: responder, server: .http1(),
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: nil),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: logger)
    group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: application)], logger: logger))
  }

  /// Serves until ``stop()``, or until the task is cancelled.
  /// - Throws: where no port can be had.
  func run() async throws { try await group.run() }

  /// Takes no new connections, and ends ``run()`` when those that there are have been answered.
  func stop() async { await group.triggerGracefulShutdown() }
}

/// Answers as the image's tag and the pod's annotations say, and says who answered.
private struct PodResponder: HTTPResponder {
  private static let pod = HTTPField.Name("x-pod")
  private static let revision = HTTPField.Name("x-revision")
  private static let peer = HTTPField.Name(EnvoyRoutes.peerHeader)

  private let headers: HTTPFields
  private let answer: @Sendable () -> (status: Int, milliseconds: Double)
  private let count: PodServer.Count

  init(
    _ object: JSON, answer: @escaping @Sendable () -> (status: Int, milliseconds: Double),
    count: @escaping PodServer.Count
  ) {
    var headers = HTTPFields()
    if let name = Self.pod { headers[name] = object.name }
    if let name = Self.revision { headers[name] = object.labels["pod-template-hash"] ?? "" }
    self.headers = headers
    self.answer = answer
    self.count = count
  }

  func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
    let (status, milliseconds) = answer()
    let began = ContinuousClock.now
    try await Task.sleep(for: .microseconds(Int64(milliseconds * 1000)))
    let isMeshed = Self.peer.map { request.headers[$0] != nil } ?? false
    count(isMeshed, status, (ContinuousClock.now - began) / .milliseconds(1))
    return Response(
      status: .init(code: status), headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: status < 500 ? "ok\n" : "the application failed\n")))
  }
}
