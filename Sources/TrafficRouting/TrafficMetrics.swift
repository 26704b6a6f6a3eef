import RolloutAPI

/// One of the two versions that run side by side.
public enum Track: String, Codable, Sendable, Hashable, CaseIterable {
  case stable
  case canary
}

/// Who counted a request.
public enum MetricsView: String, Codable, Sendable, Hashable, CaseIterable {
  /// The caller's proxy: sees pods that never answer, and only the outcome after retries.
  case caller
  /// The callee's proxy: sees every attempt and mirrored requests, and nothing of a pod that never answers.
  case callee
}

/// Which series belong to one run.
public struct MetricsScope: Codable, Sendable, Hashable {
  public var namespace: String
  /// The generated Services of each track.
  public var stableServices: [String]
  public var canaryServices: [String]
  /// The names of the routing objects, where a mesh counts by them.
  public var routes: [String] = []
  /// The names of the ReplicaSets, which their pods' names begin with; empty where there is none yet.
  public var stableReplicaSet: String
  public var canaryReplicaSet: String

  public init(
    namespace: String, services: [PlanService], routes: [String] = [], stableReplicaSet: String,
    canaryReplicaSet: String
  ) {
    self.routes = routes.sorted()
    self.namespace = namespace
    // A Service may be there once for each of its ports.
    stableServices = Set(services.map(\.stableName)).sorted()
    canaryServices = Set(services.map(\.canaryName)).sorted()
    self.stableReplicaSet = stableReplicaSet
    self.canaryReplicaSet = canaryReplicaSet
  }

  /// The track of a generated Service.
  func track(service: String) -> Track? {
    if stableServices.contains(service) { return .stable }
    return canaryServices.contains(service) ? .canary : nil
  }

  /// The track of a pod, by its name.
  public func track(pod: String) -> Track? {
    // The longer name first: one may be a prefix of the other.
    let sets = [(stableReplicaSet, Track.stable), (canaryReplicaSet, .canary)].sorted { $0.0.count > $1.0.count }
    return sets.first { !$0.0.isEmpty && Self.pod(pod, isOf: $0.0) }?.1
  }

  private static let suffix = 5

  /// A ReplicaSet's pods are named by its name and a dash, cut to 58 characters together, and five drawn ones.
  private static func prefix(of replicaSet: String) -> String { String("\(replicaSet)-".prefix(63 - suffix)) }

  private static func pod(_ pod: String, isOf replicaSet: String) -> Bool {
    let prefix = prefix(of: replicaSet)
    return pod.hasPrefix(prefix) && pod.utf8.count == prefix.utf8.count + suffix
  }

  /// A regular expression for the names of the run's pods; `nil` where there can be none.
  public func podPattern(_ tracks: [Track] = Track.allCases) -> String? {
    let sets = tracks.map { $0 == .stable ? stableReplicaSet : canaryReplicaSet }.filter { !$0.isEmpty }.sorted()
    guard !sets.isEmpty else { return nil }
    return sets.map { PromQL.literal(Self.prefix(of: $0)) + "[a-z0-9]{\(Self.suffix)}" }.joined(separator: "|")
  }
}

/// One series of an instant query's answer.
public struct MetricSeries: Codable, Sendable, Hashable {
  public var labels: [String: String]
  public var value: Double
  /// One boundary of a native histogram, with a label `le` as a classic one's bucket has it.
  public var isNative: Bool

  public init(labels: [String: String], value: Double, isNative: Bool = false) {
    self.labels = labels
    self.value = value
    self.isNative = isNative
  }
}

extension MetricSeries {
  /// A boundary in seconds, in milliseconds: `0.025` is `25`.
  public static func milliseconds(_ boundary: String) -> String {
    guard let seconds = Double(boundary), seconds.isFinite else { return boundary }
    let value = (seconds * 1_000_000).rounded() / 1000
    return value == value.rounded() ? String(Int(value)) : String(value)
  }

