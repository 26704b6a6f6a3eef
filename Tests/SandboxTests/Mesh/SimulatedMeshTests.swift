import Foundation
import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("The simulated mesh")
struct SimulatedMeshTests {
  @Test("weights decide where requests go, and both sides count them")
  func weights() {
    var world = MeshWorld.twoTracks()
    world.virtualService([MeshWorld.split(90, 10)])
    world.run(seconds: 1)
    let before = world.source("checkout-canary")
    world.run(seconds: 50)
    let canary = world.source("checkout-canary") - before
    // 5,000 requests at 10 %: 500, with a deviation of 21.
    #expect((420...580).contains(canary), "\(canary)")
    #expect(world.destination("canary-1") == world.source("checkout-canary"))
    #expect(world.requests(["reporter": "destination", "connection_security_policy": "mutual_tls"]) > 5000)
  }

  @Test("without a routing object the Service's own endpoints share the requests")
  func plain() {
    var world = MeshWorld.twoTracks()
    world.run(seconds: 20)
    #expect(world.source("checkout") > 1900)
    #expect(world.source("checkout-canary") == 0)
    #expect((800...1200).contains(world.destination("canary-1")), "\(world.destination("canary-1"))")
  }

  @Test("a single destination gets everything, whatever its weight is")
  func single() {
    var world = MeshWorld.twoTracks()
    world.virtualService([["route": [["destination": ["host": "checkout-canary"], "weight": 0]]]])
    world.run(seconds: 10)
    #expect(world.source("checkout-canary") > 900)
    #expect(world.source("checkout-stable") == 0)
  }

  @Test("the first rule that matches decides")
  func headers() {
    var world = MeshWorld.twoTracks(annotations: ["sandbox.sluice.dev/caller-header": "x-beta=1:20%"])
    world.virtualService([
      ["match": [["headers": ["x-beta": ["exact": "1"]]]], "route": [["destination": ["host": "checkout-canary"]]]],
      MeshWorld.split(100, 0),
    ])
    world.run(seconds: 50)
    // 5,000 requests at 20 %: 1,000, with a deviation of 28.
    #expect((900...1100).contains(world.source("checkout-canary")), "\(world.source("checkout-canary"))")
  }

  @Test("no rule that matches is 404 with the flag NR, at the caller only")
  func noRoute() {
    var world = MeshWorld.twoTracks()
    world.virtualService([
      ["match": [["uri": ["prefix": "/other"]]], "route": [["destination": ["host": "checkout-stable"]]]]
    ])
    world.run(seconds: 5)
    #expect(world.source("unknown", ["response_code": "404", "response_flags": "NR"]) > 400)
    #expect(world.requests(["reporter": "destination"]) == 0)
  }

  @Test("a Service without ready endpoints is 503 with the flag UH, at the caller only")
  func noEndpoints() {
    var world = MeshWorld.twoTracks()
    world.service("checkout-canary", pods: [])
    world.virtualService([MeshWorld.split(50, 50)])
    world.run(seconds: 20)
    let failed = world.source(
      "checkout-canary",
      ["response_code": "503", "response_flags": "UH", "destination_workload": "unknown"])
    #expect(failed > 800)
    #expect(world.source("checkout-canary") == failed)
    #expect(world.destination("canary-1") == 0)
  }

  @Test("a destination that does not exist is 503 with the flag NC")
  func noService() {
    var world = MeshWorld.twoTracks()
    world.virtualService([["route": [["destination": ["host": "nowhere"]]]]])
    world.run(seconds: 5)
    #expect(world.source("unknown", ["response_code": "503", "response_flags": "NC"]) > 400)
  }

  @Test("mirrored requests are counted by the canary's own proxy only")
  func mirrors() {
    var world = MeshWorld.twoTracks()
    var rule = MeshWorld.split(100, 0)
    rule["mirrors"] = [["destination": ["host": "checkout-canary"], "percentage": ["value": 20.0]]]
    world.virtualService([rule])
    world.run(seconds: 50)
    #expect(world.source("checkout-canary") == 0)
    #expect((900...1100).contains(world.destination("canary-1")), "\(world.destination("canary-1"))")
    #expect(world.destination("stable-1") == world.source("checkout-stable"))
  }

