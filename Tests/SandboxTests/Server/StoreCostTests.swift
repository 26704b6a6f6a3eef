import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("what the store costs and keeps")
struct StoreCostTests {
  private let resource = StoredResource(group: "", plural: "configmaps")

  private func object(_ number: Int) -> JSON { ["metadata": ["name": .string("c\(number)")]] }

  /// Processor seconds of this thread: what others do on the machine does not count.
  private func processorTime(_ work: () throws -> Void) rethrows -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try work()
    return now() - start
  }

  /// Writes so many objects while somebody holds the state from before each write.
  private func costOfSharedWrites(_ count: Int) -> Double {
    processorTime {
      var state = StoreState()
      for number in 0..<count {
        let held = state
        _ = state.put(object(number), in: resource)
        precondition(held.resourceVersion < state.resourceVersion)
      }
    }
  }

  @Test("a write does not copy its collection or the history, even while others hold older states")
  func sharedWrites() {
    // 16 times the writes are 256 times the work where each copies everything, and about 20 times where none does.
    let (few, many) = (500, 8000)
    let small = (0..<3).map { _ in costOfSharedWrites(few) }.min() ?? 0
    let large = (0..<2).map { _ in costOfSharedWrites(many) }.min() ?? 0
    #expect(large < small * 64, "\(few) writes: \(small) s, \(many) writes: \(large) s")
  }

  @Test("creating through the API costs about the same in a large collection as in a small one")
  func creates() {
    let time = VirtualTime()
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    func create(_ numbers: Range<Int>) -> Double {
      processorTime {
        for number in numbers {
          let response = server.handle(
            ServerRequest(
              "POST", "/api/v1/namespaces/default/configmaps", headers: [("Content-Type", "application/json")],
              body: object(number).bytes))
          precondition(response.status == 201)
        }
      }
    }
    _ = create(0..<50)
    let first = create(50..<150)
    for number in 150..<6000 {
      _ = try? server.store.write { state throws(Status) in state.put(object(number), in: resource) }
    }
    let last = create(6000..<6100)
    #expect(last < first * 3, "the first 100: \(first) s, 100 beside 6000: \(last) s")
  }

  @Test("a Service finds a free address without a look at the other Services")
  func addresses() {
    let time = VirtualTime()
    let server = APIServer(clock: time.clock, random: MeshRandom(seed: 1))
    func create(_ numbers: Range<Int>) -> (cost: Double, addresses: Set<String>) {
      var addresses: Set<String> = []
      let cost = processorTime {
        for number in numbers {
          let service: JSON = ["metadata": ["name": .string("s\(number)")], "spec": ["ports": [["port": 80]]]]
          let response = server.handle(
            ServerRequest(
              "POST", "/api/v1/namespaces/default/services", headers: [("Content-Type", "application/json")],
              body: service.bytes))
          precondition(response.status == 201)
          if case .bytes(let bytes) = response.body, let created = try? JSON(parsing: Data(bytes)) {
            addresses.insert(created[path: ["spec", "clusterIP"]]?.string ?? "")
          }
        }
      }
      return (cost, addresses)
    }
    _ = create(0..<50)
    let first = create(50..<150)
    let between = create(150..<3000)
    let last = create(3000..<3100)
    #expect(first.addresses.union(between.addresses).union(last.addresses).count == 3050)
    #expect(last.cost < first.cost * 3, "the first 100: \(first.cost) s, 100 beside 3000: \(last.cost) s")
  }

  @Test("older states stay what they were while the store goes on")
  func olderStates() {
    var state = StoreState(historyLimit: 3)
    _ = state.put(object(1), in: resource)
    let old = state
    for number in 2...6 { _ = state.put(object(number), in: resource) }
    state.remove(ObjectKey(name: "c1"), in: resource)
    #expect(old.objects(resource).map(\.name) == ["c1"])
    #expect(state.objects(resource).map(\.name) == ["c2", "c3", "c4", "c5", "c6"])
    let version = state.resourceVersion
    #expect(state.objects(resource, at: version - 2)?.map(\.name) == ["c1", "c2", "c3", "c4", "c5"])
    #expect(state.changes(after: version - 2)?.map(\.kind) == [.added, .deleted])
    #expect(state.changes(after: version - 3)?.count == 3)
    #expect(state.changes(after: version - 4) == nil)
    #expect(state.objects(resource, at: version - 4) == nil)
  }
}
