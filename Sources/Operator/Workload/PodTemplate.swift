import KubernetesAPI

/// A pod template as a revision: compared as a whole value, both sides read live from the same server.
struct PodTemplate: Hashable, Sendable {
  /// Without `pod-template-hash`.
  let json: JSON

  /// The template of a Deployment or a ReplicaSet.
  init(of workload: JSON) {
    var template = workload[path: ["spec", "template"]] ?? .emptyObject
    template[path: ["metadata", "labels", Names.templateHash]] = nil
    // An object that was built by a typed client carries this null; it says nothing.
    template[path: ["metadata", "creationTimestamp"]] = nil
    json = template
  }

  /// A name for the revision. It only names: equality is decided on templates.
  var name: String {
    // FNV-1a, 32 bit, in the alphabet that Kubernetes uses for generated names (no vowels, no words).
    var hash: UInt32 = 2_166_136_261
    for byte in json.bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String(String(hash).map { alphabet[($0.wholeNumberValue ?? 0) % alphabet.count] })
  }
}
