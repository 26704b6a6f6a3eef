import Foundation
import Hummingbird
import KubernetesAPI
import KubernetesClient

/// What is answered at which path.
struct DashboardRoutes: Sendable {
  let view: @Sendable () -> RolloutView
  /// Why what is shown may be old.
  let problem: @Sendable () -> String?
  let isSynced: @Sendable () -> Bool
  let feed: ChangeFeed
  let hosts: Set<String>
  let time: TimeSource

  /// A proxy between cuts a stream that is silent for a minute.
  static let heartbeat = Duration.seconds(15)

  var router: Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: HostCheck(hosts: hosts))
    router.get("/") { _, _ in Self.file(PackageResources.index_html, "text/html; charset=utf-8") }
    router.get("/app.js") { _, _ in Self.file(PackageResources.app_js, "text/javascript; charset=utf-8") }
    router.get("/style.css") { _, _ in Self.file(PackageResources.style_css, "text/css; charset=utf-8") }
    router.get("/healthz") { _, _ in Self.text("ok\n", .ok) }
    router.get("/api/rollouts") { _, _ in answer(view().list) }
    router.get("/api/rollouts/{namespace}/{name}") { _, context in
      let key = ObjectKey(
        namespace: try context.parameters.require("namespace"), name: try context.parameters.require("name"))
      guard let found = view().detail(key) else {
        let message = isSynced() ? "There is no Rollout \(key)." : "The Rollouts have not been read yet."
        return Self.json(["message": .string(message)], isSynced() ? .notFound : .serviceUnavailable)
      }
      return answer(found)
    }
    router.get("/api/events") { _, _ in events() }
    return router
  }

  private func answer(_ json: JSON) -> Response {
    var json = json
    if let problem = problem() { json["problem"] = .string("old: \(problem)") }
    return Self.json(json, .ok)
  }

  /// Server-sent events: `change` names a Rollout that is to be read again.
  private func events() -> Response {
    guard let changes = feed.read() else { return Self.text("too many readers\n", .serviceUnavailable) }
    let time = time
    return Response(
      status: .ok, headers: Self.headers("text/event-stream"),
      body: ResponseBody { writer in
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        for await event in changes.withHeartbeat(every: Self.heartbeat, time) {
          try await writer.write(ByteBuffer(string: Self.text(of: event)))
        }
        try await writer.finish(nil)
      })
  }

  private static func text(of change: ObjectKey?) -> String {
    guard let change else { return ": still here\n\n" }
    let data: JSON = ["namespace": .string(change.namespace), "name": .string(change.name)]
    return "event: change\ndata: \(data)\n\n"
  }

  // MARK: - Answers

  /// The page loads nothing from elsewhere, and nobody may put it into a frame.
  private static func headers(_ type: String) -> HTTPFields {
    var headers: HTTPFields = [.contentType: type, .cacheControl: "no-store"]
    let policy =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    headers[.contentSecurityPolicy] = policy
    headers[.xContentTypeOptions] = "nosniff"
    return headers
  }

  private static func file(_ bytes: [UInt8], _ type: String) -> Response {
    Response(status: .ok, headers: headers(type), body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: headers("text/plain; charset=utf-8"),
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private static func json(_ json: JSON, _ status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: headers("application/json"),
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.data)))
  }
}

/// Refuses names that are not ours (DNS rebinding).
private struct HostCheck<Context: RequestContext>: RouterMiddleware {
  let hosts: Set<String>

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let name = HostName(request.head.authority ?? "").name
    guard name == "localhost" || HostName.isAddress(name) || hosts.contains(name) else {
      return Response(
        status: .misdirectedRequest, headers: [.contentType: "text/plain; charset=utf-8"],
        body: ResponseBody(
          byteBuffer: ByteBuffer(string: "This page is not served as '\(name)'; --allow-host names further names.\n")))
    }
    return try await next(request, context)
  }
}
