import Foundation
import KubernetesAPI
import Testing

/// A namespace of a test with one workload in it, `checkout`, and its Rollout.
struct Shop: Sendable {
  let cluster: TestCluster
  let namespace: String

  /// Creates the namespace and what is in it, waits until the first revision is stable, and runs the body. Shows what
  /// there is to know when the test fails.
  static func open(
    _ namespace: String, _ manifest: Manifest = Manifest(), _ body: (Shop) async throws -> Void
  ) async throws {
    let cluster = try #require(TestCluster.current, "the suite has no cluster")
    let shop = Shop(cluster: cluster, namespace: namespace + (cluster.given?.suffix ?? ""))
    await cluster.enter(namespace)
    do {
      let annotations = manifest.mesh.map { ", annotations: {\($0)}" } ?? ""
      let metadata =
        "metadata: {name: \(shop.namespace), labels: {\(GivenCluster.label): \(namespace)}\(annotations)}"
      try await shop.apply("apiVersion: v1\nkind: Namespace\n\(metadata)\n")
      try await shop.apply(manifest.text)
      if manifest.isSound { try await shop.status(0) }
      try await body(shop)
      shop.checkHistory(mayRollByItself: manifest.mayRollByItself)
      #expect(await cluster.fallen() == [])
      #expect(cluster.record.faults == [])
    } catch {
      await shop.close()
      shop.show()
      throw error
    }
    await shop.close()
    if Failures.contain(Test.current?.name ?? "") { shop.show() }
  }

  /// Sends the callers away, whom the mesh would have to play until the suite ends, and makes room for another scenario.
  private func close() async {
    let rates = ["", "unmeshed-", "gateway-"].map { "sandbox.sluice.dev/\($0)requests-per-second-" }
    _ = try? await cluster.kubectl.run(["--namespace", namespace, "annotate", "service", "checkout"] + rates)
    await cluster.leave()
  }

  // MARK: - What users do

  /// Runs `kubectl` in the namespace; fails the test where it fails.
  @discardableResult
  func kubectl(
    _ arguments: String..., input: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let outcome = try await cluster.kubectl.run(["--namespace", namespace] + arguments, input: input)
    try #require(outcome.exitCode == 0, "\(outcome)", sourceLocation: sourceLocation)
    return outcome.output
  }

  func apply(_ manifest: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await kubectl("apply", "-f", "-", input: manifest, sourceLocation: sourceLocation)
  }

  /// Changes the image, as anybody would.
  func setImage(_ tag: String) async throws {
    try await kubectl("set", "image", "deployment/checkout", "app=\(Manifest.image(tag))")
  }

  func sluice(_ arguments: String..., deadline: Duration = .seconds(150)) async throws -> Outcome {
    try await cluster.sluice.run(arguments + ["--namespace", namespace], deadline: deadline)
  }

  /// Runs a command that must succeed.
  @discardableResult
  func decide(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
    let outcome = try await cluster.sluice.run(arguments + ["--namespace", namespace])
    try #require(outcome.exitCode == 0, "\(outcome)", sourceLocation: sourceLocation)
    return outcome.output
  }

  /// Waits with `sluice status --wait` for an end, and for this exit code; the record then holds what led to it.
  func status(
    _ code: Int32, exitOnPause: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    // Far more than it takes: the machine may be busy.
    let arguments = ["status", "checkout", "--namespace", namespace, "--wait", "--timeout", "300s"]
    let outcome = try await cluster.sluice.run(
      arguments + (exitOnPause ? ["--exit-on-pause"] : []), deadline: .seconds(310))
    try #require(outcome.exitCode == code, "wanted exit code \(code): \(outcome)", sourceLocation: sourceLocation)
    try await untilRecorded()
  }

  // MARK: - What users see

  func get(_ resource: String, _ name: String = "checkout") async throws -> JSON {
    try JSON(parsing: Data(try await kubectl("get", resource, name, "--output=json").utf8))
  }

  func list(_ resource: String) async throws -> [JSON] {
    let list = try JSON(parsing: Data(try await kubectl("get", resource, "--output=json").utf8))
    return list["items"]?.array ?? []
  }

  func exists(_ resource: String, _ name: String) async throws -> Bool {
    let outcome = try await cluster.kubectl.run(
      ["--namespace", namespace, "get", resource, name, "--ignore-not-found", "--output=name"])
    try #require(outcome.exitCode == 0, "\(outcome)")
    return !outcome.output.isEmpty
  }

