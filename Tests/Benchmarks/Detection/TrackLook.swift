/// What one track did between two looks.
struct TrackLook {
  /// The bucket boundaries that the judges see, in milliseconds, where faster ones do not matter.
  static let tailBoundaries = [250.0, 500, 1000, 2500, 5000]
  /// Those that they see where all of the law does.
  static let allBoundaries = [25.0, 50, 100] + tailBoundaries
  /// The largest allowed 99th percentile.
  static let latencyLimit = 500.0

  var requests = 0.0
  var errors = 0.0
  /// Requests slower than each boundary.
  var slow = SIMD8<Double>.zero

  /// How many requests have a property.
  func count(_ property: Property) -> Double {
    switch property {
    case .errors: errors
    case .slower(let boundary): slow[boundary]
    }
  }

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
  /// The same tail, behind the boundaries of the whole.
  static let usualWhole = SIMD8(0.3, 0.15, 0.05, 0.02, 0.002, 0.0007, 0.0002, 0.0001)

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
    case .slower(let boundary): (boundary..<slow.scalarCount).reduce(0) { $0 + slow[$1] }
    }
  }
}

/// What a fault makes worse.
enum Property {
  case errors
  /// Requests slower than the boundary at this position.
  case slower(Int)
}
