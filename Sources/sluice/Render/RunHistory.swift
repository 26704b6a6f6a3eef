import Foundation
import KubernetesAPI
import RolloutAPI

/// One line for each run, the newest last, as `kubectl rollout history` has it.
enum RunHistory {
  static func lines(_ runs: [RolloutRun], now: Date) -> [String] {
    let rows = runs.map { run in
      let status = run.status
      let end = status?.finishedAt?.date ?? now
      return [
        run.metadata.name ?? "", run.spec.revision, status?.phase?.rawValue ?? "Pending", (status?.progress).orNone,
        status?.startedAt?.description ?? "<none>", Times.between(status?.startedAt?.date, end) ?? "<none>",
        status?.cause?.message ?? status?.message ?? "",
      ]
    }
    return Table(header: ["RUN", "REVISION", "PHASE", "STEP", "STARTED", "TOOK", "WHY"], rows: rows).lines
  }
}
