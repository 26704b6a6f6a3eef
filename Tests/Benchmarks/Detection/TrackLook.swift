/// What one track did between two looks.
struct TrackLook {
  /// The bucket boundaries that the judges see, in milliseconds; faster ones do not matter here.
  static let boundaries = [250.0, 500, 1000, 2500, 5000]
  /// The largest allowed 99th percentile, and the position of that boundary.
  static let latencyLimit = 500.0
  static let limitIndex = 1

  var requests = 0.0
  var errors = 0.0
  /// Requests slower than each boundary.
  var slow = SIMD8<Double>.zero

  static func + (left: TrackLook, right: TrackLook) -> TrackLook {
    TrackLook(
      requests: left.requests + right.requests, errors: left.errors + right.errors, slow: left.slow + right.slow)
  }

  static func - (left: TrackLook, right: TrackLook) -> TrackLook {
    TrackLook(
      requests: left.requests - right.requests, errors: left.errors - right.errors, slow: left.slow - right.slow)
  }
}

/// What was measured of both tracks in one look.
struct MeasuredLook {
  var canary: TrackLook
  var stable: TrackLook
  /// What each of the tracks' processes did; empty where nobody could tell.
  var canaryParts: [TrackLook] = []
  var stableParts: [TrackLook] = []
  /// Some process was not read, or is caught up with.
  var isUneven = false
}

/// How often requests go wrong.
struct Rates {
  var errors: Double
  /// The share of requests between each boundary and the next one; the last is beyond all.
  var slow: SIMD8<Double>

  /// Of 1,000 requests three are slower than the limit.
  static let usualSlow = SIMD8(0.02, 0.002, 0.0007, 0.0002, 0.0001, 0, 0, 0)

  init(errors: Double, slow: SIMD8<Double> = usualSlow) {
    self.errors = errors
    self.slow = slow
  }

  func adding(errors more: Double) -> Rates { Rates(errors: min(1, errors + more), slow: slow) }

  /// The same with a share of fast requests moved to a bucket.
  func slowing(_ share: Double, to bucket: Int) -> Rates {
    var rates = self
    rates.slow[bucket] += share
    return rates
  }

  func rate(of property: Property) -> Double {
    switch property {
    case .errors: errors
    case .slow: (TrackLook.limitIndex..<TrackLook.boundaries.count).reduce(0) { $0 + slow[$1] }
    }
  }
}

/// What a fault makes worse.
enum Property {
  case errors, slow
}
