/// SLOs and how they are judged.
extension PlanReader {
  mutating func analysis(_ spec: AnalysisSpec, _ templates: AnalysisTemplates) -> PlanAnalysis {
    let field = "spec.analysis"
    let placed = templates.resolve(spec, &self)
    count(placed.count, field + ".slos", 0...32)
    unique(placed.map(\.slo.name), { placed[$0].field + ".name" }, "a name")
    return PlanAnalysis(
      slos: placed.compactMap { slo($0.slo, $0.field) },
      deadline: duration(
        spec.deadline, or: Defaults.deadline, field + ".deadline", in: .seconds(1) ... .seconds(30 * 86_400)),
      interval: duration(spec.interval, or: Defaults.interval, field + ".interval", in: .seconds(1) ... .seconds(600)),
      onUndecided: spec.onUndecided ?? Defaults.onUndecided,
      minRequests: integer(spec.minRequests ?? Defaults.minRequests, field + ".minRequests", in: 1...1_000_000),
      falseAbortRisk: percent(
        spec.falseAbortRisk ?? Defaults.falseAbortRisk, field + ".falseAbortRisk", in: Self.risks),
      warmUp: duration(spec.warmUp, or: Defaults.warmUp, field + ".warmUp", in: .zero ... .seconds(3600)),
      guards: spec.guards ?? Defaults.guards, burnWindows: burnWindows(spec.burnRate, field + ".burnRate"))
  }

  private mutating func burnWindows(_ spec: BurnRateSpec?, _ field: String) -> [BurnWindows] {
    let windows = spec?.windows ?? Defaults.burnWindows
    count(windows.count, field + ".windows", 1...4)
    let read = windows.enumerated().compactMap { index, pair -> BurnWindows? in
      let field = "\(field).windows[\(index)]"
      let limits = Duration.seconds(10) ... .seconds(30 * 86_400)
      let before = problems.count
      let long = duration(pair.long, or: pair.long, field + ".long", in: limits)
      let short = duration(pair.short, or: pair.short, field + ".short", in: limits)
      if problems.count == before, short >= long {
        report(field + ".short", found: "\(short.text) beside a long window of \(long.text)", wanted: "the shorter one")
      }
      guard let rate = decimal(pair.rate, field + ".rate") else { return nil }
      if rate.double <= 0 || rate.double > 10_000 {
        report(field + ".rate", found: "\(rate)", wanted: "a number above 0 and at most 10000, such as \"14.4\"")
      }
      return BurnWindows(long: long, short: short, rate: rate)
    }
    return spec?.mode ?? Defaults.burnRateMode == .disabled ? [] : read
  }

  private static let risks = (Percent("0.0001%") ?? .zero)...(Percent(10) ?? .all)
  private static let rates = (Percent("0.0001%") ?? .zero)...(Percent("99.9999%") ?? .all)

  mutating func slo(_ spec: SLOSpec, _ field: String) -> SLO? {
    name(spec.name, field + ".name", .word)
    exactlyOne(
      [("errorRate", spec.errorRate != nil), ("latency", spec.latency != nil), ("query", spec.query != nil)], field)
    if spec.query == nil {
      if spec.value != nil {
        report(field + ".value", found: "bounds without a query", wanted: "max in errorRate or latency instead")
      }
      for (member, isThere) in [("kind", spec.kind != nil), ("per", spec.per != nil), ("bounds", spec.bounds != nil)]
      where isThere {
        report("\(field).\(member)", found: "a value without a query", wanted: "it beside a query only")
      }
    }
    if let errorRate = spec.errorRate {
      checkHasNoDistribution(spec.compare, field + ".compare", "errorRate")
      let max = percent(errorRate.max, field + ".errorRate.max", in: Self.rates)
      return SLO(
        name: spec.name, mode: spec.mode ?? Defaults.mode,
        objective: .errorRate(max: max, comparison: comparison(spec.compare, field + ".compare")))
    }
    if let latency = spec.latency { return self.latency(latency, spec, field) }
    guard let query = spec.query else { return nil }
    return self.query(query, spec, field).map {
      SLO(name: spec.name, mode: spec.mode ?? Defaults.mode, objective: .query($0))
    }
  }

