import Foundation
import HTTPTransport
import KubernetesAPI
import Synchronization
import Testing

@testable import KubernetesClient
@testable import Sandbox

/// The client against a whole API server, in process.
struct ClusterClientTests {
  /// Notes what passes, and may hide that the client would take aggregated discovery.
  private final class Tap: Transport {
    private let transport: SandboxTransport
    private let keepsAccept: Bool
    private let sizes = Mutex<[Int]>([])

    var answers: [Int] { sizes.withLock { $0 } }

    init(_ server: APIServer, keepsAccept: Bool = true) {
      transport = SandboxTransport(server)
      self.keepsAccept = keepsAccept
    }

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
      var request = request
      if !keepsAccept { request.headers.removeAll { $0.name == "Accept" } }
      let response = try await transport.send(request)
      sizes.withLock { $0.append(response.body.count) }
      return response
    }

    func stream(_ request: HTTPRequest) async throws -> HTTPStream { try await transport.stream(request) }
  }

  private func client(_ transport: some Transport) -> KubernetesClient {
    KubernetesClient(server: "http://sandbox", transport: transport)
  }

  @Test("both forms of discovery tell the same of the same server, one of them in two requests")
  func discovery() async throws {
    let world = try OperatorWorld()
    let (aggregated, older) = (Tap(world.server), Tap(world.server, keepsAccept: false))
    let catalog = try await client(aggregated).discover()
    let plain = try await client(older).discover()
    #expect(aggregated.answers.count == 2)
    #expect(older.answers.count > 10)
    #expect(Set(catalog.resources) == Set(plain.resources))
    #expect(catalog.versions(of: "autoscaling") == ["v2", "v1"])
    #expect(plain.versions(of: "autoscaling") == ["v2", "v1"])
    let rollout = try #require(catalog.resource(group: "sluice.dev", kind: "Rollout"))
    #expect(rollout.type.plural == "rollouts")
    #expect(rollout.subresources.contains("status"))
    #expect(catalog.unavailable.isEmpty)
  }

  @Test("10,000 objects come in 20 pages, none of which is large, all of one version and each once")
  func manyObjects() async throws {
    let server = APIServer()
    let resource = StoredResource(.configMaps)
    let count = 10_000
    _ = try server.store.write { state throws(Status) in
      for number in 0..<count {
        _ = state.put(
          [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string("c\(number)"), "namespace": "shop", "uid": .string("u\(number)")],
          ], in: resource)
      }
    }
    let tap = Tap(server)
    let list = try await client(tap).list(.configMaps)
    #expect(Set(list.items.map(\.name)).count == count)
    #expect(list.items.count == count)
    #expect(list.resourceVersion == String(server.store.state.resourceVersion))
    #expect(tap.answers.count == 20)
    let largest = tap.answers.max() ?? 0
    #expect(largest < 120_000, "a page of \(largest) bytes for 500 objects")
  }
}
