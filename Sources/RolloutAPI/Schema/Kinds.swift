import KubernetesAPI

/// A document of one of our kinds, read strictly, as `lint` and the tests of the examples do.
public enum SluiceDocument: Sendable, Hashable {
  case rollout(Rollout)
  case rolloutRun(RolloutRun)
  case analysisTemplate(AnalysisTemplate)
  case clusterAnalysisTemplate(ClusterAnalysisTemplate)
  case notificationChannel(NotificationChannel)

  /// Whether a document says that it is of our group.
  public static func claims(_ json: JSON) -> Bool {
    json.apiVersion.split(separator: "/").first.map(String.init) == ResourceType.sluiceGroup
  }

  /// - Throws: every field that is unknown, missing or of the wrong type.
  public init(_ json: JSON) throws(PlanErrors) {
    guard let type = ResourceType.sluiceKinds.first(where: { $0.apiVersion == json.apiVersion && $0.kind == json.kind })
    else { throw PlanErrors([Self.unknownKind(json)]) }
    switch type.kind {
    case Rollout.resource.kind: self = .rollout(try Self.read(json))
    case RolloutRun.resource.kind: self = .rolloutRun(try Self.read(json))
    case AnalysisTemplate.resource.kind: self = .analysisTemplate(try Self.read(json))
    case ClusterAnalysisTemplate.resource.kind: self = .clusterAnalysisTemplate(try Self.read(json))
    default: self = .notificationChannel(try Self.read(json))
    }
  }

  private static func unknownKind(_ json: JSON) -> PlanProblem {
    let known = ResourceType.sluiceKinds.map(\.kind).joined(separator: ", ")
    let version = "\(ResourceType.sluiceGroup)/\(ResourceType.sluiceVersion)"
    return json.apiVersion == version
      ? PlanProblem(field: "kind", found: "\"\(json.kind)\"", wanted: "one of \(known)")
      : PlanProblem(field: "apiVersion", found: "\"\(json.apiVersion)\"", wanted: version)
  }

  private static func read<Kind: KubernetesResource>(_ json: JSON) throws(PlanErrors) -> Kind {
    do {
      var document = json
      document["apiVersion"] = nil
      document["kind"] = nil
      var problems = try Shape(of: Kind.self).problems(in: document)
      if json.name.isEmpty {
        problems.insert(PlanProblem(field: "metadata.name", found: "nothing", wanted: "the object's name"), at: 0)
      }
      guard problems.isEmpty else { throw PlanErrors(problems) }
      return try json.decode()
    } catch let errors as PlanErrors {
      throw errors
    } catch {
      let text = (error as? DecodingError)?.fieldDescription ?? "\(error)"
      throw PlanErrors([PlanProblem(field: "the document", found: text, wanted: "a \(Kind.resource.kind)")])
    }
  }
}
