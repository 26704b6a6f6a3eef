import Foundation

/// ln Γ(x) for x > 0 by Stirling's series, after shifting the argument to at least 15; the relative error is below
/// 1e-14. (The C library's `lgamma` writes a global sign, which is a data race between threads.)
func logGamma(_ x: Double) -> Double {
  var x = x
  var shift = 0.0
  while x < 15 {
    shift -= log(x)
    x += 1
  }
  let inverse = 1 / x
  let square = inverse * inverse
  let series =
    inverse
    * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680 - square * (1.0 / 1188)))))
  return shift + (x - 0.5) * log(x) - x + 0.5 * log(2 * Double.pi) + series
}

/// ln B(a, b), the logarithm of Euler's beta function, for positive arguments.
func logBeta(_ a: Double, _ b: Double) -> Double { logGamma(a) + logGamma(b) - logGamma(a + b) }

/// ln Σ exp(termᵢ) without overflow; minus infinity for no terms.
func logSum(_ terms: some Sequence<Double>) -> Double {
  var largest = -Double.infinity
  var sum = 0.0
  for term in terms where term > -.infinity {
    if term <= largest {
      sum += exp(term - largest)
    } else {
      sum = sum * exp(largest - term) + 1
      largest = term
    }
  }
  return largest + log(sum)
}

/// ln (exp(left) + exp(right)) without overflow.
func logSum(of left: Double, _ right: Double) -> Double {
  max(left, right) + log1p(exp(-abs(left - right)))
}

/// k · ln p with the convention 0 · ln 0 = 0.
func times(_ count: Double, logOf probability: Double) -> Double {
  count == 0 ? 0 : count * log(probability)
}

extension Int {
  /// The nearest whole number, cut where there is none: a counter of somebody else's may say anything. 0 of what is none.
  public init(nearest value: Double) {
    let bound = 0x1p62
    self = value.isNaN ? 0 : Int(Swift.min(Swift.max(value.rounded(), -bound), bound))
  }
}

/// exp(exponent), cut where JSON could not hold it.
func finite(exponential exponent: Double) -> Double { min(exp(exponent), 1e300) }
