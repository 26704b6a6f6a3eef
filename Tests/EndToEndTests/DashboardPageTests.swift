import Foundation
import KubernetesAPI
import Testing

/// The page of `sluice dashboard` as a browser shows it, over objects that nobody reconciles.
@Suite(
  "The dashboard in a browser", .enabled(if: Browser.isThere, "chromium is not in PATH; Tests/run installs it"),
  .timeLimit(.minutes(2)))
struct DashboardPage {
  /// What a person may write into a reason, or into the name of an image.
  private static let hostile =
    "<img src=x onerror=\"document.title='gone'\"><script>document.title='gone'</script><b id=evil>bold</b>"

  private static let status: JSON = [
    "phase": "Rejected", "weight": 0, "message": .string("revision abc was rejected: \(hostile)"),
    "stable": [
      "hash": "def", "replicaSet": "checkout-def", "desired": 4, "available": 4, "images": ["registry.example/app:v1"],
    ], "lastRun": "checkout-abc",
  ]

  private static let run: JSON = [
    "phase": "Aborted", "startedAt": "2026-01-01T10:00:00.000000Z", "finishedAt": "2026-01-01T10:03:00.000000Z",
    "message": "errors: canary 9.2 % … 26.8 %",
    "timeline": [
      [
        "kind": "Step", "step": 1, "title": "weight 20%", "startedAt": "2026-01-01T10:00:00.000000Z",
        "finishedAt": "2026-01-01T10:02:00.000000Z", "outcome": "Failed", "message": .string(hostile),
        "checks": [
          [
            "name": "errors", "verdict": "Fail", "finding": "WorseThanStable",
            "message": .string("35 of 209 requests failed \(hostile)"),
            "evidence": [
              "canary": ["requests": "209", "bad": "35", "lower": "0.092", "upper": "0.27"],
              "stable": ["requests": "2143", "bad": "0", "lower": "0", "upper": "0.0034"], "limit": "0.01",
            ],
          ],
          [
            "name": "basket", "verdict": "Pass", "message": "as stable's",
            "evidence": [
              "canary": ["requests": "80", "amount": "4000", "value": "50", "lower": "47.2", "upper": "52.9"],
              "stable": ["requests": "800", "amount": "40800", "value": "51", "lower": "50.1", "upper": "51.9"],
            ],
          ],
          ["name": "memory", "kind": "Guard", "verdict": "Pass", "message": "as stable's"],
          ["name": "cpu", "kind": "Guard", "verdict": "Pass", "message": "as stable's"],
          ["name": "guards", "kind": "Guard", "verdict": "Unknown", "message": "not watched: throttling"],
        ],
      ]
    ],
  ]

  @Test("a rejected run is shown with its verdict and why, as it goes, and whatever people wrote is text")
  func rejected() async throws {
    try await Self.serve { page, kubectl in
      let list = try await page("").text(with: ["checkout", "Rejected", "live"])
      #expect(list.contains(Self.hostile))

      let one = try await page("#/shop/checkout")
      let text = try await one.text(with: ["Run checkout-abc", "Step 1", "35 of 209 requests"])
      for part in [
        "Rejected", "Aborted", "errors", "Fail", "9.2% … 27%", "0% … 0.34%", "47.2 … 52.9", "4/4 pods",
        "nothing unusual: memory, cpu", "guards: not watched: throttling",
      ] {
        #expect(text.contains(part), "\(part) is not on the page:\n\(text)")
      }
      #expect(text.components(separatedBy: Self.hostile).count - 1 == 3, "in the status, the step and the check")
      #expect(try await one.ask("document.querySelectorAll('img, #evil, body script').length") == "0")
      #expect(try await one.ask("document.title") == "checkout – Sluice")

      try await kubectl(["patch", "rollouts.sluice.dev", "checkout"], ["status": ["message": "it goes on"]])
      _ = try await one.text(with: ["it goes on"])
    }
  }

  /// Starts a sandbox with the objects in it, the dashboard and a browser, and ends them.
  private static func serve(
    _ body: (_ page: (String) async throws -> Page, _ kubectl: ([String], JSON) async throws -> Void) async throws
      -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-page-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let environment = ["KUBECONFIG": folder.appending(path: "kubeconfig").path, "HOME": folder.path]
    let sluice = Program(path: try Machine.sluice(), environment: environment)
    let program = Program(path: try Machine.tool("kubectl"), environment: environment)
    func kubectl(_ arguments: [String], input: String? = nil) async throws {
      let outcome = try await program.run(["--namespace", "shop"] + arguments, input: input)
      guard outcome.exitCode == 0 else { throw HarnessError("\(outcome)") }
    }
    func patch(_ object: [String], _ change: JSON) async throws {
      try await kubectl(object + ["--subresource=status", "--type=merge", "--patch", change.description])
    }

    var daemons: [Daemon] = []
    func start(_ name: String, _ arguments: [String]) throws {
      daemons.append(try Daemon(name, sluice, arguments, log: folder.appending(path: "\(name).log")))
    }
    var browser: Browser?
    let result: Result<Void, any Error>
    do {
      try start("sandbox", ["sandbox", "--kubeconfig", environment["KUBECONFIG"] ?? ""])
      _ = try await poll("the sandbox's API", within: .seconds(30), every: .milliseconds(200)) {
        try await program.run(["get", "namespaces"], deadline: .seconds(5)).exitCode == 0 ? true : nil
      }
      try await kubectl(["apply", "-k", Machine.source("deploy/crds").path])
      try await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"])
      try await kubectl(["create", "namespace", "shop"])
      try await kubectl(["apply", "-f", "-"], input: Manifest().rollout + "\n---\n" + runManifest)
      try await patch(["patch", "rollouts.sluice.dev", "checkout"], ["status": status])
      try await patch(["patch", "rolloutruns.sluice.dev", "checkout-abc"], ["status": run])

      let port = try Machine.freePort()
      try start("dashboard", ["dashboard", "--port", "\(port)"])
      let chromium = try Browser(folder: folder)
      browser = chromium
      _ = try await poll("the dashboard", within: .seconds(20)) { () -> Bool? in
        guard let socket = Machine.connect(to: port) else { return nil }
        close(socket)
        return true
      }
      try await body({ try await chromium.open("http://127.0.0.1:\(port)/\($0)") }, patch)
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await browser?.close()
    for daemon in daemons.reversed() { await daemon.stop() }
    try result.get()
  }

  private static let runManifest = """
    apiVersion: sluice.dev/v1alpha1
    kind: RolloutRun
    metadata: {name: checkout-abc}
    spec:
      rolloutRef: {name: checkout, uid: u-1}
      revision: abc
      stable: {hash: def, replicaSet: checkout-def}
      demand: 4
      plan:
        workloadRef: {name: checkout}
        serviceRefs: [{name: checkout, port: http}]
        traffic: {istio: {}}
        steps: [{weight: 20, analyze: {for: 3m}}]
        analysis: {slos: [{name: errors, errorRate: {max: 1%}}]}
    """
}
