import CanaryAnalysis
import Foundation
import HTTPTransport
import KubernetesAPI
import Logging
import RolloutAPI
import RolloutEngine
import Synchronization
import Testing
import TrafficRouting

@testable import KubernetesClient
@testable import Operator
@testable import Sandbox

/// The operator at work in a sandbox in process, on a clock of its own: the same reconciler, observer and writers as in
/// the product, the sandbox's API server and controllers, and measurements made up by the traffic that is routed.
/// Whether callers still have pods is looked at after every single write.
final class OperatorWorld {
  static let key = ObjectKey(namespace: "shop", name: "checkout")

  /// Which policies of deploy/policies are installed.
  enum Policies: String { case shipped, none }

  let time = VirtualTime()
  let server: APIServer
  let transport: SandboxTransport
  let announcer: RecordingAnnouncer
  let spans = SpanLog()
  private let cluster: InProcessAccess
  private let controllers: ControllerManager
  private let breachLog = BreachLog()
  private(set) var hold: HoldProbe
  private(set) var reconciler: Reconciler
  private var caches: [ResourceType: ObjectCache<JSON>] = [:]
  private var counters: [String: Double] = [:]
  /// Images that fail their checks, and requests per second that reach canary pods beside the route.
  var failing: Set<String> = []
  var bypass = 0.0
  /// Requests at stable's pods of a caller whose proxy uses no TLS; nobody tells how requests are secured where it is nil.
  var plainText: Double? = 0
  /// The stable revision answers nobody: no callee counts, and callers get 503.
  private var stableIsDown = false
  private let behaviours = BreakablePods()
  private let usages = ModelUsages()
  /// Requests per second.
  var rate = 1000.0
  /// What a later version of the server makes of objects that it reads.
  var defaulting: ((ResourceType, JSON) -> JSON)?
  /// What each pod of an image uses of any resource, by the image's tag; looked at before the controllers work.
  var use: ((OperatorWorld) -> [String: Double])?
  /// A check has said that it judged the canary alone.
  private(set) var sawAlone = false
  private(set) var problems: [String] = []
  /// Ends a turn early, in a state that lasts no longer than it takes to see it.
  private var halts: ((OperatorWorld) -> Bool)?

  init(policies: Policies = .shipped) throws {
    let time = time
    server = APIServer(clock: SandboxClock(now: { time.now }, sleep: { _ in throw CancellationError() }))
    cluster = InProcessAccess(server)
    controllers = .builtIn(cluster: cluster, behaviour: behaviours, usages: usages)
    try MeshDefinitions.install(in: cluster)
    let log = breachLog
    let breaches = Breaches(cluster: cluster)
    transport = SandboxTransport(server) { write in
      if let breach = breaches.now() { log.add("after \(write): \(breach)") }
    }
    announcer = RecordingAnnouncer(time: time)
    (hold, reconciler) = Self.operator(transport, announcer, spans, time, [:])
    for file in ["rollouts", "rolloutruns", "analysistemplates", "clusteranalysistemplates", "notificationchannels"] {
      try create(Self.shipped("crds/\(file).yaml"))
    }
    if policies == .shipped {
      for file in ["hold", "warn", "pin"] { try create(Self.shipped("policies/\(file).yaml")) }
    }
    try create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")
    restartController()
  }

  private static func `operator`(
    _ transport: SandboxTransport, _ announcer: RecordingAnnouncer, _ spans: SpanLog, _ time: VirtualTime,
    _ caches: [ResourceType: ObjectCache<JSON>]
  ) -> (HoldProbe, Reconciler) {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let client = KubernetesClient(
      server: "http://sandbox", transport: TracedTransport(transport: transport, tracer: spans.tracer),
      time: TimeSource(VirtualClock(time: time), now: { time.now }), randomness: Randomness { 0.5 }, logger: logger)
    let view = ClusterView(caches: caches)
    let hold = HoldProbe(client: client, view: view, logger: logger) { _ in }
    let settings = OperatorSettings(
      prometheusURL: "http://prometheus", lease: ObjectKey(namespace: "sluice", name: "lease"), identity: "test")
    let reconciler = Reconciler(
      view: view, client: client, board: JudgeBoard(), guards: GuardBoard(), aborts: AbortRecord(time: client.time),
      announcer: announcer, tracing: RunTracing(spans.tracer), hold: hold, quiet: QuietTimes(), settings: settings,
      logger: logger)
    return (hold, reconciler)
  }

