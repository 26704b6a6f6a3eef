/// SLOs that are queries of a team's own.
extension PlanReader {
  mutating func query(_ text: String, _ spec: SLOSpec, _ field: String) -> SLO.Query? {
    let compare = spec.compare
    if compare?.margin != nil {
      report(field + ".compare.margin", found: "a value with a query", wanted: "difference, in the unit of the query")
    }
    checkHasNoDistribution(compare, field + ".compare", "a query")
    let value = bounds(spec.value, field + ".value")
    let ratio = bounds(compare?.ratio, field + ".compare.ratio")
    let difference = bounds(compare?.difference, field + ".compare.difference")
    let compares = ratio != nil || difference != nil
    if spec.value == nil, compare?.ratio == nil, compare?.difference == nil {
      report(field, found: "a query without bounds", wanted: "value, compare.ratio or compare.difference")
    }
    if compare?.against == ComparedTrack.none, compares {
      report(field + ".compare.against", found: "None beside a comparison", wanted: "Stable, or value instead")
    }
    guard let expression = promQL(text, field + ".query") else { return nil }
    let kind = spec.kind ?? Defaults.queryKind
    guard kind != .value else {
      for (member, isThere) in [("per", spec.per != nil), ("bounds", spec.bounds != nil)] where isThere {
        report("\(field).\(member)", found: "a value beside a query of kind Value", wanted: "kind Events or Mean")
      }
      if compares, !expression.variables.contains(where: \.differsBetweenTracks) {
        report(
          field + ".query", found: "a query that is the same for both tracks",
          wanted: "a variable that tells them apart: $(pods), $(service) or $(hash)")
      }
      return SLO.Query(
        expression: expression, value: value, ratio: ratio, difference: difference, counted: nil)
    }
    if compare?.difference != nil {
      report(field + ".compare.difference", found: "a value with kind \(kind.rawValue)", wanted: "ratio")
    }
    checkRatio(ratio, field + ".compare.ratio")
    guard let counted = counted(expression, kind, spec, value, field) else { return nil }
    return SLO.Query(expression: expression, value: value, ratio: ratio, difference: nil, counted: counted)
  }

  /// A ratio that is as good as its bound is never shown to keep it, and equal tracks have the ratio 1.
  private mutating func checkRatio(_ ratio: SLO.Bounds?, _ field: String) {
    if let least = ratio?.min, least >= .one || least <= .zero {
      report(
        field + ".min", found: "\(least)",
        wanted: "above 0 and below 1: that equal tracks have at least the ratio 1 can never be shown")
    }
    if let most = ratio?.max, most <= .one {
      report(
        field + ".max", found: "\(most)",
        wanted: "above 1: that equal tracks have at most the ratio 1 can never be shown")
    }
  }

  private mutating func counted(
    _ expression: PromQLQuery, _ kind: QueryKind, _ spec: SLOSpec, _ value: SLO.Bounds?, _ field: String
  ) -> SLO.Counted? {
    let amount = counters(expression, field + ".query")
    var per: CounterSum?
    if let text = spec.per {
      per = promQL(text, field + ".per").flatMap { counters($0, field + ".per") }
    } else if kind == .mean {
      report(
        field + ".per", found: "nothing", wanted: "how many values the sum has, such as the _count beside a _sum")
    }
    var range: SLO.Counted.Range?
    var (least, most) = (DecimalString.zero, DecimalString.one)
    if kind == .mean {
      range = self.range(spec.bounds, field + ".bounds")
      guard let range else { return nil }
      (least, most) = (range.min, range.max)
    } else if spec.bounds != nil {
      report(field + ".bounds", found: "a value with kind Events", wanted: "kind Mean, or no bounds")
    }
    for (name, bound) in [("min", value?.min), ("max", value?.max)] {
      guard let bound, bound <= least || bound >= most else { continue }
      report(
        "\(field).value.\(name)", found: "\(bound)",
        wanted: kind == .mean
          ? "above \(least) and below \(most), since every mean is between these"
          : "above 0 and below 1, as a share of what it is counted per; or kind Mean for more than one each")
    }
    guard let amount, per != nil || spec.per == nil else { return nil }
    return SLO.Counted(amount: amount, per: per, bounds: range)
  }

  private mutating func range(_ spec: BoundsSpec?, _ field: String) -> SLO.Counted.Range? {
    guard let spec, spec.min != nil, spec.max != nil else {
      report(
        field, found: spec == nil ? "nothing" : "one bound",
        wanted: "min and max of a single value: how much one can move the mean")
      return nil
    }
    guard let least = decimal(spec.min, field + ".min"), let most = decimal(spec.max, field + ".max") else {
      return nil
    }
    if least < .zero {
      report(
        field + ".min", found: "\(least)",
        wanted: "at least 0: a sum that can fall cannot be told from a counter that began anew")
    }
    if least >= most { report(field, found: "min \(least) and max \(most)", wanted: "min below max") }
    return SLO.Counted.Range(min: least, max: most)
  }

  private mutating func counters(_ expression: PromQLQuery, _ field: String) -> CounterSum? {
    do throws(QueryProblem) {
      return try expression.counters()
    } catch {
      report(field, found: error.found, wanted: error.wanted)
      return nil
    }
  }
}
