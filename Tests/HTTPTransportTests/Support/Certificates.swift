import Foundation

/// A certificate authority made for one run of the tests, with a server's and a client's certificate.
struct Certificates: Sendable {
  struct Pair: Sendable {
    var certificate: URL
    var key: URL
    var certificatePEM: Data { get throws { try Data(contentsOf: certificate) } }
    var keyPEM: Data { get throws { try Data(contentsOf: key) } }
  }

  let authority: Pair
  /// Another authority of the same name.
  let stranger: Pair
  /// For `localhost` and 127.0.0.1.
  let server: Pair
  /// For `api.sluice.test` only.
  let named: Pair
  let client: Pair

  init(in folder: URL) throws {
    authority = try Self.authority("ca", folder)
    stranger = try Self.authority("stranger", folder)
    server = try Self.signed("server", "subjectAltName=DNS:localhost,IP:127.0.0.1", by: authority, folder)
    named = try Self.signed("named", "subjectAltName=DNS:api.sluice.test", by: authority, folder)
    client = try Self.signed("tester", "extendedKeyUsage=clientAuth", by: authority, folder)
  }

  private static func authority(_ name: String, _ folder: URL) throws -> Pair {
    let pair = pair(name, folder)
    try Tool.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=Test authority", "-keyout", pair.key.path, "-out", pair.certificate.path,
      ])
    return pair
  }

  private static func signed(_ name: String, _ extensions: String, by authority: Pair, _ folder: URL) throws -> Pair {
    let pair = pair(name, folder)
    try Tool.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=\(name)", "-addext", "basicConstraints=critical,CA:FALSE", "-addext", extensions, "-CA",
        authority.certificate.path, "-CAkey", authority.key.path, "-keyout", pair.key.path, "-out",
        pair.certificate.path,
      ])
    return pair
  }

  private static func pair(_ name: String, _ folder: URL) -> Pair {
    Pair(certificate: folder.appending(path: "\(name).crt"), key: folder.appending(path: "\(name).key"))
  }
}

/// A program that the tests need.
enum Tool {
  struct Failure: Error, CustomStringConvertible { var description: String }

  /// - Throws: a message that names the program and its package if it is not installed.
  static func path(_ name: String) throws -> String {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/sbin", "/usr/bin"]
    guard let found = folders.map({ "\($0)/\(name)" }).first(where: FileManager.default.isExecutableFile) else {
      throw Failure(description: "these tests need '\(name)': apt-get install openssl nginx-light")
    }
    return found
  }

  @discardableResult
  static func run(_ name: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try path(name))
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(name) \(arguments.joined(separator: " ")): \(text)")
    }
    return text
  }
}
