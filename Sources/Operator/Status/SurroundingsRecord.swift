import CanaryAnalysis
import Foundation
import KubernetesAPI
import RolloutAPI
import RolloutEngine

/// Burn rates, guards and differences on the wire.
extension CheckRecord {
  /// Burn rates and guards after the objectives, as the run's status shows them; what is not watched is left out, but for
  /// one line that says so.
  static func surroundings(_ measured: Measurements, now: Date) -> [CheckRecord] {
    let inactive = measured.guards.filter { $0.finding == .inactive }
    var records = measured.burnRates.map { CheckRecord($0, now: now) }
    records += measured.guards.filter { ![.inactive, .unread].contains($0.finding) }.map { CheckRecord($0, now: now) }
    if !inactive.isEmpty {
      records.append(
        CheckRecord(
          name: "guards", kind: .anomaly, verdict: .unknown, finding: GuardReport.Finding.inactive.rawValue,
          message: "not watched, for want of metrics of both tracks: \(inactive.map(\.name).joined(separator: ", "))",
          at: MicroTime(now)))
    }
    return records
  }

  /// What guards have found in a run, by name: the message. Of all that its status holds, since a finding stands until a
  /// person accepts it, and remains one then.
  static func guardFindings(_ status: RolloutRunStatus?) -> [String: String] {
    let spoken = [GuardReport.Finding.anomaly, .unusualService].map(\.rawValue)
    let found = ((status?.timeline ?? []).flatMap { $0.checks ?? [] } + (status?.checks ?? []))
      .filter { $0.kind == .anomaly && spoken.contains($0.finding ?? "") }
    return Dictionary(found.map { ($0.name, $0.message ?? "") }) { $1 }
  }

  private init(_ report: BurnReport, now: Date) {
    let verdict: Verdict =
      switch report.finding {
      case .kept: .pass
      case .burns, .stableAlone: .insufficient
      case .noMeasurement: .unknown
      }
    self.init(
      name: "burn-rate-\(report.objective)".prefix(63).description, kind: .burnRate, verdict: verdict,
      finding: report.finding.rawValue, message: report.message, at: MicroTime(now),
      evidence: report.queries.isEmpty ? nil : EvidenceRecord(queries: report.queries))
  }

  private init(_ report: GuardReport, now: Date) {
    let verdict: Verdict =
      switch report.finding {
      case .normal: .pass
      case .anomaly: .fail
      case .unusualService: .insufficient
      case .inactive, .unread: .unknown
      }
    func track(_ value: Double?) -> EvidenceRecord.Track? {
      value.map { EvidenceRecord.Track(value: EvidenceRecord.text($0)) }
    }
    self.init(
      name: report.name, kind: .anomaly, verdict: verdict, finding: report.finding.rawValue, message: report.message,
      at: MicroTime(now),
      evidence: EvidenceRecord(
        canary: track(report.canary), stable: track(report.stable), eValue: EvidenceRecord.text(report.eValue),
        threshold: EvidenceRecord.text(report.threshold), risk: EvidenceRecord.text(report.risk),
        queries: report.queries.isEmpty ? nil : report.queries, notes: report.notes.isEmpty ? nil : report.notes))
  }
}

extension DifferenceRecord {
  init(_ difference: Difference) {
    self.init(
      dimension: DifferenceRecord.Dimension(rawValue: difference.aspect.rawValue) ?? .pod, value: difference.value,
      share: EvidenceRecord.text(difference.share), requests: EvidenceRecord.text(difference.counts.requests),
      bad: EvidenceRecord.text(difference.counts.bad), eValue: EvidenceRecord.text(exp(difference.logEValue)))
  }
}

extension Difference {
  init(_ record: DifferenceRecord) {
    func number(_ text: String?) -> Double { text.flatMap(Double.init) ?? 0 }
    self.init(
      aspect: Aspect(rawValue: record.dimension.rawValue) ?? .pod, value: record.value,
      share: number(record.share),
      counts: Counts(requests: number(record.requests), bad: number(record.bad)) ?? .zero,
      logEValue: log(max(number(record.eValue), 1e-9)))
  }
}
