/// What `$(name)` in a query stands for. Helm takes `{{ }}` and Flux `${ }` for their own, so neither is used.
public enum QueryVariable: String, Sendable, Hashable, CaseIterable {
  /// A regular expression of the track's pod names.
  case pods
  /// The generated Service of the track.
  case service
  /// The track's `pod-template-hash`.
  case hash
  /// The Deployment's name.
  case workload
  case namespace
  /// The Rollout's name.
  case rollout
  /// How far back to look, as `5m`.
  case window

  /// Whether the two tracks have different values.
  public var differsBetweenTracks: Bool {
    switch self {
    case .pods, .service, .hash: true
    case .workload, .namespace, .rollout, .window: false
    }
  }
}

/// Texts with `$(name)` in them.
public enum VariableText {
  /// The names in order; `nil` where a `$(` has no end.
  public static func names(in text: String) -> [String]? {
    guard let parts = parts(of: text) else { return nil }
    return parts.compactMap { if case .variable(let name) = $0 { name } else { nil } }
  }

  /// Replaces the variables that have a value and leaves the others as they are. What is put in is not read again.
  public static func fill(_ text: String, with values: [String: String]) -> String {
    guard let parts = parts(of: text) else { return text }
    return parts.map { part in
      switch part {
      case .text(let text): text
      case .variable(let name): values[name] ?? "$(\(name))"
      }
    }.joined()
  }

  enum Part {
    case text(String)
    case variable(String)
  }

  /// The text in pieces; `nil` where a `$(` has no end.
  static func parts(of text: String) -> [Part]? {
    var parts: [Part] = []
    var rest = text[...]
    while let start = rest.firstRange(of: "$(") {
      guard let end = rest[start.upperBound...].firstIndex(of: ")") else { return nil }
      parts.append(.text(String(rest[..<start.lowerBound])))
      parts.append(.variable(String(rest[start.upperBound..<end])))
      rest = rest[rest.index(after: end)...]
    }
    parts.append(.text(String(rest)))
    return parts
  }
}