  private mutating func latency(_ latency: LatencySpec, _ spec: SLOSpec, _ field: String) -> SLO? {
    let quantile = Quantile(latency.quantile)
    if let share = quantile, share < .one {
      // Nobody means it: who is used to PromQL writes 0.99 for 99.
      report(
        field + ".latency.quantile", found: "\(quoted(latency.quantile)), which is less than one in a hundred",
        wanted: "percent, from 1 on: \"\(share.asPercent)\" for the share \(share)")
    }
    if quantile == nil {
      report(
        field + ".latency.quantile", found: quoted(latency.quantile),
        wanted: "a number above 0 and below 100 as text, such as \"99\" or \"99.9\"")
    }
    let max = duration(
      latency.max, or: latency.max, field + ".latency.max", in: .milliseconds(1) ... .seconds(600))
    let comparison = comparison(spec.compare, field + ".compare")
    if latency.metric == nil, latency.unit != nil {
      report(field + ".latency.unit", found: "a unit without a metric", wanted: "it beside metric only")
    }
    let own = latency.metric.map { metric($0, latency.unit, field + ".latency") }
    guard let quantile else { return nil }
    let objective: SLO.Objective
    switch own {
    case nil: objective = .latency(quantile: quantile, max: max, comparison: comparison)
    case .some(nil): return nil
    case .some(let (metric, unit)?):
      objective = .ownLatency(
        SLO.OwnLatency(metric: metric, unit: unit, quantile: quantile, max: max, comparison: comparison))
    }
    return SLO(name: spec.name, mode: spec.mode ?? Defaults.mode, objective: objective)
  }

  private mutating func metric(
    _ text: String, _ unit: LatencyUnit?, _ field: String
  ) -> (HistogramMetric, LatencyUnit)? {
    guard let parsed = promQL(text, field + ".metric") else { return nil }
    do throws(QueryProblem) {
      let metric = try parsed.histogram()
      guard let unit = unit ?? metric.unit else {
        report(
          field + ".unit", found: "nothing, and a metric whose name does not end in _seconds or _milliseconds",
          wanted: "Seconds or Milliseconds")
        return nil
      }
      return (metric, unit)
    } catch {
      report(field + ".metric", found: error.found, wanted: error.wanted)
      return nil
    }
  }

  /// How a built-in check compares with stable.
  private mutating func comparison(_ spec: CompareSpec?, _ field: String) -> SLO.Comparison? {
    if let spec, spec.against == ComparedTrack.none {
      if spec.ratio != nil || spec.margin != nil || spec.difference != nil || spec.distribution != nil {
        report(
          field + ".against", found: "None beside a tolerance", wanted: "Stable, or no ratio, margin and distribution")
      }
      return nil
    }
    if spec?.difference != nil {
      report(field + ".difference", found: "a value without a query", wanted: "margin, as a percentage of requests")
    }
    if spec?.ratio?.min != nil {
      report(
        field + ".ratio.min", found: "a value without a query",
        wanted: "only max: to be better than stable is never an error")
    }
    let one = DecimalString.one
    let ratio = decimal(spec?.ratio?.max, field + ".ratio.max") ?? one
    if ratio < one {
      report(field + ".ratio.max", found: "\(ratio)", wanted: "at least 1, which means no worse than stable")
    }
    let margin = spec?.margin.map { percent($0, field + ".margin", in: .zero ... .all) }
    let distribution = spec?.distribution.map {
      percent($0.margin ?? Defaults.distributionMargin, field + ".distribution.margin", in: .zero ... .half)
    }
    return SLO.Comparison(ratio: ratio, margin: margin, distribution: distribution)
  }

  /// Only times are compared as a whole.
  mutating func checkHasNoDistribution(_ spec: CompareSpec?, _ field: String, _ objective: String) {
    guard spec?.distribution != nil else { return }
    report(field + ".distribution", found: "a value with \(objective)", wanted: "it beside latency only")
  }

  mutating func promQL(_ text: String, _ field: String) -> PromQLQuery? {
    guard text.utf8.count <= 4096, !text.allSatisfy(\.isWhitespace) else {
      report(
        field, found: text.isEmpty ? "nothing" : "\(text.utf8.count) bytes", wanted: "PromQL of at most 4096 bytes")
      return nil
    }
    do throws(QueryProblem) {
      return try PromQLQuery(parsing: text)
    } catch {
      report(field, found: "\(error.found) at character \(error.position)", wanted: error.wanted)
      return nil
    }
  }
}

extension DecimalString {
  static let one = DecimalString(whole: 1)
  static let zero = DecimalString(whole: 0)
}

extension Percent {
  fileprivate static let half = Percent(50) ?? .all
}

extension Weight {
  static let one = Weight(clamping: 1)
}
