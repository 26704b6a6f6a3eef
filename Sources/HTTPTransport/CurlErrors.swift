import CLibcurl
import Foundation

extension TransportError {
  /// What a code of libcurl means for the caller.
  /// - Parameters:
  ///   - detail: libcurl's own words; it names hosts and ports there, never a path or a header.
  ///   - proxyStatus: the proxy's answer to `CONNECT`, 0 if there was none.
  ///   - wasConnected: whether the request may have reached the server.
  init(_ code: CURLcode, label: String, detail: String, proxyStatus: Int, wasConnected: Bool) {
    let words = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
    let text = "\(label): \(words)"
    switch code {
    case CURLE_UNSUPPORTED_PROTOCOL where wasConnected:
      // An answer that is no HTTP.
      self = .connectionLost(text)
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION:
      self = .invalidRequest(text)
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_PROXY,
      CURLE_FAILED_INIT:
      self = .notConnected(text)
    case CURLE_OPERATION_TIMEDOUT:
      self = wasConnected ? .timedOut(text) : .notConnected(text)
    case CURLE_SSL_CONNECT_ERROR where Self.isBroken(words):
      // The peer hung up during the handshake, as a restarting server does: that says nothing about certificates.
      self = .notConnected(text)
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
      CURLE_SSL_CLIENTCERT, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_USE_SSL_FAILED:
      self = .tls(text)
    case CURLE_ABORTED_BY_CALLBACK:
      self = .connectionLost("\(label): a kept connection broke under the write, which is not sent twice")
    case _ where words.contains("tlsv13 alert") || words.contains("tlsv1 alert"):
      // With TLS 1.3 a server refuses the client's certificate after the handshake.
      self = .tls(text)
    case _ where !wasConnected && proxyStatus >= 300:
      self = .notConnected("\(label): the proxy answered \(proxyStatus) to CONNECT")
    default:
      self = wasConnected ? .connectionLost(text) : .notConnected(text)
    }
  }

  private static func isBroken(_ words: String) -> Bool {
    ["SYSCALL", "reset by peer", "unexpected eof", "Broken pipe"].contains { words.contains($0) }
  }
}
