import KubernetesAPI

/// The cuts of answers that transcripts show: the brief view, and the parts.
enum Views {
  // MARK: Brief

  static func brief(_ body: JSON) -> JSON {
    guard let items = body["items"]?.array else { return brief(object: body, kind: body.kind) }
    let kind = body.kind.hasSuffix("List") ? String(body.kind.dropLast(4)) : body.kind
    return ["kind": body["kind"] ?? .null, "items": .array(items.map { brief(object: $0, kind: kind) })]
  }

  static func brief(object: JSON, kind given: String) -> JSON {
    let kind = object.kind.isEmpty ? given : object.kind
    let spec = object["spec"] ?? .emptyObject
    let status = object["status"] ?? .emptyObject
    if kind == "Status" || status.string != nil { return object }
    var metadata = pruned(
      object["metadata"],
      [
        "name", "generateName", "uid", "labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp",
        "deletionGracePeriodSeconds",
      ])
    let containers =
      spec[path: ["template", "spec", "containers"]]?.array.flatMap { $0.isEmpty ? nil : $0 }
      ?? spec["containers"]?.array ?? []
    let images = JSON.array(containers.map { $0["image"] ?? .null })
    switch kind {
    case "Deployment":
      metadata["generation"] = object[path: ["metadata", "generation"]] ?? .null
      var shown = status
      shown["conditions"] = nil
      let conditions = (status["conditions"]?.array ?? []).map { condition -> JSON in
        var cut = JSON.emptyObject
        for key in ["type", "status", "reason", "message"] { cut[key] = condition[key] ?? .null }
        return cut
      }
      if !conditions.isEmpty { shown["conditions"] = .array(sorted(conditions)) }
      var cut = pruned(spec, ["replicas", "paused"])
      if images != [] { cut["images"] = images }
      return ["kind": .string(kind), "metadata": metadata, "spec": cut, "status": shown]
    case "ReplicaSet":
      var cut = pruned(spec, ["replicas", "selector"])
      if images != [] { cut["images"] = images }
      if let labels = spec[path: ["template", "metadata", "labels"]], labels != [:] { cut["templateLabels"] = labels }
      var shown = status
      shown["observedGeneration"] = nil
      return ["kind": .string(kind), "metadata": metadata, "spec": cut, "status": shown]
    case "Pod":
      metadata["deletionGracePeriodSeconds"] = nil
      var shown = pruned(status, ["phase"])
      shown["ready"] = (status["conditions"]?.array ?? []).first { $0["type"] == "Ready" }?["status"]
      return ["kind": .string(kind), "metadata": metadata, "spec": ["images": images], "status": shown]
    case "EndpointSlice":
      for key in ["generation", "resourceVersion"] {
        metadata[key] = object[path: ["metadata", key]] ?? .null
      }
      let endpoints = (object["endpoints"]?.array ?? []).map { pruned($0) }
      return [
        "kind": .string(kind), "metadata": metadata, "addressType": object["addressType"] ?? .null,
        "ports": object["ports"] ?? .null, "endpoints": .array(endpoints),
      ]
    case "Event":
      return [
        "kind": .string(kind), "type": object["type"] ?? .null, "reason": object["reason"] ?? .null,
        "message": object["message"] ?? .null,
        "involvedObject": [
          "kind": object[path: ["involvedObject", "kind"]] ?? .null,
          "name": object[path: ["involvedObject", "name"]] ?? .null,
        ],
        "reportingComponent": object["reportingComponent"] ?? .null, "count": object["count"] ?? .null,
      ]
    default:
      var cut: JSON = ["kind": kind.isEmpty ? .null : .string(kind), "metadata": metadata]
      for key in ["spec", "data", "status"] {
        if let value = object[key], !isEmpty(value) { cut[key] = value }
      }
      return cut
    }
  }

  // MARK: Parts

