import Foundation

/// The status and headers of an answer.
struct ResponseHead: Sendable {
  var status: Int
  var headers: [(name: String, value: String)] = []
}

/// Reads the head of an answer line by line, as libcurl delivers it. Interim answers (1xx) are passed over.
struct HeadReader: Sendable {
  /// No honest head is longer than this many bytes.
  static let limit = 256 << 10

  private var head: ResponseHead?
  private var bytes = 0

  /// Takes a line with its line break.
  /// - Returns: the head once its closing empty line has come.
  /// - Throws: ``TransportError/responseTooLarge(limit:)``, ``TransportError/connectionLost(_:)`` for what is no HTTP.
  mutating func read(_ line: Data) throws(TransportError) -> ResponseHead? {
    bytes += line.count
    guard bytes <= Self.limit else { throw .responseTooLarge(limit: Self.limit) }
    // The bytes, not the Character "\r\n", which Swift takes for one.
    var content = line[...]
    while let last = content.last, last == 0x0A || last == 0x0D { content.removeLast() }
    let text = String(decoding: content, as: UTF8.self)

    if text.hasPrefix("HTTP/") {
      guard let code = text.split(separator: " ").dropFirst().first, let status = Int(code) else {
        throw .connectionLost("the answer's first line has no status: \(text.prefix(80).debugDescription)")
      }
      head = ResponseHead(status: status)
      return nil
    }
    guard var current = head else { return nil }
    if text.isEmpty {
      if current.status < 200 {
        head = nil
        return nil
      }
      return current
    }
    if text.first == " " || text.first == "\t", let last = current.headers.indices.last {
      current.headers[last].value += " " + text.trimmingCharacters(in: .whitespaces)
    } else if let colon = text.firstIndex(of: ":") {
      current.headers.append(
        (String(text[..<colon]), text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)))
    }
    head = current
    return nil
  }
}
