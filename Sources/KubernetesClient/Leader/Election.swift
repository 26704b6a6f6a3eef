import KubernetesAPI

/// Whether to create, take, renew or leave alone a lease: pure.
///
/// Other holders' clocks are not trusted. How long a lease has not been renewed is measured here, from when its present
/// state was first seen.
struct Election: Sendable {
  enum Move: Sendable, Equatable {
    case create(Lease.Spec)
    /// Write it over the version that was seen.
    case update(Lease.Spec)
    /// It is another's; look again no later than after this time.
    case wait(Duration)
  }

  private struct Sighting: Sendable, Equatable {
    var version: String
    var since: Duration
  }

  let identity: String
  let leaseDuration: Duration
  private(set) var lease: Lease?
  private var sighting: Sighting?

  init(identity: String, leaseDuration: Duration) {
    self.identity = identity
    self.leaseDuration = leaseDuration
  }

  /// Who holds it, as far as is known; `nil` for nobody.
  var holder: String? {
    lease?.spec?.holderIdentity.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// - Parameter lease: `nil` if there is none.
  mutating func see(_ lease: Lease?, at uptime: Duration) {
    self.lease = lease
    guard let lease else {
      sighting = nil
      return
    }
    let version = lease.metadata.resourceVersion ?? ""
    if sighting?.version != version || version.isEmpty { sighting = Sighting(version: version, since: uptime) }
  }

  func move(at uptime: Duration, now: MicroTime) -> Move {
    guard let lease else {
      return .create(spec(acquired: now, now: now, transitions: 0))
    }
    let transitions = lease.spec?.leaseTransitions ?? 0
    guard let holder else {
      return .update(spec(acquired: now, now: now, transitions: transitions + 1))
    }
    if holder == identity {
      return .update(spec(acquired: lease.spec?.acquireTime ?? now, now: now, transitions: transitions))
    }
    let term = Duration.seconds(max(1, lease.spec?.leaseDurationSeconds ?? 0))
    let left = term - (uptime - (sighting?.since ?? uptime))
    if left > .zero { return .wait(left) }
    return .update(spec(acquired: now, now: now, transitions: transitions + 1))
  }

  /// What to write when this process lets go; `nil` if it does not hold the lease.
  func release(now: MicroTime) -> Lease.Spec? {
    guard holder == identity else { return nil }
    // A duration of one second lets also those take it at once who do not look at the holder.
    return Lease.Spec(
      leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaseTransitions: lease?.spec?.leaseTransitions)
  }

  private func spec(acquired: MicroTime, now: MicroTime, transitions: Int) -> Lease.Spec {
    Lease.Spec(
      holderIdentity: identity, leaseDurationSeconds: Int(leaseDuration.components.seconds), acquireTime: acquired,
      renewTime: now, leaseTransitions: transitions)
  }
}
