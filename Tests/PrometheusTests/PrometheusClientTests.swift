import Foundation
import HTTPTransport
import Testing

@testable import Prometheus

@Suite struct PrometheusClientTests {
  private func ask(_ transport: ScriptedTransport, series: Int = 3) async throws -> QueryResult {
    try await PrometheusClient(
      baseURL: "http://prometheus:9090/", transport: transport, limits: .init(series: series, bytes: 1000)
    ).query("up")
  }

  private func error(_ transport: ScriptedTransport) async -> PrometheusError? {
    await #expect(throws: PrometheusError.self) { try await ask(transport) }
  }

  // MARK: Requests

  @Test("a query is a form in the body, with every byte that means something escaped")
  func request() async throws {
    let transport = ScriptedTransport(#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
    let client = PrometheusClient(
      baseURL: "https://metrics.example/prefix/", transport: transport, bearerToken: "t0ken")
    _ = try await client.query(
      "sum(a{b=~\"c+|é\"})&x=1", at: Date(timeIntervalSince1970: 1_700_000_000.25), timeout: .milliseconds(2500))
    let request = try #require(transport.requests.first)
    #expect(request.method == .post)
    #expect(request.url == "https://metrics.example/prefix/api/v1/query")
    #expect(
      String(decoding: request.body ?? Data(), as: UTF8.self)
        == "query=sum%28a%7Bb%3D~%22c%2B%7C%C3%A9%22%7D%29%26x%3D1&time=1700000000.250&timeout=2500ms&limit=10001")
    #expect(request.timeout == .milliseconds(2500))
    #expect(request.headers.contains { $0 == ("Authorization", "Bearer t0ken") })
    #expect(request.headers.contains { $0 == ("Content-Type", "application/x-www-form-urlencoded") })
    #expect(request.lane == .read)
  }

  @Test("a range query names start, end and step")
  func range() async throws {
    let transport = ScriptedTransport(#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#)
    _ = try await PrometheusClient(baseURL: "http://p", transport: transport).queryRange(
      "up", from: Date(timeIntervalSince1970: -0.5), to: Date(timeIntervalSince1970: 60), step: .seconds(15))
    let request = try #require(transport.requests.first)
    #expect(request.url == "http://p/api/v1/query_range")
    #expect(
      String(decoding: request.body ?? Data(), as: UTF8.self)
        == "query=up&start=-0.500&end=60.000&step=15s&timeout=10s&limit=10001")
  }

  // MARK: Answers

