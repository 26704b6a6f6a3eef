import KubernetesAPI
import Testing

/// Callers without a proxy are seen in what the pods' proxies count.
extension EndToEnd {
  @Test(
    "callers in plain text pause a run that wants mutual TLS before the first weight, with their share; accepted, it goes on",
    .enabled(if: GivenCluster() == nil),
    arguments: [("mtls-istio", "istio: {}"), ("mtls-linkerd", "gatewayAPI: {metrics: Linkerd}")])
  func plainText(name: String, traffic: String) async throws {
    var manifest = Manifest(steps: ["{weight: 20, analyze: {for: 3s}}"])
    manifest.traffic = "{\(traffic), mtls: Verify}"
    if name == "mtls-linkerd" { manifest.mesh = "linkerd.io/inject: enabled" }
    manifest.callers = """
      {sandbox.sluice.dev/requests-per-second: "100", sandbox.sluice.dev/unmeshed-requests-per-second: "25"}
      """
    try await Shop.open(name, manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      let paused = try await shop.run("v2")
      #expect(paused[path: ["status", "pause", "kind"]]?.string == "PlainText")
      let message = paused[path: ["status", "pause", "message"]]?.string ?? ""
      let share = message.prefixMatch(of: /([0-9.]+)% of the requests/).flatMap { Double($0.output.1) }
      #expect(share.map { 70...90 ~= $0 } == true, "four of five requests: \(message)")
      #expect(shop.weights.allSatisfy { $0 == 0 })
      try await shop.decide("resume", "checkout")
      try await shop.status(0)
    }
  }
}
