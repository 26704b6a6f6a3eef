import Foundation
import KubernetesAPI
import Testing

extension EndToEnd {
  @Test("a Slack channel is told of start, promotion and abort, and its URL appears nowhere")
  func slackIsTold() async throws {
    let receiver = try WebhookReceiver()
    let secret = "T0KEN\(UUID().uuidString.prefix(8))"
    let channel = """
      apiVersion: v1
      kind: Secret
      metadata: {name: team}
      stringData: {url: "http://127.0.0.1:\(receiver.port)/services/\(secret)"}
      ---
      apiVersion: rbac.authorization.k8s.io/v1
      kind: RoleBinding
      metadata: {name: sluice-notifications}
      roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sluice-notification-secrets}
      subjects: [{kind: ServiceAccount, name: sluice, namespace: sluice-system}]
      ---
      apiVersion: sluice.dev/v1alpha1
      kind: NotificationChannel
      metadata: {name: team}
      spec: {slack: {urlSecretRef: {name: team}}}
      """
    let manifest = Manifest(
      steps: ["{weight: 50, analyze: {for: 3s}}"], more: ["notify: [{channel: team}]"], companions: [channel])
    try await Shop.open("told", manifest) { shop in
      try await shop.setImage("v2")
      try await shop.status(0)
      try await shop.setImage("v3-errors20")
      try await shop.status(2)
      let hashes = (
        good: try await shop.replicaSet("v2").hash ?? "", bad: try await shop.replicaSet("v3-errors20").hash ?? ""
      )

      let wanted = [
        (hashes.good, "starts"), (hashes.good, "promoted"), (hashes.bad, "starts"), (hashes.bad, "aborted"),
      ]
      for (hash, word) in wanted {
        let request = try await poll("a message that \(hash) \(word)", within: .seconds(20)) {
          receiver.requests.first { $0.text.contains(hash) && $0.text.contains(word) }
        }
        #expect(request.line == "POST /services/\(secret) HTTP/1.1")
        #expect(request.body?["blocks"]?.array?.isEmpty == false)
      }
      let abort = receiver.requests.first { $0.text.contains(hashes.bad) && $0.text.contains("aborted") }
      #expect(abort?.text.contains("errors") == true, "with the check that failed")
      let texts = receiver.requests.map(\.text)
      #expect(Set(texts).count == texts.count, "nothing was told twice: \(texts)")

      let log = try String(contentsOf: shop.cluster.controllerLog, encoding: .utf8)
      #expect(!log.contains(secret))
      let objects = shop.history().map { $0.object.pretty }.joined()
      #expect(!objects.contains(secret))
      #expect(!(try await shop.kubectl("get", "notificationchannels.sluice.dev", "--output=json")).contains(secret))
    }
  }
}
