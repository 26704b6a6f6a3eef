import Foundation
import KubernetesAPI
import RolloutAPI
import Testing

@testable import sluice

@Suite struct DoctorTests {
  @Test("the hold mode follows from what is served and installed, and a fault only from a dry run that was not held")
  func hold() {
    func verdicts(_ hold: HoldDiagnosis) -> [String] { hold.findings.map { "\($0.subject) \($0.verdict.rawValue)" } }
    var hold = HoldDiagnosis(isServed: true, missing: [], probe: .held(by: "deployment shop/web"))
    #expect(verdicts(hold) == ["hold mode Fine", "policies Fine"])
    hold.probe = .notHeld(deployment: "deployment shop/web")
    #expect(verdicts(hold) == ["hold mode Fine", "policies Fault"])
    hold.probe = .failed(deployment: "deployment shop/web", problem: "forbidden")
    #expect(verdicts(hold) == ["hold mode Fine", "policies Unknown"])
    hold.probe = .impossible
    #expect(verdicts(hold) == ["hold mode Fine", "policies Fine"])
    hold.missing = ["ValidatingAdmissionPolicyBinding sluice-warn"]
    #expect(verdicts(hold) == ["hold mode Fine", "policies Note"])
    hold.missing = ["MutatingAdmissionPolicyBinding sluice-hold"]
    #expect(verdicts(hold) == ["hold mode Note"])
    #expect(hold.findings[0].message.hasPrefix("Always"))
    hold.isServed = false
    #expect(verdicts(hold) == ["hold mode Note"])
    #expect(hold.findings[0].message.contains("does not serve MutatingAdmissionPolicy v1"))
  }

  @Test("a controller runs as long as its lease is renewed")
  func controller() throws {
    func finding(_ spec: String) throws -> Finding {
      Doctor.controller(
        try JSON(yaml: "metadata: {name: sluice, namespace: s}\nspec: \(spec)").decoded(as: Lease.self), now: now)
    }
    let fresh = #"{holderIdentity: a, leaseDurationSeconds: 15, renewTime: "2026-01-01T12:09:52.000000Z"}"#
    #expect(try finding(fresh).verdict == .fine)
    #expect(try finding(fresh).message == "a holds the lease, renewed 8 s ago")
    let old = #"{holderIdentity: a, leaseDurationSeconds: 15, renewTime: "2026-01-01T12:09:00.000000Z"}"#
    #expect(try finding(old).verdict == .fault)
    #expect(try finding(#"{holderIdentity: ""}"#).verdict == .fault)
  }

  @Test("a definition must be there, serve the version that is spoken, and be established")
  func definitions() throws {
    #expect(Doctor.problem(of: nil, .rollouts) == "rollouts.sluice.dev is not defined")
    var definition = try JSON(
      yaml: """
        spec: {versions: [{name: v1alpha1, served: false}, {name: v1, served: true}]}
        status: {conditions: [{type: Established, status: "True"}]}
        """)
    #expect(Doctor.problem(of: definition, .rollouts) == "rollouts.sluice.dev is served as v1, wanted v1alpha1")
    definition["spec"] = ["versions": [["name": "v1alpha1", "served": true]]]
    #expect(Doctor.problem(of: definition, .rollouts) == nil)
    definition["status"] = nil
    #expect(Doctor.problem(of: definition, .rollouts) == "rollouts.sluice.dev is not established yet")
  }

  @Test("the exit code is the worst finding's, and each finding is told with what to do")
  func told() {
    func diagnosis(_ verdicts: Finding.Verdict...) -> Diagnosis {
      Diagnosis(findings: verdicts.map { Finding(subject: "x", verdict: $0, message: "m", advice: "do a") })
    }
    #expect(diagnosis(.fine, .note).exitCode == 0)
    #expect(diagnosis(.fine, .unknown).exitCode == 3)
    #expect(diagnosis(.unknown, .fault).exitCode == 2)
    #expect(diagnosis(.fault).lines == ["x x    m", "       do a"])
  }

  @Test("one mesh whose metrics are all there is enough; else those are named that one of them lacks")
  func metrics() {
    let partly = Doctor.metrics(["Istio": ["a": 3, "b": 0], "Linkerd": ["c": 0]])
    #expect(partly.verdict == .note)
    #expect(partly.message == "answers, but has no b (Istio)")
    let found = Doctor.metrics(["Istio": ["a": 0], "Linkerd": ["c": 2, "d": 3]])
    #expect(found.verdict == .fine)
    #expect(found.message == "answers, and has the metrics of Linkerd (5 series)")
  }

  @Test("a cluster needs no mesh, and is told what it could do with one")
  func mesh() {
    let none = Doctor.mesh(served: [])
    #expect(none.verdict == .note)
    #expect(none.message.hasSuffix("Rollouts can divide requests by pods alone (traffic.replicas)"))
    #expect(Doctor.mesh(served: ["HTTPRoute (gateway.networking.k8s.io/v1, v1.4.1, standard)"]).verdict == .fine)
  }
}
