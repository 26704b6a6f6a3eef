import Foundation
import HTTPTransport

/// Reads answers of the query API, <https://prometheus.io/docs/prometheus/latest/querying/api/>. Pure.
enum QueryAnswer {
  /// - Throws: ``PrometheusError`` for everything but a result of at most `maxSeries` series.
  static func read(_ response: HTTPResponse, maxSeries: Int) throws(PrometheusError) -> QueryResult {
    let envelope = try? JSONDecoder().decode(Envelope.self, from: response.body)
    if (200..<300).contains(response.status) {
      guard let envelope else { throw .nonsense(try problem(with: response.body)) }
      guard envelope.status == "success" else {
        throw failure(status: response.status, envelope, body: response.body)
      }
      let answer: Answer
      do {
        answer = try JSONDecoder().decode(Answer.self, from: response.body)
      } catch {
        throw .nonsense(words(for: error))
      }
      guard answer.data.count <= maxSeries else { throw .tooManySeries(limit: maxSeries) }
      return QueryResult(value: answer.data.value, warnings: answer.warnings ?? [])
    }
    throw failure(status: response.status, envelope, body: response.body)
  }

  // MARK: Failures

  private static func failure(status: Int, _ envelope: Envelope?, body: Data) -> PrometheusError {
    let reason = envelope?.error ?? excerpt(body)
    let words = reason.isEmpty ? "status \(status)" : "\(reason) (status \(status))"
    switch (envelope?.errorType, status) {
    case ("bad_data", _), ("execution", _): return .badQuery(words)
    case ("timeout", _), ("canceled", _), (_, 504): return .timedOut(words)
    case ("unavailable", _), ("internal", _), (_, 408), (_, 429), (_, 500...): return .unavailable(words)
    case (nil, 400), (nil, 422): return .badQuery(words)
    case (_, 401), (_, 403): return .refused("\(words): check the credentials")
    case (_, 404), (_, 405), (_, 300..<400): return .refused("\(words): check the URL")
    default: return .nonsense(words)
    }
  }

  private static func problem(with body: Data) throws(PrometheusError) -> String {
    body.isEmpty ? "an empty answer" : "not the JSON of its API but \(excerpt(body).debugDescription)"
  }

  /// The beginning of an answer, for a message.
  private static func excerpt(_ body: Data) -> String {
    let text = String(decoding: body.prefix(400), as: UTF8.self).split(whereSeparator: \.isWhitespace)
    return String(text.joined(separator: " ").prefix(200))
  }

  private static func words(for error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    func place(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    }
    return switch error {
    case .keyNotFound(let key, let context): "the field \(place(context.codingPath + [key])) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      "the field \(place(context.codingPath)): \(context.debugDescription)"
    @unknown default: "\(error)"
    }
  }

  // MARK: The wire

  private struct Envelope: Decodable {
    var status: String
    var errorType: String?
    var error: String?
  }

  private struct Answer: Decodable {
    var data: Payload
    var warnings: [String]?
  }

  private struct Payload: Decodable {
    var value: QueryValue
    var count: Int

    enum CodingKeys: String, CodingKey { case resultType, result }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      switch try container.decode(String.self, forKey: .resultType) {
      case "vector":
        let entries = try container.decode([VectorEntry].self, forKey: .result)
        value = .vector(entries.map { InstantSample(labels: $0.metric, sample: $0.value.sample) })
        count = entries.count
      case "matrix":
        let entries = try container.decode([MatrixEntry].self, forKey: .result)
        value = .matrix(entries.map { SampleSeries(labels: $0.metric, samples: $0.values.map(\.sample)) })
        count = entries.count
      case "scalar":
        value = .scalar(try container.decode(NumberPair.self, forKey: .result).sample)
        count = 1
      case "string":
        let pair = try container.decode(TextPair.self, forKey: .result)
        value = .string(pair.text, time: pair.time)
        count = 1
      case let other:
        throw DecodingError.dataCorruptedError(
          forKey: .resultType, in: container, debugDescription: "'\(other)' is not vector, matrix, scalar or string")
      }
    }
  }

  private struct VectorEntry: Decodable {
    var metric: [String: String]
    var value: NumberPair

    enum CodingKeys: String, CodingKey { case metric, value, histogram }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      metric = try container.decode([String: String].self, forKey: .metric)
      try refuseHistogram(container, .histogram)
      value = try container.decode(NumberPair.self, forKey: .value)
    }
  }

  private struct MatrixEntry: Decodable {
    var metric: [String: String]
    var values: [NumberPair]

    enum CodingKeys: String, CodingKey { case metric, values, histograms }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      metric = try container.decode([String: String].self, forKey: .metric)
      try refuseHistogram(container, .histograms)
      values = try container.decode([NumberPair].self, forKey: .values)
    }
  }

  /// A native histogram has no single number to compare.
  private static func refuseHistogram<Key>(_ container: KeyedDecodingContainer<Key>, _ key: Key) throws {
    guard container.contains(key) else { return }
    throw DecodingError.dataCorruptedError(
      forKey: key, in: container,
      debugDescription: "a native histogram, not a number: take histogram_quantile(…) or histogram_fraction(…) of it")
  }

  /// `[<seconds since 1970>, "<number>"]`
  private struct NumberPair: Decodable {
    var sample: Sample

    init(from decoder: any Decoder) throws {
      let pair = try TextPair(from: decoder)
      guard let number = Self.number(pair.text) else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "\(pair.text.debugDescription) is not a number"))
      }
      sample = Sample(time: pair.time, value: number)
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
  }

  private struct TextPair: Decodable {
    var time: Date
    var text: String

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      let seconds = try container.decode(Double.self)
      time = Date(timeIntervalSince1970: seconds)
      text = try container.decode(String.self)
      guard container.isAtEnd else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "more than a time and a value"))
      }
    }
  }
}
