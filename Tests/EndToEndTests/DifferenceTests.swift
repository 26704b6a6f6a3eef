import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("of a canary that fails for one version of its callers alone, the abort names that version")
  func callerVersion() async throws {
    var manifest = Manifest(
      steps: ["{weight: 50, analyze: {for: 20s}}"],
      callers:
        "{sandbox.sluice.dev/requests-per-second: \"300\", sandbox.sluice.dev/caller-versions: \"6.1=60%,7.0=40%\"}")
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    try await Shop.open("caller-version", manifest) { shop in
      var bad = manifest
      bad.tag = "v2"
      bad.annotations = "sandbox.sluice.dev/errors-from: \"7.0=50%\""
      try await shop.apply(bad.deployment)
      try await shop.status(2)
      let found = try await shop.differences("v2")
      #expect(found.sentence.hasSuffix(": 503, 100 % of them from callers of version 7.0"), "\(found.sentence)")
      let version = try #require(found.places.first { $0["dimension"]?.string == "CallerVersion" })
      #expect(version["value"]?.string == "7.0")
      let (bads, requests) = (number(version["bad"]), number(version["requests"]))
      #expect(bads > 10 && abs(bads / requests - 0.5) < 0.2, "half of their requests failed: \(version)")
      #expect(found.explained.contains("  CallerVersion 7.0: 100% ("), "\(found.explained)")
    }
  }

  @Test("of a canary that fails in one zone alone, the abort names the zone, and none of its pods and nodes")
  func zone() async throws {
    var manifest = Manifest(steps: ["{scale: 100%, weight: 50, analyze: {for: 20s}}"])
    manifest.slos = ["{name: errors, errorRate: {max: 1%}}"]
    manifest.podSpec = [
      "topologySpreadConstraints:",
      "- maxSkew: 1",
      "  topologyKey: topology.kubernetes.io/zone",
      "  whenUnsatisfiable: ScheduleAnyway",
      "  labelSelector: {matchLabels: {app: checkout}}",
      "  matchLabelKeys: [pod-template-hash]",
    ]
    try await Shop.open("bad-zone", manifest) { shop in
      let zones = try await shop.list("pods").compactMap { $0.labels["topology.kubernetes.io/zone"] }
      // Of a given cluster nobody knows the zones.
      guard shop.cluster.given == nil else { return }
      #expect(zones.sorted() == ["local-a", "local-a", "local-b", "local-b"])
      var bad = manifest
      bad.tag = "v2"
      bad.annotations = "sandbox.sluice.dev/errors-in: \"local-b=50%\""
      try await shop.apply(bad.deployment)
      try await shop.status(2)
      let found = try await shop.differences("v2")
      #expect(found.sentence.hasSuffix(": 503, 100 % of them in zone local-b"), "\(found.sentence)")
      #expect(found.explained.contains("  Zone local-b: 100% ("), "\(found.explained)")
    }
  }
}

private func number(_ text: JSON?) -> Double { text?.string.flatMap(Double.init) ?? .nan }

extension Shop {
  /// What an aborted run says of where its bad requests gathered: in its status, by an Event and in words.
  fileprivate func differences(_ tag: String) async throws -> (sentence: String, places: [JSON], explained: String) {
    let event = try await until("an Event that says what differed most", "events") {
      $0["message"]?.string?.contains("what differed most in the aborted revision") == true
    }
    let places = try await run(tag)[path: ["status", "differences"]]?.array ?? []
    return (event["message"]?.string ?? "", places, try await decide("explain", "checkout"))
  }
}
