/// Whoever watches a rollout and may abort it.
protocol Judge {
  /// A look before the run: all traffic is stable's.
  mutating func learn(_ measured: MeasuredLook)
  /// One look; `nil` where nothing was measured.
  /// - Parameter look: its number, from 0.
  /// - Returns: whether the rollout is aborted now.
  mutating func aborts(_ look: Int, _ measured: MeasuredLook?) -> Bool
}

extension Judge {
  mutating func learn(_ measured: MeasuredLook) {}
}

/// The judges by the names of the report.
enum JudgeName: String, CaseIterable, Sendable {
  case sluice
  case oracle
  case argo = "argo-rollouts"
  case flagger
  case kayenta

  func make(_ scenario: Scenario, _ settings: RivalSettings) -> any Judge {
    switch self {
    case .sluice: SluiceJudge(scenario)
    case .oracle: Oracle(scenario)
    case .argo: ArgoRollouts(scenario, settings)
    case .flagger: Flagger(scenario, settings)
    case .kayenta: Kayenta(scenario, settings)
    }
  }
}

/// How the rivals are set up: as their documentation shows it, or as well as they can be for the same SLOs and pace.
enum RivalSettings: String, CaseIterable, Sendable {
  case docs, fair
}
