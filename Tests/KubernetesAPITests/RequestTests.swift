import Testing

@testable import KubernetesAPI

@Suite("Requests as values")
struct RequestTests {
  let web = ObjectKey(namespace: "shop", name: "web")

  @Test("reads")
  func reads() {
    #expect(APIRequest.get(.deployments, web).target == "/apis/apps/v1/namespaces/shop/deployments/web")
    #expect(APIRequest.get(.namespaces, ObjectKey(name: "shop")).target == "/api/v1/namespaces/shop")
    #expect(APIRequest.list(.pods).target == "/api/v1/pods")
    let options = ListOptions(
      labelSelector: LabelSelector(matchLabels: ["app": "web"]), limit: 500, continueToken: "a+/=", resourceVersion: "7"
    )
    #expect(
      APIRequest.list(.pods, namespace: "shop", options).target
        == "/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb&limit=500&continue=a%2B%2F%3D")
    #expect(
      APIRequest.watch(.pods, namespace: "shop", WatchOptions(resourceVersion: "7", timeoutSeconds: 300)).target
        == "/api/v1/namespaces/shop/pods?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=300")
  }

  @Test("a name cannot change what a path means")
  func escaping() {
    let request = APIRequest.get(.pods, ObjectKey(namespace: "a/b", name: "../x?y"))
    #expect(request.path == "/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy")
  }

  @Test("writes say what the object is and how strictly to check it")
  func writes() {
    let object: JSON = ["metadata": ["name": "web", "namespace": "shop", "resourceVersion": "9"]]
    let create = APIRequest.create(.deployments, object)
    #expect(create.method == .post)
    #expect(create.target == "/apis/apps/v1/namespaces/shop/deployments?fieldValidation=Strict")
    #expect(create.body?.kind == "Deployment")
    #expect(create.body?.apiVersion == "apps/v1")
    let replace = APIRequest.replace(.deployments, object, subresource: "status", WriteOptions(dryRun: true))
    #expect(replace.method == .put)
    #expect(
      replace.target == "/apis/apps/v1/namespaces/shop/deployments/web/status?dryRun=All&fieldValidation=Strict")
    #expect(replace.description == "update deployments.apps/status shop/web")
  }

  @Test("each patch has its content type")
  func patches() {
    let json = APIRequest.patch(
      .deployments, web,
      .json([.test(["metadata", "uid"], "u"), .replace(["metadata", "annotations", "a/b~c"], "1"), .remove(["spec"])]))
    #expect(json.contentType == "application/json-patch+json")
    #expect(
      json.body == [
        ["op": "test", "path": "/metadata/uid", "value": "u"],
        ["op": "replace", "path": "/metadata/annotations/a~1b~0c", "value": "1"], ["op": "remove", "path": "/spec"],
      ])
    let merge = APIRequest.patch(.deployments, web, .merge(["spec": ["paused": .null]]))
    #expect(merge.contentType == "application/merge-patch+json")
    #expect(merge.body == ["spec": ["paused": .null]])
    let apply = APIRequest.patch(.services, web, .apply(["spec": [:]], manager: "sluice", force: true))
    #expect(apply.contentType == "application/apply-patch+yaml")
    #expect(apply.verb == .apply)
    #expect(
      apply.target
        == "/api/v1/namespaces/shop/services/web?fieldManager=sluice&fieldValidation=Strict&force=true")
    #expect(
      apply.body == [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": "shop"], "spec": [:],
      ])
  }

  @Test("a deletion carries its preconditions in the body")
  func deletion() {
    let request = APIRequest.delete(.pods, web, DeleteOptions(propagation: .orphan, uid: "u", resourceVersion: "3"))
    #expect(
      request.body == [
        "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan",
        "preconditions": ["uid": "u", "resourceVersion": "3"],
      ])
    #expect(APIRequest.delete(.pods, web).body == ["apiVersion": "v1", "kind": "DeleteOptions"])
  }

  @Test("a pointer reads its text form and writes it again")
  func pointers() {
    #expect(JSONPointer("/a~1b/~0/0")?.parts == ["a/b", "~", "0"])
    #expect(JSONPointer("/a~1b/~0/0")?.description == "/a~1b/~0/0")
    #expect(JSONPointer("~01").map(\.parts) == nil)
    #expect(JSONPointer("/~01")?.parts == ["~1"])
    #expect(JSONPointer("")?.parts == [])
  }

  @Test("items of a list get the kind that the server leaves out, and null is an empty list")
  func lists() {
    let page = ObjectList(
      [
        "kind": "PodList", "metadata": ["resourceVersion": "5", "continue": "t"],
        "items": [["metadata": ["name": "a"]]],
      ],
      of: .pods)
    #expect(page?.items == [["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "a"]]])
    #expect(page?.continueToken == "t")
    #expect(ObjectList(["kind": "PodList", "metadata": [:], "items": .null], of: .pods)?.items == [])
    #expect(ObjectList(["kind": "Pod"], of: .pods) == nil)
    #expect(ObjectList(["kind": "PodList", "items": 3], of: .pods) == nil)
  }

  @Test("the reason of a Status counts before its code")
  func failures() {
    #expect(Status(code: 409, reason: "AlreadyExists", message: "").failure == .alreadyExists)
    #expect(Status(code: 409, reason: "Conflict", message: "").failure == .conflict(causes: []))
    #expect(Status(code: 410, reason: "Gone", message: "").failure == .expired)
    let details = Status.Details(retryAfterSeconds: 2)
    #expect(
      Status(code: 429, reason: "TooManyRequests", message: "", details: details).failure
        == .tooManyRequests(retryAfter: .seconds(2)))
    #expect(Status(code: 504, reason: "", message: "").failure == .timeout(retryAfter: nil))
    #expect(Status(code: 418, reason: "", message: "").failure == .other(code: 418))
  }

  @Test("an answer that is no Status keeps its words")
  func foreignBodies() {
    #expect(Status(httpStatus: 502, body: "Bad\nGateway".utf8).message == "Bad Gateway")
    #expect(Status(httpStatus: 502, body: "".utf8).message == "HTTP status 502")
    #expect(Status(httpStatus: 404, body: #"{"kind":"Status","reason":"NotFound"}"#.utf8).failure == .notFound)
    #expect(Status(httpStatus: 404, body: #"{"kind":"Status"}"#.utf8).code == 404)
  }
}
