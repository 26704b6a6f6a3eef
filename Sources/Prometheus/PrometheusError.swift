import Foundation

/// Why a query gave no result.
public enum PrometheusError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The server does not understand the query, or it cannot be evaluated: asking again does not help.
  case badQuery(String)
  /// The server cannot be reached, or cannot answer now.
  case unavailable(String)
  /// No answer within the query's time, or the server gave up at its own bound.
  case timedOut(String)
  /// The server does not let us in, or there is no Prometheus API at this URL.
  case refused(String)
  /// An answer that is not what the API promises.
  case nonsense(String)
  /// More series than a result may have.
  case tooManySeries(limit: Int)
  /// A longer answer than may be read.
  case tooLarge(bytes: Int)

  public var description: String {
    switch self {
    case .badQuery(let words): "Prometheus cannot evaluate the query: \(words)"
    case .unavailable(let words): "Prometheus is not available: \(words)"
    case .timedOut(let words): "Prometheus did not answer in time: \(words)"
    case .refused(let words): "Prometheus refused the query: \(words)"
    case .nonsense(let words): "Prometheus answered nonsense: \(words)"
    case .tooManySeries(let limit):
      "the query gives more than \(limit) series: aggregate them, for example with sum(…)"
    case .tooLarge(let bytes): "the answer of Prometheus is longer than \(bytes) bytes: aggregate its series"
    }
  }
}
