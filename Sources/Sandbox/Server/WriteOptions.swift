import Foundation
import KubernetesAPI

/// The query parameters of a write, checked.
struct WriteOptions: Sendable {
  enum FieldValidation: String, Sendable { case strict = "Strict", warn = "Warn", ignore = "Ignore" }

  var isDryRun = false
  /// Who is written into managedFields.
  var fieldManager = ""
  var fieldValidation = FieldValidation.warn
  var force = false

  init(fieldManager: String) { self.fieldManager = fieldManager }

  /// - Parameters:
  ///   - kind: `CreateOptions`, `UpdateOptions` or `PatchOptions`.
  ///   - isApply: the request is a server-side apply.
  /// - Throws: 422 with a cause for each parameter that is not valid.
  init(_ request: ServerRequest, kind: String, isApply: Bool = false) throws(Status) {
    var causes: [Status.Cause] = []
    let force = request.parameter("force")
    if let force, !isApply, kind == "PatchOptions", force == "true" {
      causes.append(Refusal.forbiddenField("force", "may not be specified for non-apply patch"))
    }
    self.force = force == "true"
    let manager = request.parameter("fieldManager") ?? ""
    if isApply, manager.isEmpty {
      causes.append(Refusal.required("fieldManager", "is required for apply patch"))
    }
    if manager.utf8.count > 128 {
      causes.append(
        .init(reason: "FieldValueTooLong", message: "Too long: may not be more than 128 bytes", field: "fieldManager"))
    }
    causes += Self.dryRunCauses(request)
    isDryRun = request.query.contains { $0.name == "dryRun" && !$0.value.isEmpty }
    let validation = request.parameter("fieldValidation") ?? ""
    if validation.isEmpty {
      fieldValidation = .warn
    } else if let known = FieldValidation(rawValue: validation) {
      fieldValidation = known
    } else {
      causes.append(
        Refusal.unsupported("fieldValidation", .string(validation), supported: ["", "Ignore", "Strict", "Warn"]))
    }
    guard causes.isEmpty else { throw Refusal.invalidOption(kind, causes) }
    fieldManager = manager.isEmpty ? Self.manager(ofAgent: request.header("User-Agent") ?? "") : manager
  }

  static func dryRunCauses(_ request: ServerRequest, bodyValues: [String] = []) -> [Status.Cause] {
    let values = request.query.filter { $0.name == "dryRun" }.map(\.value) + bodyValues
    guard values.contains(where: { $0 != "All" && !$0.isEmpty }) else { return [] }
    return [Refusal.unsupported("dryRun", .array(values.map(JSON.string)), supported: ["All"])]
  }

  /// The name of a program without its version: `kubectl/v1.32 (linux)` → `kubectl`.
  static func manager(ofAgent agent: String) -> String {
    String(agent.prefix { $0 != "/" }.prefix(128))
  }
}

/// `metav1.DeleteOptions`, from the body and the query.
struct DeleteOptions: Sendable {
  var isDryRun = false
  var gracePeriodSeconds: Int?
  var propagation: DeletionPropagation?
  var uid: String?
  var resourceVersion: String?

  init() {}

  /// - Throws: 400 for a body that cannot be read, 422 for values that are not valid.
  init(_ request: ServerRequest) throws(Status) {
    var options = JSON.emptyObject
    if !request.body.isEmpty { options = try RequestBody(request, expecting: "DeleteOptions").value }
    var causes: [Status.Cause] = []
    let bodyDryRun = options["dryRun"]?.array?.compactMap(\.string) ?? []
    causes += WriteOptions.dryRunCauses(request, bodyValues: bodyDryRun)
    isDryRun = request.query.contains { $0.name == "dryRun" && !$0.value.isEmpty } || !bodyDryRun.isEmpty

    let policy = options["propagationPolicy"]?.string ?? request.parameter("propagationPolicy")
    let orphans = options["orphanDependents"]?.bool ?? request.parameter("orphanDependents").map { $0 == "true" }
    if let policy {
      propagation = DeletionPropagation(rawValue: policy)
      if orphans != nil {
        causes.append(
          Refusal.invalidValue(
            "propagationPolicy", .string(policy), "orphanDependents and deletionPropagation cannot be both set"))
      } else if propagation == nil {
        causes.append(
          Refusal.unsupported(
            "propagationPolicy", .string(policy), supported: ["Foreground", "Background", "Orphan", "nil"]))
      }
    } else if let orphans {
      propagation = orphans ? .orphan : .background
    }
    if let grace = options["gracePeriodSeconds"]?.int ?? request.parameter("gracePeriodSeconds").flatMap({ Int($0) }) {
      if grace < 0 {
        causes.append(
          Refusal.invalidValue("gracePeriodSeconds", JSON(grace), "must be greater than or equal to 0"))
      }
      gracePeriodSeconds = grace
    }
    uid = options[path: ["preconditions", "uid"]]?.string
    resourceVersion = options[path: ["preconditions", "resourceVersion"]]?.string
    guard causes.isEmpty else { throw Refusal.invalidOption("DeleteOptions", causes) }
  }
}

