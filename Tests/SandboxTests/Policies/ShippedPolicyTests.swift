import Foundation
import KubernetesAPI
import Testing
import Yams

@testable import Sandbox

/// The policies under deploy/policies, as they are.
private func shipped() throws -> AdmissionPolicies {
  let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../deploy/policies")
    .standardized
  var objects: [JSON] = []
  for file in ["hold.yaml", "warn.yaml", "pin.yaml"] {
    let text = try String(contentsOf: root.appending(path: file), encoding: .utf8)
    for node in try Yams.compose_all(yaml: text) { objects.append(json(node)) }
  }
  for object in objects {
    let causes = PolicyObjects.causes(object)
    #expect(causes.isEmpty, "\(object.kind) \(object.name): \(causes)")
  }
  func all(_ kind: String) -> [JSON] { objects.filter { $0.kind == kind } }
  return AdmissionPolicies(
    mutatingPolicies: all("MutatingAdmissionPolicy"), mutatingBindings: all("MutatingAdmissionPolicyBinding"),
    validatingPolicies: all("ValidatingAdmissionPolicy"),
    validatingBindings: all("ValidatingAdmissionPolicyBinding"))
}

private func json(_ node: Node) -> JSON {
  switch node {
  case .mapping(let mapping):
    .object(
      Dictionary(
        mapping.map { ($0.key.string ?? "", json($0.value)) }, uniquingKeysWith: { _, last in last }))
  case .sequence(let sequence): .array(sequence.map(json))
  default: node.bool.map(JSON.bool) ?? node.int.map { JSON($0) } ?? .string(node.string ?? "")
  }
}

private let sluice = "system:serviceaccount:sluice-system:sluice"

private func deployment(
  image: String = "app:1", paused: Bool? = nil, labels: [String: String]? = ["sluice.dev/managed": "checkout"],
  annotations: [String: String]? = nil, replicas: Int = 4
) -> JSON {
  var object: JSON = [
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": ["name": "web", "namespace": "shop", "generation": 7],
    "spec": [
      "replicas": JSON(replicas), "template": ["spec": ["containers": [["name": "c", "image": .string(image)]]]],
    ],
  ]
  if let labels { object[path: ["metadata", "labels"]] = JSON(labels) }
  if let annotations { object[path: ["metadata", "annotations"]] = JSON(annotations) }
  if let paused { object[path: ["spec", "paused"]] = .bool(paused) }
  return object
}

private func service(selector: [String: String]?, annotations: [String: String]? = nil) -> JSON {
  var object: JSON = [
    "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": "shop", "resourceVersion": "7"],
    "spec": .emptyObject,
  ]
  if let selector { object[path: ["spec", "selector"]] = JSON(selector) }
  if let annotations { object[path: ["metadata", "annotations"]] = JSON(annotations) }
  return object
}

private let deploymentSchema = Schema.object([
  "metadata": .object(["labels": .map(of: .string), "annotations": .map(of: .string)]),
  "spec": .object(["paused": .boolean, "replicas": .integer, "template": .anyObject]),
])

private let ownWrite = ["metadata", "annotations", "sluice.dev/own-write"]

/// One write as the policies leave it. A write of Sluice's carries its mark, which the answer leaves out.
private func write(
  _ object: JSON, over old: JSON, by user: String = "alice", type: ResourceType = .deployments
) throws -> (object: JSON, warnings: [String]) {
  let policies = try shipped()
  var sent = object
  if user == sluice { sent[path: ownWrite] = "sluice@7" }
  var request = AdmissionRequest(
    operation: .update, type: type, namespace: "shop", name: "web", object: sent, oldObject: old, username: user)
  var result = try #require(try policies.mutate(request, schema: type == .deployments ? deploymentSchema : .anyObject))
  request.object = result
  let warnings = try policies.validate(request)
  result[path: ownWrite] = nil
  if result.annotations.isEmpty { result[path: ["metadata", "annotations"]] = nil }
  return (result, warnings)
}

@Suite("The hold policy")
struct HoldPolicyTests {
  private let rest = deployment()
  private let held = deployment(
    image: "app:2", paused: true, annotations: ["sluice.dev/held": "checkout-r2", "x": "y"])

