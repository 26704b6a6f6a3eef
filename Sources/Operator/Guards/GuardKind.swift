/// What is watched without anybody asking for it. The order is that of reports.
enum GuardKind: String, CaseIterable, Sendable, Hashable {
  /// Containers that end and are started again.
  case restarts
  /// Of these, the ones that the kernel killed for want of memory.
  case outOfMemory = "out-of-memory"
  case memory
  /// A leak.
  case memoryGrowth = "memory-growth"
  case cpu
  /// The share of scheduling periods in which the CPU limit stopped a container.
  case throttling
  case garbageCollection = "garbage-collection"
  /// Answers that are no success and no error of the server: 404, 429 and so on.
  case responseCodes = "response-codes"
  /// Connections that fail before there is an answer, by the proxies' flags.
  case connections
  /// Errors of one endpoint, which the whole may hide.
  case endpoints
  /// Requests that no longer arrive at the canary although its weight says so.
  case requestShare = "request-share"
  /// Requests of the service as a whole, against its own past at this hour.
  case requestVolume = "request-volume"

  /// Whether it concerns the service as a whole, so that no canary is to blame.
  var isOfService: Bool { self == .requestVolume }
}
