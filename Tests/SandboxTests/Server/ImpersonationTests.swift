import KubernetesAPI
import Testing

@testable import Sandbox

@Suite("acting as others")
struct ImpersonationTests {
  private let server = APIServer(clock: VirtualTime().clock, random: MeshRandom(seed: 1))

  private func send(
    _ method: String, _ path: String, _ body: JSON? = nil, headers: [(name: String, value: String)] = []
  ) -> ServerResponse {
    server.handle(
      ServerRequest(
        method, path, headers: headers + [("Content-Type", "application/json")], body: body?.bytes ?? []))
  }

  private func message(_ response: ServerResponse) -> String { response.json["message"]?.string ?? "" }

  @Test("an administrator may act as anybody, and then has that one's rights and name")
  func administrator() {
    let jane = [(name: "Impersonate-User", value: "jane"), (name: "Impersonate-Group", value: "devs")]
    let refused = send("GET", "/api/v1/namespaces/shop/pods", headers: jane)
    #expect(refused.status == 403)
    #expect(message(refused).contains("User \"jane\" cannot list resource \"pods\""))
    let who = send(
      "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
      ["kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"],
      headers: jane + [("Impersonate-Uid", "7")])
    let info = who.json[path: ["status", "userInfo"]]
    #expect(info?["username"] == "jane")
    #expect(info?["uid"] == "7")
    #expect(info?["groups"] == ["devs", "system:authenticated"])
  }

  @Test("others need the right to impersonate each user and each group")
  func others() throws {
    #expect(
      send("POST", "/api/v1/namespaces/default/serviceaccounts", ["metadata": ["name": "bot"]]).status == 201)
    let token = try #require(
      send("POST", "/api/v1/namespaces/default/serviceaccounts/bot/token", ["spec": [:]])
        .json[path: ["status", "token"]]?.string)
    let asJane = [(name: "Authorization", value: "Bearer \(token)"), (name: "Impersonate-User", value: "jane")]
    let refused = send("GET", "/api/v1/namespaces/shop/pods", headers: asJane)
    #expect(refused.status == 403)
    #expect(message(refused).contains("cannot impersonate resource \"users\""))

    let role: JSON = [
      "metadata": ["name": "act"], "rules": [["apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]]],
    ]
    let binding: JSON = [
      "metadata": ["name": "act"], "roleRef": ["kind": "ClusterRole", "name": "act"],
      "subjects": [["kind": "ServiceAccount", "name": "bot", "namespace": "default"]],
    ]
    #expect(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role).status == 201)
    #expect(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).status == 201)
    let allowed = send("GET", "/api/v1/namespaces/shop/pods", headers: asJane)
    #expect(message(allowed).contains("User \"jane\" cannot list resource \"pods\""))
    let withGroup = send(
      "GET", "/api/v1/namespaces/shop/pods", headers: asJane + [("Impersonate-Group", "system:masters")])
    #expect(message(withGroup).contains("cannot impersonate resource \"groups\""))
  }
}
