import Foundation
import Testing

@testable import Prometheus

@Suite("Native histograms") struct NativeHistogramTests {
  private func ask(_ result: String, _ type: String = "vector") async throws -> QueryValue {
    try await PrometheusClient(
      baseURL: "http://p",
      transport: ScriptedTransport(#"{"status":"success","data":{"resultType":"\#(type)","result":\#(result)}}"#)
    ).query("x").value
  }

  /// Schema 0, of which each bucket spans an octave: 3 within ±0.001, 4 up to 0.25, 5 up to 0.5, and 0.5 beyond 4.
  private static let text = """
    {"count":"12.5","sum":"9.75","buckets":[[3,"-0.001","0.001","3"],[0,"0.125","0.25","4"],[0,"0.25","0.5","5"],\
    [0,"4","8","0.5"]]}
    """

  @Test("a vector holds numbers and histograms, a matrix series that were both")
  func answers() async throws {
    guard
      case .vector(let samples) = try await ask(
        #"[{"metric":{"pod":"a"},"histogram":[1700000000,\#(Self.text)]},{"metric":{},"value":[1700000000,"1"]}]"#)
    else { return #expect(Bool(false)) }
    let histogram = try #require(samples[0].histogram)
    #expect(samples[0].labels == ["pod": "a"] && samples[0].value.isNaN)
    #expect(histogram.count == 12.5 && histogram.sum == 9.75 && histogram.buckets.count == 4)
    #expect(histogram.buckets[0] == .init(rule: .closedBoth, lower: -0.001, upper: 0.001, count: 3))
    #expect(samples[1].histogram == nil && samples[1].value == 1)
    let empty = try await ask(#"[{"metric":{},"histogram":[1,{"count":"0","sum":"0"}]}]"#)
    guard case .vector(let none) = empty else { return #expect(Bool(false)) }
    #expect(none[0].histogram == NativeHistogram(count: 0, sum: 0, buckets: []))

    let time = Date(timeIntervalSince1970: 15)
    let series = try await ask(#"[{"metric":{},"values":[[0,"2"]],"histograms":[[15,\#(Self.text)]]}]"#, "matrix")
    #expect(
      series
        == .matrix([
          SampleSeries(
            labels: [:], samples: [Sample(time: Date(timeIntervalSince1970: 0), value: 2)],
            histograms: [HistogramSample(time: time, histogram: histogram)])
        ]))
  }

  @Test(
    "a histogram that is not one names the place",
    arguments: [
      (#"{"sum":"1"}"#, ".histogram[1].count is missing"),
      (#"{"count":1,"sum":"1"}"#, ".histogram[1].count: not a string"),
      (#"{"count":"x","sum":"1"}"#, ".histogram[1].count: not a number"),
      (#"{"count":"1","sum":"1","buckets":[[4,"0","1","1"]]}"#, ".buckets[0]: not a boundary rule"),
      (#"{"count":"1","sum":"1","buckets":[[0,"0","1"]]}"#, ".buckets[0]: not a boundary rule"),
    ])
  func nonsense(_ histogram: String, _ naming: String) async throws {
    let error = await #expect(throws: PrometheusError.self) {
      try await self.ask(#"[{"metric":{},"histogram":[1,\#(histogram)]}]"#)
    }
    #expect(error?.description.contains(naming) == true, "\(String(describing: error))")
  }

  @Test("what is below a boundary is counted where the boundary is one of the schema, and left out inside of a bucket")
  func cumulative() throws {
    let buckets: [NativeHistogram.Bucket] = [
      .init(rule: .closedBoth, lower: -0.001, upper: 0.001, count: 3),
      .init(rule: .openLeft, lower: 0.125, upper: 0.25, count: 4),
      .init(rule: .openLeft, lower: 0.25, upper: 0.5, count: 5), .init(rule: .openLeft, lower: 4, upper: 8, count: 0.5),
    ]
    let found = try #require(NativeHistogram(count: 12.5, sum: 0, buckets: buckets).cumulative)
    let counts = Dictionary(uniqueKeysWithValues: found.map { ($0.boundary, $0.count) })
    #expect(found.allSatisfy { log2($0.boundary) == log2($0.boundary).rounded() }, "an octave each")
    #expect(found.first?.boundary == exp2(-9), "the first beyond the zero bucket, 0.00195")
    #expect(counts[0.0625] == 3 && counts[0.125] == 3 && counts[0.25] == 7 && counts[0.5] == 12 && counts[4] == 12)
    #expect(counts[8] == 12.5 && counts[1024] == 12.5)
    #expect(counts[0.375] == nil)
  }

  @Test("two schemas have the coarser one's boundaries in common, and one schema has always the same")
  func schemas() throws {
    func histogram(_ schema: Int, _ indices: [Int: Double]) -> NativeHistogram {
      let width = exp2(-Double(schema))
      return NativeHistogram(
        count: indices.values.reduce(0, +), sum: 0,
        buckets: indices.sorted { $0.key < $1.key }.map {
          .init(
            rule: .openLeft, lower: exp2(Double($0.key - 1) * width), upper: exp2(Double($0.key) * width),
            count: $0.value
          )
        })
    }
    func boundaries(_ histogram: NativeHistogram) throws -> [Double] {
      try #require(histogram.cumulative).map(\.boundary)
    }
    let fine = try boundaries(histogram(3, [3: 1]))
    #expect(try boundaries(histogram(3, [40: 7, -20: 1])) == fine)
    #expect(try boundaries(histogram(5, [9: 1])) == fine, "finer than is told apart")
    let coarse = try boundaries(histogram(1, [2: 1]))
    #expect(coarse.count == (fine.count + 3) / 4 && Set(coarse).isSubset(of: fine))
    #expect(try boundaries(histogram(-1, [1: 1])).count == 19, "two octaves each, of 36")
    // 2^(3/8) = 1.297: the third of eight in the octave from 1 to 2.
    let counts = try #require(histogram(3, [3: 2, 8: 5]).cumulative)
    #expect(counts.first { $0.boundary > 1.29 }?.count == 2 && counts.first { $0.boundary >= 2 }?.count == 7)
    let custom = NativeHistogram(
      count: 1, sum: 1, buckets: [.init(rule: .openLeft, lower: 0.1, upper: 0.25, count: 1)])
    #expect(custom.cumulative == nil)
  }
}
