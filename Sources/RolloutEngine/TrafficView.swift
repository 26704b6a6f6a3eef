import RolloutAPI

/// A Service that callers use, and what Sluice has made beside it.
public struct ServiceView: Sendable, Equatable {
  /// A Service that Sluice generates beside the callers' one.
  public struct Generated: Sendable, Equatable {
    /// The `pod-template-hash` in its selector.
    public var hash: String?
    /// All but the hash is as it should be rendered from the callers' Service.
    public var current: Bool
    /// Ready endpoints by the hash of their pods.
    public var ready: [String: Int]

    public init(hash: String? = nil, current: Bool = true, ready: [String: Int] = [:]) {
      self.hash = hash
      self.current = current
      self.ready = ready
    }
  }

  public var name: String
  public var exists: Bool
  /// The hash that a pin keeps in the callers' selector.
  public var pin: String?
  public var stable: Generated?
  public var canary: Generated?
  /// Ready endpoints of the callers' Service by the hash of their pods.
  public var ready: [String: Int] = [:]
  /// Sluice has its selector.
  public var isManaged = false
  /// Sluice has its selector, and it does not select the Deployment's pods.
  public var lacksSelector = false

  public init(
    name: String, exists: Bool = true, pin: String? = nil, stable: Generated? = nil, canary: Generated? = nil
  ) {
    self.name = name
    self.exists = exists
    self.pin = pin
    self.stable = stable
    self.canary = canary
  }
}

/// What the routing object was found to say.
public enum RoutingView: Sendable, Equatable {
  case absent
  /// What the routing object sends where. `intact` is false where somebody changed the object beyond that.
  case present(target: TrafficTarget, intact: Bool)
  /// The object is there and sends traffic somewhere that no target describes.
  case foreign(String)
  /// Another object claims the same traffic.
  case conflict(String)
  /// The object is a person's, cannot be edited, and sends nothing to the canary.
  case unusable(String)

  public var target: TrafficTarget? {
    if case .present(let target, _) = self { target } else { nil }
  }
}

/// Which step of which run wrote a route. It is stored with the route, in one write, and so cannot be lost with a process
/// that ends before it stores where its run is.
public struct RoutedBy: Sendable, Equatable {
  public var run: String
  /// Counted from 0; ``Plan/stepLimit`` for the promotion, which begins with a route of its own.
  public var step: Int

  public init(run: String, step: Int) {
    self.run = run
    self.step = step
  }

  /// `nil` for a stage whose route leads a run no further.
  public init?(_ run: RunState, steps: Int) {
    switch run.stage {
    case .step(let index, _): self.init(run: run.name, step: index)
    case .promoting(let stage) where stage.isReversible: self.init(run: run.name, step: steps)
    case .starting, .promoting, .aborting, .finished: return nil
    }
  }
}