  /// The cut that the words of `part` stand for.
  /// - Returns: `nil` for words that the README does not have.
  static func part(_ words: String, _ body: JSON, group: String) -> JSON? {
    if body.kind == "Status", body["status"] == "Failure" { return body }
    switch words {
    case "metadata of the list, and the names of the items":
      guard let items = body["items"]?.array else { return body }
      return [
        "kind": body["kind"] ?? .null, "apiVersion": body["apiVersion"] ?? .null, "metadata": body["metadata"] ?? .null,
        "names": .array(items.map { .string($0.name) }),
      ]
    case "metadata without managedFields, and spec":
      guard body.kind == "Deployment" else { return body }
      var metadata = without(body["metadata"], ["managedFields", "resourceVersion"])
      metadata["annotations"] = withoutRevision(metadata["annotations"])
      return ["kind": "Deployment", "metadata": metadata, "spec": members(body["spec"], ["replicas", "paused"])]
    case "spec.template": return body[path: ["spec", "template"]] ?? body
    case "status": return body["status"] ?? .null
    case "metadata.annotations, the resources of the first container, status.qosClass":
      return [
        "annotations": body[path: ["metadata", "annotations"]] ?? .null,
        "resources": body[path: ["spec", "containers"]]?[0]?["resources"] ?? .null,
        "qosClass": body[path: ["status", "qosClass"]] ?? .null,
      ]
    case "the columns' names, types and priorities; the cells of each row but the last one, the age":
      return [
        "columns": .array(
          (body["columnDefinitions"]?.array ?? []).map { members($0, ["name", "type", "format", "priority"]) }),
        "cells": .array((body["rows"]?.array ?? []).map { .array(($0["cells"]?.array ?? []).dropLast()) }),
      ]
    case "ownerReferences, finalizers and annotations of metadata; spec without defaults that the patch does not touch":
      guard let spec = body["spec"], let pod = spec[path: ["template", "spec"]] else { return body }
      var cut = JSON.emptyObject
      cut["strategy"] = spec["strategy"]
      cut["containers"] = .array(
        (pod["containers"]?.array ?? []).map { members($0, ["name", "image", "env", "ports", "command", "args"]) })
      cut["volumes"] = pod["volumes"]
      cut["tolerations"] = pod["tolerations"]
      return [
        "metadata": pruned(body["metadata"], ["ownerReferences", "finalizers", "annotations", "labels"]),
        "spec": pruned(cut),
      ]
    case "status.conditions":
      guard let status = body["status"], status.object != nil else { return body }
      return status["conditions"] ?? .null
    case "the table without the managedFields of its rows' objects":
      var table = body
      table["rows"] = .array(
        (body["rows"]?.array ?? []).map { row in
          var row = row
          if let metadata = row[path: ["object", "metadata"]] {
            row[path: ["object", "metadata"]] = without(metadata, ["managedFields", "resourceVersion"])
          }
          return row
        })
      table["metadata"] = without(body["metadata"], ["resourceVersion"])
      return table
    case "major and minor; the keys of the rest":
      return [
        "major": body["major"] ?? .null, "minor": body["minor"] ?? .null,
        "keys": .array((body.object ?? [:]).keys.sorted().map(JSON.string)),
      ]
    case "the entry of the group apps, versions v1 only":
      var cut = body
      for key in ["groups", "items"] {
        if let entries = body[key]?.array { cut[key] = .array(entries.filter { groupName($0) == "apps" }) }
      }
      return cut
    case "the entries of configmaps, events, namespaces, nodes, pods, secrets, serviceaccounts, services and their subresources":
      let wanted = [
        "configmaps", "events", "namespaces", "nodes", "pods", "secrets", "serviceaccounts", "services",
      ]
      var cut = body
      cut["resources"] = .array(
        (body["resources"]?.array ?? []).filter { entry in
          wanted.contains(String((entry["name"]?.string ?? "").prefix { $0 != "/" }))
        })
      return cut
    case "metadata.labels, annotations, ownerReferences, finalizers, managedFields (of a Deployment: without those of its controller); data; spec without the template's defaults":
      return fields(body)
    case "metadata.labels and managedFields; status.conditions and phase":
      return [
        "metadata": pruned(body["metadata"], ["labels", "managedFields"]),
        "status": pruned(body["status"], ["conditions", "phase", "message"]),
      ]
    case "metadata without managedFields; status with conditions sorted by type":
      var status = body["status"] ?? .emptyObject
      status["conditions"] = .array(sorted(status["conditions"]?.array ?? []))
      return ["metadata": without(body["metadata"], ["managedFields"]), "status": status]
    case "the entry of the group":
      return .array((body["groups"] ?? body["items"])?.array?.filter { groupName($0) == group } ?? [])
    case "the entries of the group, of apps/v1 and of the core":
      return members(body["paths"], ["apis/\(group)/v1", "apis/\(group)", "apis/apps/v1", "api/v1"])
    case "the group's own schemas; of each path its methods with operation id, action and kind":
      return ownSchemas(body)
    case "the pod without resourceVersion, IP, node's writes (status) and managedFields of the node":
      var pod = without(body, ["status"])
      var metadata = without(body["metadata"], ["resourceVersion"])
      metadata["managedFields"] = .array(
        (metadata["managedFields"]?.array ?? []).filter { $0["manager"] == "kube-controller-manager" })
      pod["metadata"] = metadata
      return pod
    case "spec.paused, generation, image, metadata.labels; manager, operation and subresource of each managedFields entry that names paused":
      return held(body)
    case "metadata without managedFields and resourceVersion":
      return ["metadata": without(body["metadata"], ["managedFields", "resourceVersion"])]
    case "status, conditions sorted by type":
      var status = body["status"] ?? .emptyObject
      status["conditions"] = .array(sorted(status["conditions"]?.array ?? []))
      return ["spec": body["spec"] ?? .null, "status": status]
    case "the names of the columns":
      return .array((body["columnDefinitions"]?.array ?? []).map { $0["name"] ?? .null })
    default: return nil
    }
  }

