import Foundation
import KubernetesAPI

/// `status`, `scale`, `finalize`, `binding` and the like.
extension APIServer {
  func subresource(_ call: inout Call) throws(Status) -> ServerResponse {
    guard let subresource = call.kind.subresource(call.target.subresource) else { throw Refusal.unknownResource }
    let verb = ["GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"]
    guard let asked = verb[call.request.method], subresource.verbs.contains(asked) else {
      if call.kind.isCustom {
        throw Refusal.methodNotSupported(call.type, verb[call.request.method] ?? call.request.method.lowercased())
      }
      throw Refusal.methodNotAllowed
    }
    switch call.target.subresource {
    case "scale": return try scale(&call)
    case "status", "finalize", "ephemeralcontainers", "resize", "approval":
      switch call.request.method {
      case "GET": return try get(call)
      case "PUT": return try replace(&call)
      default: return try patch(&call)
      }
    case "binding": return try bind(&call)
    case "eviction": return try evict(call)
    case "token": return try issueToken(call)
    default:
      guard store.state.object(call.kind.stored, call.key) != nil else {
        throw Refusal.notFound(call.type, call.target.name)
      }
      throw Status(
        code: 404, reason: "NotFound",
        message: "the sandbox runs no containers: \(call.type.plural)/\(call.target.subresource) of "
          + "\"\(call.target.name)\" is not there", details: .init())
    }
  }

  // MARK: Pods

