import Foundation
import KubernetesAPI
import Testing

@testable import KubernetesClient

@Suite("Kubeconfig")
struct KubeconfigTests {
  static let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"

  static func config(
    server: String = "server: https://a:6443", user: String = "token: secret", context: String = "cluster: c, user: u",
    current: String = "k"
  ) -> String {
    """
    apiVersion: v1
    kind: Config
    current-context: \(current)
    clusters:
    - name: c
      cluster: {\(server)}
    users:
    - name: u
      user: {\(user)}
    contexts:
    - name: k
      context: {\(context)}
    """
  }

  /// A user with a credential plugin.
  static func exec(_ fields: String) -> String {
    "exec: {command: aws, apiVersion: client.authentication.k8s.io/v1, \(fields)}"
  }

  static func settings(_ text: String, files: [String: String] = [:], context: String? = nil) throws -> ClusterSettings
  {
    try Kubeconfig([("/home/x/.kube/config", text)]).settings(context: context) { path in
      guard let text = files[path] else { throw CocoaError(.fileReadNoSuchFile) }
      return Data(text.utf8)
    }
  }

  @Test("server, namespace and token of the current context")
  func simple() async throws {
    let settings = try Self.settings(Self.config(context: "cluster: c, user: u, namespace: shop"))
    #expect(settings.server == "https://a:6443")
    #expect(settings.namespace == "shop")
    #expect(try await settings.credentials.authorization(at: .zero) == "Bearer secret")
    #expect(settings.source == "context k of /home/x/.kube/config")
  }

  @Test("certificates come inline or from files relative to the kubeconfig, inline winning")
  func certificates() throws {
    let inline = Data(Self.pem.utf8).base64EncodedString()
    let settings = try Self.settings(
      Self.config(
        server: "server: https://a, certificate-authority: ca.pem, tls-server-name: n, proxy-url: 'http://p:3128'",
        user: "client-certificate: /absolute.pem, client-key-data: \(inline), client-key: missing.pem"),
      files: ["/home/x/.kube/ca.pem": Self.pem + "ca", "/absolute.pem": Self.pem])
    #expect(settings.caPEM == Data((Self.pem + "ca").utf8))
    #expect(settings.clientCertificatePEM == Data(Self.pem.utf8))
    #expect(settings.clientKeyPEM == Data(Self.pem.utf8))
    let transport = settings.transportConfiguration()
    #expect(transport.tls.serverName == "n")
    #expect(transport.tls.verify)
    #expect(transport.proxy == .explicit("http://p:3128"))
  }