  private static func shipped(_ path: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../deploy").standardized
    return try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// A process without memory takes over.
  func restartController() {
    let kinds = Watches.kinds
    caches = Dictionary(
      uniqueKeysWithValues: kinds.map { type in
        (type, ObjectCache<JSON>(indexes: [ClusterView.byNamespace: { [$0.namespace] }]))
      })
    (hold, reconciler) = Self.operator(transport, announcer, spans, time, caches)
  }

  // MARK: - Time

  /// One look of the operator at the Rollout, with all that follows from it at once.
  func turn() async {
    usages.set((use?(self) ?? [:]).map { (Manifests.image($0.key), $0.value) })
    controllers.runDue()
    for _ in 0..<40 {
      refresh()
      measure()
      let outcome: WorkOutcome
      do {
        outcome = try await reconciler.reconcile(WorkItem(key: Self.key, reasons: ["test"], failures: 0))
      } catch {
        problems.append("\(error)")
        return
      }
      if halts?(self) == true { return }
      let asked = await hold.answerDue()
      controllers.runDue()
      if outcome != .again(after: .zero), !asked { return }
    }
  }

  /// One look, during which nothing is answered that was asked beside the reconcile.
  func turnWithoutAnswers() async {
    refresh()
    do {
      _ = try await reconciler.reconcile(WorkItem(key: Self.key, reasons: ["test"], failures: 0))
    } catch {
      problems.append("\(error)")
    }
  }

  /// Lets time pass in steps, with a look of the operator after each.
  func pass(_ seconds: Double, step: Double = 1) async {
    let end = time.now.addingTimeInterval(seconds)
    while time.now < end, halts?(self) != true {
      controllers.run(until: min(end, time.now.addingTimeInterval(step))) { time.advance(to: $0) }
      await turn()
    }
  }

  /// Lets time pass until a state is reached.
  func settle(
    _ what: String, within seconds: Double = 300, sourceLocation: SourceLocation = #_sourceLocation,
    until holds: @escaping (OperatorWorld) -> Bool
  ) async throws {
    let end = time.now.addingTimeInterval(seconds)
    halts = holds
    defer { halts = nil }
    while !holds(self) {
      guard time.now < end else {
        Issue.record(
          """
          waited \(seconds) s in vain for \(what): \(status.pretty)
          \(runs.last?["status"]?.pretty ?? "no run")
          problems: \(problems.suffix(3))
          """, sourceLocation: sourceLocation)
        throw CancellationError()
      }
      await pass(1)
    }
  }

  private func refresh() {
    let version = String(server.store.state.resourceVersion)
    for (type, cache) in caches {
      let objects = cluster.list(type, namespace: nil).map { object in
        var object = (defaulting?(type, object) ?? object).typed(type)
        if !Watches.keepsManagedFields(type) { object[path: ["metadata", "managedFields"]] = nil }
        for member in Watches.drops(type) { object[member] = nil }
        return (
          key: object.objectKey, version: object.resourceVersion,
          object: Result<JSON, UndecodableObject>.success(object)
        )
      }
      cache.change(resourceVersion: version) { _ = $0.replace(with: objects) }
      cache.markSynced()
    }
  }

  // MARK: - Measurements

  private func measure() {
    let now = time.now
    let uptime = reconciler.client.time.uptime
    // Nothing of what a process before this one measured is kept here.
    for (rollout, run, _) in reconciler.board.takePasts(uptime: uptime) {
      _ = reconciler.board.record(
        past: RunJudge(plan: run.plan, scope: run.scope, metrics: run.metrics), run: run.name, for: rollout)
    }
    for (rollout, run) in reconciler.guards.takeUsual(uptime: uptime) {
      reconciler.guards.record(UsualLevels(), run: run.name, for: rollout)
    }
    for due in reconciler.guards.takePasts(uptime: uptime) {
      _ = reconciler.guards.record(past: due.judge, run: due.run.name, for: due.rollout)
    }
    for look in reconciler.board.takeDue(uptime: uptime) {
      let (rollout, scope) = (look.rollout, look.scope)
      let weight = Double(canaryWeight ?? 0) / 100
      let sets = [Track.stable: scope.stableReplicaSet, .canary: scope.canaryReplicaSet]
      var answers = LookAnswers()
      for question in DueLook.questions([look]) {
        answers.answers[question] = .series(
          Track.allCases.filter { $0 == .canary || !stableIsDown || question.view == .caller }.flatMap { track in
            series(question, track, share: track == .canary ? weight : 1 - weight, set: sets[track] ?? "", scope)
          })
      }
      _ = reconciler.board.record(answers, for: rollout, at: now)
      let name = runs.last?.name ?? ""
      let checks = reconciler.board.latest(rollout, run: name)?.checks ?? []
      sawAlone = sawAlone || checks.contains { $0.verdict == .pass && $0.message.contains("judged alone") }
    }
    answerQueries()
  }

  /// Teams' own queries give the part of the pods' requests that fail.
  private func answerQueries() {
    let due = reconciler.board.takeDueQueries(uptime: reconciler.client.time.uptime, now: time.now)
    for (rollout, run, round) in due {
      let sets = runs.last.map { run in
        [
          Track.stable: run[path: ["spec", "stable", "replicaSet"]]?.string ?? "",
          .canary: run[path: ["status", "canary", "replicaSet"]]?.string ?? "",
        ]
      }
      let values = round.texts.keys.map { question -> (QueryQuestion, Measured<Double>) in
        (question, .value(failing.contains(image(ofSet: sets?[question.track] ?? "") ?? "") ? 0.5 : 0))
      }
      _ = reconciler.board.record(
        Dictionary(uniqueKeysWithValues: values), of: round, run: run, for: rollout)
    }
  }

  private func series(
    _ question: LookAnswers.Question, _ track: Track, share: Double, set: String, _ scope: MetricsScope
  ) -> [MetricSeries] {
    var labels = ["instance": question.view.rawValue]
    switch question.view {
    case .caller:
      labels["destination_service_namespace"] = scope.namespace
      labels["destination_service_name"] = "checkout-\(track.rawValue)"
    case .callee:
      labels["destination_workload_namespace"] = scope.namespace
      labels["pod"] = "\(set)-aaaaa"
    }
    if question.kind == .security {
      guard let plainText else { return [] }
      let mutual = labels.merging(["connection_security_policy": "mutual_tls"]) { $1 }
      let other = labels.merging([
        "connection_security_policy": "none", "source_workload_namespace": "web", "source_workload": "front",
      ]) { $1 }
      return [MetricSeries(labels: mutual, value: share * rate)]
        + (track == .stable ? [MetricSeries(labels: other, value: plainText)] : [])
    }
    let isBad = failing.contains(image(ofSet: set) ?? "") || (stableIsDown && track == .stable)
    var requests = share * rate
    if question.view == .callee, track == .canary { requests += bypass }
    let parts: [(String, String, Double)] =
      switch question.kind {
      case .requests: [("response_code", "200", isBad ? 0 : 1), ("response_code", "503", isBad ? 1 : 0)]
      case .latency: [("le", "50", 1), ("le", "500", 1), ("le", "+Inf", 1)]
      case .security: []
      }
    return parts.map { name, value, part in
      labels[name] = value
      let key = "\(question) \(set) \(track) \(value)"
      counters[key, default: 1] += requests * part
      return MetricSeries(labels: labels, value: counters[key] ?? 0)
    }
  }

  // MARK: - What people do

  func create(_ yaml: String) throws {
    for document in try JSON.documents(yaml: yaml) {
      var type = try #require(cluster.type(apiVersion: document.json.apiVersion, kind: document.json.kind))
      // Of kinds with several versions the manifest's.
      type.version = String(document.json.apiVersion.split(separator: "/").last ?? "v1")
      try send("POST", type.path(namespace: document.json.namespace), document.json)
      controllers.runDue()
    }
  }

  /// A merge patch by a person, or by another field manager.
  func patch(
    _ type: ResourceType, named name: String = "checkout", _ patch: JSON, by manager: String = "kubectl",
    subresource: String = ""
  ) throws {
    let path =
      "\(type.path(namespace: type.namespaced ? "shop" : nil))/\(name)" + (subresource.isEmpty ? "" : "/\(subresource)")
    try send("PATCH", path, patch, contentType: "application/merge-patch+json", agent: manager)
  }

  func delete(_ type: ResourceType, _ name: String = "checkout", _ propagation: String = "Background") throws {
    try send(
      "DELETE", "\(type.path(namespace: type.namespaced ? "shop" : nil))/\(name)", nil,
      [("propagationPolicy", propagation)])
    controllers.runDue()
  }

  func replace(_ type: ResourceType, _ object: JSON, by manager: String = "kubectl") throws {
    try send("PUT", "\(type.path(namespace: type.namespaced ? "shop" : nil))/\(object.name)", object, agent: manager)
  }

  func setImage(_ tag: String, by manager: String = "kubectl") throws {
    var containers = deployment?[path: ["spec", "template", "spec", "containers"]]?.array ?? []
    if !containers.isEmpty { containers[0]["image"] = .string(Manifests.image(tag)) }
    try patch(.deployments, ["spec": ["template": ["spec": ["containers": .array(containers)]]]], by: manager)
  }

  /// An image's pods never become ready.
  func breakDown(_ tag: String) { behaviours.breakDown(Manifests.image(tag)) }

  /// The stable image's pods stop being ready, for good.
  func breakStable(_ tag: String) throws {
    stableIsDown = true
    behaviours.breakDown(Manifests.image(tag))
    for pod in objects(.pods) { try patch(.pods, named: pod.name, ["metadata": ["annotations": ["seen": "again"]]]) }
    controllers.runDue()
  }

  func command(_ action: CommandAction) throws {
    let run = try #require(runs.last)
    let sequence = (run[path: ["spec", "command", "sequence"]]?.int ?? 0) + 1
    try patch(
      .rolloutRuns, named: run.name,
      ["spec": ["command": ["action": .string(action.rawValue), "sequence": JSON(sequence), "requestedBy": "ann"]]])
  }

  @discardableResult
  func send(
    _ method: String, _ path: String, _ body: JSON?, _ query: [(name: String, value: String)] = [],
    contentType: String = "application/json", agent: String = "kubectl"
  ) throws -> JSON {
    let answer = server.handle(
      ServerRequest(
        method, path, query: query,
        headers: [("Accept", "application/json"), ("Content-Type", contentType), ("User-Agent", "\(agent)/1.0")],
        body: body?.bytes ?? []))
    guard case .bytes(let bytes) = answer.body else { return .null }
    let json = try JSON(parsing: bytes)
    try #require(answer.status < 300, "\(method) \(path): \(json.pretty)")
    return json
  }

  // MARK: - What there is

  func object(_ type: ResourceType, _ name: String = "checkout") -> JSON? {
    cluster.get(type, ObjectKey(namespace: type.namespaced ? "shop" : "", name: name))
  }

  func objects(_ type: ResourceType) -> [JSON] { cluster.list(type, namespace: "shop") }

  var deployment: JSON? { object(.deployments) }
  /// With what the operator has yet to write.
  var status: JSON {
    object(.rollouts).flatMap { reconciler.statuses.current($0, .rollouts)["status"] } ?? .emptyObject
  }
  var phase: String { status["phase"]?.string ?? "" }
  var runs: [JSON] {
    let runs = objects(.rolloutRuns).map { reconciler.statuses.current($0, .rolloutRuns) }
    return runs.sorted { ($0.creation, $0.name) < ($1.creation, $1.name) }
  }

  /// The stage of the newest run, as `Progressing/Analyzing/2`, also where its status still waits to be written.
  var stage: String {
    let status = runs.last.flatMap { reconciler.statuses.current($0, .rolloutRuns)["status"] }
    return [status?["phase"]?.string, status?["stage"]?.string, status?["step"]?.int.map(String.init)]
      .compactMap { $0 }.joined(separator: "/")
  }

  func condition(_ type: String) -> JSON? {
    status["conditions"]?.array?.first { $0["type"]?.string == type }
  }

  /// `nil` where there is no routing object.
  var canaryWeight: Int? { route.map { Breaches.destinations($0)["checkout-canary"] ?? 0 } }

  /// Sluice's own, or the person's that is edited in place.
  var route: JSON? { Breaches.route(in: cluster) }

  func set(_ tag: String) -> JSON? {
    objects(.replicaSets).first {
      $0[path: ["spec", "template", "spec", "containers"]]?[0]?["image"]?.string == Manifests.image(tag)
    }
  }

  private func image(ofSet name: String) -> String? {
    let image = object(.replicaSets, name)?[path: ["spec", "template", "spec", "containers"]]?[0]?["image"]?.string
    return image.map { String($0.split(separator: ":").last ?? "") }
  }

  /// The uids of an image's pods that are not on their way out.
  func pods(_ tag: String) -> Set<String> {
    Set(
      objects(.pods).filter {
        $0[path: ["spec", "containers"]]?[0]?["image"]?.string == Manifests.image(tag) && !$0.isBeingDeleted
      }.map(\.uid))
  }

  func replicas(_ tag: String) -> Int? { set(tag)?[path: ["spec", "replicas"]]?.int }

  /// The moments at which callers had no pod although some were ready.
  var breaches: [String] { breachLog.entries }

  /// Whether callers have pods right now.
  var breach: String? { Breaches(cluster: cluster).now() }
}

final class ModelUsages: PodUsages {
  private let byImage = Mutex<[String: Double]>([:])

