import Foundation
import KubernetesAPI

/// How the simulated mesh behaves.
struct MeshSettings: Sendable {
  var seed: UInt64 = 1
  /// How long a change of the routing objects, Services or endpoints takes to reach the proxies, in seconds. istiod
  /// waits 100 ms for quiet and pushes within 300 ms.
  var propagation: ClosedRange<Double> = 0.1...0.3
  /// Requests per second for each Service with a selector that asks for no other rate; generated ones get none.
  var defaultRate = 0.0
  /// What a Service's callers may send between two ticks at most; time beyond is passed over, as after a laptop slept.
  var longestTick = 5.0
  /// The time that a request spends between the two proxies, in milliseconds.
  var networkLatency = 1.0
}

/// The mesh as a value: callers, proxies, applications and their metrics. Time and objects come in from outside.
struct MeshState: Sendable {
  private let settings: MeshSettings
  private var random: MeshRandom
  private var metrics = MeshMetrics()
  private var linkerd = LinkerdProxies()
  private var envoy = EnvoyGatewayProxies()
  private var usage = ContainerUsage()
  private var orders = ApplicationOrders()
  /// The pod of each revision that is the bad one, where one is to be.
  private var badPods: [String: ObjectKey] = [:]

  /// Ticks are due ten times a second; up to this many seconds, one is in time.
  private static let usualTick = 1.0
  private var lastTick: Date?
  private var fingerprint: [String] = []
  private var effective = MeshConfig()
  /// Snapshots under way to the proxies, in order.
  private var pending: [(due: Date, config: MeshConfig)] = []
  private var pods: [ObjectKey: MeshPod] = [:]
  /// What is left of a request from earlier ticks, by kind of caller.
  private var owed: [String: Double] = [:]

  init(settings: MeshSettings) {
    self.settings = settings
    random = MeshRandom(seed: settings.seed)
  }

  func exposition() -> String {
    metrics.exposition() + linkerd.exposition() + envoy.exposition() + usage.exposition(pods) + orders.exposition()
  }

  /// Brings the mesh up to a moment: takes in what changed in the cluster, then sends what the callers send since the
  /// tick before.
  /// - Parameter objects: nil where nothing changed since the tick before.
  mutating func tick(_ objects: MeshObjects?, now: Date) {
    let elapsed = max(0, lastTick.map { now.timeIntervalSince($0) } ?? 0)
    if let objects { observe(objects, now: now, late: max(0, elapsed - Self.usualTick)) }
    while let next = pending.first, next.due <= now {
      effective = next.config
      pending.removeFirst()
    }
    lastTick = now
    let seconds = min(settings.longestTick, elapsed)
    usage.advance(pods, seconds: seconds, now: now, random: &random)
    for caller in effective.callers { send(caller, seconds: seconds, now: now) }
    probe(seconds: seconds)
  }

  // MARK: Seeing the cluster

  /// - Parameter late: how much later than usual this tick is, in seconds. Proxies learn what changed meanwhile without it:
  ///   else a sandbox that got no processor for a while would send requests to pods that went in good order.
  private mutating func observe(_ objects: MeshObjects, now: Date, late: Double) {
    var seen: [ObjectKey: MeshPod] = [:]
    for object in objects.pods {
      let known = pods[object.objectKey].flatMap { $0.resourceVersion == object.resourceVersion ? $0 : nil }
      seen[object.objectKey] = known ?? MeshPod(object)
    }
    let gone = pods.keys.contains { seen[$0] == nil }
    orders.keep { seen[$0] != nil }
    pods = seen
    badPods = badPods.filter { seen[$0.value] != nil }
    for (key, pod) in seen.sorted(by: { $0.key < $1.key })
    where pod.application.hasBadPod && pod.isRunning && badPods[pod.revision] == nil {
      badPods[pod.revision] = key
    }
    if gone {
      metrics.keep { namespace, pod in
        seen[ObjectKey(namespace: namespace, name: pod)] != nil || Self.callerPods.contains(pod)
          || pod == Self.gatewayPod
      }
      linkerd.keep { seen[$0] != nil || Self.callerPods.contains($0.name) }
    }

    let changed = objects.fingerprint
    guard changed != fingerprint else { return }
    fingerprint = changed
    var config = MeshConfig(objects)
    config.callers = objects.services.filter { !($0[path: ["spec", "selector"]]?.object ?? [:]).isEmpty }.map {
      MeshCallers(service: $0, defaultRate: Self.isGenerated($0, of: objects) ? 0 : settings.defaultRate)
    }
    if lastTick == nil {
      effective = config
      return
    }
    let delay = max(0, Double.random(in: settings.propagation, using: &random) - late)
    let due = max(now.addingTimeInterval(delay), pending.last?.due ?? now)
    pending.append((due, config))
  }

  /// `checkout-stable` and `checkout-canary` beside `checkout` have no callers of their own.
  private static func isGenerated(_ service: JSON, of objects: MeshObjects) -> Bool {
    for suffix in ["-stable", "-canary"] where service.name.hasSuffix(suffix) {
      let name = String(service.name.dropLast(suffix.count))
      if objects.services.contains(where: { $0.namespace == service.namespace && $0.name == name }) { return true }
    }
    return false
  }

