import KubernetesAPI
import RolloutAPI

/// What a rule of a person's HTTPRoute must look like, so that Sluice can weigh it.
extension GatewayInPlaceProvider {
  /// How many rules, and matches of all of them, an HTTPRoute may have.
  private static let mostRules = 16

  func problems(_ found: LentRule) -> [String] {
    let rule = found.rule
    var problems: [String] = []
    func refuse(_ text: String) { problems.append("\(found.title) \(text)") }
    let filters = (rule["filters"]?.array ?? []).compactMap { $0["type"]?.string }
    if filters.contains("RequestRedirect") {
      refuse("answers by itself (RequestRedirect), so that there is nothing to weigh")
      return problems
    }
    if rule["sessionPersistence"] != nil {
      refuse(
        "has sessionPersistence, which keeps callers with the backend that they had whatever the weights say; take it "
          + "out, and keep callers with a version by a step's sticky")
    }
    let names = backendNames(rule)
    let backends = rule["backendRefs"]?.array ?? []
    guard backends.count == 1, isCallers(backends[0]) else {
      refuse(
        "sends to \(names.isEmpty ? "nothing" : names.joined(separator: ", ")); wanted the Service \(service.name), which "
          + "serviceRefs names, alone")
      return problems
    }
    let ports = service.ports.map(String.init).joined(separator: ", ")
    if let port = backends[0]["port"]?.int {
      if !service.ports.contains(port) { refuse("sends to port \(port); wanted \(ports), which serviceRefs names") }
    } else {
      refuse("names no port in its backendRef; wanted \(ports)")
    }
    if backends[0]["weight"]?.int == 0 {
      refuse("gives its backendRef the weight 0, so that every request fails; leave the weight out")
    }
    let theirs = GatewayCondition.all(of: rule)
    if let hiding = found.others.first(where: {
      $0.index < found.index && theirs.isSubset(of: GatewayCondition.all(of: $0.rule))
    }),
      !theirs.isEmpty
    {
      refuse(
        "gets no request: \(LentRule.title(of: hiding.rule, in: found.object, type)) before it asks for the same ones")
    }
    if base.cluster.metrics == .envoyGateway,
      let other = found.others.first(where: { Self.hasFilteredBackends($0.rule) })
    {
      refuse(
        "cannot be told from \(LentRule.title(of: other.rule, in: found.object, type)) in Envoy Gateway's metrics, since "
          + "backendRefs of both have filters; move one of them to an HTTPRoute of its own, or set metrics: None")
    }
    return problems + stepProblems(found)
  }

  private static func hasFilteredBackends(_ rule: JSON) -> Bool {
    (rule["backendRefs"]?.array ?? []).contains { !($0["filters"]?.array ?? []).isEmpty }
  }

  func targetProblems(_ target: TrafficTarget, _ found: LentRule) -> [String] {
    let rule = found.rule
    var problems: [String] = []
    if target.mirror != nil,
      (rule["filters"]?.array ?? []).contains(where: { $0["type"]?.string == "RequestMirror" })
    {
      problems.append("mirror: \(found.title) has a RequestMirror filter of its own, and not every mesh takes two")
    }
    if !target.routes.isEmpty { problems += routeProblems(target.routes, found) }
    if target.sticky != nil { problems += stickyProblems(found) }
    let added = rules(target, found).inserted
    let matches = (found.others.map(\.rule) + [rule] + added).map { $0["matches"]?.array?.count ?? 1 }
    if matches.count > Self.mostRules {
      problems.append(
        "\(found.title) has \(found.others.count) others beside it, and an HTTPRoute holds \(Self.mostRules) rules; give this one a "
          + "route of its own")
    }
    if matches.reduce(0, +) > GatewayMatch.maxPerRoute || matches.contains(where: { $0 > GatewayMatch.maxPerRule }) {
      problems.append("\(found.title) would have more matches than an HTTPRoute holds; give it a route of its own")
    }
    return problems
  }

