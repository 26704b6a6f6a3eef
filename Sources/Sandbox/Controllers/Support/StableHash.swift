/// Hashes that are the same in every process, unlike Swift's own.
enum StableHash {
  /// FNV-1a, 32 bits.
  static func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var hash: UInt32 = 2_166_136_261
    for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return hash
  }

  static func fnv1a(_ text: String) -> UInt32 { fnv1a(text.utf8) }

  /// A number in the alphabet of generated names: no vowels and nothing that looks like another letter, so that no
  /// words appear. Encodes the decimal digits, as Kubernetes does for pod-template-hash.
  static func safeName(_ number: UInt32) -> String {
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String(String(number).utf8.map { alphabet[Int($0) % alphabet.count] })
  }
}
