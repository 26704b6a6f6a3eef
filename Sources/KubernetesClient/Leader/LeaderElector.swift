import KubernetesAPI
import Logging
import ServiceLifecycle
import Synchronization

/// Which lease, and how long each part of the protocol may take.
public struct LeaderElectionOptions: Sendable, Hashable {
  public var lease: ObjectKey
  /// Of this process alone: host name and something random.
  public var identity: String
  /// Others take the lease when it was not renewed for so long.
  public var leaseDuration: Duration
  /// This process stops leading when it could not renew for so long.
  public var renewDeadline: Duration
  /// Between two attempts.
  public var retryPeriod: Duration
  /// How long before the lease could go to another the last write must be over.
  public var safetyMargin: Duration
  /// How long what leads may take to end by itself on graceful shutdown, still leading, before it is cancelled.
  public var gracePeriod: Duration

  /// What is left out follows from the lease's duration: for 15 s, 10 s to renew in, 2 s between attempts and 2 s of
  /// margin.
  public init(
    lease: ObjectKey, identity: String, leaseDuration: Duration = .seconds(15), renewDeadline: Duration? = nil,
    retryPeriod: Duration? = nil, safetyMargin: Duration? = nil, gracePeriod: Duration = .seconds(5)
  ) {
    self.lease = lease
    self.identity = identity
    self.leaseDuration = leaseDuration
    self.renewDeadline = renewDeadline ?? leaseDuration / 15 * 10
    self.retryPeriod = retryPeriod ?? leaseDuration / 15 * 2
    self.safetyMargin = safetyMargin ?? leaseDuration / 15 * 2
    self.gracePeriod = gracePeriod
  }
}

/// Runs something in at most one of several processes, by a Lease. On graceful shutdown the lease is given back, so that
/// another takes over at once.
public struct LeaderElector: ServiceLifecycle.Service {
  private final class Standing: Sendable {
    private let state = Mutex<(leadsUntil: Duration?, holder: String?)>((nil, nil))

    var leadsUntil: Duration? {
      get { state.withLock { $0.leadsUntil } }
      set { state.withLock { $0.leadsUntil = newValue } }
    }
    var holder: String? {
      get { state.withLock { $0.holder } }
      set { state.withLock { $0.holder = newValue } }
    }
  }

  public let options: LeaderElectionOptions
  private let client: KubernetesClient
  private let standing = Standing()
  private let logger: Logger
  private let lead: @Sendable () async throws -> Void

  /// - Parameters:
  ///   - client: without a fence: the lease is what fences are made of.
  ///   - lead: runs while this process leads; is cancelled when it no longer does, and begins anew when it does again.
  ///     On graceful shutdown it should end by itself, as services do.
  public init(
    client: KubernetesClient, options: LeaderElectionOptions, lead: @escaping @Sendable () async throws -> Void
  ) {
    self.client = client
    self.options = options
    self.lead = lead
    var logger = client.logger
    logger[metadataKey: "lease"] = "\(options.lease)"
    self.logger = logger
  }

  /// The lease cannot have gone to another yet.
  public var isLeading: Bool { fence.timeLeft > .zero }

  /// Who holds the lease, as far as is known.
  public var holder: String? { standing.holder }

  /// For the client that ``lead`` writes with: no write begins, or goes on, after another could have taken the lease.
  public var fence: WriteFence { Self.fence(standing, client.time) }

  private static func fence(_ standing: Standing, _ time: TimeSource) -> WriteFence {
    WriteFence { standing.leadsUntil.map { $0 - time.uptime } ?? .zero }
  }

  /// Campaigns and leads until ``lead`` ends, this is cancelled or shut down gracefully.
  /// - Throws: what ``lead`` throws.
  public func run() async throws {
    let outcome = await campaignAndLead()
    // Only now, when what led has ended: giving the lease back earlier would make two leaders.
    standing.leadsUntil = nil
    if !Task.isCancelled { await release() }
    if case .failure(let error) = outcome, !(error is CancellationError) { throw error }
  }

  private func campaignAndLead() async -> Result<Void, any Error> {
    do {
      var election = Election(identity: options.identity, leaseDuration: options.leaseDuration)
      while true {
        election = try await cancelWhenGracefulShutdown { [election] in try await campaign(election) }
        logger.info("leading", metadata: ["identity": "\(options.identity)"])
        if try await leadWhileRenewed(election) == .over { return .success(()) }
        standing.leadsUntil = nil
        logger.warning("lost the lease", metadata: ["identity": "\(options.identity)"])
      }
    } catch {
      return .failure(error)
    }
  }

  private enum Ending: Sendable {
    /// What led has ended, by itself or because of the shutdown.
    case over
    case lost
  }

