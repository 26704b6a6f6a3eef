import Foundation
import HTTPTransport

/// All that is needed to reach a cluster as somebody.
public struct ClusterSettings: Sendable, CustomStringConvertible, CustomReflectable {
  /// `https://host:6443`
  public var server: String
  /// The authorities to trust, PEM; `nil`: those of the system.
  public var caPEM: Data?
  public var clientCertificatePEM: Data?
  public var clientKeyPEM: Data?
  /// The name to verify in the server's certificate instead of the host.
  public var tlsServerName: String?
  /// Accepts any certificate.
  public var skipsVerification: Bool
  /// `nil`: as the environment says.
  public var proxyURL: String?
  public var credentials: any Credentials
  public var impersonation: Impersonation?
  /// Where commands without a namespace of their own act.
  public var namespace: String
  /// Where the settings come from, for messages: `context prod of /home/x/.kube/config`.
  public var source: String

  public init(
    server: String, caPEM: Data? = nil, clientCertificatePEM: Data? = nil, clientKeyPEM: Data? = nil,
    tlsServerName: String? = nil, skipsVerification: Bool = false, proxyURL: String? = nil,
    credentials: any Credentials = FixedCredentials.none, impersonation: Impersonation? = nil,
    namespace: String = "default", source: String = ""
  ) {
    self.server = server
    self.caPEM = caPEM
    self.clientCertificatePEM = clientCertificatePEM
    self.clientKeyPEM = clientKeyPEM
    self.tlsServerName = tlsServerName
    self.skipsVerification = skipsVerification
    self.proxyURL = proxyURL
    self.credentials = credentials
    self.impersonation = impersonation
    self.namespace = namespace
    self.source = source
  }

  // The proxy's URL may hold a password, and the key is one.
  public var description: String { source.isEmpty ? server : "\(server) (\(source))" }
  public var customMirror: Mirror { Mirror(self, children: ["server": server, "source": source]) }

  /// How the transport reaches this server.
  public func transportConfiguration(userAgent: String = "sluice") -> TransportConfiguration {
    TransportConfiguration(
      tls: TransportConfiguration.TLS(
        caPEM: caPEM, clientCertificatePEM: clientCertificatePEM, clientKeyPEM: clientKeyPEM,
        verify: !skipsVerification, serverName: tlsServerName),
      proxy: proxyURL.map { .explicit($0) } ?? .environment(), userAgent: userAgent)
  }
}

extension ClusterSettings {
  /// Finds the cluster as kubectl does: the kubeconfig that is named, else those of `KUBECONFIG` or `~/.kube/config`, else
  /// the service account of the pod that this runs in.
  /// - Parameters:
  ///   - kubeconfig: the flag `--kubeconfig`.
  ///   - context: the flag `--context`; the current one where `nil`.
  /// - Throws: ``KubeconfigError``
  public static func discover(
    kubeconfig: String? = nil, context: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    serviceAccountFolder: String = defaultServiceAccountFolder
  ) throws(KubeconfigError) -> ClusterSettings {
    if let found = try Kubeconfig.load(path: kubeconfig, environment: environment) {
      return try found.settings(context: context)
    }
    if let context {
      throw KubeconfigError("there is no kubeconfig with the context '\(context)': name one by --kubeconfig")
    }
    guard let inside = try inCluster(environment: environment, folder: serviceAccountFolder) else {
      throw KubeconfigError(
        "no cluster to talk to: KUBECONFIG is not set, there is no ~/.kube/config, and this does not run in a pod; "
          + "name a file by --kubeconfig")
    }
    return inside
  }
}
