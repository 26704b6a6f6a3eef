/// `metav1.Condition`, and the older conditions of Deployments, ReplicaSets and Pods, which lack some of its members.
public struct Condition: Codable, Sendable, Hashable {
  /// `True`, `False` or `Unknown`.
  public enum Truth: String, Codable, Sendable, Hashable {
    case yes = "True"
    case no = "False"
    case unknown = "Unknown"
  }

  public var type: String
  public var status: Truth
  public var observedGeneration: Int?
  public var lastTransitionTime: Timestamp?
  public var reason: String?
  public var message: String?

  public init(
    type: String, status: Truth, observedGeneration: Int? = nil, lastTransitionTime: Timestamp? = nil,
    reason: String? = nil, message: String? = nil
  ) {
    self.type = type
    self.status = status
    self.observedGeneration = observedGeneration
    self.lastTransitionTime = lastTransitionTime
    self.reason = reason
    self.message = message
  }

  public var isTrue: Bool { status == .yes }
}

extension Sequence<Condition> {
  /// The condition of that type.
  public subscript(type type: String) -> Condition? { first { $0.type == type } }
}

extension [Condition] {
  /// Puts a condition in the place of the one of its type, or at the end. As the API conventions have it, the transition
  /// time is kept where the status stays the same.
  public mutating func set(_ condition: Condition) {
    guard let index = firstIndex(where: { $0.type == condition.type }) else {
      append(condition)
      return
    }
    var condition = condition
    if self[index].status == condition.status {
      condition.lastTransitionTime = self[index].lastTransitionTime ?? condition.lastTransitionTime
    }
    self[index] = condition
  }
}
