import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI

@testable import sluice

let now = Timestamp("2026-01-01T12:10:00Z")?.date ?? .distantPast

/// A Rollout in the second of three steps, with its run.
func running() throws -> RolloutSnapshot {
  let rollout: Rollout = try JSON(
    yaml: """
      apiVersion: sluice.dev/v1alpha1
      kind: Rollout
      metadata: {name: checkout, namespace: shop, generation: 1, creationTimestamp: "2026-01-01T09:10:00Z"}
      spec:
        workloadRef: {name: checkout}
        serviceRefs: [{name: checkout, port: http}]
        traffic: {istio: {}}
        steps:
        - {weight: 1, analyze: {for: 2m}}
        - {name: tenth, weight: 10, analyze: {for: 5m}}
        - {weight: 50, pause: {}}
      status:
        observedGeneration: 1
        phase: Running
        message: step 2 of 3 (tenth)
        weight: 10
        step: 2/3
        currentRun: checkout-5c6b7
        stable: {hash: 7d8f9, replicaSet: checkout-7d8f9, desired: 4, pods: 4, available: 4, images: ["shop/checkout:v1"]}
        canary: {hash: 5c6b7, replicaSet: checkout-5c6b7, desired: 1, pods: 1, available: 1, images: ["shop/checkout:v2"]}
      """
  ).decode()
  let plan = try JSON(encoding: rollout.spec)
  var run = try JSON(
    yaml: """
      metadata: {name: checkout-5c6b7, namespace: shop, resourceVersion: "77"}
      spec:
        rolloutRef: {name: checkout, uid: u}
        revision: 5c6b7
        stable: {hash: 7d8f9, replicaSet: checkout-7d8f9}
        demand: 4
      status:
        phase: Progressing
        stage: Analyzing
        stageSince: "2026-01-01T12:08:40.000000Z"
        step: 2
        steps: 3
        progress: 2/3
        startedAt: "2026-01-01T12:05:00Z"
        traffic: {weight: 10, mirror: 20}
        checks:
        - {name: errors, verdict: Pass, message: "errors: canary 0 % (0 of 120 requests)"}
        - {name: p99, verdict: Insufficient, finding: TooFewRequests}
        timeline:
        - kind: Step
          step: 1
          title: weight 1%
          startedAt: "2026-01-01T12:05:05.000000Z"
          verifiedAt: "2026-01-01T12:05:25.000000Z"
          finishedAt: "2026-01-01T12:07:25.000000Z"
          outcome: Passed
          checks:
          - name: errors
            verdict: Pass
            finding: Kept
            message: no errors
            evidence:
              canary: {requests: "120", bad: "0", lower: "0", upper: "0.04"}
              limit: "0.01"
              eValue: "1.2"
              threshold: "2000"
              window: 2m
              risk: "0.001"
              queries: [up]
              notes: [coarse buckets]
        - {kind: Step, step: 2, name: tenth, title: weight 10%, startedAt: "2026-01-01T12:07:25.000000Z"}
      """)
  run[path: ["spec", "plan"]] = plan
  return RolloutSnapshot(rollout: rollout, run: try run.decode())
}
