import CanaryAnalysis
import RolloutEngine
import TrafficRouting

extension SecurityReport {
  /// How the requests of late were secured, by the answer to the mesh's own question.
  init(_ answer: LookAnswers.Answer, of scope: MetricsScope, _ metrics: (any MeshMetrics)?) {
    switch answer {
    case .failed(let text): self = .unknown(text)
    case .series(let series):
      guard series.allSatisfy({ $0.value.isFinite }) else {
        self = .unknown("a value is no number")
        return
      }
      let found = metrics?.security(series, of: scope) ?? [:]
      let tracks = found.values.filter { $0.mutual + $0.other > 0 }
      guard !tracks.isEmpty else {
        self = .unknown("no request was counted by how it was secured")
        return
      }
      self = .counted(
        SecurityShare(
          mutual: tracks.reduce(0) { $0 + $1.mutual }, other: tracks.reduce(0) { $0 + $1.other },
          callers: Set(tracks.flatMap(\.callers)).sorted()))
    }
  }
}
