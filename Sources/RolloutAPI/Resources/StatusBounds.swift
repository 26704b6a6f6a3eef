import KubernetesAPI

/// The bounds that the schemas set on what Sluice writes. A status beyond one of them would be refused as a whole, so
/// statuses are cut to them before they are written.
public enum StatusBounds {
  /// Of a whole run status, in bytes of JSON.
  public static let runStatus = 256 * 1024
  /// In Unicode scalars, as the API server counts `maxLength`.
  public static let message = 2048
  public static let reason = 128
  public static let title = 512
  public static let property = 256
  public static let image = 512
  public static let query = 8192
  public static let note = 512
  public static let checks = 64
  public static let guards = 32
  public static let differences = 8
  public static let value = 253
  public static let timeline = 64
  public static let queries = 8
  public static let notes = 8
  public static let pods = 8
  public static let images = 32
  public static let former = 10
  public static let reassertions = 16
  public static let services = 32
  public static let conditions = 16
}

extension String {
  /// At most that many Unicode scalars; what is cut off is marked.
  func cut(to count: Int) -> String {
    guard unicodeScalars.count > count else { return self }
    var text = String.UnicodeScalarView(unicodeScalars.prefix(count - 1))
    text.append("…")
    return String(text)
  }
}

extension RolloutStatus {
  /// The same within the bounds of the schema.
  public func bounded() -> RolloutStatus {
    var copy = self
    copy.message = message?.cut(to: StatusBounds.message)
    copy.stable = stable?.bounded()
    copy.canary = canary?.bounded()
    copy.former = former.map { Array($0.prefix(StatusBounds.former)) }
    copy.lastRejected?.message = lastRejected?.message?.cut(to: StatusBounds.message)
    copy.bypass?.services = bypass?.services.map { Array($0.prefix(StatusBounds.services)) }
    copy.reassertions = reassertions.map { Array($0.suffix(StatusBounds.reassertions)) }
    copy.conditions = conditions?.bounded()
    return copy
  }
}

extension RevisionStatus {
  fileprivate func bounded() -> RevisionStatus {
    var copy = self
    copy.images = images.map { $0.prefix(StatusBounds.images).map { $0.cut(to: StatusBounds.image) } }
    return copy
  }
}

extension [Condition] {
  fileprivate func bounded() -> [Condition] {
    prefix(StatusBounds.conditions).map { condition in
      var condition = condition
      condition.reason = condition.reason?.cut(to: StatusBounds.reason)
      condition.message = condition.message?.cut(to: StatusBounds.message)
      return condition
    }
  }
}

extension RolloutRunStatus {
  /// The same within the bounds of the schema, but for the size of the whole: see ``thinned(to:)``.
  public func bounded() -> RolloutRunStatus {
    var copy = self
    copy.reason = reason?.cut(to: StatusBounds.reason)
    copy.message = message?.cut(to: StatusBounds.message)
    copy.commandMessage = commandMessage?.cut(to: StatusBounds.message)
    copy.autopilot?.reason = autopilot?.reason?.cut(to: StatusBounds.message)
    copy.autopilot?.weights = autopilot.map { Array($0.weights.suffix(StatusBounds.timeline)) } ?? []
    copy.pause?.message = pause?.message?.cut(to: StatusBounds.message)
    copy.cause?.message = cause?.message?.cut(to: StatusBounds.message)
    copy.checks = checks?.bounded()
    copy.acceptedGuards = acceptedGuards.map { Array($0.prefix(StatusBounds.guards)) }
    copy.differences = differences.map { differences in
      differences.prefix(StatusBounds.differences).map { difference in
        var difference = difference
        difference.value = difference.value.cut(to: StatusBounds.value)
        return difference
      }
    }
    // The start of a run says least of why it ended.
    copy.timeline = timeline.map { $0.suffix(StatusBounds.timeline).map { $0.bounded() } }
    copy.conditions = conditions?.bounded()
    return copy
  }

  /// The same, bounded, and as JSON at most `size` bytes: the oldest evidence goes first (queries and notes, then the
  /// numbers, then the checks that passed, then most of the messages), then whole entries of the timeline. Complexity:
  /// O(n) in the size of the status.
  public func thinned(to size: Int = StatusBounds.runStatus) -> RolloutRunStatus {
    var copy = bounded()
    var excess = Self.size(of: copy) - size
    guard excess > 0 else { return copy }
    let thinnings: [(inout StepRecord) -> Void] = [
      { $0.dropTexts() }, { $0.dropNumbers() }, { $0.dropPasses() }, { $0.message = $0.message?.cut(to: 200) },
    ]
    var entries = copy.timeline ?? []
    for thin in thinnings {
      for index in entries.indices where excess > 0 {
        let before = Self.size(of: entries[index])
        thin(&entries[index])
        excess -= before - Self.size(of: entries[index])
      }
    }
    var checks = copy.checks ?? []
    for index in checks.indices where excess > 0 {
      let before = Self.size(of: checks[index])
      checks[index].evidence = nil
      excess -= before - Self.size(of: checks[index])
    }
    while excess > 0, let first = entries.first {
      excess -= Self.size(of: first)
      entries.removeFirst()
    }
    copy.timeline = timeline == nil ? nil : entries
    copy.checks = self.checks == nil ? nil : checks
    return copy
  }

  /// In bytes of JSON.
  private static func size(of value: some Encodable) -> Int { (try? JSON(encoding: value).bytes.count) ?? 0 }
}

extension [CheckRecord] {
  fileprivate func bounded() -> [CheckRecord] {
    prefix(StatusBounds.checks).map { check in
      var check = check
      check.message = check.message?.cut(to: StatusBounds.message)
      check.evidence = check.evidence?.bounded()
      return check
    }
  }
}

extension EvidenceRecord {
  fileprivate func bounded() -> EvidenceRecord {
    var copy = self
    copy.property = property?.cut(to: StatusBounds.property)
    copy.wanted = wanted?.cut(to: StatusBounds.property)
    copy.queries = queries.map { $0.prefix(StatusBounds.queries).map { $0.cut(to: StatusBounds.query) } }
    copy.distribution?.pods = distribution?.pods.map { pods in
      pods.prefix(StatusBounds.pods).map { $0.cut(to: StatusBounds.value) }
    }
    copy.notes = notes.map { $0.prefix(StatusBounds.notes).map { $0.cut(to: StatusBounds.note) } }
    return copy
  }
}

extension StepRecord {
  fileprivate func bounded() -> StepRecord {
    var copy = self
    copy.title = title?.cut(to: StatusBounds.title)
    copy.message = message?.cut(to: StatusBounds.message)
    copy.checks = checks?.bounded()
    return copy
  }

  fileprivate mutating func dropTexts() {
    for index in (checks ?? []).indices {
      checks?[index].evidence?.queries = nil
      checks?[index].evidence?.notes = nil
    }
  }

  fileprivate mutating func dropNumbers() {
    for index in (checks ?? []).indices { checks?[index].evidence = nil }
  }

  fileprivate mutating func dropPasses() {
    checks?.removeAll { $0.verdict == .pass }
    if checks?.isEmpty == true { checks = nil }
  }
}
