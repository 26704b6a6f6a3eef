import Foundation
import KubernetesAPI
import Testing

/// What limits a canary's pods from outside: quotas, budgets of disruptions, autoscalers, each with its own controller.
extension EndToEnd {
  private func limited(_ shop: Shop, _ reason: String) async throws -> String {
    let rollout = try await shop.until(reason, "rollouts.sluice.dev") {
      $0.condition("CapacityLimited")?["reason"]?.string == reason
    }
    return rollout.condition("CapacityLimited")?["message"]?.string ?? ""
  }

  @Test("a run waits where a quota has no room for its pods, asks for none, and goes on when it is raised")
  func quotaHasNoRoom() async throws {
    var manifest = Manifest(replicas: 2, steps: ["{weight: 50, analyze: {for: 2s}}"])
    manifest.companions = [
      "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: compute}\nspec: {hard: {pods: \"2\"}}"
    ]
    try await Shop.open("quota", manifest) { shop in
      // A quota that its controller has not counted yet limits nothing.
      _ = try await poll("the quota to be counted", within: .seconds(180), every: .milliseconds(500)) {
        try await shop.get("quota", "compute")[path: ["status", "used", "pods"]]?.string == "2" ? true : nil
      }
      try await shop.setImage("v2")
      let message = try await limited(shop, "QuotaExceeded")
      #expect(message.contains("ResourceQuota compute admits 0 (pods: 0 of 2 left"), "\(message)")
      #expect(shop.podsEver("v2").isEmpty)
      let events = try await shop.list("events").compactMap { $0["reason"]?.string }
      #expect(!events.contains("FailedCreate"), "nothing was asked for in vain")
      try await shop.kubectl("patch", "quota", "compute", "--patch", "spec: {hard: {pods: \"10\"}}")
      try await shop.status(0)
      #expect(try await shop.get("rollouts.sluice.dev").condition("CapacityLimited") == nil)
      try await expectAtRest(shop)
    }
  }

  @Test("a crashing canary uses a disruption budget up, which is said; after the abort pods can be evicted again")
  func budgetIsUsedUp() async throws {
    var manifest = Manifest(progressDeadline: 20)
    manifest.companions = [
      """
      apiVersion: policy/v1
      kind: PodDisruptionBudget
      metadata: {name: checkout}
      spec: {maxUnavailable: 1, selector: {matchLabels: {app: checkout}}}
      """
    ]
    try await Shop.open("budget", manifest) { shop in
      func evict() async throws -> Outcome {
        let pod = try #require(try await shop.list("pods").first { $0.podImage == Manifest.image("v1") && $0.isAlive })
        return try await shop.cluster.kubectl.run(
          ["create", "--raw", "/api/v1/namespaces/\(shop.namespace)/pods/\(pod.name)/eviction", "-f", "-"],
          input: #"{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "\#(pod.name)"}}"#)
      }
      try await shop.setImage("v2-crash")
      let message = try await limited(shop, "DisruptionsBlocked")
      #expect(message.contains("PodDisruptionBudget checkout allows no disruption"), "\(message)")
      let refused = try await evict()
      #expect(
        refused.exitCode != 0 && refused.errors.contains("would violate the pod's disruption budget"), "\(refused)")
      try await shop.status(2)
      // The budget's own controller may be a moment behind.
      _ = try await poll("an eviction that is allowed", within: .seconds(20), every: .milliseconds(500)) {
        try await evict().exitCode == 0 ? true : nil
      }
      _ = try await poll("another pod in its place", within: .seconds(30), every: .milliseconds(500)) {
        try await shop.get("deployment")[path: ["status", "availableReplicas"]]?.int == 4 ? true : nil
      }
      #expect(shop.podsEver("v1").count == 5)
      #expect(try await shop.get("rollouts.sluice.dev").condition("CapacityLimited") == nil)
    }
  }

  @Test(
    "a canary does not follow an autoscaler that has grown the Deployment without requests, and its promotion is whole")
  func autoscalerIsNotFollowed() async throws {
    let manifest = Manifest(steps: ["{weight: 50, pause: {}}"])
    try await Shop.open("autoscaled", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(5, exitOnPause: true)
      try await shop.kubectl("autoscale", "deployment/checkout", "--min=6", "--max=8", "--cpu-percent=80")
      let message = try await limited(shop, "AutoscalerNotFollowed")
      #expect(message.contains("HorizontalPodAutoscaler checkout has grown the Deployment from 4 to 6"), "\(message)")
      #expect(try await shop.replicaSet("v2").replicas == 2)
      #expect(try await shop.pods("v1").count == 6)
      try await shop.decide("promote", "checkout")
      try await shop.status(0)
      _ = try await poll("six pods of v2", within: .seconds(40), every: .milliseconds(500)) {
        try await shop.pods("v2").count == 6 ? true : nil
      }
      try await expectAtRest(shop)
    }
  }
}
