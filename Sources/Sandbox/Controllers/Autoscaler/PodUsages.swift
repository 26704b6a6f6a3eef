import Foundation
import KubernetesAPI

/// What a metrics server would say of a pod.
protocol PodUsages: Sendable {
  /// In cores or bytes; `nil` where there is no metric.
  func usage(of pod: JSON, resource: String) -> Double?
}

/// Pods say themselves what they use, by an annotation of their template: `sandbox.sluice.dev/usage: cpu=200m,memory=90Mi`.
/// Without it there is no metric, as in a cluster without a metrics server.
struct AnnotatedUsages: PodUsages {
  static let annotation = "sandbox.sluice.dev/usage"

  func usage(of pod: JSON, resource: String) -> Double? {
    for part in (pod.annotations[Self.annotation] ?? "").split(separator: ",") {
      let words = part.split(separator: "=", maxSplits: 1).map { $0.trimmingPrefix { $0 == " " } }
      if words.count == 2, words[0] == resource { return Quantity(String(words[1])).map { $0.value.double } }
    }
    return nil
  }
}
