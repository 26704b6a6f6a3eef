/// A query of a team's own, understood: every selector in it is known, so that each can be confined to a namespace.
public struct PromQLQuery: Sendable, Hashable, CustomStringConvertible {
  /// As it was written.
  public let description: String
  let root: QueryNode

  /// - Throws: where it is no PromQL, uses a variable that there is not, gives something other than a number or an
  ///   instant vector, or asks for a quantile of what has no buckets.
  public init(parsing text: String) throws(QueryProblem) {
    let parsed = try QueryParser.parse(text)
    switch parsed.kind {
    case .scalar, .vector: break
    case .matrix:
      throw QueryProblem(
        position: 1, found: "a query that gives a range of values",
        wanted: "one number: rate(…), avg_over_time(…) of it")
    case .string: throw QueryProblem(position: 1, found: "a query that gives a string", wanted: "one number")
    }
    if let problem = parsed.node.quantileProblem { throw problem }
    description = text
    root = parsed.node
  }

  /// The variables in it.
  public var variables: Set<QueryVariable> { root.variables }

  /// Whether it is a sum of rates or increases, which grows with a track's traffic.
  public var growsWithTraffic: Bool { root.isSumOfIncreases }

  /// How a query is kept to one namespace.
  public struct Confinement: Sendable, Hashable {
    /// The label that names the namespace of a series.
    public var label: String
    public var namespace: String

    public init(label: String, namespace: String) {
      self.label = label
      self.namespace = namespace
    }
  }

  /// The query with values for its variables.
  /// - Parameters:
  ///   - values: put into strings whatever they hold; ``QueryVariable/pods`` is a regular expression, the others are not.
  ///   - confinement: a matcher that every selector gets besides its own: one for another namespace then finds nothing.
  public func text(_ values: [QueryVariable: String], confinedTo confinement: Confinement?) -> String {
    Self.print(root, values, confinement)
  }

  static func print(_ node: QueryNode, _ values: [QueryVariable: String], _ confinement: Confinement?) -> String {
    let forced = confinement.map {
      QueryNode.Matcher(label: $0.label, kind: .equal, value: QueryText(parts: [.text($0.namespace)]))
    }
    return QueryPrinter(values: values, forced: forced).print(node)
  }

  public static func == (left: PromQLQuery, right: PromQLQuery) -> Bool { left.description == right.description }
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}