  func set(_ usages: [(String, Double)]) { byImage.withLock { $0 = Dictionary(usages) { $1 } } }

  func usage(of pod: JSON, resource: String) -> Double? {
    let image = pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
    return byImage.withLock { $0[image] }
  }
}

final class BreakablePods: PodBehaviours {
  private let broken = Mutex<Set<String>>([])

  func breakDown(_ image: String) { broken.withLock { _ = $0.insert(image) } }

  func behaviour(of pod: JSON) -> PodBehaviour {
    let image = pod[path: ["spec", "containers"]]?[0]?["image"]?.string ?? ""
    let isBroken = broken.withLock { $0.contains(image) }
    return isBroken ? .neverReady(startsAfter: .zero) : ApplicationBehaviours().behaviour(of: pod)
  }

  func termination(of pod: JSON) -> Duration { ApplicationBehaviours().termination(of: pod) }
}

final class BreachLog: Sendable {
  private let all = Mutex<[String]>([])
  var entries: [String] { all.withLock { $0 } }
  func add(_ entry: String) { all.withLock { $0.append(entry) } }
}

/// Where callers get no answer although ready pods are there.
struct Breaches: Sendable {
  let cluster: InProcessAccess

  func now() -> String? {
    let ready = cluster.list(.pods, namespace: "shop").filter { pod in
      !pod.isBeingDeleted
        && pod[path: ["status", "conditions"]]?.array?.contains { $0["type"] == "Ready" && $0["status"] == "True" }
          ?? false
    }
    guard !ready.isEmpty else { return nil }
    let shares = Self.route(in: cluster).map(Self.destinations) ?? ["checkout": 100]
    for (name, weight) in shares.sorted(by: { $0.key < $1.key }) where weight > 0 {
      guard let service = cluster.get(.services, ObjectKey(namespace: "shop", name: name)) else {
        // Without the callers' Service nobody calls.
        if cluster.get(.services, OperatorWorld.key) == nil { return nil }
        return "\(weight) % go to Service \(name), which is not there"
      }
      let selector = service[path: ["spec", "selector"]]?.strings ?? [:]
      let behind = ready.filter { pod in selector.allSatisfy { pod.labels[$0.key] == $0.value } }
      if behind.isEmpty { return "\(weight) % go to Service \(name), which has no ready pod (\(selector))" }
    }
    return nil
  }

