import Foundation
import HTTPTransport
import KubernetesAPI

/// Reads answers of the query API, <https://prometheus.io/docs/prometheus/latest/querying/api/>. Pure.
///
/// Answers that serve many runs are long and lie on the way of every verdict, so they are read by the parser of
/// KubernetesAPI, which takes a quarter of the time of Foundation's decoder.
enum QueryAnswer {
  /// - Throws: ``PrometheusError`` for everything but a result of at most `maxSeries` series.
  static func read(_ response: HTTPResponse, maxSeries: Int) throws(PrometheusError) -> QueryResult {
    let envelope = (try? JSON(parsing: response.body)).flatMap { $0["status"]?.string == nil ? nil : $0 }
    guard (200..<300).contains(response.status) else {
      throw failure(status: response.status, envelope, body: response.body)
    }
    guard let envelope else { throw .nonsense(problem(with: response.body)) }
    guard envelope["status"]?.string == "success" else {
      throw failure(status: response.status, envelope, body: response.body)
    }
    do {
      let data = Field(envelope["data"], ".data")
      let result = try data.member("result")
      if case .array(let series) = result.value, series.count > maxSeries {
        throw PrometheusError.tooManySeries(limit: maxSeries)
      }
      return QueryResult(
        value: try value(try data.member("resultType").string, result),
        warnings: (envelope["warnings"]?.array ?? []).compactMap(\.string))
    } catch let error as PrometheusError {
      throw error
    } catch {
      throw .nonsense("\(error)")
    }
  }

  // MARK: Failures

  private static func failure(status: Int, _ envelope: JSON?, body: Data) -> PrometheusError {
    let reason = envelope?["error"]?.string ?? excerpt(body)
    let words = reason.isEmpty ? "status \(status)" : "\(reason) (status \(status))"
    switch (envelope?["errorType"]?.string, status) {
    case ("bad_data", _), ("execution", _): return .badQuery(words)
    case ("timeout", _), ("canceled", _), (_, 504): return .timedOut(words)
    case ("unavailable", _), ("internal", _), (_, 408), (_, 429), (_, 500...): return .unavailable(words)
    case (nil, 400), (nil, 422): return .badQuery(words)
    case (_, 401), (_, 403): return .refused("\(words): check the credentials")
    case (_, 404), (_, 405), (_, 300..<400): return .refused("\(words): check the URL")
    default: return .nonsense(words)
    }
  }

  private static func problem(with body: Data) -> String {
    body.isEmpty ? "an empty answer" : "not the JSON of its API but \(excerpt(body).debugDescription)"
  }

  /// The beginning of an answer, for a message.
  private static func excerpt(_ body: Data) -> String {
    let text = String(decoding: body.prefix(400), as: UTF8.self).split(whereSeparator: \.isWhitespace)
    return String(text.joined(separator: " ").prefix(200))
  }

  // MARK: The wire

  private static func value(_ type: String, _ result: Field) throws -> QueryValue {
    switch type {
    case "vector":
      return .vector(
        try result.elements.map { entry in
          guard entry.has("histogram") else {
            return InstantSample(labels: try labels(entry), sample: try sample(try entry.member("value")))
          }
          let found = try histogram(try entry.member("histogram"))
          return InstantSample(
            labels: try labels(entry), sample: Sample(time: found.time, value: .nan), histogram: found.histogram)
        })
    case "matrix":
      return .matrix(
        try result.elements.map { entry in
          // A series has either, or one after the other.
          SampleSeries(
            labels: try labels(entry),
            samples: entry.has("values") || !entry.has("histograms")
              ? try entry.member("values").elements.map(sample) : [],
            histograms: entry.has("histograms") ? try entry.member("histograms").elements.map(histogram) : [])
        })
    case "scalar": return .scalar(try sample(result))
    case "string":
      let (time, text) = try pair(result)
      return .string(text, time: time)
    default: throw Fault("the field .data.resultType: '\(type)' is not vector, matrix, scalar or string")
    }
  }

