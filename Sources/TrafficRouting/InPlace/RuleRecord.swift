import KubernetesAPI
import RolloutAPI

/// What Sluice keeps on a person's routing object while a rule of it is lent to a run: what it wrote, and what the rule
/// said before. It is an annotation of a name of its own for each Rollout, since several may edit rules of one object.
struct RuleRecord: Sendable, Hashable {
  /// What the rule was made to say.
  var target: TrafficTarget
  /// Which step of which run wrote it.
  var place: RoutingPlace?
  /// The members of the rule that Sluice changes, as the person wrote them; those that were not there are absent.
  var original: JSON

  static func annotation(of rollout: String) -> String { "route.sluice.dev/\(rollout)" }

  init(target: TrafficTarget, place: RoutingPlace?, original: JSON) {
    self.target = target
    self.place = place
    self.original = original
  }

  /// `nil` for a text that nobody of Sluice wrote.
  init?(_ text: String) {
    guard let json = try? JSON(parsing: text), let original = json["original"], original.object != nil,
      let spec: TrafficTargetSpec = try? json["traffic"]?.decode(), let target = TrafficTarget(spec)
    else { return nil }
    self.init(target: target, place: nil, original: original)
    if let run = json["run"]?.string, let step = json["step"]?.int { place = RoutingPlace(run: run, step: step - 1) }
  }

  var text: String {
    var json: JSON = ["original": original]
    // A target's spec holds texts and whole numbers, which always encode.
    json["traffic"] = try? JSON(encoding: target.spec)
    json["run"] = place.map { .string($0.run) }
    json["step"] = place.map { JSON($0.step + 1) }
    return json.description
  }
}
