import Foundation
import KubernetesAPI

extension APIServer {
  /// What follows from a write at once: definitions are established, with a definition all of its kind goes, and the
  /// time of an Event begins.
  func afterWrite(old: JSON?, new: JSON?, _ kind: ServedKind, in state: inout StoreState) {
    if let new { limitLifetime(new, kind, in: &state) }
    if Strategy.isDefinition(kind), let new {
      if new.isBeingDeleted {
        removeInstances(of: new, in: &state)
      } else {
        establish(new, in: &state)
      }
    }
    if kind.isCustom, new == nil {
      // The last instance of a definition that is going lets it go.
      let name = "\(kind.type.plural).\(kind.type.group)"
      if let definition = state.object(Kinds.definitions, ObjectKey(name: name)), definition.isBeingDeleted {
        removeInstances(of: definition, in: &state)
      }
    }
  }

  /// Compares the names with those of other definitions, which the real server does a moment after the write.
  private func establish(_ definition: JSON, in state: inout StoreState) {
    var accepted = DefinitionStatus.accepted(
      definition, among: state.objects(Kinds.definitions), now: Timestamp(now))
    DefinitionStatus.recordStoredVersion(&accepted)
    guard accepted != definition else { return }
    let wasEstablished = kinds.kinds(of: definition).isEmpty == false
    let stored = state.put(accepted, in: Kinds.definitions)
    if !wasEstablished, let group = stored[path: ["spec", "group"]]?.string,
      let plural = stored[path: ["spec", "names", "plural"]]?.string
    {
      state.begin(StoredResource(group: group, plural: plural))
    }
  }

  private func removeInstances(of definition: JSON, in state: inout StoreState) {
    guard let group = definition[path: ["spec", "group"]]?.string,
      let plural = definition[path: ["spec", "names", "plural"]]?.string
    else { return }
    let resource = StoredResource(group: group, plural: plural)
    for instance in state.objects(resource) {
      if instance.finalizers.isEmpty {
        state.remove(instance.objectKey, in: resource)
      } else if !instance.isBeingDeleted {
        var marked = instance
        marked[path: ["metadata", "deletionTimestamp"]] = .string(Timestamp(now).description)
        marked[path: ["metadata", "deletionGracePeriodSeconds"]] = 0
        _ = state.put(marked, in: resource)
      }
    }
    guard state.objects(resource).isEmpty,
      var remaining = state.object(Kinds.definitions, definition.objectKey)
    else { return }
    let finalizers = remaining.finalizers.filter { $0 != Strategy.customResourceCleanup }
    if finalizers.isEmpty {
      state.remove(remaining.objectKey, in: Kinds.definitions)
    } else if finalizers != remaining.finalizers {
      remaining[path: ["metadata", "finalizers"]] = .array(finalizers.map(JSON.string))
      _ = state.put(remaining, in: Kinds.definitions)
    }
  }
}
