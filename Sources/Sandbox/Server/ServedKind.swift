import KubernetesAPI

/// A kind as the API serves it under one group and version: where its objects are stored, what may be done with them,
/// and what they look like. Built-in kinds and custom resources are alike from here on; where they differ, `custom`
/// says so.
struct ServedKind: Sendable {
  struct Subresource: Sendable, Hashable {
    var name: String
    var kind: String
    /// Of the object that the subresource shows; empty where it is that of the kind itself.
    var group = ""
    var version = ""
    var verbs: [String]
  }

  var type: ResourceType
  var singular: String
  var shortNames: [String] = []
  var categories: [String] = []
  var verbs: [String]
  var subresources: [Subresource] = []
  var schema: Schema
  /// The definition, of a custom resource.
  var custom: CustomKind?

  var stored: StoredResource { StoredResource(type) }
  var isCustom: Bool { custom != nil }

  func subresource(_ name: String) -> Subresource? { subresources.first { $0.name == name } }
  func allows(_ verb: String) -> Bool { verbs.contains(verb) }

  static let allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

  /// The main resource and the subresource `status` show each other's part read-only.
  var hasStatusSubresource: Bool { subresource("status") != nil }
}

/// What only custom resources have.
struct CustomKind: Sendable {
  var resource: CustomResource
  /// The `apiVersion` under which objects are stored.
  var storageVersion: String
  /// The definition is going: nothing new is created.
  var isTerminating: Bool

  var scale: ScalePaths? {
    resource.scale.map {
      ScalePaths(replicas: $0.replicas, statusReplicas: $0.statusReplicas, selector: $0.selector ?? [])
    }
  }
  /// `additionalPrinterColumns`, as they are in the definition.
  var printerColumns: [JSON] { resource.columns }
  var selectableFields: [String] { resource.selectableFields }
}

/// Where an object keeps what its subresource `scale` shows.
struct ScalePaths: Sendable, Hashable {
  var replicas: [String]
  var statusReplicas: [String]
  /// A label selector in text form; empty where there is none, `nil` for built-in kinds, whose `spec.selector` is
  /// rendered.
  var selector: [String]?

  static let workload = ScalePaths(
    replicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"], selector: nil)
}
