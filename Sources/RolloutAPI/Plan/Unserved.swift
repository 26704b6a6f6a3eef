extension Plan {
  /// What the plan says and this version does not carry out. Named here, so that the controller and `lint` refuse it and
  /// nothing is silently left undone.
  public var unserved: [PlanProblem] {
    var problems: [PlanProblem] = []
    func refuse(_ field: String, _ found: String, _ wanted: String) {
      problems.append(PlanProblem(field: field, found: found, wanted: "\(wanted), which is what this version serves"))
    }
    if let mtls = policy.mtls { refuse("spec.traffic.mtls", mtls.rawValue, "no mtls setting") }
    return problems
  }
}
