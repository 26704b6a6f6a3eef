import Foundation
import KubernetesAPI

/// A program of a kubeconfig that answers with credentials, such as `aws eks get-token` or `kubelogin`.
/// Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
public struct ExecPlugin: Sendable, CustomStringConvertible, CustomReflectable {
  /// The versions of the protocol that are spoken.
  static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

  /// A name to look for in `PATH`, or a path.
  public var command: String
  public var arguments: [String]
  /// Added to this process's own environment.
  public var environment: [String: String]
  public var apiVersion: String
  /// What a person is to do where the command is not there.
  public var installHint: String?
  /// What the program is told of the cluster; `nil`: nothing.
  public var cluster: JSON?
  /// `users[0].user.exec of 'me' in ~/.kube/config`, for messages.
  public var source: String

  public init(
    command: String, arguments: [String] = [], environment: [String: String] = [:],
    apiVersion: String = "client.authentication.k8s.io/v1", installHint: String? = nil, cluster: JSON? = nil,
    source: String = ""
  ) {
    self.command = command
    self.arguments = arguments
    self.environment = environment
    self.apiVersion = apiVersion
    self.installHint = installHint
    self.cluster = cluster
    self.source = source
  }

  // Arguments and environment may hold secrets.
  public var description: String { "the credential plugin '\(command)'" }
  public var customMirror: Mirror { Mirror(self, children: ["command": command, "source": source]) }

  /// What the program finds in `KUBERNETES_EXEC_INFO`. It never gets a terminal.
  var request: JSON {
    var spec: JSON = ["interactive": false]
    if let cluster { spec["cluster"] = cluster }
    return ["apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": spec]
  }

  /// A token, and until when it is good.
  struct Answer: Sendable {
    var token: String
    var expires: Date?
  }

  /// - Throws: ``CredentialsError``, which never contains what the program printed.
  func answer(from output: Data) throws(CredentialsError) -> Answer {
    guard let json = try? JSON(parsing: output), json.object != nil else {
      throw failure("printed \(output.count) bytes that are no JSON object; expected an ExecCredential")
    }
    guard json["kind"]?.string == "ExecCredential" else {
      throw failure("answered without kind: ExecCredential")
    }
    guard json["apiVersion"]?.string == apiVersion else {
      // The version is no secret, but what stands in its place might be one.
      let found = Self.versions.first { $0 == json["apiVersion"]?.string } ?? "another"
      throw failure("answered in the apiVersion \(found); the kubeconfig asks for \(apiVersion)")
    }
    guard let token = json[path: ["status", "token"]]?.string, !token.isEmpty else {
      throw failure(
        json[path: ["status", "clientCertificateData"]] == nil
          ? "answered without status.token"
          : "answered with a client certificate; only tokens can be used: let it answer with status.token")
    }
    guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw failure("answered with a status.token that cannot stand in a header")
    }
    var answer = Answer(token: token)
    if let text = json[path: ["status", "expirationTimestamp"]], !text.isNull {
      guard let time = text.string.flatMap({ Timestamp($0) }) else {
        throw failure("answered with a status.expirationTimestamp that is no RFC 3339 time")
      }
      answer.expires = time.date
    }
    return answer
  }

  func failure(_ problem: String) -> CredentialsError {
    CredentialsError("\(self)\(source.isEmpty ? "" : " (\(source))") \(problem)")
  }
}