  /// An HTTP status that is the callee's fault: 5xx, or none at all (0).
  static func isServerError(_ code: String) -> Bool { code == "0" || (code.count == 3 && code.hasPrefix("5")) }
}

extension [MetricSeries] {
  /// The values by what they count. Series that fall on the same key are added.
  /// - Parameters:
  ///   - process: the labels that tell processes apart.
  ///   - track: of a series' labels; `nil` for one that is another run's.
  ///   - bucket: a boundary as milliseconds.
  public func readings(
    process: [String], track: ([String: String]) -> Track?, isError: ([String: String]) -> Bool,
    bucket: (String) -> String
  ) -> [MetricsKey: Double] {
    var readings: [MetricsKey: Double] = [:]
    for one in self {
      guard let track = track(one.labels) else { continue }
      let names = process.map { one.labels[$0] ?? "" }
      let key = MetricsKey(
        track: track, process: names.allSatisfy(\.isEmpty) ? "" : names.joined(separator: "/"),
        isError: isError(one.labels), bucket: bucket(one.labels["le"] ?? ""), isNative: one.isNative)
      readings[key, default: 0] += one.value
    }
    // Where a mesh exports both, the classic buckets are those that its limits were chosen by.
    let hasClassic = readings.keys.contains { !$0.isNative }
    return hasClassic ? readings.filter { !$0.key.isNative } : readings
  }

  /// The values by track and by a label that tells how connections were secured.
  /// - Parameter caller: who sent such a request; `nil` where it is not known.
  func security(
    label: String, track: ([String: String]) -> Track?, caller: ([String: String]) -> String?
  ) -> [Track: ConnectionSecurity] {
    var security: [Track: ConnectionSecurity] = [:]
    for one in self where one.value > 0 {
      guard let track = track(one.labels) else { continue }
      if one.labels[label] == ConnectionSecurity.mutual {
        security[track, default: ConnectionSecurity()].mutual += one.value
      } else {
        security[track, default: ConnectionSecurity()].other += one.value
        if let caller = caller(one.labels) { security[track]?.callers.insert(caller) }
      }
    }
    return security
  }
}

/// Requests at one track's pods by how their connection was secured.
public struct ConnectionSecurity: Sendable, Hashable {
  /// In Istio's word, into which other meshes' are turned.
  static let mutual = "mutual_tls"

  /// By mutual TLS, both ends known to each other.
  public var mutual: Double
  public var other: Double
  /// Who sent ``other``, as far as is known: `namespace/workload`.
  public var callers: Set<String>

  public init(mutual: Double = 0, other: Double = 0, callers: Set<String> = []) {
    self.mutual = mutual
    self.other = other
    self.callers = callers
  }
}

/// How a query reads counters.
public enum MetricsReading: Codable, Sendable, Hashable {
  /// Their present values, by the process that counts: increases are the reader's to make. Exact, and the only way in
  /// which looks that follow one another neither overlap nor lose requests between them.
  case counters
  /// PromQL's `increase` over a window, summed over processes: fewer series, extrapolated.
  case increase(Duration)
}

/// What a series of a request or latency query counts, and where it belongs.
public struct MetricsKey: Codable, Sendable, Hashable {
  public var track: Track
  /// The proxy that counted; empty where the query summed over them.
  public var process: String
  public var isError = false
  /// The upper bound of a latency bucket in milliseconds, in Prometheus' words: `250`, `+Inf`. Empty for requests.
  public var bucket = ""
  /// Of a native histogram, whose boundaries may differ from process to process.
  public var isNative = false

  /// Whether a series that is seen for the first time, after others, began at zero. It did where its process is known: a
  /// proxy's first error makes a new series. Of a process that is new itself only the canary's did for sure; another
  /// may just not have been scraped before.
  public func beginsAtZero(known processes: Set<String>) -> Bool { track == .canary || processes.contains(process) }

  /// ``bucket`` as a number; `nil` where it is none.
  public var boundary: Double? { bucket == "+Inf" ? .infinity : Double(bucket) }
}
