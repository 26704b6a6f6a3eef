import Foundation
import KubernetesAPI

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file, pipe or socket of the data plane that cannot be had.
struct DataPlaneError: Error, CustomStringConvertible {
  var description: String

  /// - Parameter what: what was tried, on what.
  static func system(_ what: String) -> Self {
    DataPlaneError(description: "\(what): \(String(cString: strerror(errno)))")
  }
}

/// The files by which a proxy is told its configuration. It watches them for a move, so each is written beside its place
/// and moved there whole; those whose content is the same are left alone.
struct DataPlaneFiles: Sendable {
  let bootstrap: EnvoyBootstrap
  private var written: [EnvoyBootstrap.File: [JSON]] = [:]
  private var version = 0

  init(_ bootstrap: EnvoyBootstrap) { self.bootstrap = bootstrap }

  /// Writes what changed, in the order in which istiod sends it: a cluster is there with its endpoints before a route
  /// names it, and gone at once with its Service, whatever the routes still say.
  /// - Returns: the files that were written.
  /// - Throws: where the folder is gone or full.
  @discardableResult
  mutating func push(_ config: MeshConfig, _ clusters: EnvoyClusters) throws -> [EnvoyBootstrap.File] {
    let routes = EnvoyRoutes(config, servicePorts: clusters.servicePorts)
    var contents: [(file: EnvoyBootstrap.File, resources: [JSON])] = clusters.assignments.map {
      (.endpoints(cluster: $0.cluster), [$0.json])
    }
    contents.append((.clusters, clusters.clusters { bootstrap.path(.endpoints(cluster: $0)) }))
    for entrance in EnvoyRoutes.Entrance.allCases {
      contents.append((.routes(entrance), [routes.configuration(entrance)]))
    }
    let changed = contents.filter { written[$0.file] != $0.resources }
    if !changed.isEmpty { version += 1 }
    for (file, resources) in changed {
      try write(EnvoyResources.response(resources, version: version), file)
      written[file] = resources
    }
    // Of clusters that are gone.
    let current = Set(contents.map(\.file))
    for file in written.keys where !current.contains(file) {
      unlink(bootstrap.path(file))
      written[file] = nil
    }
    return changed.map(\.file)
  }

  /// - Throws: where the folder cannot be written.
  func write(_ json: JSON, _ file: EnvoyBootstrap.File) throws {
    let path = bootstrap.path(file)
    try json.data.write(to: URL(filePath: path + ".new"))
    guard rename(path + ".new", path) == 0 else { throw DataPlaneError.system("cannot replace \(path)") }
  }
}

/// The end of a named pipe at which a proxy's access log comes out: nothing stays on a disk, and where nobody reads, the
/// proxy waits with its log and not with its requests.
final class AccessLogPipe: Sendable {
  private let descriptor: Int32

  /// - Throws: where the pipe cannot be made.
  init(path: String) throws {
    unlink(path)
    guard mkfifo(path, 0o600) == 0 else { throw DataPlaneError.system("cannot make the pipe \(path)") }
    // Open for writing too, so that it does not end with the proxy's end.
    descriptor = open(path, O_RDWR | O_NONBLOCK)
    guard descriptor >= 0 else { throw DataPlaneError.system("cannot open the pipe \(path)") }
  }

  deinit { close(descriptor) }

  /// What has come since the last call, as far as it fits in memory at ease.
  func read() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 18)
    let count = Self.read(descriptor, &bytes)
    bytes.removeSubrange(max(0, count)...)
    return bytes
  }

  private static func read(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Int {
    #if canImport(Glibc)
      Glibc.read(descriptor, &bytes, bytes.count)
    #elseif canImport(Musl)
      Musl.read(descriptor, &bytes, bytes.count)
    #else
      Darwin.read(descriptor, &bytes, bytes.count)
    #endif
  }
}

enum LoopbackPorts {
  /// Ports of the loopback address that nothing listened on a moment ago, each another.
  /// - Throws: where there are none.
  static func free(_ count: Int) throws -> [Int] {
    var sockets: [Int32] = []
    defer { for socket in sockets { close(socket) } }
    return try (0..<count).map { _ in
      #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue)
      #else
        let kind = SOCK_STREAM
      #endif
      let socket = socket(AF_INET, kind, 0)
      guard socket >= 0 else { throw DataPlaneError.system("cannot open a socket") }
      sockets.append(socket)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
        }
      }
      guard isBound else { throw DataPlaneError.system("cannot bind a port of 127.0.0.1") }
      return Int(UInt16(bigEndian: address.sin_port))
    }
  }
}
