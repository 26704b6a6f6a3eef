import Foundation

/// What a query came to, with what the server has to say about it.
public struct QueryResult: Sendable, Equatable {
  public var value: QueryValue
  /// Why the result may be incomplete, in the server's words. A result with warnings is an answer nevertheless.
  public var warnings: [String]

  public init(value: QueryValue, warnings: [String] = []) {
    self.value = value
    self.warnings = warnings
  }
}

/// The four types of PromQL.
public enum QueryValue: Sendable, Equatable {
  /// One sample for each of several series, possibly none.
  case vector([InstantSample])
  /// Samples over time for each of several series, possibly none.
  case matrix([SampleSeries])
  case scalar(Sample)
  case string(String, time: Date)

  /// The name of the type in PromQL.
  public var typeName: String {
    switch self {
    case .vector: "vector"
    case .matrix: "matrix"
    case .scalar: "scalar"
    case .string: "string"
    }
  }
}

/// A value at a moment. The value may be NaN (0/0, no data in a quantile) or infinite.
public struct Sample: Sendable, Equatable {
  public var time: Date
  public var value: Double

  public init(time: Date, value: Double) {
    self.time = time
    self.value = value
  }
}

/// The sample of one series in a vector.
public struct InstantSample: Sendable, Equatable {
  /// With `__name__` where the series has a name.
  public var labels: [String: String]
  /// NaN where the series is a native histogram.
  public var sample: Sample
  public var histogram: NativeHistogram?

  public var value: Double { sample.value }

  public init(labels: [String: String], sample: Sample, histogram: NativeHistogram? = nil) {
    self.labels = labels
    self.sample = sample
    self.histogram = histogram
  }
}

/// The samples of one series in a matrix, oldest first.
public struct SampleSeries: Sendable, Equatable {
  public var labels: [String: String]
  public var samples: [Sample]
  /// Of a series that was a native histogram, for all the time or for a part of it.
  public var histograms: [HistogramSample]

  public init(labels: [String: String], samples: [Sample], histograms: [HistogramSample] = []) {
    self.labels = labels
    self.samples = samples
    self.histograms = histograms
  }
}

/// A native histogram at a moment.
public struct HistogramSample: Sendable, Equatable {
  public var time: Date
  public var histogram: NativeHistogram

  public init(time: Date, histogram: NativeHistogram) {
    self.time = time
    self.histogram = histogram
  }
}