  /// Puts a pod on a node.
  private func bind(_ call: inout Call) throws(Status) -> ServerResponse {
    let binding = try RequestBody(call.request, expecting: "Binding").value
    guard let node = binding[path: ["target", "name"]]?.string, !node.isEmpty else {
      throw Refusal.invalid(kind: "Binding", group: "", name: call.target.name, [Refusal.required("target.name")])
    }
    let options = try WriteOptions(call.request, kind: "CreateOptions")
    var copy = call
    _ = try transaction(dryRun: options.isDryRun) { state throws(Status) in
      try self.bind(&copy, options, node: node, in: &state)
    }
    return .json(201, ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201])
  }

  func bind(_ call: inout Call, _ options: WriteOptions, node: String, in state: inout StoreState) throws(Status)
    -> JSON
  {
    // As the admission plugin PodTopologyLabels has it, which is there by default since Kubernetes 1.35.
    let place =
      kinds.kind(.nodes, state: state).flatMap { state.object($0.stored, ObjectKey(name: node)) }?.labels ?? [:]
    return try update(&call, options, in: &state) { old, inner throws(Status) in
      if let bound = old[path: ["spec", "nodeName"]]?.string, !bound.isEmpty {
        throw Refusal.conflict(inner.type, old.name, "pod \(old.name) is already assigned to node \"\(bound)\"")
      }
      var pod = old
      pod[path: ["spec", "nodeName"]] = .string(node)
      for label in [SimulatedNodes.zoneLabel, SimulatedNodes.regionLabel] {
        if let value = place[label] { pod[path: ["metadata", "labels", label]] = .string(value) }
      }
      return pod
    }
  }

  // MARK: Scale

  private func scale(_ call: inout Call) throws(Status) -> ServerResponse {
    let custom = call.kind.custom
    guard let paths = custom == nil ? .workload : custom?.scale else { throw Refusal.unknownResource }
    if call.request.method == "GET" {
      guard let stored = store.state.object(call.kind.stored, call.key) else {
        throw Refusal.notFound(call.type, call.target.name)
      }
      return respond(200, Self.scale(of: stored, paths), call)
    }
    let isPatch = call.request.method == "PATCH"
    let form = isPatch ? try patchForm(call) : nil
    let options = try WriteOptions(
      call.request, kind: isPatch ? "PatchOptions" : "UpdateOptions", isApply: form == .apply)
    let request = call.request
    var copy = call
    let updated = try transaction(dryRun: options.isDryRun) { state throws(Status) in
      try self.update(&copy, options, in: &state) { old, inner throws(Status) in
        let current = Self.scale(of: old, paths)
        let wanted = try self.wantedScale(request, form, current, inner)
        try Self.check(wanted, inner)
        var object = old
        let replicas = wanted[path: ["spec", "replicas"]]?.int ?? 0
        object[path: paths.replicas] = JSON(replicas)
        let version = wanted.resourceVersion
        if !version.isEmpty { object[path: ["metadata", "resourceVersion"]] = .string(version) }
        return object
      }
    }
    call.warnings = copy.warnings
    return respond(200, Self.scale(of: updated, paths), call)
  }

  private func wantedScale(
    _ request: ServerRequest, _ form: PatchForm?, _ current: JSON, _ call: Call
  ) throws(Status) -> JSON {
    switch form {
    case nil: return try RequestBody(request, expecting: "Scale").value
    case .apply: return KindRules.mergePatch(try RequestBody(yaml: request.body, expecting: "Scale").value, current)
    case .json: return try KindRules.jsonPatch(try patchDocument(request, .json), current)
    case .merge: return KindRules.mergePatch(try patchDocument(request, .merge), current)
    case .strategic: return KindRules.mergePatch(try patchDocument(request, .strategic), current)
    }
  }

  private static func check(_ scale: JSON, _ call: Call) throws(Status) {
    if !scale.name.isEmpty, scale.name != call.target.name {
      throw Refusal.badRequest(
        "the name of the object (\(scale.name)) does not match the name on the URL (\(call.target.name))")
    }
    let found = scale[path: ["spec", "replicas"]] ?? 0
    guard let replicas = found.int else {
      throw Refusal.badRequest("Scale: spec.replicas must be an integer, found \(found.typeName)")
    }
    guard replicas < 0 else { return }
    if call.kind.isCustom {
      throw Refusal.invalid(
        call.type, call.target.name,
        [Refusal.invalidValue(".spec.replicas", found, "should be a non-negative integer")])
    }
    throw Refusal.invalid(
      kind: "Scale", group: "autoscaling", name: call.target.name,
      [Refusal.invalidValue("spec.replicas", found, "must be greater than or equal to 0")])
  }

  /// `autoscaling/v1` Scale of an object.
  static func scale(of object: JSON, _ paths: ScalePaths) -> JSON {
    var metadata = JSON.emptyObject
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
      metadata[field] = object[path: ["metadata", field]]
    }
    var spec = JSON.emptyObject
    if let replicas = object[path: paths.replicas]?.int, replicas != 0 { spec["replicas"] = JSON(replicas) }
    var status: JSON = ["replicas": JSON(object[path: paths.statusReplicas]?.int ?? 0)]
    if let path = paths.selector {
      status["selector"] = path.isEmpty ? nil : object[path: path].flatMap { $0.string.map(JSON.string) }
    } else if let selector = object[path: ["spec", "selector"]] {
      status["selector"] = .string(SelectorText.render(selector))
    }
    return ["kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status]
  }
}

/// A label selector object in the text form of query parameters.
enum SelectorText {
  static func render(_ selector: JSON) -> String {
    var terms = (selector["matchLabels"]?.strings ?? [:]).map { (key: $0.key, text: "\($0.key)=\($0.value)") }
    for expression in selector["matchExpressions"]?.array ?? [] {
      let key = expression["key"]?.string ?? ""
      let values = (expression["values"]?.array ?? []).compactMap(\.string).sorted().joined(separator: ",")
      switch expression["operator"]?.string {
      case "In": terms.append((key, "\(key) in (\(values))"))
      case "NotIn": terms.append((key, "\(key) notin (\(values))"))
      case "Exists": terms.append((key, key))
      case "DoesNotExist": terms.append((key, "!\(key)"))
      default: break
      }
    }
    return terms.sorted { ($0.key, $0.text) < ($1.key, $1.text) }.map(\.text).joined(separator: ",")
  }
}
