import KubernetesAPI

/// The writes to the callers' and the generated Services.
struct ServiceWriter {
  let cluster: any ClusterWriter
  let snapshot: any ClusterSnapshot
  let rollout: ObjectKey
  /// The names of the callers' Services.
  let services: [String]
  /// The selector of those that are given to Sluice.
  var managed: [String: [String: String]] = [:]

  func render(stableHash: String?, canaryHash: String?) async throws {
    let known = services.compactMap {
      snapshot.object(.services, key($0)) ?? GeneratedService.standIn(for: key($0), in: snapshot, rollout: rollout.name)
    }
    for callers in known {
      for track in GeneratedService.Track.allCases {
        let hash = track == .stable ? stableHash : canaryHash
        let wanted = GeneratedService.render(callers: callers, track: track, hash: hash, rollout: rollout.name)
        try await write(wanted, callers: callers, track: track, hash: hash)
      }
    }
  }

  private func write(_ wanted: JSON, callers: JSON, track: GeneratedService.Track, hash: String?) async throws {
    guard let live = snapshot.object(.services, wanted.objectKey) else {
      try await cluster.create(.services, wanted)
      return
    }
    guard live.labels[Names.rollout] == rollout.name else {
      throw EffectError(
        "render Service \(wanted.objectKey)",
        "it exists and is not ours (no label \(Names.rollout)=\(rollout.name)); rename it, since Sluice needs the name")
    }
    let isCurrent = GeneratedService.isCurrent(live, callers: callers, track: track, rollout: rollout.name)
    guard !isCurrent || live[path: ["spec", "selector", Names.templateHash]]?.string != hash else { return }
    var merged = live
    for (field, value) in wanted["spec"]?.object ?? [:] { merged[path: ["spec", field]] = value }
    for (name, value) in wanted.annotations { merged[path: ["metadata", "annotations", name]] = .string(value) }
    for (name, value) in wanted.labels { merged[path: ["metadata", "labels", name]] = .string(value) }
    try await cluster.replace(.services, merged)
  }

  func delete() async throws {
    for name in services {
      for track in GeneratedService.Track.allCases {
        let key = key(GeneratedService.name(of: name, track))
        guard snapshot.object(.services, key)?.labels[Names.rollout] == rollout.name else { continue }
        try await cluster.delete(.services, key)
      }
    }
  }

  /// The annotation is ours; the policy adds the hash on every write, and this write carries it too, so that the pin is
  /// there at once.
  func pin(to hash: String) async throws {
    for name in services where snapshot.object(.services, key(name)) != nil { try await pin(name, to: hash) }
  }

  private func pin(_ name: String, to hash: String) async throws {
    try await cluster.patch(
      .services, key(name),
      .merge([
        "metadata": ["annotations": [Names.pin: .string(hash), Names.ownWrite: mark(name)]],
        "spec": ["selector": selector(of: name, hash: .string(hash))],
      ]))
  }

  /// Keeps what is of no Deployment's pods out of the selector: the Service was given over with whatever it had.
  func selectPods() async throws {
    for (name, labels) in managed.sorted(by: { $0.key < $1.key }) {
      guard let live = snapshot.object(.services, key(name)) else { continue }
      var selector: JSON = [:]
      for label in (live[path: ["spec", "selector"]]?.strings ?? [:]).keys where label != Names.templateHash {
        selector[label] = .null
      }
      for (label, value) in labels { selector[label] = .string(value) }
      try await cluster.patch(
        .services, key(name),
        .merge(["metadata": ["annotations": [Names.ownWrite: mark(name)]], "spec": ["selector": selector]]))
    }
  }

  /// Has the callers' Services select what the stable ones select.
  /// - Parameter otherwise: the stable revision, for a stable Service that is gone.
  func returnToStable(otherwise hash: String?) async throws {
    for name in services where snapshot.object(.services, key(name)) != nil {
      let stable = snapshot.object(.services, key(GeneratedService.name(of: name, .stable)))
      let wanted = stable.map { $0[path: ["spec", "selector", Names.templateHash]]?.string } ?? hash
      if let wanted { try await pin(name, to: wanted) } else { try await unpin(name) }
    }
  }

  private func selector(of name: String, hash: JSON) -> JSON {
    var selector: JSON = [Names.templateHash: hash]
    for (label, value) in managed[name] ?? [:] { selector[label] = .string(value) }
    return selector
  }

  func unpin() async throws {
    for name in services { try await unpin(name) }
  }

  private func unpin(_ name: String) async throws {
    guard let callers = snapshot.object(.services, key(name)),
      callers.annotations[Names.pin] != nil || callers[path: ["spec", "selector", Names.templateHash]] != nil
    else { return }
    try await cluster.patch(
      .services, key(name),
      .merge([
        "metadata": ["annotations": [Names.pin: .null, Names.ownWrite: mark(name)]],
        "spec": ["selector": selector(of: name, hash: .null)],
      ]))
  }

  private func mark(_ name: String) -> JSON {
    OwnWrite.mark(service: snapshot.object(.services, key(name)) ?? .emptyObject)
  }

  private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: rollout.namespace, name: name) }
}