  // MARK: Requests

  static let callerPods = (0..<MeshCallers.maxVersions).map { "caller-\($0)" }
  static let gatewayPod = "istio-ingressgateway-0"

  private mutating func send(_ caller: MeshCallers, seconds: Double, now: Date) {
    for _ in 0..<due("meshed \(caller.service)", caller.meshed * seconds) {
      var request = MeshRequest(gateway: "mesh", host: MeshConfig.fullName(caller.service), port: caller.port)
      request.sourceNamespace = caller.service.namespace
      addHeader(of: caller, to: &request)
      let source = source(caller)
      let routes = effective.routes(for: request) ?? [.plain(to: caller.service)]
      route(request, by: routes, from: source, now: now)
    }
    for _ in 0..<due("gateway \(caller.service)", caller.gateway * seconds) {
      // A gateway that no object names has no listener for the host, and so nobody to count.
      let gateways = effective.hosts.flatMap(\.gateways).filter { $0 != "mesh" }
      guard
        let gateway = gateways.first(where: { gateway in
          effective.routes(for: MeshRequest(gateway: gateway, host: caller.gatewayHost)) != nil
        })
      else { continue }
      var request = MeshRequest(gateway: gateway, host: caller.gatewayHost, path: caller.gatewayPath)
      addHeader(of: caller, to: &request)
      let source = Self.proxy("istio-ingressgateway", pod: Self.gatewayPod, namespace: "istio-system")
      route(request, by: effective.routes(for: request) ?? [], from: source, now: now)
    }
    for _ in 0..<due("unmeshed \(caller.service)", caller.unmeshed * seconds) {
      // kube-proxy knows the endpoints at once, as near as matters here.
      let ready = effective.services[caller.service]?.ready ?? []
      guard let endpoint = ready.randomElement(using: &random) else { continue }
      _ = attempt(endpoint, from: .unknown, isMeshed: false, now: now)
    }
  }

  /// One of the callers in the mesh.
  private mutating func source(_ caller: MeshCallers) -> MeshMetrics.Series.Workload {
    let namespace = caller.service.namespace
    guard !caller.versions.isEmpty else { return Self.proxy("caller", pod: Self.callerPods[0], namespace: namespace) }
    let (index, version) = caller.caller(Double.random(in: 0..<1, using: &random))
    return Self.proxy("caller", pod: Self.callerPods[index], namespace: namespace, version: version)
  }

  /// The kubelet's probes pass Linkerd's proxies, which count them; one a second.
  private mutating func probe(seconds: Double) {
    for (key, pod) in pods where pod.isRunning && effective.linkerd.contains(key.namespace) {
      for _ in 0..<due("probe \(key)", seconds) {
        linkerd.answered(
          key, workload: pod.workload.name, status: 200, milliseconds: 1, client: "", route: "probe")
      }
    }
  }

  /// Whole requests, with the rest kept for the next tick.
  private mutating func due(_ kind: String, _ requests: Double) -> Int {
    let total = (owed[kind] ?? 0) + requests
    owed[kind] = total - total.rounded(.down)
    return Int(total)
  }

  private mutating func addHeader(of caller: MeshCallers, to request: inout MeshRequest) {
    if let header = caller.header, random.happens(header.share) { request.headers[header.name] = header.value }
  }

  private mutating func route(
    _ request: MeshRequest, by routes: [VirtualServiceRoute], from source: MeshMetrics.Series.Workload, now: Date
  ) {
    let rule = routes.first { rule in rule.matches.isEmpty || rule.matches.contains { $0.holds(for: request) } }
    let parent = VirtualServiceRoute.service(request.host, namespace: request.sourceNamespace)
    let envoy = effective.envoyGateways.contains(request.gateway) ? request.gateway : nil
    guard let rule else {
      count(source, .unknown, nil, status: 404, flags: "NR", milliseconds: 0)
      return
    }
    for mirror in rule.mirrors where random.happens(mirror.share) {
      // A mirrored request is counted by the callee only: nobody waits for its answer.
      if let endpoint = effective.services[mirror.service]?.ready.randomElement(using: &random) {
        _ = attempt(endpoint, from: source, isMeshed: true, now: now)
      }
    }
    if let status = rule.directStatus {
      count(source, .unknown, nil, status: status, flags: "-", milliseconds: 0)
      return
    }
    guard let destination = rule.choose(random: &random) else {
      count(source, .unknown, nil, status: 503, flags: "NC", milliseconds: 0)
      return
    }
    guard let service = effective.services[destination.service] else {
      count(source, .unknown, nil, status: 503, flags: "NC", milliseconds: 0)
      return
    }
    send(
      to: service, rule: rule, from: source, calling: (parent, request.port),
      cluster: envoy.map { ($0, destination.cluster) }, now: now)
  }

