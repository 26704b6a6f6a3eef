import KubernetesAPI
import Testing

@testable import KubernetesClient
@testable import Operator

@Suite("The view of the cluster")
struct ClusterViewTests {
  private let cache = ObjectCache<JSON>(indexes: [ClusterView.byNamespace: { [$0.namespace] }])
  private var view: ClusterView { ClusterView(caches: [.services: cache]) }

  private func object(_ version: Int, uid: String = "u1", name: String = "web") -> JSON {
    [
      "metadata": [
        "name": .string(name), "namespace": "shop", "uid": .string(uid), "resourceVersion": .string("\(version)"),
      ]
    ]
  }

  private func arrive(_ object: JSON) {
    _ = cache.change(resourceVersion: object.resourceVersion) {
      $0.put(.success(object), key: object.objectKey, version: object.resourceVersion)
    }
  }

  @Test("an own write is seen before the cache has it, alone and in lists, until the cache has caught up")
  func ownWrites() {
    let view = view
    arrive(object(5))
    view.took(object(9), .services)
    #expect(view.object(.services, web) == object(9))
    #expect(view.objects(.services, namespace: "shop") == [object(9)])
    arrive(object(7))
    #expect(view.object(.services, web) == object(9))
    arrive(object(11))
    #expect(view.object(.services, web) == object(11))
    #expect(view.objects(.services, namespace: "shop") == [object(11)])
  }

  @Test("an object that this process made is there before the cache knows it, and gone once the cache is past it")
  func created() {
    let view = view
    arrive(object(5, name: "other"))
    view.took(object(9), .services)
    #expect(view.objects(.services, namespace: "shop").map(\.name) == ["other", "web"])
    #expect(view.objects(.services, namespace: "elsewhere").isEmpty)
    // Somebody deleted it before the cache ever saw it.
    arrive(object(12, name: "other"))
    #expect(view.object(.services, web) == nil)
  }

  @Test("a deleted object is gone at once; one of the same name that is made anew is seen")
  func deleted() {
    let view = view
    arrive(object(5))
    view.lost(web, .services)
    #expect(view.object(.services, web) == nil)
    #expect(view.objects(.services, namespace: "shop").isEmpty)
    arrive(object(8, uid: "u2"))
    #expect(view.object(.services, web) == object(8, uid: "u2"))
  }
}