  @Test("a changed template lands paused and marked, and the writer is told")
  func change() throws {
    let (object, warnings) = try write(deployment(image: "app:2"), over: rest)
    #expect(object == deployment(image: "app:2", paused: true, annotations: ["sluice.dev/held": ""]))
    #expect(
      warnings == [
        "Validation failed for ValidatingAdmissionPolicy 'sluice-warn' with binding 'sluice-warn': sluice holds "
          + "deployment/web and is about to start a run for it; a changed template is rolled out by the plan, see: "
          + "kubectl sluice get checkout -n shop; to let it roll by itself: kubectl sluice release checkout -n shop"
      ])
  }

  @Test("a changed template is held although the manifest says paused: false in so many words")
  func explicitFalse() throws {
    let (object, _) = try write(deployment(image: "app:2", paused: false), over: rest)
    #expect(object[path: ["spec", "paused"]] == true)
  }

  @Test("at rest a write that leaves the template alone is left alone")
  func otherFields() throws {
    let (object, warnings) = try write(deployment(annotations: ["team": "a"], replicas: 7), over: rest)
    #expect(object == deployment(annotations: ["team": "a"], replicas: 7))
    #expect(warnings.isEmpty)
  }

  @Test(
    "what is held stays held, and remembers its run, whoever tries to let it go",
    arguments: [
      // rollout resume, by either kind of patch
      deployment(image: "app:2", annotations: ["sluice.dev/held": "checkout-r2", "x": "y"]),
      // a forced apply of paused: false
      deployment(image: "app:2", paused: false, annotations: ["sluice.dev/held": "checkout-r2", "x": "y"]),
      // the annotation removed or changed
      deployment(image: "app:2", paused: true, annotations: ["x": "y"]),
      deployment(image: "app:2", annotations: ["sluice.dev/held": "mine", "x": "y"]),
      // the label changed
      deployment(image: "app:2", labels: ["sluice.dev/managed": "z"], annotations: ["x": "y"]),
    ])
  func keep(_ attempt: JSON) throws {
    let (object, warnings) = try write(attempt, over: held)
    #expect(object == held)
    #expect(warnings.count == 1)
    #expect(warnings.first?.contains("for run checkout-r2") == true)
  }

  @Test("a replace without label, annotation and paused is still held, and so is the write after it")
  func replace() throws {
    let bare = deployment(image: "app:2", labels: nil)
    let (object, _) = try write(bare, over: held)
    #expect(
      object == deployment(image: "app:2", paused: true, annotations: ["sluice.dev/held": "checkout-r2"]))
    let (again, _) = try write(bare, over: object)
    #expect(again == object)
  }

  @Test("a replace at rest keeps the label, so that the next change is held")
  func replaceAtRest() throws {
    let (object, warnings) = try write(deployment(labels: ["team": "a"]), over: rest)
    #expect(object == deployment(labels: ["team": "a", "sluice.dev/managed": "checkout"]))
    #expect(warnings.isEmpty)
    #expect(try write(deployment(image: "app:3", labels: nil), over: object).object[path: ["spec", "paused"]] == true)
  }

  @Test("a newer template on a held Deployment is held for the same run until Sluice names another")
  func supersede() throws {
    let newer = deployment(image: "app:3", annotations: ["x": "y"])
    let (object, _) = try write(newer, over: held)
    #expect(
      object == deployment(image: "app:3", paused: true, annotations: ["sluice.dev/held": "checkout-r2", "x": "y"]))
  }

  @Test("Sluice lets go with one patch, and may change the template unheld")
  func release() throws {
    let released = deployment(image: "app:2", annotations: ["x": "y"])
    let (object, warnings) = try write(released, over: held, by: sluice)
    #expect(object == released)
    #expect(warnings.isEmpty)
    #expect(try write(deployment(image: "app:9"), over: rest, by: sluice).object == deployment(image: "app:9"))
  }

  @Test("an old manifest with the mark of an old write does not get through")
  func oldMark() throws {
    var old = deployment(image: "app:2")
    old[path: ownWrite] = "sluice@6"
    #expect(try write(old, over: rest).object[path: ["spec", "paused"]] == true)
  }

  @Test("a person's own pause is left alone, also when the template changes under it, and its end begins a hold")
  func personsPause() throws {
    let paused = deployment(paused: true)
    for own in [deployment(paused: true, replicas: 7), deployment(image: "app:2", paused: true)] {
      let (object, warnings) = try write(own, over: paused)
      #expect(object == own)
      #expect(warnings.isEmpty)
    }
    let began = deployment(image: "app:2", paused: true)
    #expect(try write(began, over: rest).object == began, "a manifest may pause and change in one write")
    for resumed in [deployment(image: "app:2"), deployment(image: "app:2", paused: false)] {
      let (object, warnings) = try write(resumed, over: began)
      #expect(object == deployment(image: "app:2", paused: true, annotations: ["sluice.dev/held": ""]))
      #expect(warnings.count == 1)
    }
  }

  @Test("Deployments without the label are none of its business")
  func unmanaged() throws {
    let changed = deployment(image: "app:2", labels: nil)
    #expect(try write(changed, over: deployment(labels: nil)).object == changed)
  }

  @Test("the Deployment controller is not warned")
  func controllers() throws {
    let user = "system:serviceaccount:kube-system:deployment-controller"
    let (object, warnings) = try write(held, over: held, by: user)
    #expect(object == held)
    #expect(warnings.isEmpty)
  }
}

