import Foundation
import HTTPTransport
import RolloutAPI
import Testing

@testable import Prometheus

/// What a confined query sees, by the word of a real Prometheus that has the data of two namespaces.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ConfinedQueryTests {
  private static let time = 1_700_000_000
  private static let data: String = {
    var text = "# TYPE orders gauge\n"
    for (namespace, value) in [("shop", 1), ("bank", 100)] {
      for second in stride(from: time - 600, through: time, by: 15) {
        text += "orders{namespace=\"\(namespace)\",pod=\"web-1\",le=\"x\"} \(value) \(second)\n"
      }
    }
    return text + "# EOF\n"
  }()

  private static let queries: [(String, Double?)] = [
    ("sum(orders)", 1.0), (#"sum({__name__="orders"})"#, 1), (#"sum({__name__=~"ord.*"})"#, 1),
    (#"sum(orders{namespace="bank"})"#, nil), (#"sum(orders{namespace=~".+"})"#, 1),
    (#"sum(orders{namespace!="shop"})"#, nil), (#"sum(orders{pod="\"} or orders{pod=\""}) or sum(orders)"#, 1),
    (#"sum({pod=~"web.*"})"#, 1), ("sum(orders) # {namespace=\"bank\"}", 1),
    ("sum by (namespace) (orders)", 1), ("max(orders offset 1m) + min(orders @ 1700000000)", 2),
    ("sum(max_over_time(orders[5m]))", 1), ("sum(avg_over_time(max(orders)[5m:30s]))", 1),
    ("orders / on (pod) group_left (le) orders", 1), ("-sum(orders) ^ 2 ^ 2", -1), ("2 * -sum(orders) - -1", -1),
    (#"sum(label_replace(orders, "namespace", "bank", "", ""))"#, 1), ("count_values('n', orders)", 1),
    ("topk(1, orders)", 1), ("absent(orders{namespace='bank'}) + 0x10", 17),
    ("scalar(sum(orders)) + Inf * 0 > bool 0", 0),
    ("sum(rate(orders[5m])) + sum(orders)", 1), ("quantile(.9, orders) unless on () vector(1) > 2", 1),
    ("round(sum(orders), .5) + hour() * 0 + clamp(sum(orders), 0, 5)", 2),
    ("histogram_quantile(0.9, orders) or sum(orders{a=`b`}) or sum(orders)", 1),
  ]

  @Test("a confined query is valid and never sees another namespace")
  func confined() async throws {
    let server = try PrometheusServer(openMetrics: Self.data)
    defer { server.stop() }
    let transport = try CurlTransport(TransportConfiguration(proxy: .none))
    try await server.waitUntilReady(transport)
    let client = PrometheusClient(baseURL: server.url, transport: transport)
    let time = Date(timeIntervalSince1970: TimeInterval(Self.time))
    // Unconfined, the data of both is there to be seen.
    #expect(
      try await client.query("count(orders)", at: time).value
        == .vector([
          InstantSample(labels: [:], sample: Sample(time: time, value: 2))
        ]))
    for (query, expected) in Self.queries {
      let text = try PromQLQuery(parsing: query).text([:], confinedTo: .init(label: "namespace", namespace: "shop"))
      switch try await client.query(text, at: time).value {
      case .vector(let samples): #expect(samples.map(\.value) == (expected.map { [$0] } ?? []), "\(text)")
      case .scalar(let sample): #expect(sample.value == expected, "\(text)")
      case let other: Issue.record("\(other.typeName)")
      }
    }
    await transport.shutdown()
  }
}