  /// Of an OpenAPI document what the README has compared: the scenario's own kinds with their fields.
  static func ownSchemas(_ document: JSON) -> JSON {
    var cut = JSON.emptyObject
    for schema in (document[path: ["components", "schemas"]]?.object ?? [:]).values {
      guard let kinds = schema["x-kubernetes-group-version-kind"]?.array, kinds.count == 1,
        let kind = kinds[0]["kind"]?.string,
        kinds[0]["group"]?.string?.hasSuffix("record.test") == true, !kind.hasSuffix("List")
      else { continue }
      var entry = members(schema, ["description", "required", "x-kubernetes-group-version-kind"])
      for part in ["spec", "status"] { entry[part] = schema[path: ["properties", part]] }
      cut[kind] = entry
    }
    return cut
  }

  private static func fields(_ body: JSON) -> JSON {
    guard var metadata = body["metadata"] else { return body }
    if body.kind == "Deployment" {
      metadata = without(metadata, ["resourceVersion"])
      metadata["managedFields"] = .array(
        (metadata["managedFields"]?.array ?? []).filter { $0["manager"] != "kube-controller-manager" })
      metadata["annotations"] = withoutRevision(metadata["annotations"])
    }
    var cut: JSON = [
      "metadata": pruned(
        metadata,
        [
          "name", "uid", "resourceVersion", "generation", "labels", "annotations", "ownerReferences", "finalizers",
          "managedFields",
        ])
    ]
    cut["data"] = body["data"]
    guard let spec = body["spec"], !isEmpty(spec) else { return cut }
    var shown = members(spec, ["replicas", "paused", "selector", "ports", "type", "strategy"])
    if let containers = spec[path: ["template", "spec", "containers"]]?.array {
      shown["containers"] = .array(containers.map { members($0, ["name", "image", "env", "ports", "args"]) })
    }
    cut["spec"] = shown
    return cut
  }

  private static func held(_ body: JSON) -> JSON {
    guard body.kind == "Deployment" else { return body }
    var spec = pruned(body["spec"], ["paused", "replicas"])
    spec["image"] = body[path: ["spec", "template", "spec", "containers"]]?[0]?["image"]
    let owners = (body[path: ["metadata", "managedFields"]]?.array ?? [])
      .filter { ($0["fieldsV1"]?.description ?? "").contains("f:paused") }
      .map { [$0["manager"]?.string ?? "", $0["operation"]?.string ?? ""] }
      .sorted { $0.lexicographicallyPrecedes($1) }
    return [
      "metadata": pruned(body["metadata"], ["generation", "labels"]), "spec": spec,
      "ownersOfPaused": .array(owners.map { .array($0.map(JSON.string)) }),
    ]
  }

  // MARK: Helpers

  private static func groupName(_ entry: JSON) -> String {
    entry["name"]?.string ?? entry[path: ["metadata", "name"]]?.string ?? ""
  }

  private static func withoutRevision(_ annotations: JSON?) -> JSON? {
    let rest = without(annotations, ["deployment.kubernetes.io/revision"])
    return rest == [:] ? nil : rest
  }

  private static func sorted(_ conditions: [JSON]) -> [JSON] {
    conditions.sorted { ($0["type"]?.string ?? "") < ($1["type"]?.string ?? "") }
  }

  private static func isEmpty(_ value: JSON) -> Bool { value.isNull || value == [:] || value == [] }

  private static func members(_ object: JSON?, _ keys: [String]) -> JSON {
    .object((object?.object ?? [:]).filter { keys.contains($0.key) })
  }

  private static func without(_ object: JSON?, _ keys: [String]) -> JSON {
    .object((object?.object ?? [:]).filter { !keys.contains($0.key) })
  }

  /// The members that are there and not empty, of the keys or of all.
  private static func pruned(_ object: JSON?, _ keys: [String]? = nil) -> JSON {
    .object((object?.object ?? [:]).filter { !isEmpty($0.value) && (keys?.contains($0.key) ?? true) })
  }
}