  /// Sluice's own, or the person's that is edited in place.
  static func route(in cluster: InProcessAccess) -> JSON? {
    let persons = ObjectKey(namespace: "shop", name: "shop")
    return cluster.get(.virtualServices, OperatorWorld.key) ?? cluster.get(.virtualServices, persons)
      ?? cluster.get(.httpRoutes, OperatorWorld.key) ?? cluster.get(.httpRoutes, persons)
  }

  /// Weights by Service, of the rule `checkout` or else the first; of an HTTPRoute's last.
  static func destinations(_ route: JSON) -> [String: Int] {
    var shares: [String: Int] = [:]
    let entries = route[path: ["spec", "rules"]]?.array ?? []
    for backend in (entries.first { $0["name"] == "checkout" } ?? entries.last)?["backendRefs"]?.array ?? [] {
      shares[backend["name"]?.string ?? "", default: 0] += backend["weight"]?.int ?? 1
    }
    let rules = route[path: ["spec", "http"]]?.array ?? []
    let rule = rules.first { $0["name"] == "checkout" } ?? rules.first
    for destination in rule?["route"]?.array ?? [] {
      let host = destination[path: ["destination", "host"]]?.string ?? ""
      shares[String(host.split(separator: ".").first ?? ""), default: 0] += destination["weight"]?.int ?? 100
    }
    return shares
  }
}

extension JSON {
  fileprivate var creation: String { self[path: ["metadata", "creationTimestamp"]]?.string ?? "" }
}

final class RecordingAnnouncer: Announcing {
  private let time: VirtualTime
  private let all = Mutex<[Announcement]>([])

  init(time: VirtualTime) { self.time = time }

  var now: Date { time.now }
  var news: [Announcement] { all.withLock { $0 } }

  func announce(_ news: Announcement, rollout: JSON, plan: Plan, run: RolloutRun?) {
    all.withLock { $0.append(news) }
  }
}

extension HoldProbe {
  /// Answers what has been asked so far.
  /// - Returns: whether there was anything.
  func answerDue() async -> Bool {
    var count = 0
    while questions.depth > 0, let item = try? await questions.next() {
      await answer(item.key)
      questions.finish(item, .done)
      count += 1
    }
    return count > 0
  }
}

/// Keeps the spans that have ended.
final class SpanLog: Sendable {
  private let log = Mutex<[FinishedSpan]>([])

  var tracer: SpanTracer { SpanTracer { [self] span in log.withLock { $0.append(span) } } }
  var all: [FinishedSpan] { log.withLock { $0 } }
}
