import KubernetesAPI
import KubernetesClient
import Testing

@testable import Operator

@Suite struct StatusPageTests {
  @Test("metrics are written as Prometheus reads them, with labels escaped")
  func text() {
    var text = MetricsText()
    text.family(
      "a_total", .counter, "Things.", [MetricsText.Sample(labels: [("x", "1\"2\\3\n4"), ("y", "z")], value: 2)])
    text.gauge("b", "Half.", 0.5)
    #expect(
      text.text == """
        # HELP a_total Things.
        # TYPE a_total counter
        a_total{x="1\\"2\\\\3\\n4",y="z"} 2
        # HELP b Half.
        # TYPE b gauge
        b 0.5

        """)
    #expect(MetricsText.number(.infinity) == "+Inf")
  }

  @Test("reconciles are counted by outcome and by how long they took; one under way is known")
  func reconciles() async throws {
    struct Failure: Error {}
    let record = ReconcileRecord(time: .system)
    #expect(record.longest == nil)
    _ = try await record.measure {
      #expect(record.longest != nil)
      return .done
    }
    await #expect(throws: Failure.self) { try await record.measure { throw Failure() } }
    let counts = record.counts
    #expect(counts.total == ["succeeded": 1, "failed": 1])
    #expect(counts.took.count == 2)
    #expect(record.longest == nil)
  }
}
