/// SHA-256 (FIPS 180-4), for the digests that discovery shows and for tokens; the sandbox has no use for a
/// cryptography package that takes minutes to build.
enum SHA256 {
  private static let roundConstants: [UInt32] = constants(count: 64, root: 3)
  private static let initialState: [UInt32] = constants(count: 8, root: 2)

  static func digest(_ message: [UInt8]) -> [UInt8] {
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = UInt64(message.count) * 8
    for shift in stride(from: 56, through: 0, by: -8) {
      padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }

    var state = initialState
    for start in stride(from: 0, to: padded.count, by: 64) {
      var words = (0..<16).map { index -> UInt32 in
        let at = start + index * 4
        return padded[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
      }
      for index in 16..<64 {
        let a = words[index - 15]
        let b = words[index - 2]
        let small = rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)
        let large = rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10)
        words.append(words[index - 16] &+ small &+ words[index - 7] &+ large)
      }
      var v = state
      for index in 0..<64 {
        let sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
        let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
        let first = v[7] &+ sum1 &+ choice &+ roundConstants[index] &+ words[index]
        let sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        v = [first &+ sum0 &+ majority, v[0], v[1], v[2], v[3] &+ first, v[4], v[5], v[6]]
      }
      for index in 0..<8 { state[index] = state[index] &+ v[index] }
    }
    return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
  }

  private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }

  /// The first 32 bits of the fractions of the square or cube roots of the first primes, as the standard defines its
  /// constants; found in whole numbers, so that no rounding enters.
  private static func constants(count: Int, root: Int) -> [UInt32] {
    var primes: [UInt64] = []
    var candidate: UInt64 = 2
    while primes.count < count {
      if !primes.contains(where: { candidate % $0 == 0 }) { primes.append(candidate) }
      candidate += 1
    }
    return primes.map { prime in
      // The largest x with x^root <= prime * 2^(32 * root); its low 32 bits are the fraction.
      var low: UInt128 = 0
      var high: UInt128 = 1 << 36
      let target = UInt128(prime) << UInt128(32 * root)
      while high - low > 1 {
        let middle = (low + high) / 2
        let power = root == 2 ? middle * middle : middle * middle * middle
        if power <= target { low = middle } else { high = middle }
      }
      return UInt32(truncatingIfNeeded: low)
    }
  }
}