@Suite("The pin policy")
struct PinPolicyTests {
  private let pinned = service(
    selector: ["app": "web", "pod-template-hash": "abc"], annotations: ["sluice.dev/pin": "abc", "x": "y"])
  private let free = service(selector: ["app": "web"], annotations: ["x": "y"])

  @Test("Sluice pins by the annotation alone, and moves the pin by changing it")
  func pin() throws {
    let marked = service(selector: ["app": "web"], annotations: ["sluice.dev/pin": "abc", "x": "y"])
    #expect(try write(marked, over: free, by: sluice, type: .services).object == pinned)
    var moved = pinned
    moved[path: ["metadata", "annotations", "sluice.dev/pin"]] = "def"
    let (object, _) = try write(moved, over: pinned, by: sluice, type: .services)
    #expect(object[path: ["spec", "selector", "pod-template-hash"]] == "def")
  }

  @Test(
    "a pinned selector stays pinned, whoever writes and however",
    arguments: [
      // a server-side apply of the team's manifest takes the key away
      service(selector: ["app": "web"], annotations: ["sluice.dev/pin": "abc", "x": "y"]),
      // another hash, another pin
      service(selector: ["app": "web", "pod-template-hash": "zzz"], annotations: ["sluice.dev/pin": "zzz", "x": "y"]),
      // the annotation removed
      service(selector: ["app": "web", "pod-template-hash": "abc"], annotations: ["x": "y"]),
    ])
  func keep(_ attempt: JSON) throws {
    #expect(try write(attempt, over: pinned, type: .services).object == pinned)
  }

  @Test("a replace that drops annotations and key takes both from the old object")
  func replace() throws {
    let (object, _) = try write(service(selector: ["app": "web"]), over: pinned, type: .services)
    #expect(
      object
        == service(selector: ["app": "web", "pod-template-hash": "abc"], annotations: ["sluice.dev/pin": "abc"]))
  }

  @Test("a changed selector keeps its other keys and the hash")
  func changedSelector() throws {
    let (object, _) = try write(service(selector: ["app": "shop"]), over: pinned, type: .services)
    #expect(object[path: ["spec", "selector"]] == ["app": "shop", "pod-template-hash": "abc"])
  }

  @Test("Sluice unpins, and others cannot pin")
  func unpin() throws {
    #expect(try write(free, over: pinned, by: sluice, type: .services).object == free)
    let marked = service(selector: ["app": "web"], annotations: ["sluice.dev/pin": "abc"])
    #expect(try write(marked, over: free, type: .services).object == marked)
  }

  @Test("a Service without a selector gets none")
  func selectorless() throws {
    let bare = service(selector: nil)
    #expect(try write(bare, over: pinned, type: .services).object == bare)
  }
}
