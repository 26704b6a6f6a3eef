import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  private static let python = ProcessInfo.processInfo.environment["SLUICE_TEST_OTLP_PYTHON"]

  @Test(
    "a run is one trace that OpenTelemetry's own types read, down to the requests of its effects",
    .enabled(
      if: python != nil, "SLUICE_TEST_OTLP_PYTHON names no Python with opentelemetry-proto; Tests/run installs it"))
  func runIsATrace() async throws {
    try await Shop.open("traced") { shop in
      try await shop.setImage("v2-errors20")
      try await shop.status(2)
      let uid = try #require(try await shop.run("v2-errors20")[path: ["metadata", "uid"]]?.string)
      let trace = uid.replacing("-", with: "").lowercased()
      let spans = try await poll("the whole trace", within: .seconds(30), every: .milliseconds(500)) { () -> [JSON]? in
        let bodies = shop.cluster.collector.requests.compactMap(\.body).map(\.description).filter { $0.contains(trace) }
        let spans = try await Self.read(bodies).filter { $0["trace"]?.string == trace }
        return spans.contains { $0["parent"]?.string == "" } ? spans : nil
      }

      let roots = spans.filter { $0["parent"]?.string == "" }
      #expect(roots.count == 1)
      #expect(roots.first?["name"]?.string == "rollout checkout")
      #expect(roots.first?["service"]?.string == "sluice")
      #expect(roots.first?["status"]?.string == "STATUS_CODE_ERROR")
      #expect(roots.first?["message"]?.string?.contains("errors") == true)
      #expect(roots.first?[path: ["attributes", "sluice.phase"]]?.string == "Aborted")

      let known = Set(spans.compactMap { $0["span"]?.string })
      #expect(known.count == spans.count, "no span is sent twice")
      let lost = spans.filter { $0["parent"]?.string != "" && !known.contains($0["parent"]?.string ?? "") }
      #expect(lost.isEmpty, "below spans that nobody sent: \(lost.map { $0["name"]?.string ?? "" })")
      #expect(spans.allSatisfy { $0["start"]?.int ?? 1 <= $0["end"]?.int ?? 0 })

      let step = try #require(spans.first { $0["name"]?.string?.hasPrefix("step 1: ") == true })
      #expect(step["parent"] == roots.first?["span"])
      #expect(step["status"]?.string == "STATUS_CODE_ERROR")
      #expect(step["events"]?.array?.contains { $0.string == "errors: Fail" } == true)

      // The write that took the traffic back, down to the request to the API server.
      let effects = Set(spans.filter { $0["parent"] == roots.first?["span"] }.compactMap { $0["span"]?.string })
      let requests = spans.filter {
        $0["kind"]?.string == "SPAN_KIND_CLIENT" && effects.contains($0["parent"]?.string ?? "")
      }
      #expect(
        requests.contains { $0["name"]?.string?.contains("virtualservices") == true }, "\(spans.map { $0["name"] })")
    }
  }

  /// The spans of bodies, as OpenTelemetry's protobuf types have them; a body that these do not read is an error.
  private static func read(_ bodies: [String]) async throws -> [JSON] {
    let outcome = try await Program(path: try #require(python), leading: [Machine.source("Tests/lib/otlp.py").path])
      .run([], input: bodies.map { "\($0)\n" }.joined())
    try #require(outcome.exitCode == 0, "\(outcome)")
    return try outcome.output.split(separator: "\n").map { try JSON(parsing: Data($0.utf8)) }
  }
}
