import Foundation
import KubernetesAPI

@testable import Sandbox

/// Where an answer is not what was recorded.
struct Difference: Sendable, CustomStringConvertible {
  var scenario: String
  var step: Int
  /// What was asked: `PATCH /api/v1/…`, or the words of a settle.
  var what: String
  var text: String

  var description: String { "\(scenario) step \(step) \(what): \(text)" }
}

/// Replays a scenario and compares every answer.
/// - Returns: the differences in order, the first of each kind mattering most, since later ones often follow from it.
func replay(scenario: String, on world: SandboxWorld = SandboxWorld()) throws -> [Difference] {
  var replayer = Replayer(try Transcript(named: scenario), world)
  return replayer.run()
}

/// Sends the requests of a transcript to a sandbox.
struct Replayer {
  private let transcript: Transcript
  private let world: SandboxWorld
  private let namespace = "rec-4711001"
  private var placeholders: Placeholders
  private var differences: [Difference] = []
  private var step = 0

  init(_ transcript: Transcript, _ world: SandboxWorld) {
    self.transcript = transcript
    self.world = world
    placeholders = Placeholders(namespace: namespace)
  }

  mutating func run() -> [Difference] {
    prepare()
    for (index, step) in transcript.steps.enumerated() {
      self.step = index
      perform(step)
      // What follows from a failed step says little.
      if differences.count > 40 { break }
    }
    return differences
  }

