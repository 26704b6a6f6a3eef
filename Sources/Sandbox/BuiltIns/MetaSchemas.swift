import KubernetesAPI

/// Parts that many kinds share.
enum MetaSchemas {
  static let objectMeta = Schema.object(
    [
      "name": .string("The name, unique among the objects of its kind in the namespace."),
      "generateName": .string("What the server begins the name with when none is given."),
      "namespace": .string("Where the object lives."), "selfLink": .string, "uid": .string("Unique over all time."),
      "resourceVersion": .string("Changes with every write."),
      "generation": .int64("Counts the changes of what is wanted."), "creationTimestamp": .time,
      "deletionTimestamp": .time.described("Set when the object was deleted and finalizers still hold it."),
      "deletionGracePeriodSeconds": .int64(), "labels": .map(of: .string, "What selectors go by."),
      "annotations": .map(of: .string, "Free notes of tools and people."),
      "ownerReferences": .list(of: ownerReference, keys: ["uid"], "The object goes when all of these are gone."),
      "finalizers": .set(of: .string, mergeable: true, "Who must act before the object can go."),
      "managedFields": .list(of: managedFieldsEntry, "Who owns which fields."),
    ], "Name, labels, and what the server keeps about an object.")

  private static let ownerReference = Schema.object(
    [
      "apiVersion": .string.always(), "kind": .string.always(), "name": .string.always(), "uid": .string.always(),
      "controller": .boolean, "blockOwnerDeletion": .boolean,
    ], required: ["apiVersion", "kind", "name", "uid"], mapType: .atomic)

  private static let managedFieldsEntry = Schema.object([
    "manager": .string, "operation": .string, "apiVersion": .string, "time": .time, "fieldsType": .string,
    "fieldsV1": .anyObject, "subresource": .string,
  ])

  static let labelSelector = Schema.object(
    [
      "matchLabels": .map(of: .string, "Labels that must have these values."),
      "matchExpressions": .list(
        of: .object(
          ["key": .string.always(), "operator": .string.always(), "values": .strings], required: ["key", "operator"])),
    ], mapType: .atomic)

  /// `metav1.Condition`.
  static let condition = Schema.object(
    [
      "type": .string.always(), "status": .string.always(), "observedGeneration": .int64(),
      "lastTransitionTime": .time.always(), "reason": .string.always(), "message": .string.always(),
    ], required: ["type", "status", "lastTransitionTime", "reason", "message"])

  static let objectReference = Schema.object(
    [
      "kind": .string, "namespace": .string, "name": .string, "uid": .string, "apiVersion": .string,
      "resourceVersion": .string, "fieldPath": .string,
    ], mapType: .atomic)

  static let localReference = Schema.object(["name": .string], mapType: .atomic)

  static func conditions(_ condition: Schema) -> Schema { .list(of: condition, keys: ["type"]) }
}
