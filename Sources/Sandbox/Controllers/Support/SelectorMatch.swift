import KubernetesAPI

/// Whether selectors of workloads select labels.
enum SelectorMatch {
  /// A `metav1.LabelSelector`. One that is absent, empty or not well formed selects nothing here: no workload may own
  /// everything.
  static func matches(_ selector: JSON?, labels: [String: String]) -> Bool {
    guard let selector else { return false }
    guard selector["matchExpressions"] != nil else {
      return matches(map: selector["matchLabels"]?.strings ?? [:], labels: labels)
    }
    guard let selector = try? selector.decode(KubernetesAPI.LabelSelector.self), !selector.isEmpty else { return false }
    return selector.matches(labels)
  }

  /// The plain map of a Service. An empty one selects nothing.
  static func matches(map selector: [String: String], labels: [String: String]) -> Bool {
    !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value }
  }
}
