import Foundation

extension ClusterSettings {
  /// Where the kubelet puts the service account of a pod.
  public static let defaultServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

  /// The settings for a process in a pod: the API server's address from the environment, token, CA and namespace from the
  /// service account's files. The token is read again as it is rotated.
  /// - Returns: `nil` if this is not a pod, that is, the environment does not name the server.
  /// - Throws: ``KubeconfigError``
  public static func inCluster(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    folder: String = defaultServiceAccountFolder,
    read: @escaping @Sendable (String) throws -> Data = { try Data(contentsOf: URL(filePath: $0)) }
  ) throws(KubeconfigError) -> ClusterSettings? {
    guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
      let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
    else { return nil }
    let caFile = folder + "/ca.crt"
    let ca: Data
    do {
      ca = try read(caFile)
    } catch {
      throw KubeconfigError(
        "this runs in a pod, but its service account's \(caFile) cannot be read: \(error.localizedDescription); "
          + "is automountServiceAccountToken false?")
    }
    let namespace = (try? read(folder + "/namespace"))
      .map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }
    let isIPv6 = host.contains(":") && !host.hasPrefix("[")
    return ClusterSettings(
      server: "https://\(isIPv6 ? "[\(host)]" : host):\(port)", caPEM: ca,
      credentials: TokenFile(path: folder + "/token", read: read),
      namespace: namespace.flatMap { $0.isEmpty ? nil : $0 } ?? "default", source: "the pod's service account")
  }
}
