import Foundation
import HTTPTransport
import Testing

@testable import Prometheus

/// A real Prometheus without targets: everything asked of it is computed from the query.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RealPrometheusTests {
  @Test("a real Prometheus answers every type of value and every kind of error")
  func real() async throws {
    let server = try PrometheusServer()
    defer { server.stop() }
    let transport = try CurlTransport(TransportConfiguration(proxy: .none))
    try await server.waitUntilReady(transport)
    let client = PrometheusClient(baseURL: server.url, transport: transport, limits: .init(series: 3, bytes: 4096))
    let start = Date(timeIntervalSince1970: 1_700_000_000)

    let nasty = "a\"}\\\n\tb.*|c"
    let labelled = "label_replace(vector(0/0), \"l\", \(PromQL.string(nasty)), \"\", \"\")"
    guard case .vector(let samples) = try await client.query(labelled, at: start).value else {
      Issue.record("not a vector")
      return
    }
    #expect(samples.map(\.labels) == [["l": nasty]])
    #expect(samples.first?.value.isNaN == true)
    #expect(samples.first?.sample.time == start)
    // label_replace anchors its pattern as =~ does.
    func matches(_ alternatives: [String], _ vector: String) async throws -> Bool {
      let query = "label_replace(\(vector), \"hit\", \"yes\", \"l\", \(PromQL.anyOf(alternatives)))"
      guard case .vector(let samples) = try await client.query(query).value else { return false }
      return samples.contains { $0.labels["hit"] == "yes" }
    }
    #expect(try await matches(["other", nasty], labelled))
    #expect(try await !matches(["c", ".*"], labelled))
    #expect(try await !matches([], "vector(1)"))

    #expect(try await client.query("-1/0", at: start).value == .scalar(Sample(time: start, value: -.infinity)))
    #expect(try await client.query("\"text\"", at: start).value == .string("text", time: start))
    #expect(try await client.query("no_such_metric{pod=~\(PromQL.anyOf([]))}").value == .vector([]))
    let range = try await client.queryRange("vector(7)", from: start, to: start + 30, step: .seconds(15))
    let expected = [0.0, 15, 30].map { Sample(time: start + $0, value: 7) }
    #expect(range.value == .matrix([SampleSeries(labels: [:], samples: expected)]))

    await #expect(throws: PrometheusError.self) { try await client.query("sum(") }
    let many = (0..<4).map { "label_replace(vector(1), \"l\", \"\($0)\", \"\", \"\")" }.joined(separator: " or ")
    await #expect(throws: PrometheusError.tooManySeries(limit: 3)) { try await client.query(many) }
    let long = "label_replace(vector(1), \"l\", \"\(String(repeating: "x", count: 5000))\", \"\", \"\")"
    await #expect(throws: PrometheusError.tooLarge(bytes: 4096)) { try await client.query(long) }
    let astray = PrometheusClient(baseURL: server.url + "/astray", transport: transport)
    let refusal = await #expect(throws: PrometheusError.self) { try await astray.query("1") }
    #expect(refusal?.description.contains("check the URL") == true)
    await transport.shutdown()
  }
}
