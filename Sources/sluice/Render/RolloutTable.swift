import Foundation
import KubernetesAPI
import RolloutAPI

/// One line for each Rollout.
enum RolloutTable {
  static func lines(_ rollouts: [Rollout], withNamespaces: Bool, now: Date) -> [String] {
    let rows = rollouts.sorted { $0.metadata.key < $1.metadata.key }.map { rollout in
      let status = rollout.status
      let cells = [
        rollout.metadata.name ?? "", status?.phase?.rawValue ?? "Unknown", (status?.step).orNone,
        status?.weight.map { "\($0)%" } ?? "<none>", (status?.stable?.hash).orNone, (status?.canary?.hash).orNone,
        Times.since(rollout.metadata.creationTimestamp?.date, now: now) ?? "<unknown>", status?.message ?? "",
      ]
      return withNamespaces ? [rollout.metadata.namespace ?? ""] + cells : cells
    }
    let header = ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANARY", "AGE", "MESSAGE"]
    return Table(header: withNamespaces ? ["NAMESPACE"] + header : header, rows: rows).lines
  }
}