  /// The ReplicaSet that runs an image.
  func replicaSet(_ tag: String) async throws -> JSON {
    try #require(
      try await list("replicasets").first { $0.image == Manifest.image(tag) }, "no ReplicaSet runs \(tag)")
  }

  /// The newest run of an image, also of one whose ReplicaSet is gone.
  func run(_ tag: String) async throws -> JSON {
    let sets = Set(history("replicasets.apps").filter { $0.object.image == Manifest.image(tag) }.map(\.object.name))
    let runs = try await list("rolloutruns").filter {
      $0[path: ["status", "canary", "replicaSet"]]?.string.map(sets.contains) ?? false
    }
    return try #require(runs.max { $0.creation < $1.creation }, "no run of \(tag)")
  }

  /// Waits for a state of an object of the record; the newest version of each is asked.
  @discardableResult
  func until(
    _ what: String, _ resource: String, within limit: Duration = .seconds(180), _ holds: (JSON) -> Bool
  ) async throws -> JSON {
    do {
      return try await poll(what, within: limit) { cluster.record.live(resource, in: namespace).first(where: holds) }
    } catch let error as HarnessError {
      let seen = cluster.record.live(resource, in: namespace).map { $0["status"] ?? $0 }
      throw HarnessError("\(error); the \(resource) there are: \(seen.map(\.pretty).joined(separator: "\n"))")
    }
  }

  /// Waits until the record holds what there is now: its watches run behind what others are told.
  private func untilRecorded() async throws {
    let present = try await list(cluster.record.watched.filter { $0 != "events" }.joined(separator: ","))
    _ = try await poll("the record to hold what there is", within: .seconds(90)) {
      cluster.record.holds(present, in: namespace) ? true : nil
    }
  }

  /// Waits until this part of the traffic is routed to the canary.
  /// - Parameter change: what the route was changed to meanwhile, which the record may not hold yet.
  func untilWeight(_ weight: Int, after change: JSON? = nil) async throws {
    let version = change.flatMap { Int($0.resourceVersion) } ?? 0
    _ = try await poll("weight \(weight)", within: .seconds(180)) {
      [Self.virtualServices, Self.httpRoutes].flatMap { cluster.record.live($0, in: namespace) }
        .first { $0.canaryWeight == weight && Int($0.resourceVersion) ?? 0 > version }
    }
  }

  /// Waits until the controller has looked twice at what is there now, in the middle of a run: it answers a change of
  /// the Rollout that concerns no run under way. Once would not do, since kinds are watched apart from each other and it
  /// may not have seen the others' news by then.
  func untilLookedAt() async throws {
    for limit in [6, 7] {
      try await kubectl(
        "patch", "rollouts.sluice.dev", "checkout", "--type=merge", "--patch",
        #"{"spec": {"runHistoryLimit": \#(limit)}}"#)
      let generation = try await get("rollouts.sluice.dev")[path: ["metadata", "generation"]]?.int
      try await until("the controller to see generation \(generation ?? 0)", "rollouts.sluice.dev") {
        $0[path: ["status", "observedGeneration"]]?.int == generation
      }
    }
  }

  /// The uids of the running pods of an image.
  func pods(_ tag: String) async throws -> Set<String> {
    let pods = try await list("pods").filter { $0.podImage == Manifest.image(tag) && $0.isAlive }
    return Set(pods.map(\.uid))
  }

  /// The uids of all pods of an image that there have ever been.
  func podsEver(_ tag: String) -> Set<String> {
    Set(history("pods").filter { $0.object.podImage == Manifest.image(tag) }.map(\.object.uid))
  }

  func history(_ resource: String? = nil) -> [ClusterRecord.Version] {
    cluster.record.versions(in: namespace).filter { resource == nil || $0.resource == resource }
  }

  /// The weights of the canary that were routed, without repetitions.
  var weights: [Int] {
    history().filter {
      $0.resource == Self.virtualServices
        || $0.resource == Self.httpRoutes && ["checkout", "shop"].contains($0.object.name)
    }.map(\.object.canaryWeight).reduce(into: []) { weights, weight in
      if weights.last != weight { weights.append(weight) }
    }
  }

  static let virtualServices = "virtualservices.networking.istio.io"
  static let httpRoutes = "httproutes.gateway.networking.k8s.io"

  private func show() {
    let events = cluster.record.live("events", in: namespace).map {
      "\($0["reason"]?.string ?? "") \($0[path: ["involvedObject", "name"]]?.string ?? ""): \($0["message"]?.string ?? "")"
    }
    let statuses = ["rollouts.sluice.dev", "rolloutruns.sluice.dev"].flatMap { resource in
      cluster.record.live(resource, in: namespace).map { "\(resource) \($0.name): \($0["status"]?.pretty ?? "")" }
    }
    let log = Daemon.tail(of: cluster.controllerLog, 60, containing: "namespace=\(namespace) ")
    print(
      """
      == \(namespace): objects
      \(statuses.joined(separator: "\n").prefix(12000))
      == \(namespace): events
      \(events.joined(separator: "\n"))
      == \(namespace): controller
      \(log)
      """)
  }
}
