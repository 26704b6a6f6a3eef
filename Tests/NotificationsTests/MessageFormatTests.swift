import Foundation
import KubernetesAPI
import RolloutAPI
import Testing

@testable import Notifications

@Suite struct MessageFormatTests {
  private let aborted = NotificationMessage(
    .aborted, namespace: "shop", rollout: "checkout", run: "checkout-6d5f", revision: "6d5f", stableRevision: "77c9",
    summary: "errors failed at step 2 of 4 (weight 10): the canary's rate is above 1% & above stable's.",
    facts: [
      NotificationMessage.Fact(
        CheckRecord(name: "errors", verdict: .fail, finding: "WorseThanStable", message: "42 of 1,204 <bad>, stable 3")),
      NotificationMessage.Fact(CheckRecord(name: "p99", verdict: .pass)),
    ], hint: "sluice explain checkout -n shop", time: Date(timeIntervalSince1970: 1_700_000_000))

  @Test("Slack gets a text for notifications, and blocks with the reason, the numbers and the next command")
  func slack() {
    let expected: JSON = [
      "text":
        "*❌ Aborted and rolled back: shop/checkout, revision 6d5f*\nerrors failed at step 2 of 4 (weight 10): the canary's rate is above 1% &amp; above stable's.\nerrors: Fail: WorseThanStable: 42 of 1,204 &lt;bad&gt;, stable 3\np99: Pass",
      "blocks": [
        section("*❌ Aborted and rolled back: shop/checkout, revision 6d5f*"),
        section(
          "errors failed at step 2 of 4 (weight 10): the canary's rate is above 1% &amp; above stable's."),
        [
          "type": "section",
          "fields": [
            markup("*errors*\nFail: WorseThanStable: 42 of 1,204 &lt;bad&gt;, stable 3"), markup("*p99*\nPass"),
          ],
        ],
        section("`sluice explain checkout -n shop`"),
        [
          "type": "context",
          "elements": [markup("Sluice · run checkout-6d5f · stable is 77c9 · 2023-11-14T22:13:20Z")],
        ],
      ],
    ]
    #expect(MessageFormat.slack.body(of: aborted) == expected)
  }

  private func markup(_ text: String) -> JSON { ["type": "mrkdwn", "text": .string(text), "verbatim": true] }
  private func section(_ text: String) -> JSON { ["type": "section", "text": markup(text)] }

  @Test("a webhook gets one object with every field by name")
  func webhook() {
    let expected: JSON = [
      "apiVersion": "sluice.dev/v1alpha1", "event": "Aborted", "namespace": "shop", "rollout": "checkout",
      "run": "checkout-6d5f", "revision": "6d5f", "stableRevision": "77c9",
      "title": "❌ Aborted and rolled back: shop/checkout, revision 6d5f",
      "summary": "errors failed at step 2 of 4 (weight 10): the canary's rate is above 1% & above stable's.",
      "facts": [
        ["name": "errors", "value": "Fail: WorseThanStable: 42 of 1,204 <bad>, stable 3"],
        ["name": "p99", "value": "Pass"],
      ],
      "hint": "sluice explain checkout -n shop", "time": "2023-11-14T22:13:20Z",
    ]
    #expect(MessageFormat.webhook.body(of: aborted) == expected)
  }

  @Test("no part is longer than Slack takes, however long the message, and no entity is cut")
  func bounds() throws {
    var long = aborted
    long.summary = String(repeating: "<&>", count: 50_000)
    long.facts = (0..<40).map { .init(String(repeating: "n", count: 5000), String(repeating: "\($0)&", count: 5000)) }
    long.hint = String(repeating: "h", count: 5000)
    let body = MessageFormat.slack.body(of: long)
    #expect((body["text"]?.string ?? "").utf16.count <= 4000)
    let blocks = try #require(body["blocks"]?.array)
    let fields = try #require(blocks[2]["fields"]?.array)
    #expect(fields.count == 10)
    #expect(fields.last?["text"]?.string?.contains("31 more checks") == true)
    for field in fields { #expect((field["text"]?.string ?? "").utf16.count <= 2000) }
    let summary = try #require(blocks[1]["text"]?["text"]?.string)
    #expect(summary.utf16.count <= 3000)
    #expect(summary.hasSuffix("&gt;…") || summary.hasSuffix("&lt;…") || summary.hasSuffix("&amp;…"))
    #expect(body.data.count < 64 << 10)
    #expect(MessageFormat.webhook.body(of: long).data.count < 128 << 10)
  }

  @Test("a message cannot mention people or make links")
  func mentions() {
    var message = aborted
    message.summary = "<!channel> <https://evil.example|click>"
    let text = MessageFormat.slack.body(of: message)["blocks"]?[1]?["text"]?["text"]?.string
    #expect(text == "&lt;!channel&gt; &lt;https://evil.example|click&gt;")
  }

  @Test("every event has a title of its own")
  func titles() {
    let titles = NotificationEvent.allCases.map { event in
      NotificationMessage(event, namespace: "n", rollout: "r", summary: "", time: Date(timeIntervalSince1970: 0)).title
    }
    #expect(Set(titles).count == NotificationEvent.allCases.count)
  }

  @Test("a channel that lists events wants only those")
  func wants() {
    #expect(NotificationChannelSpec().wants(.step))
    #expect(NotificationChannelSpec(events: [.aborted]).wants(.aborted))
    #expect(!NotificationChannelSpec(events: [.aborted]).wants(.step))
  }
}
