import Foundation
import KubernetesAPI
import Testing

@testable import RolloutAPI

/// The hand-written schemas and the Swift types say the same.
@Suite struct SchemaTests {
  static let kinds: [(type: ResourceType, shape: @Sendable () throws -> Shape)] = [
    (.rollouts, { try Shape(of: Rollout.self) }),
    (.rolloutRuns, { try Shape(of: RolloutRun.self) }),
    (.analysisTemplates, { try Shape(of: AnalysisTemplate.self) }),
    (.clusterAnalysisTemplates, { try Shape(of: ClusterAnalysisTemplate.self) }),
    (.notificationChannels, { try Shape(of: NotificationChannel.self) }),
  ]

  static func definition(_ type: ResourceType) throws -> JSON {
    try #require(try documents(in: repository.appending(path: "deploy/crds/\(type.plural).yaml")).first)
  }

  static func schema(_ type: ResourceType) throws -> JSON {
    let version = try #require(try definition(type)[path: ["spec", "versions"]]?[0])
    return try #require(version[path: ["schema", "openAPIV3Schema"]])
  }

  @Test("each definition names its kind, group, version and scope as the Swift types do")
  func names() throws {
    for (type, _) in Self.kinds {
      let definition = try Self.definition(type)
      #expect(definition.name == type.qualifiedName)
      #expect(definition[path: ["spec", "group"]]?.string == type.group)
      #expect(definition[path: ["spec", "scope"]]?.string == (type.namespaced ? "Namespaced" : "Cluster"))
      #expect(definition[path: ["spec", "names", "kind"]]?.string == type.kind)
      #expect(definition[path: ["spec", "names", "plural"]]?.string == type.plural)
      #expect(definition[path: ["spec", "names", "listKind"]]?.string == type.kind + "List")
      #expect(definition[path: ["spec", "versions"]]?[0]?["name"]?.string == type.version)
    }
    let shortNames = try Self.kinds.flatMap {
      try Self.definition($0.type)[path: ["spec", "names", "shortNames"]]?.array ?? []
    }
    #expect(Set(shortNames).count == Self.kinds.count)
  }

