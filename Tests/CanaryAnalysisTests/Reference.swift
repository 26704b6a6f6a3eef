import Foundation
import Testing

@testable import CanaryAnalysis

/// Numbers of an independent implementation: Reference/reference.py wrote them, with NumPy and SciPy.
struct Reference: Decodable {
  struct Look: Decodable {
    var canary: Counts
    var stable: Counts

    init(from decoder: any Decoder) throws {
      let tracks = try [[Double]](from: decoder)
      canary = counts(tracks[0][0], tracks[0][1])
      stable = counts(tracks[1][0], tracks[1][1])
    }
  }

  struct Comparison: Decodable {
    var tolerated: Double
    var clump: Double
    var logEValues: [Double]
  }

  struct Late: Decodable {
    var looks: [Look]
    var logEValues: [Double]
  }

  struct Limit: Decodable {
    var limit: Double
    var looks: [[Double]]
    var logBroken: [Double]
    var logKept: [Double]
  }

  struct Rates: Decodable {
    var requests: Double
    var bad: Double
    var risk: Double
    var interval: [Double]
  }

  struct Mean: Decodable {
    var values: [Double]
    var bounds: [Double]
    var mean: Double
    var logEValues: [Double]
  }

  struct Distribution: Decodable {
    /// Of each look the canary's answers in each bucket, and stable's.
    var looks: [[[Double]]]
    var tolerated: Int
    var logEValues: [Double]
  }

  struct Quantile: Decodable {
    var counts: [Double]
    var quantile: Double
    var risk: Double
    /// −1 for an open end.
    var interval: [Double]
  }

  var looks: [Look]
  var comparison: [Comparison]
  var late: Late
  var limit: Limit
  var rates: [Rates]
  var means: [Mean]
  var distributions: [Distribution]
  var quantiles: [Quantile]

  static func read() throws -> Reference {
    let file = try #require(
      Bundle.module.url(forResource: "reference", withExtension: "json", subdirectory: "Reference"))
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}
