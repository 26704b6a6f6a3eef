import Foundation
import HTTPTransport

/// A Prometheus that answers query_range alone.
protocol HistoryOfMetrics: Transport {
  /// The series of a query at these times, in seconds since 1970, as JSON.
  /// - Throws: what it says instead, as its error.
  func series(_ query: String, _ times: StrideThrough<Double>) throws -> [String]
}

/// Why a query is not answered.
struct RefusedQuery: Error {
  var text: String
}

extension HTTPRequest {
  /// The fields of the form in the body.
  var form: [String: String] {
    Dictionary(
      String(decoding: body ?? Data(), as: UTF8.self).split(separator: "&").map { pair in
        let halves = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
        return (halves[0], halves[1])
      }, uniquingKeysWith: { first, _ in first })
  }
}

extension HistoryOfMetrics {
  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let fields = request.form
    let query = fields["query"] ?? ""
    let step = fields["step"].flatMap { Double($0.replacing("s", with: "")) } ?? 10
    let times = stride(from: Double(fields["start"] ?? "") ?? 0, through: Double(fields["end"] ?? "") ?? 0, by: step)
    let found: String
    do {
      found = try series(query, times).joined(separator: ",")
    } catch let refused as RefusedQuery {
      let body = "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"\(refused.text)\"}"
      return HTTPResponse(status: 422, headers: [], body: Data(body.utf8))
    }
    let body = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\(found)]}}"
    return HTTPResponse(status: 200, headers: [], body: Data(body.utf8))
  }

  func stream(_ request: HTTPRequest) async throws -> HTTPStream {
    throw TransportError.invalidRequest("nothing to stream")
  }
}

/// Answers query_range with native histograms: two pods of one ReplicaSet, of which one has a schema of eight buckets to
/// an octave and the other of one, and a pod of another set.
struct NativeTransport: HistoryOfMetrics {
  func series(_ query: String, _ times: StrideThrough<Double>) -> [String] {
    var series: [String] = []
    for (pod, schema) in [("web-s1-aaaaa", 3.0), ("web-s1-bbbbb", 0), ("web-abc-ccccc", 3)]
    where query.contains(pod.prefix(pod.count - 5)) && query.contains("istio_") {
      let labels = "\"destination_workload_namespace\":\"shop\",\"pod\":\"\(pod)\",\"instance\":\"i\""
      let width = exp2(-schema)
      func bucket(_ value: Double, _ count: Double) -> String {
        let end = (log2(value) / width).rounded(.up)
        return "[0,\"\(exp2((end - 1) * width))\",\"\(exp2(end * width))\",\"\(count)\"]"
      }
      if query.contains("_bucket") {
        let points = times.map { time in
          let looks = (time - 1_000_000) / 10 + 5
          return "[\(time),{\"count\":\"\(looks * 11)\",\"sum\":\"0\",\"buckets\":"
            + "[\(bucket(50, looks * 10)),\(bucket(900, looks))]}]"
        }
        series.append("{\"metric\":{\(labels)},\"histograms\":[\(points.joined(separator: ","))]}")
      } else {
        let points = times.map { "[\($0),\"\(Int(($0 - 1_000_000) / 10 + 5) * 11)\"]" }
        series.append(
          "{\"metric\":{\(labels),\"response_code\":\"200\"},\"values\":[\(points.joined(separator: ","))]}")
      }
    }
    return series
  }
}

/// Answers query_range as a Prometheus would that has two ReplicaSets' counters: 10 requests a second each, one in ten
/// failed; the second begins after five minutes.
struct HistoryTransport: HistoryOfMetrics {
  func series(_ query: String, _ times: StrideThrough<Double>) -> [String] {
    var series: [String] = []
    for (pod, begins) in [("web-s1-aaaaa", -1e9), ("web-abc-bbbbb", 300)]
    where query.contains(pod.prefix(pod.count - 5)) {
      func add(_ labels: String, _ share: Double) {
        let values = times.filter { $0 - 1_000_000 >= begins }.map { time in
          "[\(time),\"\(Int(((time - 1_000_000 - max(begins, 0)) * 10 + (begins < 0 ? 5000 : 0)) * share))\"]"
        }
        guard !values.isEmpty else { return }
        let common = "\"destination_workload_namespace\":\"shop\",\"pod\":\"\(pod)\",\"instance\":\"i\""
        series.append("{\"metric\":{\(common),\(labels)},\"values\":[\(values.joined(separator: ","))]}")
      }
      if query.contains("container_memory_working_set_bytes") {
        for (name, value) in [
          ("container_memory_working_set_bytes", 1000),
          ("kube_pod_container_status_restarts_total", begins < 0 ? 0 : 1),
        ] {
          let values = times.filter { $0 - 1_000_000 >= begins }.map { "[\($0),\"\(value)\"]" }
          guard !values.isEmpty else { continue }
          let labels = "\"namespace\":\"shop\",\"pod\":\"\(pod)\",\"__name__\":\"\(name)\""
          series.append("{\"metric\":{\(labels)},\"values\":[\(values.joined(separator: ","))]}")
        }
      } else if query.contains("orders_total") {
        series.append("{\"metric\":{},\"values\":[\(times.map { "[\($0),\"7\"]" }.joined(separator: ","))]}")
      } else if query.contains("_bucket") {
        add("\"le\":\"100\"", 0.5)
        add("\"le\":\"+Inf\"", 1)
      } else {
        add("\"response_code\":\"200\"", 0.9)
        add("\"response_code\":\"503\"", 0.1)
      }
    }
    return series
  }
}
