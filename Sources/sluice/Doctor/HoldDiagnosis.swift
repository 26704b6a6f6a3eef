import KubernetesAPI

/// How Deployments are held on a cluster, and whether that works.
struct HoldDiagnosis: Sendable, Equatable {
  /// What a dry run showed that changes the template of a managed Deployment.
  enum Probe: Sendable, Equatable {
    /// No Deployment is managed and at rest.
    case impossible
    case held(by: String)
    case notHeld(deployment: String)
    case failed(deployment: String, problem: String)
  }

  static let policies = ["sluice-hold", "sluice-pin"]
  static let warning = "sluice-warn"

  /// Whether the server serves MutatingAdmissionPolicy v1.
  var isServed: Bool
  /// Policies and bindings of deploy/policies that are not there, as `MutatingAdmissionPolicy sluice-hold`.
  var missing: [String]
  var probe: Probe

  var findings: [Finding] { [mode, force].compactMap { $0 } }

  private var mode: Finding {
    let always = "Deployments are held paused at rest (hold: Always); use sluice restart and sluice undo for kubectl's"
    if !isServed {
      return Finding(
        subject: "hold mode", verdict: .note,
        message: "Always: the server does not serve MutatingAdmissionPolicy v1 (Kubernetes 1.36 or later does)",
        advice: always)
    }
    let mutating = missing.filter { $0.hasPrefix("Mutating") }
    if !mutating.isEmpty {
      return Finding(
        subject: "hold mode", verdict: .note,
        message: "Always, though the server could do better: there is no \(mutating.joined(separator: ", "))",
        advice: "kubectl apply -k deploy/policies")
    }
    return Finding(
      subject: "hold mode", verdict: .fine, message: "Admission: the policies hold a changed template as it arrives")
  }

  private var force: Finding? {
    guard isServed, !missing.contains(where: { $0.hasPrefix("Mutating") }) else { return nil }
    switch probe {
    case .held(let deployment):
      let rest = missing.isEmpty ? "" : "; there is no \(missing.joined(separator: ", "))"
      return Finding(
        subject: "policies", verdict: missing.isEmpty ? .fine : .note,
        message: "in force: a dry run that changes the template of \(deployment) was held\(rest)",
        advice: missing.isEmpty ? nil : "kubectl apply -k deploy/policies")
    case .notHeld(let deployment):
      return Finding(
        subject: "policies", verdict: .fault,
        message: "not in force: a dry run that changes the template of \(deployment) was not held",
        advice: "look at the bindings, at failing expressions and at other policies that write spec.paused")
    case .failed(let deployment, let problem):
      return Finding(
        subject: "policies", verdict: .unknown,
        message: "installed; the dry run on \(deployment) that would show that they work failed: \(problem)",
        advice: "run it as somebody who may patch Deployments")
    case .impossible:
      return Finding(
        subject: "policies", verdict: missing.isEmpty ? .fine : .note,
        message: missing.isEmpty
          ? "installed; no Deployment is managed and at rest, so that they were not tried"
          : "there is no \(missing.joined(separator: ", "))",
        advice: missing.isEmpty ? nil : "kubectl apply -k deploy/policies")
    }
  }
}
