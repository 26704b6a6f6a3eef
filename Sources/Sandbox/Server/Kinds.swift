import KubernetesAPI
import Synchronization

/// Which kinds are served: the built-in ones, and those that the definitions in the store establish.
final class Kinds: Sendable {
  private struct Parsed {
    var resourceVersion: String
    var kinds: [ServedKind]
  }

  /// Built-in kinds by group, version and plural.
  private let builtIns: [Key: ServedKind]
  private let builtInVersions: Set<GroupVersion>
  /// What was read out of each definition, under its uid; read again when the definition changes.
  private let parsed = Mutex<[String: Parsed]>([:])

  static let definitions = StoredResource(group: "apiextensions.k8s.io", plural: "customresourcedefinitions")

  struct GroupVersion: Sendable, Hashable {
    var group: String
    var version: String
  }

  private struct Key: Hashable {
    var group: String
    var version: String
    var plural: String
  }

  init(_ builtIns: [ServedKind] = KindRules.builtInKinds) {
    self.builtIns = Dictionary(
      builtIns.map { (Key(group: $0.type.group, version: $0.type.version, plural: $0.type.plural), $0) },
      uniquingKeysWith: { first, _ in first })
    builtInVersions = Set(builtIns.map { GroupVersion(group: $0.type.group, version: $0.type.version) })
  }

  func kind(group: String, version: String, plural: String, state: StoreState) -> ServedKind? {
    if let kind = builtIns[Key(group: group, version: version, plural: plural)] { return kind }
    guard let definition = state.object(Self.definitions, ObjectKey(name: "\(plural).\(group)")) else { return nil }
    return kinds(of: definition).first { $0.type.version == version }
  }

  func kind(_ type: ResourceType, state: StoreState) -> ServedKind? {
    kind(group: type.group, version: type.version, plural: type.plural, state: state)
  }

  /// Whether a group is served in a version at all; where not, paths below it are unknown altogether.
  func isServed(group: String, version: String, state: StoreState) -> Bool {
    if builtInVersions.contains(GroupVersion(group: group, version: version)) { return true }
    if KindRules.reviewGroups.contains(group), version == "v1" { return true }
    return state.objects(Self.definitions).contains { definition in
      definition[path: ["spec", "group"]]?.string == group
        && kinds(of: definition).contains { $0.type.version == version }
    }
  }

  /// Everything that is served, sorted by group and plural.
  func all(_ state: StoreState) -> [ServedKind] {
    let custom = state.objects(Self.definitions).flatMap(kinds(of:))
    return (Array(builtIns.values) + custom).sorted {
      ($0.type.group, $0.type.version, $0.type.plural) < ($1.type.group, $1.type.version, $1.type.plural)
    }
  }

  /// The kinds that an established definition serves, one per version, the preferred version first.
  func kinds(of definition: JSON) -> [ServedKind] {
    parsed.withLock { parsed in
      if let known = parsed[definition.uid], known.resourceVersion == definition.resourceVersion { return known.kinds }
      // Bounded: what was read of definitions that are gone is dropped with the rest.
      if parsed.count > 1000 { parsed = [:] }
      let kinds = KindRules.kinds(of: definition)
      parsed[definition.uid] = Parsed(resourceVersion: definition.resourceVersion, kinds: kinds)
      return kinds
    }
  }
}