/// `metav1.ListOptions`: the query parameters of lists and watches, checked.
struct ListOptions: Sendable {
  enum Match: String, Sendable { case exact = "Exact", notOlderThan = "NotOlderThan" }

  var limit = 0
  var continuation: String?
  var resourceVersion = ""
  var match: Match?
  var isWatch = false
  var allowsBookmarks = false
  var sendsInitialEvents: Bool?
  var timeoutSeconds: Int?

  /// - Throws: 400 or 422, as the real server has it.
  init(_ request: ServerRequest) throws(Status) {
    isWatch = Self.flag(request.parameter("watch"))
    allowsBookmarks = Self.flag(request.parameter("allowWatchBookmarks"))
    sendsInitialEvents = request.parameter("sendInitialEvents").map(Self.flag)
    limit = try Self.number(request.parameter("limit")) ?? 0
    timeoutSeconds = try Self.number(request.parameter("timeoutSeconds"))
    continuation = request.parameter("continue").flatMap { $0.isEmpty ? nil : $0 }
    resourceVersion = request.parameter("resourceVersion") ?? ""
    let matchText = request.parameter("resourceVersionMatch") ?? ""

    var causes: [Status.Cause] = []
    let field = "resourceVersionMatch"
    if isWatch {
      if sendsInitialEvents != nil, matchText != Match.notOlderThan.rawValue {
        causes.append(
          Refusal.forbiddenField(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
      } else if sendsInitialEvents == nil, !matchText.isEmpty {
        causes.append(
          Refusal.forbiddenField(
            field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
      }
      if sendsInitialEvents == true, !allowsBookmarks {
        causes.append(
          Refusal.forbiddenField("allowWatchBookmarks", "sendInitialEvents requires allowWatchBookmarks to be true"))
      }
    } else {
      if sendsInitialEvents != nil {
        causes.append(Refusal.forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"))
      }
      if !matchText.isEmpty {
        if resourceVersion.isEmpty {
          causes.append(
            Refusal.forbiddenField(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        } else if continuation != nil {
          causes.append(
            Refusal.forbiddenField(field, "resourceVersionMatch is forbidden when continue is provided"))
        } else if Match(rawValue: matchText) == nil {
          causes.append(Refusal.unsupported(field, .string(matchText), supported: ["Exact", "NotOlderThan", ""]))
        } else if matchText == Match.exact.rawValue, resourceVersion == "0" {
          causes.append(
            Refusal.forbiddenField(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
      }
    }
    guard causes.isEmpty else { throw Refusal.invalidOption("ListOptions", causes) }
    match = Match(rawValue: matchText)
    if continuation != nil, !resourceVersion.isEmpty, resourceVersion != "0" {
      throw Refusal.badRequest("specifying resource version is not allowed when using continue")
    }
  }

  /// The version asked for; `nil` for none, 0 for any.
  func version() throws(Status) -> UInt64? {
    if resourceVersion.isEmpty { return nil }
    guard let version = UInt64(resourceVersion) else {
      let detail =
        "resourceVersion: Invalid value: \"\(resourceVersion)\": strconv.ParseUint: parsing \"\(resourceVersion)\": "
        + "invalid syntax"
      throw isWatch ? Refusal.internalError(detail) : Refusal.badRequest("invalid resource version: \(detail)")
    }
    return version
  }

  private static func flag(_ text: String?) -> Bool {
    guard let text else { return false }
    return text.isEmpty || ["1", "t", "true"].contains(text.lowercased())
  }

  private static func number(_ text: String?) throws(Status) -> Int? {
    guard let text, !text.isEmpty else { return nil }
    guard let number = Int(text) else {
      throw Refusal.badRequest("strconv.ParseInt: parsing \"\(text)\": invalid syntax")
    }
    return number
  }
}

/// A continue token: where in the collection, at which version, a list is to go on.
struct ContinueToken: Sendable, Equatable {
  var version: UInt64
  /// The last key already shown.
  var start: ObjectKey

  var text: String {
    let json: JSON = [
      "v": "meta.k8s.io/v1", "rv": .int(Int64(version)), "start": .string("\(start.namespace)/\(start.name)\0"),
    ]
    return json.data.base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }

  init(version: UInt64, start: ObjectKey) {
    self.version = version
    self.start = start
  }

  /// - Throws: 400 for what is no token.
  init(parsing text: String) throws(Status) {
    let invalid = Refusal.badRequest("invalid continue token: continue key is not valid: \(text.prefix(100))")
    var base64 = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
    while base64.utf8.count % 4 != 0 { base64 += "=" }
    guard let data = Data(base64Encoded: base64), let json = try? JSON(parsing: data),
      let version = json["rv"]?.int, version > 0, var start = json["start"]?.string
    else { throw invalid }
    if start.hasSuffix("\0") { start.removeLast() }
    let parts = start.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    self.version = UInt64(version)
    self.start = parts.count == 2 ? ObjectKey(namespace: parts[0], name: parts[1]) : ObjectKey(name: start)
  }
}