  @Test("a write reaches the proxies only after its delay")
  func propagation() {
    var world = MeshWorld.twoTracks(settings: MeshSettings(propagation: 0.2...0.2))
    world.virtualService([MeshWorld.split(100, 0)])
    world.run(seconds: 2)
    #expect(world.source("checkout-canary") == 0)
    world.virtualService([MeshWorld.split(0, 100)])
    // The tick that sees the change, and one before the 200 ms after it are over.
    world.tick(after: 0.1)
    world.tick(after: 0.1)
    #expect(world.source("checkout-canary") == 0)
    world.tick(after: 0.11)
    let stable = world.source("checkout-stable")
    #expect(world.source("checkout-canary") > 0)
    world.run(seconds: 1, settle: false)
    #expect(world.source("checkout-stable") == stable)
  }

  @Test("a sandbox that got no processor for a while sends no request by a route that was changed meanwhile")
  func lateTick() {
    var world = MeshWorld.twoTracks(settings: MeshSettings(propagation: 0.2...0.2))
    world.virtualService([MeshWorld.split(100, 0)])
    world.run(seconds: 2)
    let stable = world.source("checkout-stable")
    // In good order: the route first, then the pods.
    world.virtualService([MeshWorld.split(0, 100)])
    world.remove(.pods, "stable-1")
    world.tick(after: 4)
    #expect(world.source("checkout-stable") == stable)
    #expect(world.source("checkout-canary") > 300)
    #expect(world.source("checkout", ["response_code": "503"]) == 0)
  }

  @Test("an image whose tag says errors5 fails 5 % of its requests, as both sides see it")
  func errors() {
    var world = MeshWorld.twoTracks(canaryImage: "registry:5000/shop/checkout:v2-errors5")
    world.virtualService([MeshWorld.split(50, 50)])
    world.run(seconds: 100)
    let failed = world.source("checkout-canary", ["response_code": "503", "response_flags": "-"])
    // 5,000 requests at 5 %: 250, with a deviation of 15.
    #expect((190...310).contains(failed), "\(failed)")
    #expect(world.destination("canary-1", ["response_code": "503"]) == failed)
    #expect(world.source("checkout-stable", ["response_code": "503"]) == 0)
  }

  @Test("callers of several versions have a proxy each, and one may be all whose requests fail")
  func callerVersions() {
    var world = MeshWorld.twoTracks(annotations: ["sandbox.sluice.dev/caller-versions": "6.1=70%, 7.0=30%"])
    world.pod("canary-1", annotations: ["sandbox.sluice.dev/errors-from": "7.0=50%"])
    world.virtualService([MeshWorld.split(50, 50)])
    world.run(seconds: 100)
    func answered(_ version: String, _ more: [String: String] = [:]) -> Int {
      world.destination("canary-1", ["source_workload": "caller", "source_version": version].merging(more) { $1 })
    }
    // 5,000 requests at 30 %: 1,500, with a deviation of 32; a half of them: 750, with 19.
    #expect((1370...1630).contains(answered("7.0")), "\(answered("7.0"))")
    #expect((670...830).contains(answered("7.0", ["response_code": "503"])))
    #expect(answered("6.1") > 3300 && answered("6.1", ["response_code": "503"]) == 0)
    #expect(world.destination("stable-1", ["response_code": "503"]) == 0)
    #expect(world.requests(["reporter": "source", "pod": "caller-1", "source_version": "6.1"]) == 0)
    let sent = world.requests(["reporter": "source", "pod": "caller-1", "source_version": "7.0"])
    #expect((2800...3200).contains(sent), "\(sent)")
  }

  @Test("a fault of one zone is met in the pods there alone")
  func zoneFault() {
    let annotations = ["sandbox.sluice.dev/errors-in": "local-b=50%"]
    var world = MeshWorld.twoTracks()
    world.pod("stable-1", annotations: annotations, labels: [SimulatedNodes.zoneLabel: "local-a"])
    world.pod("canary-1", annotations: annotations, labels: [SimulatedNodes.zoneLabel: "local-b"])
    world.virtualService([MeshWorld.split(50, 50)])
    world.run(seconds: 20)
    #expect((400...600).contains(world.destination("canary-1", ["response_code": "503"])))
    #expect(world.destination("stable-1", ["response_code": "503"]) == 0)
  }