  @Test(
    "every field of a Swift type is in its schema and the other way round, with the same type, values and necessity")
  func shapes() throws {
    for (type, shape) in Self.kinds {
      let differences = Self.differences(try shape(), try Self.schema(type), type.kind)
      #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }
  }

  /// A run's snapshot accepts values that a newer schema would no longer accept, so values are not compared there.
  private static func differences(_ shape: Shape, _ schema: JSON, _ path: String) -> [String] {
    let isSnapshot = isCopied(path)
    switch (shape, schema["type"]?.string) {
    case (.anything, "object"), (.integer, "integer"), (.boolean, "boolean"): return []
    case (.text, "string"):
      // A text of which the schema knows the values is checked by the plan.
      return []
    case (.time, "string"): return schema["format"] == "date-time" ? [] : ["\(path): no date-time in the schema"]
    case (.integerOrText, nil):
      return schema["x-kubernetes-int-or-string"] == true ? [] : ["\(path): no int-or-string in the schema"]
    case (.choice(let names), "string"):
      let found = schema["enum"]?.array?.compactMap(\.string) ?? []
      return isSnapshot || Set(found) == Set(names) ? [] : ["\(path): \(names) in Swift, \(found) in the schema"]
    case (.list(let element), "array"):
      guard let items = schema["items"] else { return ["\(path): no items"] }
      return differences(element, items, path + "[]")
    case (.object(let members), "object"):
      return differences(members, schema, path)
    default: return ["\(path): \(shape.wanted) in Swift, \(schema["type"]?.string ?? "no type") in the schema"]
    }
  }

  /// The parts of a run that are copied from a Rollout, which has the descriptions and values.
  private static func isCopied(_ path: String) -> Bool {
    ["RolloutRun.spec.plan.", "RolloutRun.status.traffic.route.matches"].contains { path.hasPrefix($0) }
  }

  private static func differences(_ members: [Shape.Member], _ schema: JSON, _ path: String) -> [String] {
    let properties = schema["properties"]?.object ?? [:]
    let required = Set(schema["required"]?.array?.compactMap(\.string) ?? [])
    // The envelope is the server's.
    let envelope: Set<String> = path.contains(".") ? [] : ["apiVersion", "kind", "metadata"]
    let known = Set(members.map(\.name))
    var found = properties.keys.filter { !known.contains($0) && !envelope.contains($0) }.sorted()
      .map { "\(path).\($0): not in Swift" }
    for member in members where !envelope.contains(member.name) {
      let field = "\(path).\(member.name)"
      guard let property = properties[member.name] else {
        found.append("\(field): not in the schema")
        continue
      }
      // An argument's value is optional in a template and required in a reference to one; one Swift type serves both.
      if required.contains(member.name) != member.isRequired, !field.hasSuffix("templates[].args[].value") {
        found.append("\(field): \(member.isRequired ? "required" : "optional") in Swift only")
      }
      found += differences(member.shape, property, field)
    }
    return found
  }

  @Test("every default of the schemas is the one that Swift has, and every one of Swift's is in the schemas")
  func defaults() throws {
    let expected: [String: JSON] = [
      "spec.workloadRef.apiVersion": .string(Defaults.apiVersion),
      "spec.workloadRef.kind": .string(Defaults.kind),
      "spec.serviceRefs[].selector": .string(Defaults.selector.rawValue),
      "spec.traffic.istio.mesh": .bool(Defaults.mesh),
      "spec.traffic.gatewayAPI.mesh": .bool(Defaults.mesh),
      "spec.traffic.gatewayAPI.parentRefs[].group": .string(Defaults.parentGroup),
      "spec.traffic.gatewayAPI.parentRefs[].kind": .string(Defaults.parentKind),
      "spec.traffic.maxBypass": .string(Defaults.maxBypass),
      "spec.traffic.circuitBreaking.interval": .string(Defaults.breakerInterval),
      "spec.traffic.circuitBreaking.ejectionTime": .string(Defaults.breakerEjectionTime),
      "spec.traffic.circuitBreaking.maxEjected": .string(Defaults.breakerMaxEjected),
      "spec.steps[].sticky.cookie.maxAge": .string(Defaults.stickyMaxAge),
      "spec.autopilot.maxDuration": .string(Defaults.maxDuration),
      "spec.autopilot.startWeight": JSON(Defaults.startWeight),
      "spec.analysis": .emptyObject,
      "spec.analysis.slos[].compare.against": .string(Defaults.against.rawValue),
      "spec.analysis.slos[].compare.distribution.margin": .string(Defaults.distributionMargin),
      "spec.analysis.slos[].mode": .string(Defaults.mode.rawValue),
      "spec.analysis.templates[].kind": .string(Defaults.templateKind.rawValue),
      "spec.analysis.deadline": .string(Defaults.deadline),
      "spec.analysis.interval": .string(Defaults.interval),
      "spec.analysis.onUndecided": .string(Defaults.onUndecided.rawValue),
      "spec.analysis.minRequests": JSON(Defaults.minRequests),
      "spec.analysis.falseAbortRisk": .string(Defaults.falseAbortRisk),
      "spec.analysis.warmUp": .string(Defaults.warmUp),
      "spec.analysis.guards": .string(Defaults.guards.rawValue),
      "spec.analysis.burnRate.mode": .string(Defaults.burnRateMode.rawValue),
      "spec.hold": .string(Defaults.hold.rawValue),
      "spec.settle": .string(Defaults.settle),
      "spec.scaleDownDelay": .string(Defaults.scaleDownDelay),
      "spec.fastUndo": .emptyObject,
      "spec.fastUndo.revisions": JSON(Defaults.fastUndoRevisions),
      "spec.fastUndo.within": .string(Defaults.fastUndoWithin),
      "spec.runHistoryLimit": JSON(Defaults.runHistoryLimit),
      "spec.deletionPolicy": .string(Defaults.deletionPolicy.rawValue),
    ]
    var found = Self.defaults(try Self.schema(.rollouts), "")
    for (path, value) in found where path.contains("matches[]") {
      let type = path.hasSuffix("path.type") ? Defaults.pathType.rawValue : Defaults.nameValueType.rawValue
      #expect(value.string == type, "\(path)")
      found[path] = nil
    }
    #expect(found == expected)
    #expect(Self.defaults(try Self.schema(.rolloutRuns), "").isEmpty)
    for type in [ResourceType.analysisTemplates, .clusterAnalysisTemplates] {
      #expect(
        Self.defaults(try Self.schema(type), "")
          == [
            "spec.slos[].compare.against": .string(Defaults.against.rawValue),
            "spec.slos[].compare.distribution.margin": .string(Defaults.distributionMargin),
            "spec.slos[].mode": .string(Defaults.mode.rawValue),
          ])
    }
    #expect(
      Self.defaults(try Self.schema(.notificationChannels), "") == [
        "spec.slack.urlSecretRef.key": .string(SecretKeyReference.defaultKey),
        "spec.webhook.urlSecretRef.key": .string(SecretKeyReference.defaultKey),
      ])
  }

  private static func defaults(_ schema: JSON, _ path: String) -> [String: JSON] {
    var found: [String: JSON] = [:]
    if let value = schema["default"] { found[path] = value }
    for (name, property) in schema["properties"]?.object ?? [:] {
      found.merge(defaults(property, path.isEmpty ? name : "\(path).\(name)")) { $1 }
    }
    if let items = schema["items"] { found.merge(defaults(items, path + "[]")) { $1 } }
    return found
  }

  @Test("a plan with the schema's defaults written out is the plan without them")
  func defaultedPlan() throws {
    let bare = try json(checkout)
    let filled = Self.fill(bare, try Self.schema(.rollouts))
    #expect(filled != bare)
    // Match types are defaulted too, and mean the same.
    let plans = try [plan(bare), plan(filled)]
    #expect(plans[0].steps == plans[1].steps)
    #expect(plans[0].analysis == plans[1].analysis)
    #expect(plans[0].hold == plans[1].hold)
    #expect(plans[0].fastUndo == plans[1].fastUndo)
    #expect(plans[0].settle == plans[1].settle)
    #expect(plans[0].scaleDownDelay == plans[1].scaleDownDelay)
    #expect(plans[0].maxBypass == plans[1].maxBypass)
    #expect(plans[0].runHistoryLimit == plans[1].runHistoryLimit)
    #expect(plans[0].deletionPolicy == plans[1].deletionPolicy)
    #expect(plans[0].services == plans[1].services)
  }

  private static func fill(_ value: JSON, _ schema: JSON) -> JSON {
    if let elements = value.array, let items = schema["items"] { return .array(elements.map { fill($0, items) }) }
    guard value.object != nil else { return value }
    var copy = value
    for (name, property) in schema["properties"]?.object ?? [:] {
      if copy[name] == nil { copy[name] = property["default"] }
      if let member = copy[name] { copy[name] = fill(member, property) }
    }
    return copy
  }

  @Test("the schemas set a bound on every text and list, say how lists merge, and describe every field")
  func bounds() throws {
    for (type, _) in Self.kinds {
      var gaps: [String] = []
      Self.walk(try Self.schema(type), type.kind) { schema, path in
        let isEnvelope = ["apiVersion", "kind", "metadata"].contains { path == "\(type.kind).\($0)" }
        if isEnvelope { return }
        if schema["type"] == "string", schema["maxLength"] == nil, schema["enum"] == nil {
          gaps.append("\(path): no maxLength")
        }
        if schema["type"] == "array" {
          if schema["maxItems"] == nil { gaps.append("\(path): no maxItems") }
          if schema["x-kubernetes-list-type"] == nil { gaps.append("\(path): no list type") }
        }
        if schema["additionalProperties"] != nil { gaps.append("\(path): a map") }
        if schema["x-kubernetes-preserve-unknown-fields"] != nil { gaps.append("\(path): keeps unknown fields") }
        let isNamed = !path.hasSuffix("[]") && path != "\(type.kind).spec"
        let said = ["workloadRef", "retries", "cookie", "path"].contains { path.hasSuffix(".\($0)") }
        if isNamed, !said, !Self.isCopied(path), schema["description"] == nil {
          gaps.append("\(path): no description")
        }
      }
      #expect(gaps.isEmpty, "\(gaps.joined(separator: "\n"))")
    }
  }

  private static func walk(_ schema: JSON, _ path: String, _ visit: (JSON, String) -> Void) {
    visit(schema, path)
    for (name, property) in schema["properties"]?.object ?? [:] { walk(property, "\(path).\(name)", visit) }
    if let items = schema["items"] { walk(items, path + "[]", visit) }
  }

  @Test("rules use nothing but the common core of CEL")
  func rules() throws {
    let core: Set<String> = ["all", "exists_one", "size", "matches", "has"]
    var count = 0
    for (type, _) in Self.kinds {
      Self.walk(try Self.schema(type), type.kind) { schema, path in
        for rule in schema["x-kubernetes-validations"]?.array ?? [] {
          count += 1
          let text = rule["rule"]?.string ?? ""
          let calls = text.matches(of: /([A-Za-z_]+)\(/).map { String($0.1) }
          #expect(Set(calls).isSubset(of: core), "\(path): \(text)")
          #expect(rule["message"]?.string?.isEmpty == false, "\(path): \(text)")
        }
      }
    }
    #expect(count >= 15)
  }

  @Test("all schemas together are small")
  func size() throws {
    let sizes = try Self.kinds.map { try Self.definition($0.type).bytes.count }
    #expect(sizes.reduce(0, +) < 100_000, "\(sizes)")
  }

  @Test("a scalar is read by Swift exactly where the schema's pattern accepts it")
  func patterns() throws {
    var patterns: [String: String] = [:]
    Self.walk(try Self.schema(.rollouts), "") { schema, path in
      if let pattern = schema["pattern"]?.string { patterns[path] = pattern }
    }
    let percent = try Regex(try #require(patterns[".spec.traffic.maxBypass"]))
    let duration = try Regex(try #require(patterns[".spec.settle"]))
    let decimal = try Regex(try #require(patterns[".spec.analysis.slos[].value.min"]))
    let quantile = try Regex(try #require(patterns[".spec.analysis.slos[].latency.quantile"]))
    let name = try Regex(try #require(patterns[".spec.steps[].name"]))
    var generator = Seeded(state: 7)
    var accepted = 0
    for _ in 0..<20_000 {
      let alphabet = Array(["019.%-", "01hms", "59.-", "a0-Z."].randomElement(using: &generator) ?? "")
      let text = String(
        (0..<Int.random(in: 0...7, using: &generator)).map { _ in
          alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
        })
      #expect((Percent(text) != nil) == (text.wholeMatch(of: percent) != nil), "\(text)")
      #expect((GoDuration(text) != nil) == (text.wholeMatch(of: duration) != nil), "\(text)")
      #expect((DecimalString(text) != nil) == (text.wholeMatch(of: decimal) != nil), "\(text)")
      #expect(NameRule.word.accepts(text) == (text.wholeMatch(of: name) != nil), "\(text)")
      // A plan refuses less than one percent, and takes 05 for 5.
      let isPercent = Quantile(text).map { $0 >= .one } ?? false
      #expect((isPercent && text.first != "0") == (text.wholeMatch(of: quantile) != nil), "\(text)")
      accepted += [Percent(text) != nil, GoDuration(text) != nil, DecimalString(text) != nil].count { $0 }
    }
    #expect(accepted > 1000)
  }
}

/// SplitMix64, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
