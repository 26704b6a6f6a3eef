/// Which step of which run a routing object was written by.
public struct RoutingPlace: Sendable, Hashable {
  public var run: String
  /// Counted from 0; the number of steps for the promotion.
  public var step: Int

  public init(run: String, step: Int) {
    self.run = run
    self.step = step
  }

  /// As the annotations of an object of Sluice's own say it.
  init?(annotations: [String: String]) {
    guard let run = annotations[RoutingNames.run], let step = annotations[RoutingNames.step].flatMap(Int.init) else {
      return nil
    }
    self.init(run: run, step: step - 1)
  }
}
