import Foundation
import KubernetesAPI
import Synchronization

/// What a client shows with each request.
public protocol Credentials: Sendable {
  /// The value of the `Authorization` header; `nil` for none (a client certificate, or nobody).
  /// - Parameter uptime: of the client's time source.
  /// - Throws: ``CredentialsError``, or `CancellationError`.
  func authorization(at uptime: Duration) async throws -> String?

  /// The server did not accept what was shown: read it anew next time.
  func invalidate()
}

/// Why there is nothing to show. Never contains a token.
public struct CredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

/// The same header for good.
public struct FixedCredentials: Credentials, CustomStringConvertible, CustomReflectable {
  private let header: String?

  private init(header: String?) { self.header = header }

  /// As whom the server lets in anybody, or by a client certificate alone.
  public static let none = FixedCredentials(header: nil)
  /// RFC 6750, section 2.1.
  public static func bearer(_ token: String) -> FixedCredentials { FixedCredentials(header: "Bearer \(token)") }
  /// RFC 7617, section 2.
  public static func basic(user: String, password: String) -> FixedCredentials {
    FixedCredentials(header: "Basic " + Data("\(user):\(password)".utf8).base64EncodedString())
  }

  public func authorization(at uptime: Duration) -> String? { header }
  public func invalidate() {}
  public var description: String { header == nil ? "no credentials" : "fixed credentials" }
  // `dump` and test failures reflect members: they would print the token.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A bearer token in a file that others rotate, as the kubelet does with service account tokens. Read again at most once
/// per `lifetime`; while it cannot be read, the last good token stays in use.
public final class TokenFile: Credentials, CustomStringConvertible, CustomReflectable {
  private struct Held {
    var token: String
    var readAt: Duration
    var isDoubted = false
  }

  private let path: String
  private let lifetime: Duration
  private let read: @Sendable (String) throws -> Data
  private let held = Mutex<Held?>(nil)

  /// - Parameter read: reads a file whole; injected for tests.
  public init(
    path: String, lifetime: Duration = .seconds(60),
    read: @escaping @Sendable (String) throws -> Data = { try Data(contentsOf: URL(filePath: $0)) }
  ) {
    self.path = path
    self.lifetime = lifetime
    self.read = read
  }

  public func authorization(at uptime: Duration) throws -> String? {
    try held.withLock { held in
      if let known = held, !known.isDoubted, uptime - known.readAt < lifetime { return "Bearer \(known.token)" }
      do {
        let token = String(decoding: try read(path), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty else { throw CredentialsError("the token file \(path) is empty") }
        held = Held(token: token, readAt: uptime)
        return "Bearer \(token)"
      } catch {
        guard let known = held else {
          throw error as? CredentialsError
            ?? CredentialsError("the token file \(path) cannot be read: \(error.localizedDescription)")
        }
        return "Bearer \(known.token)"
      }
    }
  }

  public func invalidate() { held.withLock { $0?.isDoubted = true } }

  public var description: String { "the token file \(path)" }
  public var customMirror: Mirror { Mirror(self, children: ["path": path]) }
}