  /// Tries endpoints until one answers or the retries are used up; the caller counts the final outcome only.
  private mutating func send(
    to service: MeshConfig.Service, rule: VirtualServiceRoute, from source: MeshMetrics.Series.Workload,
    calling parent: (service: ObjectKey, port: Int), cluster: (gateway: String, name: String)?, now: Date
  ) {
    var milliseconds = settings.networkLatency
    var outcome = (status: 503, flags: "UH", workload: MeshMetrics.Series.Workload.unknown)
    for _ in 0...max(0, rule.retries.attempts) {
      guard let endpoint = service.ready.randomElement(using: &random) else { break }
      guard let answer = attempt(endpoint, from: source, isMeshed: cluster == nil, now: now) else {
        if let cluster { envoy.couldNotConnect(cluster.name, by: cluster.gateway) }
        outcome = (503, "UF,URX", pods[endpoint.pod]?.workload ?? .unknown)
        if rule.retries.onConnectFailure { continue } else { break }
      }
      milliseconds += answer.milliseconds
      outcome = (answer.status, "-", pods[endpoint.pod]?.workload ?? .unknown)
      if answer.status < 500 || !rule.retries.on5xx { break }
      outcome.flags = "URX"
    }
    if let timeout = rule.timeout, milliseconds > timeout {
      milliseconds = timeout
      outcome = (504, "UT", outcome.workload)
    }
    if outcome.status < 500 { outcome.flags = "-" }
    if let cluster {
      envoy.sent(
        cluster.name, by: cluster.gateway, status: outcome.status, flags: outcome.flags, milliseconds: milliseconds)
      return
    }
    if effective.linkerd.contains(source.namespace) {
      let errors = ["UH": "FAIL_FAST", "UF,URX": "UNKNOWN", "UT": "REQUEST_TIMEOUT"]
      linkerd.sent(
        LinkerdProxies.Outbound(
          proxy: ObjectKey(namespace: source.namespace, name: source.pod), parent: parent.service, port: parent.port,
          backend: service.key), status: outcome.status, error: errors[outcome.flags] ?? "",
        milliseconds: milliseconds)
      return
    }
    count(
      source, outcome.workload, service.key, status: outcome.status, flags: outcome.flags, milliseconds: milliseconds)
  }

  /// One request to one pod, which its proxy counts; `nil` where the pod is gone and nobody answers.
  private mutating func attempt(
    _ endpoint: MeshConfig.Endpoint, from source: MeshMetrics.Series.Workload, isMeshed: Bool, now: Date
  ) -> (status: Int, milliseconds: Double)? {
    guard let pod = pods[endpoint.pod], pod.isRunning else { return nil }
    let age = pod.started.map { now.timeIntervalSince($0) } ?? 0
    usage.request(endpoint.pod, pod.application)
    let answer = pod.application.answer(
      podAge: age, isBadPod: badPods[pod.revision] == endpoint.pod, caller: source.version, random: &random)
    if answer.status == 200, let share = pod.application.orders {
      orders.answered(endpoint.pod, hasOrder: random.happens(share), value: Double.random(in: 1...100, using: &random))
    }
    if effective.linkerd.contains(endpoint.pod.namespace) {
      linkerd.answered(
        endpoint.pod, workload: pod.workload.name, status: answer.status, milliseconds: answer.milliseconds,
        client: isMeshed ? "\(source.name).\(source.namespace).serviceaccount.identity.linkerd.cluster.local" : "")
      return answer
    }
    let service = effective.reportedService[endpoint.pod]
    metrics.count(
      MeshMetrics.Series(
        reporter: .destination, proxy: pod.workload, source: source.withoutPod, destination: pod.workload.withoutPod,
        service: service?.name ?? "unknown", serviceNamespace: service?.namespace ?? "unknown",
        responseCode: answer.status, responseFlags: "-", securityPolicy: isMeshed ? "mutual_tls" : "none"),
      milliseconds: answer.milliseconds)
    return answer
  }

  private mutating func count(
    _ source: MeshMetrics.Series.Workload, _ destination: MeshMetrics.Series.Workload, _ service: ObjectKey?,
    status: Int, flags: String, milliseconds: Double
  ) {
    metrics.count(
      MeshMetrics.Series(
        reporter: .source, proxy: source, source: source.withoutPod, destination: destination.withoutPod,
        service: service?.name ?? "unknown", serviceNamespace: service?.namespace ?? "unknown",
        responseCode: status, responseFlags: flags, securityPolicy: "unknown"),
      milliseconds: milliseconds)
  }

  static func proxy(
    _ name: String, pod: String, namespace: String, version: String = "v1"
  ) -> MeshMetrics.Series.Workload {
    MeshMetrics.Series.Workload(
      name: name, namespace: namespace, pod: pod, app: name, version: version,
      principal: "spiffe://cluster.local/ns/\(namespace)/sa/\(name)", canonicalRevision: version)
  }
}

extension VirtualServiceRoute {
  /// What a proxy does with a Service that no routing object covers.
  static func plain(to service: ObjectKey) -> VirtualServiceRoute {
    VirtualServiceRoute(
      matches: [], destinations: [Destination(service: service, port: nil, weight: 100)], retries: Retries())
  }
}
