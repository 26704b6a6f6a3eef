import Foundation
import HTTPTransport
import Synchronization

/// Counts the requests to the API server by method and status, for the metrics.
public final class RequestCounts: Sendable {
  struct Key: Sendable, Hashable, Comparable {
    var method: String
    /// The status, or `none` where no answer came.
    var code: String

    static func < (left: Self, right: Self) -> Bool { (left.method, left.code) < (right.method, right.code) }
  }

  private let counts = Mutex<[Key: Int]>([:])

  public init() {}

  /// A transport that does what another one does, and counts it here.
  public func counting(_ transport: any Transport) -> any Transport {
    CountingTransport(transport: transport, counts: self)
  }

  var all: [Key: Int] { counts.withLock { $0 } }

  fileprivate func count(_ method: HTTPRequest.Method, _ status: Int?) {
    let key = Key(method: method.rawValue, code: status.map(String.init) ?? "none")
    counts.withLock { $0[key, default: 0] += 1 }
  }
}

private struct CountingTransport: Transport {
  let transport: any Transport
  let counts: RequestCounts

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    do {
      let response = try await transport.send(request)
      counts.count(request.method, response.status)
      return response
    } catch {
      counts.count(request.method, nil)
      throw error
    }
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    do {
      let stream = try await transport.stream(request)
      counts.count(request.method, stream.status)
      return stream
    } catch {
      counts.count(request.method, nil)
      throw error
    }
  }
}
