import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("a plan that cannot be is refused with the field named, and taken up once it is mended")
  func badPlan() async throws {
    let bad = Manifest(steps: ["{weight: 20, analyze: {for: 3s, atLeast: 2m}}"], isSound: false)
    try await Shop.open("bad-plan", bad) { shop in
      try await shop.status(3)
      let stalled = try await shop.get("rollouts.sluice.dev").condition("Stalled")
      #expect(stalled?["status"]?.string == "True")
      let message = stalled?["message"]?.string ?? ""
      #expect(message.contains("spec.steps[0].analyze.atLeast"), "\(message)")
      #expect(!(try await shop.get("deployment").isPaused), "nothing is held by a plan that cannot be")

      var good = bad
      good.steps = Manifest().steps
      try await shop.apply(good.rollout)
      try await shop.status(0)
      #expect(try await shop.get("rollouts.sluice.dev").condition("Ready")?["status"]?.string == "True")
      try await expectAtRest(shop)
    }
  }
}
