/// An effect that cannot be carried out.
struct EffectError: Error, CustomStringConvertible {
  var attempt: String
  var problem: String

  init(_ attempt: String, _ problem: String) {
    self.attempt = attempt
    self.problem = problem
  }

  var description: String { "cannot \(attempt): \(problem)" }
}
