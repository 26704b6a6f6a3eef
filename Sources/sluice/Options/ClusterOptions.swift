import ArgumentParser
import Foundation
import HTTPTransport
import KubernetesAPI
import KubernetesClient
import Logging

/// Which cluster, as kubectl takes it.
struct ClusterOptions: ParsableArguments {
  @Option(help: "The kubeconfig to use; else KUBECONFIG, else ~/.kube/config, else the pod's own.")
  var kubeconfig: String?

  @Option(help: "The context of the kubeconfig.")
  var context: String?

  @Option(name: [.short, .long], help: "The namespace; else that of the context.")
  var namespace: String?

  /// Runs with a client and shuts its connections down afterwards.
  func withSession<Result>(_ body: (Session) async throws -> Result) async throws -> Result {
    let settings = try ClusterSettings.discover(kubeconfig: kubeconfig, context: context)
    let transport = try CurlTransport(settings.transportConfiguration(userAgent: "sluice/\(Version.text)"))
    var logger = Logger(label: "sluice") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    let client = KubernetesClient(
      settings, transport: transport, options: ClientOptions(fieldManager: "sluice-cli"), logger: logger)
    let session = Session(client: client, namespace: namespace ?? settings.namespace)
    do {
      let result = try await body(session)
      await transport.shutdown()
      return result
    } catch {
      await transport.shutdown()
      throw error
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