  @Test("retries hide errors from the caller; the callee counts every attempt")
  func retries() {
    var world = MeshWorld.twoTracks(canaryImage: "shop/checkout:v2-errors50")
    var rule = MeshWorld.split(0, 100)
    rule["retries"] = ["attempts": 5, "retryOn": "5xx"]
    world.virtualService([rule])
    world.run(seconds: 20)
    let failed = world.source("checkout-canary", ["response_code": "503"])
    // 2,000 requests, each failing six times in a row with 1/64: 31.
    #expect((5...70).contains(failed), "\(failed)")
    #expect(world.destination("canary-1", ["response_code": "503"]) > 1500)
  }

  @Test("an answer slower than the rule's timeout is 504 with the flag UT")
  func timeout() {
    var world = MeshWorld.twoTracks(canaryImage: "shop/checkout:v2-slow400")
    var rule = MeshWorld.split(0, 100)
    rule["timeout"] = "100ms"
    world.virtualService([rule])
    world.run(seconds: 10)
    #expect(world.source("checkout-canary", ["response_code": "504", "response_flags": "UT"]) > 950)
  }

  @Test("a pod that vanished before the proxies know is retried elsewhere, and its series vanish")
  func vanished() {
    var world = MeshWorld.twoTracks(settings: MeshSettings(propagation: 100...100))
    world.run(seconds: 5)
    #expect(world.destination("canary-1") > 0)
    world.remove(.pods, "canary-1")
    world.run(seconds: 10, settle: false)
    #expect(world.destination("canary-1") == 0)
    // Two retries on two endpoints, one of them dead: one in eight still fails.
    let failed = world.source("checkout", ["response_flags": "UF,URX"])
    #expect((50...220).contains(failed), "\(failed)")
  }

  @Test("callers without a proxy reach the Service's endpoints, whatever the routing says")
  func unmeshed() {
    var world = MeshWorld.twoTracks(rate: 0, annotations: ["sandbox.sluice.dev/unmeshed-requests-per-second": "100"])
    world.virtualService([MeshWorld.split(100, 0)])
    world.run(seconds: 10)
    #expect(world.destination("canary-1", ["connection_security_policy": "none"]) > 300)
    #expect(world.requests(["reporter": "source"]) == 0)
  }

  @Test("callers from outside pass the gateway that an object names for their host")
  func gateway() {
    var world = MeshWorld.twoTracks(
      rate: 0,
      annotations: [
        "sandbox.sluice.dev/gateway-requests-per-second": "100",
        "sandbox.sluice.dev/gateway-host": "shop.example.com", "sandbox.sluice.dev/gateway-path": "/checkout/1",
      ])
    var rule = MeshWorld.split(0, 100)
    rule["match"] = [["uri": ["prefix": "/checkout"]]]
    world.virtualService([rule], hosts: ["*.example.com"], gateways: ["public"])
    world.run(seconds: 10)
    #expect(world.source("checkout-canary", ["source_workload": "istio-ingressgateway"]) > 900)
  }

  @Test("the same seed gives the same traffic")
  func seeds() {
    func exposition(seed: UInt64) -> String {
      var world = MeshWorld.twoTracks(canaryImage: "x:v2-errors10", settings: MeshSettings(seed: seed))
      world.virtualService([MeshWorld.split(80, 20)])
      world.run(seconds: 5)
      return world.mesh.exposition()
    }
    #expect(exposition(seed: 3) == exposition(seed: 3))
    #expect(exposition(seed: 3) != exposition(seed: 4))
  }

  @Test("a Service that asks for no rate has the default one; generated Services have none")
  func defaultRate() {
    var world = MeshWorld.twoTracks(settings: MeshSettings(defaultRate: 10))
    world.service("checkout", pods: ["stable-1"])
    world.run(seconds: 10)
    #expect((80...100).contains(world.source("checkout")))
    #expect(world.source("checkout-stable") + world.source("checkout-canary") == 0)
  }

  @Test("a mesh beside a cluster watches each type once, those of the routes' parents among them")
  func beside() {
    #expect(Set(MeshBeside.types).count == MeshBeside.types.count)
    #expect(Set(MeshBeside.types).isSuperset(of: [.gatewayRoutes, .gateways, .gatewayClasses]))
  }
}
