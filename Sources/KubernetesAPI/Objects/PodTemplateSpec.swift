/// A pod template, kept whole as ``JSON``: revisions are compared as whole values, and a member that this library does
/// not know counts too. What Sluice reads of it is computed.
public struct PodTemplateSpec: Codable, Sendable, Hashable {
  public var json: JSON

  public init(_ json: JSON) { self.json = json }

  public init(from decoder: any Decoder) throws { json = try JSON(from: decoder) }
  public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }

  public var labels: [String: String] {
    get { json.labels }
    set { json[path: ["metadata", "labels"]] = newValue.isEmpty ? nil : JSON(newValue) }
  }

  public var annotations: [String: String] {
    get { json.annotations }
    set { json[path: ["metadata", "annotations"]] = newValue.isEmpty ? nil : JSON(newValue) }
  }

  /// Name and image of each container, in their order; without init containers.
  public var containers: [(name: String, image: String)] {
    (json[path: ["spec", "containers"]]?.array ?? []).map { ($0["name"]?.string ?? "", $0["image"]?.string ?? "") }
  }

  public var images: [String] { containers.map(\.image) }

  /// The container ports by name, of all containers; a Service's `targetPort` may be such a name.
  public func containerPort(named name: String) -> Int? {
    for container in json[path: ["spec", "containers"]]?.array ?? [] {
      for port in container["ports"]?.array ?? [] where port["name"]?.string == name {
        return port["containerPort"]?.int
      }
    }
    return nil
  }

  /// The same template without a label, as revisions are compared (without `pod-template-hash`). An object of labels
  /// that becomes empty goes away with its last label, so that a template never told apart by an empty object.
  public func removingLabel(_ key: String) -> PodTemplateSpec {
    var copy = self
    var labels = labels
    labels[key] = nil
    copy.labels = labels
    if copy.json["metadata"]?.object?.isEmpty == true { copy.json["metadata"] = nil }
    return copy
  }
}