  @Test("a token file wins over the inline token; basic and impersonation work")
  func users() async throws {
    let file = try Self.settings(
      Self.config(user: "token: a, tokenFile: t"), files: ["/home/x/.kube/t": "rotated\n"])
    #expect(try await file.credentials.authorization(at: .zero) == "Bearer rotated")
    let basic = try Self.settings(
      Self.config(
        user: "username: me, password: pw, as: other, as-groups: [g, h], as-uid: '7', as-user-extra: {A/b: [c]}"))
    #expect(try await basic.credentials.authorization(at: .zero) == "Basic bWU6cHc=")
    #expect(
      basic.impersonation == Impersonation(user: "other", groups: ["g", "h"], uid: "7", extra: ["A/b": ["c"]]))
    let headers = (basic.impersonation?.headers ?? []).map { header in "\(header.name)=\(header.value)" }
    #expect(
      headers == [
        "Impersonate-User=other", "Impersonate-Group=g", "Impersonate-Group=h", "Impersonate-Uid=7",
        "Impersonate-Extra-a%2Fb=c",
      ])
    let nobody = try Self.settings(Self.config(context: "cluster: c"))
    #expect(try await nobody.credentials.authorization(at: .zero) == nil)
  }

  @Test("of several files the first that sets a thing wins, and paths belong to their file")
  func merging() async throws {
    let first = """
      clusters: [{name: c, cluster: {server: "https://first", certificate-authority: ca.pem}}]
      contexts: [{name: k, context: {cluster: c, user: u}}]
      """
    let second = """
      current-context: k
      clusters: [{name: c, cluster: {server: "https://second"}}, {name: d, cluster: {server: "https://d"}}]
      users: [{name: u, user: {tokenFile: t}}]
      contexts: [{name: other, context: {cluster: d, user: u}}]
      """
    let config = try Kubeconfig([("/one/a", first), ("/two/b", second)])
    let files = ["/one/ca.pem": Self.pem, "/two/t": "tok"]
    let read: @Sendable (String) throws -> Data = { Data((files[$0] ?? "").utf8) }
    let settings = try config.settings(read: read)
    #expect(settings.server == "https://first")
    #expect(settings.caPEM == Data(Self.pem.utf8))
    #expect(try await settings.credentials.authorization(at: .zero) == "Bearer tok")
    #expect(try config.settings(context: "other", read: read).server == "https://d")
    #expect(config.contextNames == ["k", "other"])
  }

  @Test("KUBECONFIG lists files, missing ones passed over; a file that is named must be there")
  func loading() throws {
    let read: (String) throws -> Data = { path in
      guard path == "/b" || path == "/home/x/.kube/config" else { throw CocoaError(.fileReadNoSuchFile) }
      return Data(Self.config().utf8)
    }
    let environment = ["KUBECONFIG": "/a::/b", "HOME": "/home/x"]
    #expect(try Kubeconfig.load(environment: environment, read: read)?.files == ["/b"])
    #expect(try Kubeconfig.load(environment: ["HOME": "/home/x"], read: read)?.files == ["/home/x/.kube/config"])
    #expect(try Kubeconfig.load(environment: ["HOME": "/nowhere"], read: read) == nil)
    #expect(
      throws: KubeconfigError("none of the files that KUBECONFIG names exists: /a, /c")
    ) { try Kubeconfig.load(environment: ["KUBECONFIG": "/a:/c", "HOME": "/home/x"], read: read) }
    #expect(throws: KubeconfigError("there is no kubeconfig /a")) {
      try Kubeconfig.load(path: "/a", environment: environment, read: read)
    }
  }

  @Test(
    "each fault names the file and the field",
    arguments: [
      ("a: [", "/home/x/.kube/config is not readable as YAML: line"),
      ("[]", "/home/x/.kube/config: expected a mapping, found array"),
      ("kind: Pod", "kind: expected 'Config', found 'Pod'"),
      ("clusters: {}", "clusters: expected a list, found object"),
      ("clusters: [{cluster: {}}]", "clusters[0].name: missing; expected a text"),
      ("users: [{name: u, user: 3}]", "users[0].user: expected a mapping, found integer"),
      ("{}", "current-context is not set; name one by --context; there are none"),
      (config(current: "x"), "there is no context 'x'; known are k"),
      (config(current: "[1]"), "current-context: expected a text, found array"),
      (config(context: "user: u"), "contexts[0].context.cluster: missing in the context 'k'"),
      (config(context: "cluster: x, user: u"), "contexts[0].context.cluster: there is no cluster 'x'; known are c"),
      (config(context: "cluster: c, user: x"), "contexts[0].context.user: there is no user 'x'; known are u"),
      (config(server: ""), "clusters[0].cluster.server of 'c': missing; expected a URL"),
      (config(server: "server: 'a:6443'"), "expected a URL such as https://host:6443, found 'a:6443'"),
      (config(server: "server: 3"), "clusters[0].cluster.server: expected a text, found integer"),
      (
        config(server: "server: https://a, certificate-authority: ca.pem"),
        "clusters[0].cluster.certificate-authority of 'c': the file /home/x/.kube/ca.pem cannot be read"
      ),
      (
        config(server: "server: https://a, certificate-authority-data: '*'"),
        "certificate-authority-data of 'c': expected base64"
      ),
      (
        config(server: "server: https://a, certificate-authority-data: aGVsbG8="),
        "certificate-authority-data of 'c': expected PEM"
      ),
      (
        config(server: "server: https://a, insecure-skip-tls-verify: 1"),
        "insecure-skip-tls-verify of 'c': expected true or false, found integer"
      ),
      (
        config(user: "client-certificate-data: \(Data(pem.utf8).base64EncodedString())"),
        "users[0].user.client-key of 'u': missing, though there is a client-certificate"
      ),
      (config(user: "exec: aws"), "users[0].user.exec of 'u': expected a mapping, found string"),
      (config(user: "exec: {args: [a]}"), "users[0].user.exec.command of 'u': missing; expected a program"),
      (
        config(user: "exec: {command: aws, apiVersion: client.authentication.k8s.io/v1alpha1}"),
        "users[0].user.exec.apiVersion of 'u': expected client.authentication.k8s.io/v1 or"
      ),
      (config(user: exec("interactiveMode: Always")), "exec.interactiveMode of 'u': found Always, but sluice gives"),
      (config(user: exec("interactiveMode: Often")), "expected Never, IfAvailable or Always, found 'Often'"),
      (config(user: exec("args: [1]")), "exec.args of 'u': expected a list of texts, found array"),
      (config(user: exec("env: [{name: A}]")), "exec.env[0] of 'u': expected a name and a value, both texts"),
      (
        config(user: "auth-provider: {name: oidc, config: {refresh-token: hunter2}}"),
        "users[0].user.auth-provider of 'u': the provider 'oidc' is not supported: tokens of OpenID Connect are not"
      ),
      (config(user: "as-groups: [g]"), "users[0].user.as of 'u': missing, though there are as-groups"),
    ])
  func faults(text: String, message: String) {
    let error = #expect(throws: KubeconfigError.self) { try Self.settings(text) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("/home/x/.kube/config") == true)
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test("no secret is shown, however settings and credentials are printed")
  func secrets() async throws {
    let config = try Kubeconfig([("/c", Self.config(user: "token: hunter2, tokenFile: ''"))])
    let settings = try config.settings()
    let file = TokenFile(path: "/t") { _ in Data("hunter2".utf8) }
    _ = try file.authorization(at: .zero)
    for value: Any in [config, settings, settings.credentials, file] {
      var dumped = ""
      dump(value, to: &dumped)
      for text in ["\(value)", String(reflecting: value), dumped] { #expect(!text.contains("hunter2"), "\(text)") }
    }
    #expect(try await settings.credentials.authorization(at: .zero) == "Bearer hunter2")
  }

  @Test("inside a pod the service account says how, and without its files the error says so")
  func inCluster() async throws {
    let files = ["/sa/ca.crt": Self.pem, "/sa/token": "tok", "/sa/namespace": "shop\n"]
    let read: @Sendable (String) throws -> Data = { path in
      guard let text = files[path] else { throw CocoaError(.fileReadNoSuchFile) }
      return Data(text.utf8)
    }
    let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
    let settings = try #require(
      try ClusterSettings.inCluster(environment: environment, folder: "/sa", read: read))
    #expect(settings.server == "https://[fd00::1]:443")
    #expect(settings.namespace == "shop")
    #expect(try await settings.credentials.authorization(at: .zero) == "Bearer tok")
    #expect(try ClusterSettings.inCluster(environment: [:], folder: "/sa", read: read) == nil)
    #expect(throws: KubeconfigError.self) {
      try ClusterSettings.inCluster(environment: environment, folder: "/none", read: read)
    }
  }
}
