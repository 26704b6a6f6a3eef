import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("The election as a value")
struct ElectionTests {
  let now = MicroTime(microsecondsSince1970: 5_000_000)
  let before = MicroTime(microsecondsSince1970: 1_000_000)

  func lease(_ holder: String?, version: String = "1", seconds: Int = 15, transitions: Int = 3) -> Lease {
    var metadata = ObjectMeta(name: "l", namespace: "n")
    metadata.resourceVersion = version
    return Lease(
      metadata: metadata,
      spec: Lease.Spec(
        holderIdentity: holder, leaseDurationSeconds: seconds, acquireTime: before, renewTime: before,
        leaseTransitions: transitions))
  }

  func spec(acquired: MicroTime, transitions: Int) -> Lease.Spec {
    Lease.Spec(
      holderIdentity: "me", leaseDurationSeconds: 15, acquireTime: acquired, renewTime: now,
      leaseTransitions: transitions)
  }

  func election(_ lease: Lease?, at uptime: Duration = .zero) -> Election {
    var election = Election(identity: "me", leaseDuration: .seconds(15))
    election.see(lease, at: uptime)
    return election
  }

  @Test("a lease that is not there is created, a free one taken, one's own renewed with its acquire time")
  func moves() {
    #expect(election(nil).move(at: .zero, now: now) == .create(spec(acquired: now, transitions: 0)))
    #expect(election(lease("")).move(at: .zero, now: now) == .update(spec(acquired: now, transitions: 4)))
    #expect(election(lease(nil)).move(at: .zero, now: now) == .update(spec(acquired: now, transitions: 4)))
    #expect(election(lease("me")).move(at: .zero, now: now) == .update(spec(acquired: before, transitions: 3)))
  }

  @Test("another's lease is taken only after its whole term without a change, by this process's clock")
  func takeOver() {
    var election = election(lease("other", seconds: 20), at: .seconds(100))
    #expect(election.move(at: .seconds(100), now: now) == .wait(.seconds(20)))
    election.see(lease("other", seconds: 20), at: .seconds(115))
    #expect(election.move(at: .seconds(115), now: now) == .wait(.seconds(5)))
    #expect(election.move(at: .seconds(120), now: now) == .update(spec(acquired: now, transitions: 4)))
    election.see(lease("other", version: "2", seconds: 20), at: .seconds(119))
    #expect(election.move(at: .seconds(120), now: now) == .wait(.seconds(19)), "it was renewed")
  }

  @Test("only one's own lease is given back")
  func release() {
    #expect(election(lease("other")).release(now: now) == nil)
    #expect(election(nil).release(now: now) == nil)
    let spec = election(lease("me")).release(now: now)
    #expect(spec?.holderIdentity == nil)
    #expect(spec?.leaseDurationSeconds == 1)
    #expect(spec?.leaseTransitions == 3)
  }
}
