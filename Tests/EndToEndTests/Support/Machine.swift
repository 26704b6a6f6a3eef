import Foundation
import Glibc

/// What the tests use of the machine that they run on.
enum Machine {
  /// The tested program: `SLUICE_BINARY`, or the one that was built beside the tests.
  static func sluice() throws -> String {
    if let path = ProcessInfo.processInfo.environment["SLUICE_BINARY"] { return path }
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let path = tests.deletingLastPathComponent().appending(path: "sluice").path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw HarnessError("no sluice at \(path); build it, or name one in SLUICE_BINARY")
    }
    return path
  }

  static func tool(_ name: String) throws -> String {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
    let paths = folders.map { "\($0)/\(name)" }
    guard let path = paths.first(where: FileManager.default.isExecutableFile(atPath:)) else {
      throw HarnessError("no \(name) in PATH; Tests/run installs it")
    }
    return path
  }

  /// A file of the source tree.
  static func source(_ path: String) -> URL {
    var root = URL(filePath: #filePath).resolvingSymlinksInPath()
    for _ in 0..<4 { root.deleteLastPathComponent() }
    return root.appending(path: path)
  }

  /// A listening socket on a free port of the loopback interface.
  static func listen() throws -> (socket: Int32, port: Int) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && Glibc.listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isListening else { throw HarnessError("cannot listen on 127.0.0.1: \(String(cString: strerror(errno)))") }
    return (listener, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// A connected socket, `nil` where nobody listens.
  static func connect(to port: Int) -> Int32? {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = UInt16(port).bigEndian
    let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    if isConnected { return client }
    close(client)
    return nil
  }

  /// A port that nothing listened on a moment ago.
  static func freePort() throws -> Int {
    let (socket, port) = try listen()
    close(socket)
    return port
  }
}
