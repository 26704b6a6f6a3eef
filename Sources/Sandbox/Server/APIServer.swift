import Foundation
import KubernetesAPI
import Synchronization

/// The sandbox's API server: the Kubernetes API in memory, as a function of requests.
///
/// A request takes this way; each stage is a file of its own:
///
/// 1. `RequestInfo`, `MediaTypes`, `WriteOptions`: what is asked for, of what, in which form.
/// 2. `Kinds`: which kind that is, built in or defined by a CustomResourceDefinition.
/// 3. `Access`: may this user do that?
/// 4. `Create`, `Update`, `Patch`, `Delete`, `Scale`: the new state out of the old one. Every write goes through
///    ``ObjectPipeline``: decode (types, unknown fields, what Go leaves out) → defaults → metadata → mutating policies →
///    managedFields → validation → validating policies → store, or not, for a dry run.
/// 5. `Reads`, `WatchStream`, Tables: the answer.
///
/// All of it is synchronous and in one transaction of the ``Store``, so that a request is atomic; only the body of a
/// watch is read over time.
final class APIServer: Sendable {
  let store: Store
  let kinds: Kinds
  let clock: SandboxClock
  let tokens = Tokens()
  let openAPIDocuments = OpenAPIDocuments()
  private let audit: AuditLog?
  private let generator: Mutex<any RandomNumberGenerator & Sendable>

  /// - Parameters:
  ///   - clock: what time it is; virtual in simulations.
  ///   - audit: keeps what was asked for.
  ///   - random: where uids and the ends of generated names come from.
  init(
    clock: SandboxClock = .system, historyLimit: Int = 10_000, audit: AuditLog? = nil,
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.clock = clock
    self.audit = audit
    store = Store(historyLimit: historyLimit)
    kinds = Kinds()
    generator = Mutex(random)
    bootstrap()
  }

  var now: Date { clock.now() }

  /// Answers one request. Only the body of a watch is left to be read.
  func handle(_ request: ServerRequest) -> ServerResponse {
    removeExpired()
    do throws(Status) {
      return try answer(request)
    } catch {
      return .failure(error)
    }
  }

  private func answer(_ request: ServerRequest) throws(Status) -> ServerResponse {
    let user = try user(of: request)
    switch RequestTarget(path: request.path) {
    case .other(let segments):
      try authorize(path: request.path, user, store.state)
      return try discovery(request, segments)
    case .resource(let target):
      guard let audit else { return try resource(request, target, user) }
      let verb = Self.verb(of: request, target)
      let named = Self.named(target, by: request)
      do throws(Status) {
        let response = try resource(request, target, user)
        audit.write(verb, named, by: user, status: response.status, at: now)
        return response
      } catch {
        audit.write(verb, named, by: user, status: error.code ?? 500, at: now)
        throw error
      }
    }
  }

  private func resource(
    _ request: ServerRequest, _ target: ResourceTarget, _ user: UserInfo
  ) throws(Status) -> ServerResponse {
    let state = store.state
    try authorize(request, target, user, state)
    guard kinds.isServed(group: target.group, version: target.version, state: state) else {
      return .text(404, "404 page not found\n")
    }
    if let answer = try review(request, target, user, state) { return answer }
    guard let kind = kinds.kind(group: target.group, version: target.version, plural: target.plural, state: state)
    else {
      throw Refusal.unknownResource
    }
    guard kind.type.namespaced || target.namespace.isEmpty else { throw Refusal.unknownResource }
    let media = try MediaTypes.negotiate(accept: request.header("Accept"))
    var call = Call(request: request, target: target, kind: kind, user: user, media: media, now: now)
    if !target.subresource.isEmpty { return try subresource(&call) }
    if target.name.isEmpty { return try collection(&call) }
    guard !kind.type.namespaced || !target.namespace.isEmpty else { throw Refusal.unknownResource }
    return try object(&call)
  }

  private func collection(_ call: inout Call) throws(Status) -> ServerResponse {
    switch call.request.method {
    case "GET":
      return try list(call)
    case "POST":
      guard !call.kind.type.namespaced || !call.target.namespace.isEmpty, call.kind.allows("create") else {
        throw Refusal.methodNotAllowed
      }
      return try create(&call)
    case "DELETE":
      guard call.kind.allows("deletecollection") else { throw Refusal.methodNotAllowed }
      return try deleteCollection(call)
    default:
      throw Refusal.methodNotAllowed
    }
  }

  private func object(_ call: inout Call) throws(Status) -> ServerResponse {
    switch call.request.method {
    case "GET": return call.target.isWatchPath ? try list(call) : try get(call)
    case "PUT": return try replace(&call)
    case "PATCH": return try patch(&call)
    case "DELETE": return try delete(call)
    default: throw Refusal.methodNotAllowed
    }
  }

  /// Five characters that cannot spell anything, as after `generateName`.
  func nameSuffix() -> String {
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String((0..<5).map { _ in alphabet[Int(randomNumber() % UInt64(alphabet.count))] })
  }

  /// A version 4 UUID.
  func newUID() -> String {
    var high = randomNumber()
    var low = randomNumber()
    high = (high & ~0xF000) | 0x4000
    low = (low & ~(0xC000 << 48)) | (0x8000 << 48)
    let digits = Self.hex(high) + Self.hex(low)
    let cuts = [8, 12, 16, 20, 32]
    var parts: [String] = []
    var start = 0
    for cut in cuts {
      parts.append(String(digits.dropFirst(start).prefix(cut - start)))
      start = cut
    }
    return parts.joined(separator: "-")
  }

  func randomNumber() -> UInt64 { generator.withLock { $0.next() } }

  private static func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// One request with everything that was found out about it.
struct Call: Sendable {
  var request: ServerRequest
  var target: ResourceTarget
  var kind: ServedKind
  var user: UserInfo
  var media: NegotiatedType
  var now: Date
  /// What goes out as `Warning` headers.
  var warnings: [String] = []

  var type: ResourceType { kind.type }
  var key: ObjectKey { ObjectKey(namespace: target.namespace, name: target.name) }
  /// The namespace that a collection is limited to.
  var namespace: String? { target.namespace.isEmpty ? nil : target.namespace }
}

/// What time it is, and how to wait; the system's, or a virtual one.
struct SandboxClock: Sendable {
  var now: @Sendable () -> Date
  var sleep: @Sendable (Duration) async throws -> Void

  static let system = SandboxClock(now: { Date() }, sleep: { try await Task.sleep(for: $0) })
}