  private mutating func prepare() {
    world.send(
      "POST", "/api/v1/namespaces",
      body: ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
    world.pass(1)
    if !transcript.grants.isEmpty { grant() }
  }

  /// The rights that a note says an account has.
  private func grant() {
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/\(namespace)"
    world.send(
      "POST", "\(rbac)/roles",
      body: [
        "metadata": ["name": "editor"],
        "rules": [
          ["apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["*"]]
        ],
      ])
    world.send(
      "POST", "\(rbac)/rolebindings",
      body: [
        "metadata": ["name": "editor"],
        "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "editor"],
        "subjects": [["kind": "ServiceAccount", "name": "sluice", "namespace": "sluice-system"]],
      ])
  }

  private mutating func perform(_ step: JSON) {
    if let watch = step["watch"] {
      perform(watch: watch, step)
    } else if let request = step["request"] {
      perform(request: request, step)
    } else if let settle = step["settle"] {
      perform(settle: settle, step)
    }
  }

  // MARK: Requests

  private mutating func perform(request: JSON, _ step: JSON) {
    let recorded = step["response"] ?? .emptyObject
    var response = send(request)
    if let condition = step[path: ["repeat", "until"]] {
      let end = world.time.now.addingTimeInterval(Double(step[path: ["repeat", "within"]]?.int ?? 25))
      while !holds(condition, response), world.time.now < end {
        world.pass(0.1)
        response = send(request)
      }
    }
    compare(response, recorded, what: "\(request["method"]?.string ?? "") \(path(request))")
  }

  private func path(_ request: JSON) -> String { placeholders.fill(request["path"]?.string ?? "") }

  private func send(_ request: JSON) -> ServerResponse {
    var headers: [(name: String, value: String)] = [
      ("Accept", request["accept"]?.string ?? "application/json"),
      ("User-Agent", request["userAgent"]?.string ?? "team/1.0"),
    ]
    if let type = request["contentType"]?.string { headers.append(("Content-Type", type)) }
    if let user = request[path: ["as", "user"]]?.string {
      headers.append(("Impersonate-User", placeholders.fill(user)))
      for group in request[path: ["as", "groups"]]?.array ?? [] {
        headers.append(("Impersonate-Group", placeholders.fill(group.string ?? "")))
      }
    }
    var body: [UInt8] = []
    if let raw = request["rawBody"]?.string {
      body = Array(placeholders.fill(raw).utf8)
    } else if let value = request["body"] {
      body = placeholders.fill(value).bytes
    }
    let response = world.server.handle(
      ServerRequest(
        request["method"]?.string ?? "GET", path(request), query: query(request["query"]), headers: headers, body: body)
    )
    world.settleNow()
    return response
  }

  private func query(_ query: JSON?) -> [(name: String, value: String)] {
    (query?.object ?? [:]).sorted { $0.key < $1.key }.map { name, value in
      (name: name, value: placeholders.fill(value.string ?? value.description))
    }
  }

  private mutating func compare(_ response: ServerResponse, _ recorded: JSON, what: String) {
    let status = recorded["status"]?.int ?? 0
    let body = response.json
    guard response.status == status else {
      return differ(what, "status \(response.status), recorded \(status); body: \(body.description.prefix(1500))")
    }
    let type = String(response.contentType.prefix { $0 != ";" })
    let recordedType = recorded["contentType"]?.string ?? "application/json"
    // The real server serves the OpenAPI index as text by mistake.
    if type != recordedType, !what.contains("/openapi/v3") {
      differ(what, "content type \(type), recorded \(recordedType)")
    }
    let warnings = response.allHeaders.filter { $0.name == "Warning" }.map { JSON.string($0.value) }
    if let expected = recorded["warnings"]?.array {
      // They follow the order of the body's members, which a replayed body no longer has.
      var comparison = Comparison(placeholders)
      comparison.compareSet(warnings, expected, "warnings")
      placeholders = comparison.placeholders
      for text in comparison.differences { differ(what, text) }
    } else if !warnings.isEmpty {
      differ(what, "warns \(warnings), recorded is no warning")
    }
    if var expected = recorded["body"] {
      let group = what.split(separator: "/").first { $0.hasSuffix("record.test") }.map(String.init)
      var found = body
      if let part = recorded["part"]?.string {
        guard let cut = Views.part(part, body, group: group ?? recordedGroup(expected)) else {
          return differ(what, "the part '\(part)' is not known to the replayer")
        }
        found = cut
        if part.hasPrefix("the group's own schemas") { expected = Views.ownSchemas(expected) }
      } else if recorded["view"]?.string == "brief" {
        found = Views.brief(body)
      }
      check(found, expected, what: what, unordered: recorded["unordered"]?.bool == true)
    }
    for (pointer, name) in recorded["binds"]?.object ?? [:] {
      if let value = Pointer.value(at: pointer, in: body)?.string, let name = name.string {
        if !placeholders.bind(name, to: value) { differ(what, "\(name) is \(value), which it was not before") }
      }
    }
  }

  /// The scenario's own group, which a part of discovery is cut to.
  private func recordedGroup(_ body: JSON) -> String {
    if let name = body[0]?["name"]?.string ?? body[0]?[path: ["metadata", "name"]]?.string { return name }
    let path = (body.object ?? [:]).keys.first { $0.contains("record.test") } ?? ""
    return path.split(separator: "/").first { $0.hasSuffix("record.test") }.map(String.init) ?? ""
  }

  private mutating func check(_ found: JSON, _ recorded: JSON, what: String, unordered: Bool = false) {
    var comparison = Comparison(placeholders)
    comparison.compare(found, recorded, unordered: unordered)
    placeholders = comparison.placeholders
    for text in comparison.differences { differ(what, text) }
  }

  private mutating func differ(_ what: String, _ text: String) {
    differences.append(Difference(scenario: transcript.name, step: step, what: what, text: text))
  }

  // MARK: Settling

  private mutating func perform(settle: JSON, _ step: JSON) {
    let text = settle["text"]?.string ?? ""
    let quiet = settle["quiet"]?.double ?? 1
    let conditions = settle["until"]?.array ?? []
    let end = world.time.now.addingTimeInterval(settle["within"]?.double ?? 30)
    world.settleNow()
    while true {
      let unmet = conditions.filter { !holds($0, read($0["path"]?.string ?? "")) }
      let next = world.controllers.nextDue
      if unmet.isEmpty, next.map({ $0.timeIntervalSince(world.time.now) > quiet }) ?? true { break }
      guard let next, next <= end else {
        if !unmet.isEmpty { differ("settle '\(text)'", "never: \(JSON.array(unmet))") }
        break
      }
      world.time.advance(to: next)
      world.settleNow()
    }
    world.pass(max(1, quiet))
    for shot in step["snapshot"]?.array ?? [] { compare(snapshot: shot, text) }
  }

  private mutating func compare(snapshot shot: JSON, _ text: String) {
    let path = shot["path"]?.string ?? ""
    let what = "settle '\(text)' \(placeholders.fill(path))"
    let response = read(path)
    if let status = shot["status"]?.int {
      if response.status != status { differ(what, "status \(response.status), recorded \(status)") }
      return
    }
    guard response.status == 200 else {
      return differ(what, "status \(response.status): \(response.json.description.prefix(500))")
    }
    let body = shot["view"]?.string == "brief" ? Views.brief(response.json) : response.json
    if let items = shot["items"]?.array {
      var comparison = Comparison(placeholders)
      comparison.compareSet(body["items"]?.array ?? [], items, "/items")
      placeholders = comparison.placeholders
      for text in comparison.differences { differ(what, text) }
    } else if let object = shot["object"] {
      check(body, object, what: what)
    }
  }

  private func read(_ path: String) -> ServerResponse {
    let parts = placeholders.fill(path).split(separator: "?", maxSplits: 1).map(String.init)
    let query = parts.count > 1 ? parts[1].split(separator: "&").map(String.init) : []
    return world.server.handle(
      ServerRequest(
        "GET", parts[0],
        query: query.map { pair in
          let sides = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? String($0) }
          return (name: sides[0], value: sides.count > 1 ? sides[1] : "")
        }, headers: [("Accept", "application/json"), ("User-Agent", "recorder")]))
  }

  private func holds(_ condition: JSON, _ response: ServerResponse) -> Bool {
    if let gone = condition["gone"]?.bool { return (response.status == 404) == gone }
    if let status = condition["status"]?.int { return response.status == status }
    guard response.status == 200 else { return false }
    let body = response.json
    if let count = condition["count"]?.int { return (body["items"]?.array ?? []).count == count }
    let value = Pointer.value(at: placeholders.fill(condition["at"]?.string ?? ""), in: body)
    if let expected = condition["equals"] { return value == placeholders.fill(expected) }
    if let exists = condition["exists"]?.bool { return (value != nil) == exists }
    if let text = condition["contains"]?.string { return value?.string?.contains(placeholders.fill(text)) ?? false }
    return false
  }

  // MARK: Watches

  private mutating func perform(watch: JSON, _ step: JSON) {
    let recorded = step["response"] ?? .emptyObject
    var request = watch
    request["method"] = "GET"
    let what = "watch \(path(request))"
    let response = send(request)
    guard case .watch(let stream) = response.body else {
      return compare(response, recorded, what: what)
    }
    if response.status != recorded["status"]?.int {
      differ(what, "status \(response.status), recorded \(recorded["status"] ?? .null)")
      return
    }
    for inner in watch["during"]?.array ?? [] { perform(inner) }
    var progress = stream.poll(at: world.time.now)
    var events = progress.events
    let closes = step["closedByServer"]?.bool ?? false
    let recordedEvents = step["events"]?.array ?? []
    // The store that was recorded could not serve these; the README says not to do as it did.
    let wasUnable = recordedEvents.contains { $0.description.contains("RequestWatchProgress is disabled") }
    if !progress.isAtEnd {
      if closes { world.time.advance(to: stream.deadline) } else { world.pass(1) }
      progress = stream.poll(at: world.time.now)
      events += progress.events
    }
    defer { stream.cancel() }
    if wasUnable {
      let types = events.map { $0["type"]?.string ?? "" }
      if types.contains("ERROR") || !types.contains("BOOKMARK") {
        differ(what, "events \(types), expected are bookmarks and no error")
      }
      return
    }
    if progress.isAtEnd != closes { differ(what, "ended by the server: \(progress.isAtEnd), recorded \(closes)") }
    let cut = recorded["view"]?.string == "brief"
    let found = events.map { event -> JSON in
      var event = event
      if cut, let object = event["object"] { event["object"] = Views.brief(object: object, kind: object.kind) }
      return event
    }
    let version = watch[path: ["query", "resourceVersion"]]?.string
    var comparison = Comparison(placeholders)
    if version == nil || version == "0", found.count == recordedEvents.count, !isTable(recordedEvents) {
      comparison.compareSet(found, recordedEvents, "/events")
    } else {
      comparison.compare(.array(found), .array(recordedEvents), at: "/eventList")
    }
    placeholders = comparison.placeholders
    for text in comparison.differences { differ(what, text) }
  }

  /// Of a watch in tables only the first event has columns, so the order counts.
  private func isTable(_ events: [JSON]) -> Bool { events.contains { $0[path: ["object", "kind"]] == "Table" } }
}

/// JSON pointers of transcripts; a segment `name[key=value]` picks the entry of a list.
enum Pointer {
  static func value(at pointer: String, in body: JSON) -> JSON? {
    pointer.split(separator: "/").reduce(Optional(body)) { value, segment in
      let name = segment.replacingOccurrences(of: "~1", with: "/").replacingOccurrences(of: "~0", with: "~")
      if let match = name.wholeMatch(of: /([^\[]*)\[([^=]+)=([^\]]*)\]/) {
        let list = match.output.1.isEmpty ? value : value?[String(match.output.1)]
        return list?.array?.first { $0[String(match.output.2)]?.string == String(match.output.3) }
      }
      if let index = Int(name), value?.array != nil { return value?[index] }
      return value?[name]
    }
  }
}
