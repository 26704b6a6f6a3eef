import Foundation
import KubernetesAPI
import Testing

/// Requests that a program sends to a shop through Envoy, and to its endpoints beside it, and what that program counted.
struct Load: Sendable {
  /// Requests through the mesh, and beside it, per second.
  static let rate = 80.0
  static let directRate = 20.0

  struct Count: Sendable {
    /// `mesh` or `direct`.
    var via: String
    var revision: String
    var status: String
    var requests: Int
  }

  /// What was counted from the start to the end.
  struct Summary: Sendable {
    var requests: Int
    var failures: Int
    var counts: [Count]
    /// The first failures, each as the program tells it.
    var failed: [String]
  }

  private let daemon: Daemon
  private let intervals: URL

  init(_ shop: Shop) throws {
    let dataPlane = try #require(shop.cluster.dataPlane, "the cluster of the suite has no data plane")
    let folder = shop.cluster.folder
    let kubeconfig = try String(contentsOfFile: shop.cluster.kubeconfig, encoding: .utf8)
    let api = try #require(kubeconfig.firstMatch(of: /http:\/\/[0-9.:]+/)?.output)
    intervals = folder.appending(path: "load-\(shop.namespace).intervals")
    daemon = try Daemon(
      "load of \(shop.namespace)",
      Program(path: try Machine.tool("python3"), leading: [Machine.source("deploy/lib/load.py").path]),
      [
        "--addresses", dataPlane.appending(path: "addresses.json").path, "--api", String(api),
        "--namespace", shop.namespace, "--service", "checkout", "--rate", "\(Self.rate)",
        "--direct-rate", "\(Self.directRate)", "--connections", "8", "--out", intervals.path,
      ], log: folder.appending(path: "load-\(shop.namespace).log"))
  }

  /// Ends the program, and reads what it says.
  func stop() async throws -> Summary {
    #expect(daemon.isRunning, "the load generator has ended by itself: \(daemon.tail(5))")
    await daemon.stop()
    let text = daemon.tail(1)
    let json = try #require(try? JSON(parsing: Data(text.utf8)), "the load generator said: \(daemon.tail(10))")
    return Summary(
      requests: json["requests"]?.int ?? 0, failures: json["failures"]?.int ?? -1, counts: Self.counts(json),
      failed: (json["failed"]?.array ?? []).map(\.description))
  }

  /// What was counted within a time, which must be over.
  func counts(from start: Date, to end: Date) throws -> [Count] {
    try String(contentsOf: intervals, encoding: .utf8).split(separator: "\n").flatMap { line -> [Count] in
      let json = try JSON(parsing: Data(line.utf8))
      // An interval is a tenth of a second and is told at its end.
      guard let at = json["at"]?.double, at - 0.1 >= start.timeIntervalSince1970, at <= end.timeIntervalSince1970 else {
        return []
      }
      return Self.counts(json)
    }
  }

  /// Counts for some seconds from now, after a moment in which what is under way arrives.
  func measure(seconds: Double) async throws -> [Count] {
    let start = Date() + 0.5
    let end = start + seconds
    // The interval after the last one that counts is told when that one is whole.
    _ = try await poll("counts of \(seconds) s", within: .seconds(seconds + 10)) {
      try latest().map { $0 > end.timeIntervalSince1970 + 0.1 } == true ? true : nil
    }
    return try counts(from: start, to: end)
  }

  /// When the newest interval ended, in seconds since 1970.
  private func latest() throws -> Double? {
    let lines = try String(contentsOf: intervals, encoding: .utf8).split(separator: "\n")
    // The last line may not be whole yet.
    return lines.dropLast().last.flatMap { try? JSON(parsing: Data($0.utf8))["at"]?.double }
  }

  private static func counts(_ json: JSON) -> [Count] {
    (json["by"]?.array ?? []).map { row in
      Count(
        via: row["via"]?.string ?? "", revision: row["revision"]?.string ?? "", status: row["status"]?.string ?? "",
        requests: row["requests"]?.int ?? 0)
    }
  }
}

extension [Load.Count] {
  /// The requests by one way, to a revision or to all.
  func requests(_ via: String, to revision: String? = nil) -> Int {
    filter { $0.via == via && (revision == nil || $0.revision == revision) }.reduce(0) { $0 + $1.requests }
  }
}
