import KubernetesAPI

/// A request as a proxy saw it, from a line of its access log.
struct AccessLogEntry: Sendable, Equatable {
  var entrance: EnvoyRoutes.Entrance
  /// The Service that it was routed to; `nil` where no route or no cluster was found.
  var service: ObjectKey?
  /// The loopback port of the pod that was asked last; `nil` where none was.
  var listener: Int?
  var status: Int
  /// Envoy's response flags, `-` for none, as Istio's label has them.
  var flags: String
  var milliseconds: Double

  /// What Envoy is told to log.
  static func format(_ entrance: EnvoyRoutes.Entrance) -> JSON {
    [
      "entrance": .string(entrance.rawValue), "cluster": "%UPSTREAM_CLUSTER_RAW%", "upstream": "%UPSTREAM_HOST%",
      "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%", "duration": "%DURATION%",
    ]
  }

  /// - Returns: `nil` for a line that is none of this format.
  init?(_ line: some Sequence<UInt8>) {
    guard let json = try? JSON(parsing: line),
      let entrance = json["entrance"]?.string.flatMap(EnvoyRoutes.Entrance.init(rawValue:)),
      let status = json["status"]?.int, let milliseconds = json["duration"]?.double
    else { return nil }
    self.entrance = entrance
    service = json["cluster"]?.string.flatMap(EnvoyClusters.service(ofCluster:))
    listener = json["upstream"]?.string.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) }
    self.status = status
    flags = json["flags"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "-"
    self.milliseconds = milliseconds
  }
}

/// Puts the pieces of a log together to lines.
struct AccessLogLines: Sendable {
  /// A line without an end is no line of ours.
  private static let limit = 1 << 16
  private var partial: [UInt8] = []

  /// The entries that a piece completes.
  mutating func take(_ bytes: some Collection<UInt8>) -> [AccessLogEntry] {
    partial += bytes
    guard let end = partial.lastIndex(of: UInt8(ascii: "\n")) else {
      if partial.count > Self.limit { partial = [] }
      return []
    }
    let lines = partial[..<end].split(separator: UInt8(ascii: "\n"))
    let entries = lines.compactMap { AccessLogEntry($0) }
    partial.removeSubrange(...end)
    return entries
  }
}
