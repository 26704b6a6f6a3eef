import Foundation
import Testing

@testable import HTTPTransport

/// Runs a test with a transport and ends it afterwards.
func withTransport<Result>(
  _ configuration: TransportConfiguration = TransportConfiguration(proxy: .none),
  _ body: (CurlTransport) async throws -> Result
) async throws -> Result {
  let transport = try CurlTransport(configuration)
  do {
    let result = try await body(transport)
    await transport.shutdown()
    return result
  } catch {
    await transport.shutdown()
    throw error
  }
}

/// The error of the transport that an operation ends with.
func failure<Result>(_ operation: () async throws -> Result) async throws -> TransportError {
  do {
    _ = try await operation()
  } catch let error as TransportError {
    return error
  }
  Issue.record("the operation succeeded")
  return .invalidRequest("")
}

extension HTTPResponse {
  var text: String { String(decoding: body, as: UTF8.self) }
}

extension TransportError {
  /// The case without its words.
  var kind: String {
    switch self {
    case .notConnected: "notConnected"
    case .tls: "tls"
    case .timedOut: "timedOut"
    case .stalled: "stalled"
    case .responseTooLarge: "responseTooLarge"
    case .connectionLost: "connectionLost"
    case .invalidRequest: "invalidRequest"
    }
  }
}
