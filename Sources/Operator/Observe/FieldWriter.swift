import KubernetesAPI

/// Who else wrote what objects say. The API server keeps for each field who wrote it last; where that is Sluice alone, an
/// object differs from what Sluice would write now by a change of the plan.
enum FieldWriter {
  /// The field manager, other than Sluice, that was the last to write a part of a spec.
  static func ofSpec(in objects: [JSON]) -> String? {
    let entries = objects.flatMap { $0[path: ["metadata", "managedFields"]]?.array ?? [] }
    return entries.filter { entry in
      entry["subresource"]?.string == nil && entry["manager"]?.string != Names.fieldManager
        && entry[path: ["fieldsV1", "f:spec"]] != nil
    }
    .max { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }?["manager"]?.string
  }
}