  private static func labels(_ entry: Field) throws -> [String: String] {
    let metric = try entry.member("metric")
    guard let members = metric.value?.object else { throw metric.fault("not an object") }
    return try members.mapValues { value in
      guard let text = value.string else { throw metric.fault("a label's value is no string") }
      return text
    }
  }

  private static func sample(_ field: Field) throws -> Sample {
    let (time, text) = try pair(field)
    guard let number = number(text) else { throw field.fault("\(text.debugDescription) is not a number") }
    return Sample(time: time, value: number)
  }

  /// `[<seconds since 1970>, {"count": "<number>", "sum": "<number>", "buckets": [[<rule>, "<lower>", "<upper>", "<count>"]]}]`
  private static func histogram(_ field: Field) throws -> HistogramSample {
    let parts = try field.elements
    guard parts.count == 2 else { throw field.fault("not a time and a histogram") }
    guard let seconds = parts[0].value?.double else { throw parts[0].fault("not a number") }
    func number(_ field: Field) throws -> Double {
      guard let number = Self.number(try field.string) else { throw field.fault("not a number") }
      return number
    }
    // A histogram without observations has no buckets.
    let buckets = parts[1].has("buckets") ? try parts[1].member("buckets").elements : []
    return HistogramSample(
      time: Date(timeIntervalSince1970: seconds),
      histogram: NativeHistogram(
        count: try number(try parts[1].member("count")), sum: try number(try parts[1].member("sum")),
        buckets: try buckets.map { bucket in
          let parts = try bucket.elements
          guard parts.count == 4, let rule = parts[0].value?.int.flatMap(NativeHistogram.Bucket.Rule.init) else {
            throw bucket.fault("not a boundary rule from 0 to 3, two boundaries and a count")
          }
          return NativeHistogram.Bucket(
            rule: rule, lower: try number(parts[1]), upper: try number(parts[2]), count: try number(parts[3]))
        }))
  }

  /// `[<seconds since 1970>, "<text>"]`
  private static func pair(_ field: Field) throws -> (time: Date, text: String) {
    let parts = try field.elements
    guard parts.count <= 2 else { throw field.fault("more than a time and a value") }
    guard parts.count == 2 else { throw field.fault("less than a time and a value") }
    guard let seconds = parts[0].value?.double else { throw parts[0].fault("not a number") }
    return (Date(timeIntervalSince1970: seconds), try parts[1].string)
  }

  /// As Go writes numbers. Swift's own reading would also take "0x10" and "nan(7)".
  private static func number(_ text: String) -> Double? {
    switch text {
    case "NaN": return .nan
    case "+Inf", "Inf": return .infinity
    case "-Inf": return -.infinity
    default:
      guard text.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }) else { return nil }
      return Double(text)
    }
  }

  private struct Fault: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
  }

  /// A value and where it is, so that a fault can say so.
  private struct Field {
    var value: JSON?
    private let place: Place

    /// Becomes text only where a fault is found.
    private indirect enum Place {
      case root(String)
      case member(Place, String)
      case element(Place, Int)

      var text: String {
        switch self {
        case .root(let name): name
        case .member(let place, let name): "\(place.text).\(name)"
        case .element(let place, let index): "\(place.text)[\(index)]"
        }
      }
    }

    init(_ value: JSON?, _ name: String) { self.init(value, .root(name)) }

    private init(_ value: JSON?, _ place: Place) {
      self.value = value
      self.place = place
    }

    var path: String { place.text }

    func has(_ name: String) -> Bool { value?[name] != nil }

    func fault(_ text: String) -> Fault { Fault("the field \(path): \(text)") }

    func member(_ name: String) throws -> Field {
      guard let value else { throw Fault("the field \(path) is missing") }
      let member = Field(value[name], .member(place, name))
      guard member.value != nil else {
        throw value.object == nil ? fault("not an object") : Fault("the field \(member.path) is missing")
      }
      return member
    }

    var string: String {
      get throws {
        guard let text = value?.string else { throw fault("not a string") }
        return text
      }
    }

    var elements: [Field] {
      get throws {
        guard let array = value?.array else { throw fault("not an array") }
        return array.enumerated().map { Field($1, .element(place, $0)) }
      }
    }
  }
}
