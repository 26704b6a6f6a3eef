import KubernetesAPI
import RolloutAPI

/// The routing that Sluice wrote, as the annotation on its objects keeps it.
enum RoutingRecord {
  private static let released = "released"

  static func text(_ routing: Routing) -> String {
    switch routing {
    case .released: released
    // A target's spec holds texts and whole numbers, which always encode.
    case .split(let target): (try? JSON(encoding: target.spec))?.description ?? ""
    }
  }

  /// `nil` for a text that nobody of Sluice wrote.
  static func routing(_ text: String) -> Routing? {
    if text == released { return .released }
    guard let spec: TrafficTargetSpec = try? JSON(parsing: text).decode() else { return nil }
    return TrafficTarget(spec).map(Routing.split)
  }
}