  private func leadWhileRenewed(_ election: Election) async throws -> Ending {
    try await withThrowingTaskGroup(of: Ending.self) { group in
      group.addTask {
        try await lead()
        return .over
      }
      group.addTask {
        try await renew(election)
        // At once: what led may take a moment to end.
        standing.leadsUntil = nil
        return .lost
      }
      group.addTask {
        try await gracefulShutdown()
        try await client.time.sleep(for: options.gracePeriod)
        return .over
      }
      let ending = try await group.next() ?? .over
      group.cancelAll()
      // Leading is over only when what led has ended.
      while true {
        do {
          guard try await group.next() != nil else { break }
        } catch is CancellationError {
          continue
        }
      }
      return ending
    }
  }

  /// Returns as soon as the lease is held.
  private func campaign(_ known: Election) async throws -> Election {
    var election = known
    while true {
      try Task.checkCancellation()
      // Twice as often as the holder renews it: a lease that was given back is taken within that time.
      var pause = options.retryPeriod * 0.5
      do {
        let asked = client.time.uptime
        election.see(try await readLease(), at: asked)
        standing.holder = election.holder
        if let left = try await act(&election) { pause = min(pause, left) } else { return election }
      } catch let error as KubernetesError {
        logger.debug("campaigning goes on", metadata: ["problem": "\(error)"])
      } catch let error as UndecodableObject {
        logger.warning("the lease cannot be read", metadata: ["problem": "\(error)"])
      }
      try await client.time.sleep(for: pause * (1 + 0.2 * client.randomness.next))
    }
  }

  /// Returns when the lease is lost, or could not be renewed in time.
  private func renew(_ known: Election) async throws {
    var election = known
    var renewed = client.time.uptime
    while true {
      try await client.time.sleep(for: options.retryPeriod)
      let asked = client.time.uptime
      guard asked - renewed < options.renewDeadline else { return }
      do {
        if try await act(&election) != nil { return }
        renewed = asked
      } catch let error as KubernetesError where error.isConflict || error.isNotFound {
        // Somebody wrote it, perhaps this process by a request that got no answer: see who holds it now.
        guard let lease = try? await readLease() else { continue }
        election.see(lease, at: client.time.uptime)
        standing.holder = election.holder
        if let holder = election.holder, holder != options.identity { return }
      } catch let error as KubernetesError {
        logger.warning("the lease was not renewed", metadata: ["problem": "\(error)"])
      }
    }
  }

  /// Carries out what the election says.
  /// - Returns: `nil` if the lease is held now, else when another's could be free.
  private func act(_ election: inout Election) async throws -> Duration? {
    let asked = client.time.uptime
    let now = MicroTime(client.time.now)
    let written: JSON
    switch election.move(at: asked, now: now) {
    case .wait(let left): return left
    case .create(let spec):
      written = try await client.send(
        .create(.leases, try JSON(encoding: lease(spec, version: nil))), urgent: true, deadline: attemptDeadline)
    case .update(let spec):
      let version = election.lease?.metadata.resourceVersion
      written = try await client.send(
        .replace(.leases, try JSON(encoding: lease(spec, version: version))), urgent: true, deadline: attemptDeadline)
    }
    election.see(try? written.decoded(as: Lease.self), at: client.time.uptime)
    // Counted from before the request was sent: the server may have stamped it at any time since.
    standing.leadsUntil = asked + options.leaseDuration - options.safetyMargin
    standing.holder = options.identity
    return nil
  }

  /// `nil` if there is none.
  private func readLease() async throws -> Lease? {
    do {
      let json = try await client.send(.get(.leases, options.lease), urgent: true, deadline: attemptDeadline)
      return try json.decoded(as: Lease.self)
    } catch let error as KubernetesError where error.isNotFound {
      return nil
    }
  }

  /// Leaves time for another attempt before the renew deadline.
  private var attemptDeadline: Duration { max(options.retryPeriod, options.renewDeadline * 0.4) }

  private func lease(_ spec: Lease.Spec, version: String?) -> Lease {
    var metadata = ObjectMeta(name: options.lease.name, namespace: options.lease.namespace)
    metadata.resourceVersion = version
    return Lease(metadata: metadata, spec: spec)
  }

  private func release() async {
    do {
      var election = Election(identity: options.identity, leaseDuration: options.leaseDuration)
      election.see(try await readLease(), at: client.time.uptime)
      guard let spec = election.release(now: MicroTime(client.time.now)) else { return }
      let version = election.lease?.metadata.resourceVersion
      _ = try await client.send(
        .replace(.leases, try JSON(encoding: lease(spec, version: version))), urgent: true, deadline: .seconds(3))
      standing.holder = nil
      logger.info("gave the lease back")
    } catch {
      logger.warning("the lease was not given back and will expire", metadata: ["problem": "\(error)"])
    }
  }
}