  private func routeProblems(_ routes: [HTTPMatch], _ found: LentRule) -> [String] {
    guard let matches = Self.matches(found.rule) else {
      return ["route.matches: \(found.title) matches on what no plan can say, so that nothing can be joined with it"]
    }
    let (met, unclear) = matches.meeting(routes)
    var problems = routes.compactMap { $0.path.flatMap(GatewayMatch.problem) }
    problems += unclear.map { "route.matches: \(found.title) matches on \($0) too, which one match cannot join" }
    if met.isEmpty, unclear.isEmpty {
      problems.append("route.matches: \(found.title) takes no request that these match")
    }
    if met.contains(where: { $0.path?.kind == .regularExpression }) {
      problems.append(
        "route.matches: a path as a regular expression; which rule it comes before is each implementation's own affair")
    }
    if met.contains(where: GatewayProvider.isTooLong) {
      problems.append("route.matches: with \(found.title) a match would have more than 16 headers or parameters")
    }
    return problems + robbed(found, by: met).map { "route.matches: \($0)" }
  }

  private func stickyProblems(_ found: LentRule) -> [String] {
    var problems: [String] = []
    let entries = Self.entries(found.rule)
    if entries.flatMap({ $0["headers"]?.array ?? [] }).contains(where: { $0["name"]?.string?.lowercased() == "cookie" })
    {
      problems.append("sticky: \(found.title) matches on the header cookie, which one match cannot ask for twice")
    }
    if entries.contains(where: { $0[path: ["path", "type"]]?.string == "RegularExpression" }) {
      problems.append("sticky cannot be joined with a path that is a regular expression, as \(found.title) has one")
    }
    let filters = found.rule["backendRefs"]?[0]?["filters"]?.array ?? []
    let headers = filters.flatMap { filter in
      ["add", "set"].flatMap { filter[path: ["responseHeaderModifier", $0]]?.array ?? [] }
    }
    if headers.contains(where: { $0["name"]?.string?.lowercased() == "set-cookie" }) {
      problems.append("sticky: \(found.title) sets a Set-Cookie header already")
    }
    let cookie = NameValueMatch(type: .regularExpression, name: "Cookie", value: "sticky")
    let kept = (Self.matches(found.rule) ?? []).map { match in
      var match = match
      match.headers = (match.headers ?? []) + [cookie]
      return match
    }
    return problems + robbed(found, by: kept).map { "sticky: \($0)" }
  }

  /// The person's other rules that get requests before this rule, and would get them no longer: a match with more
  /// conditions comes before one with fewer.
  private func robbed(_ found: LentRule, by matches: [HTTPMatch]) -> [String] {
    let theirs = Self.matches(found.rule) ?? []
    func meet(_ left: HTTPMatch, _ right: HTTPMatch) -> Bool {
      if case .one = MatchIntersection.of(left, right) { true } else { false }
    }
    return found.others.filter { other in
      (Self.matches(other.rule) ?? []).contains { match in
        matches.contains { new in
          guard meet(match, new), GatewayRank(match) <= GatewayRank(new) else { return false }
          if GatewayRank(match) == GatewayRank(new), other.index < found.index { return false }
          return theirs.contains { old in
            meet(old, match)
              && (GatewayRank(old) < GatewayRank(match)
                || GatewayRank(old) == GatewayRank(match) && other.index < found.index)
          }
        }
      }
    }.map { other in
      "\(LentRule.title(of: other.rule, in: found.object, type)) has some of these requests now, and would have them no "
        + "longer, as the match with more conditions decides; give \(found.title) a route of its own"
    }
  }
}

/// Which of two matches decides, by the order of the Gateway API's specification (under HTTPRouteRule, `matches`). A
/// regular expression of the path has no place in it, and is taken for a prefix.
struct GatewayRank: Comparable {
  private let order: [Int]

  init(_ match: HTTPMatch) {
    order = [
      match.path?.kind == .exact ? 1 : 0, match.path?.value.count ?? 1, match.method == nil ? 0 : 1,
      match.headers?.count ?? 0, match.queryParams?.count ?? 0,
    ]
  }

  static func < (left: GatewayRank, right: GatewayRank) -> Bool { left.order.lexicographicallyPrecedes(right.order) }
}
