/// How a client behaves towards the API server.
public struct ClientOptions: Sendable {
  /// How long a request may take, retries and waits included.
  public struct Deadlines: Sendable, Hashable {
    public var read: Duration
    /// For each page.
    public var list: Duration
    public var write: Duration

    public init(read: Duration = .seconds(10), list: Duration = .seconds(30), write: Duration = .seconds(10)) {
      self.read = read
      self.list = list
      self.write = write
    }
  }

  /// The owner of what is written.
  public var fieldManager: String
  public var userAgent: String
  public var deadlines: Deadlines
  /// Requests per second in the long run, urgent ones not held back.
  public var requestsPerSecond: Double
  /// Requests at once after a quiet time.
  public var burst: Int
  /// Objects per page of a list.
  public var pageSize: Int
  /// A watch on which no byte arrives for so long is given up. Servers send a bookmark about once a minute (with some
  /// jitter), so a healthy watch is never silent for longer. This bound is for a server that hangs; a peer that is gone is found
  /// within 40 s by `TransportConfiguration.Liveness`, which no healthy watch can fail.
  public var watchStallTimeout: Duration
  /// How often a request is sent at most.
  public var maxAttempts: Int

  public init(
    fieldManager: String = "sluice", userAgent: String = "sluice", deadlines: Deadlines = Deadlines(),
    requestsPerSecond: Double = 50, burst: Int = 100, pageSize: Int = 500, watchStallTimeout: Duration = .seconds(90),
    maxAttempts: Int = 4
  ) {
    self.fieldManager = fieldManager
    self.userAgent = userAgent
    self.deadlines = deadlines
    self.requestsPerSecond = requestsPerSecond
    self.burst = burst
    self.pageSize = pageSize
    self.watchStallTimeout = watchStallTimeout
    self.maxAttempts = maxAttempts
  }
}