  @Test("a vector has labels, times and values, NaN and infinities among them")
  func vector() async throws {
    let transport = ScriptedTransport(
      """
      {"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"up","pod":"a"},"value":[1700000000.123,"0.5"]},
        {"metric":{},"value":[1700000000,"NaN"]},
        {"metric":{"pod":"b"},"value":[1700000000,"+Inf"]}]},
       "warnings":["partial"],"infos":["x"]}
      """)
    let result = try await ask(transport)
    guard case .vector(let samples) = result.value else {
      Issue.record("not a vector")
      return
    }
    #expect(
      samples[0]
        == InstantSample(
          labels: ["__name__": "up", "pod": "a"],
          sample: Sample(time: Date(timeIntervalSince1970: 1_700_000_000.123), value: 0.5)))
    #expect(samples[1].value.isNaN)
    #expect(samples[2].value == .infinity)
    #expect(result.warnings == ["partial"])
  }

  @Test("an empty vector is a result, not an error")
  func empty() async throws {
    let transport = ScriptedTransport(#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
    #expect(try await ask(transport) == QueryResult(value: .vector([])))
  }

  @Test("a matrix, a scalar and a string are read")
  func otherTypes() async throws {
    func value(_ type: String, _ result: String) async throws -> QueryValue {
      try await ask(
        ScriptedTransport(#"{"status":"success","data":{"resultType":"\#(type)","result":\#(result)}}"#)
      ).value
    }
    let second = Date(timeIntervalSince1970: 1)
    #expect(
      try await value("matrix", #"[{"metric":{"a":"b"},"values":[[0,"1e3"],[1,"-Inf"]]}]"#)
        == .matrix([
          SampleSeries(
            labels: ["a": "b"],
            samples: [
              Sample(time: Date(timeIntervalSince1970: 0), value: 1000), Sample(time: second, value: -.infinity),
            ])
        ]))
    #expect(try await value("scalar", #"[1,"42"]"#) == .scalar(Sample(time: second, value: 42)))
    #expect(try await value("string", #"[1,"hello"]"#) == .string("hello", time: second))
  }

  @Test("exactly as many series as the limit pass, one more does not")
  func seriesLimit() async throws {
    let transport = ScriptedTransport(
      #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[1,"1"]},{"metric":{"a":"2"},"value":[1,"1"]}]}}"#
    )
    guard case .vector(let samples) = try await ask(transport, series: 2).value else {
      Issue.record("not a vector")
      return
    }
    #expect(samples.count == 2)
    await #expect(throws: PrometheusError.tooManySeries(limit: 1)) { try await ask(transport, series: 1) }
  }

  // MARK: Failures

  @Test(
    "an error of the server keeps its words and gets the right kind",
    arguments: [
      (400, #"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "badQuery"),
      (422, #"{"status":"error","errorType":"execution","error":"many-to-many"}"#, "badQuery"),
      (503, #"{"status":"error","errorType":"timeout","error":"query timed out"}"#, "timedOut"),
      (503, #"{"status":"error","errorType":"canceled","error":"query was canceled"}"#, "timedOut"),
      (500, #"{"status":"error","errorType":"internal","error":"storage"}"#, "unavailable"),
      (503, #"{"status":"error","errorType":"unavailable","error":"not ready"}"#, "unavailable"),
      (503, "Service Unavailable", "unavailable"),
      (502, "<html>Bad Gateway</html>", "unavailable"),
      (429, "slow down", "unavailable"),
      (504, "upstream", "timedOut"),
      (401, "Unauthorized", "refused"),
      (403, "Forbidden", "refused"),
      (404, "404 page not found", "refused"),
      (302, "", "refused"),
      (418, "teapot", "nonsense"),
      (200, #"{"status":"error","errorType":"bad_data","error":"late parse error"}"#, "badQuery"),
    ])
  func serverErrors(status: Int, body: String, kind: String) async throws {
    let error = try #require(await error(ScriptedTransport(status: status, body)))
    #expect("\(error)".isEmpty == false)
    #expect(kindName(error) == kind)
    #expect(error.description.contains("\(status)"))
  }

  @Test(
    "an answer that is not the API's is nonsense, and the message names what is wrong",
    arguments: [
      ("", "empty"),
      ("<!DOCTYPE html><title>Login</title>", "<title>Login"),
      ("[]", "not the JSON of its API"),
      ("{}", "not the JSON of its API"),
      (#"{"status":"success"}"#, ".data is missing"),
      (#"{"status":"success","data":null}"#, ".data"),
      (#"{"status":"success","data":{"resultType":"vector"}}"#, ".data.result is missing"),
      (#"{"status":"success","data":{"resultType":"streams","result":[]}}"#, "'streams'"),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"one"]}]}}"#, "\"one\""),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0x10"]}]}}"#, "0x10"),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,""]}]}}"#, "number"),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["1","1"]}]}}"#, ".value[0]"),
      (
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}"#, ".result[0].value"
      ),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1",1]}]}}"#, "more than"),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]}]}}"#, ".metric is missing"),
      (
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}"#, ".metric"
      ),
      (
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#,
        ".histogram[1].count is missing"
      ),
      (#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"va"#, "not the JSON of its API"),
    ])
  func nonsense(body: String, naming: String) async throws {
    let error = try #require(await error(ScriptedTransport(body)))
    #expect(kindName(error) == "nonsense")
    #expect(error.description.contains(naming))
  }

  @Test(
    "an error of the transport gets the right kind",
    arguments: [
      (TransportError.timedOut("x"), "timedOut"), (.stalled("x"), "timedOut"), (.notConnected("x"), "unavailable"),
      (.connectionLost("x"), "unavailable"), (.tls("x"), "refused"), (.invalidRequest("x"), "refused"),
      (.responseTooLarge(limit: 7), "tooLarge"),
    ])
  func transportErrors(cause: TransportError, kind: String) async throws {
    let error = try #require(await error(ScriptedTransport(.failure(cause))))
    #expect(kindName(error) == kind)
  }

  private func kindName(_ error: PrometheusError) -> String {
    Mirror(reflecting: error).children.first?.label ?? ""
  }
}

@Suite struct PromQLTests {
  @Test("a string cannot end itself")
  func strings() {
    #expect(PromQL.string(#"a"} or vector(1) #\"#) == #""a\"} or vector(1) #\\""#)
    #expect(PromQL.string("a\nb\r\tc\u{1}") == #""a\nb\r\tc\x01""#)
    #expect(PromQL.string("é😀") == "\"é😀\"")
  }

  @Test("alternatives match literally, and no alternative matches nothing")
  func alternatives() {
    #expect(PromQL.anyOf(["pod-1", "a.b"]) == #""pod-1|a\\.b""#)
    #expect(PromQL.anyOf([".*"]) == #""\\.\\*""#)
    #expect(PromQL.anyOf([]) == #""[^\\s\\S]""#)
  }

  @Test("durations are whole seconds or milliseconds, never nothing")
  func durations() {
    #expect(PromQL.duration(.seconds(90)) == "90s")
    #expect(PromQL.duration(.milliseconds(1500)) == "1500ms")
    #expect(PromQL.duration(.zero) == "1ms")
  }

  @Test("a label name is letters, digits and underscores, not a digit first")
  func labelNames() {
    #expect(["a", "_a1", "A_b"].allSatisfy(PromQL.isLabelName))
    #expect(!["", "1a", "a-b", "a.b", "é", "a b", "@", "[", "`"].contains(where: PromQL.isLabelName))
  }
}
