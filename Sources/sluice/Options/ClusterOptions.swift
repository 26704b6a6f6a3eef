import ArgumentParser
import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging

/// How to reach a cluster and as whom, under kubectl's names.
struct ConnectionOptions: ParsableArguments {
  @Option(help: "The kubeconfig to use; else KUBECONFIG, else ~/.kube/config, else the pod's own.")
  var kubeconfig: String?

  @Option(help: "The context of the kubeconfig.")
  var context: String?

  @Option(help: "A bearer token to show instead of the context's credentials.")
  var token: String?

  @Option(name: .customLong("as"), help: "Act as this user, if the server lets you impersonate.")
  var user: String?

  @Option(
    name: .customLong("as-group"), help: "With --as: act as a member of this group; may be given several times.")
  var groups: [String] = []

  @Option(name: .customLong("as-uid"), help: "With --as: act under this uid.")
  var uid: String?

  func validate() throws {
    guard user == nil, !groups.isEmpty || uid != nil else { return }
    throw ValidationError("--as-group and --as-uid say more of the user that --as names, and --as is missing")
  }

  /// - Throws: ``KubeconfigError``
  func settings() throws -> ClusterSettings {
    var settings = try ClusterSettings.discover(kubeconfig: kubeconfig, context: context)
    if let token { settings.credentials = FixedCredentials.bearer(token) }
    if let user { settings.impersonation = Impersonation(user: user, groups: groups, uid: uid) }
    return settings
  }
}

/// Which cluster and namespace, as kubectl takes them.
struct ClusterOptions: ParsableArguments {
  @OptionGroup var connection: ConnectionOptions

  @Option(name: [.short, .long], help: "The namespace; else that of the context.")
  var namespace: String?

  /// Runs with a client and shuts its connections down afterwards.
  func withSession<Result>(_ body: (Session) async throws -> Result) async throws -> Result {
    let settings = try connection.settings()
    let transport = try CurlTransport(settings.transportConfiguration(userAgent: "sluice/\(Version.text)"))
    let client = KubernetesClient(
      settings, transport: transport, options: ClientOptions(fieldManager: "sluice-cli"),
      logger: .toStandardError(.error))
    let session = Session(client: client, namespace: namespace ?? settings.namespace)
    do {
      return try await transport.whileOpen { try await body(session) }
    } catch {
      throw Session.explained(error)
    }
  }
}

/// A client and the namespace that commands act in.
struct Session: Sendable {
  var client: KubernetesClient
  var namespace: String

  func key(_ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }
}

/// How objects are printed instead of for people.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case json
  case yaml
}
