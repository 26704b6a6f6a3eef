import Foundation
import KubernetesAPI

extension Kubeconfig {
  /// The settings of a context. Files that it names are read now, but for the token file, which is read as it changes.
  /// - Parameter context: the current one where `nil`.
  /// - Throws: ``KubeconfigError``
  public func settings(
    context: String? = nil,
    read: @escaping @Sendable (String) throws -> Data = { try Data(contentsOf: URL(filePath: $0)) }
  ) throws(KubeconfigError) -> ClusterSettings {
    let places = files.joined(separator: ", ")
    guard let name = context ?? currentContext else {
      throw KubeconfigError(
        "kubeconfig \(places): current-context is not set; \(choice(of: contexts, "name one by --context"))")
    }
    guard let chosen = contexts[name] else {
      throw KubeconfigError("kubeconfig \(places): there is no context '\(name)'; \(choice(of: contexts))")
    }
    let contextFields = Fields(entry: chosen, read: read)
    guard let clusterName = try contextFields.text("cluster") else {
      throw KubeconfigError("kubeconfig \(chosen.file): \(chosen.place).cluster: missing in the context '\(name)'")
    }
    guard let cluster = clusters[clusterName] else {
      throw KubeconfigError(
        "kubeconfig \(chosen.file): \(chosen.place).cluster: there is no cluster '\(clusterName)'; "
          + choice(of: clusters))
    }
    let clusterFields = Fields(entry: cluster, read: read)
    var settings = ClusterSettings(server: try clusterFields.server())
    settings.source = "context \(name) of \(chosen.file)"
    settings.namespace = try contextFields.text("namespace") ?? "default"
    settings.caPEM = try clusterFields.pem("certificate-authority")
    settings.skipsVerification = try clusterFields.flag("insecure-skip-tls-verify")
    settings.tlsServerName = try clusterFields.text("tls-server-name")
    settings.proxyURL = try clusterFields.text("proxy-url")
    if settings.skipsVerification, settings.caPEM != nil {
      throw clusterFields.error("insecure-skip-tls-verify", "cannot be set together with a certificate-authority")
    }
    // A context without a user is an anonymous one.
    if let userName = try contextFields.text("user") {
      guard let user = users[userName] else {
        throw KubeconfigError(
          "kubeconfig \(chosen.file): \(chosen.place).user: there is no user '\(userName)'; \(choice(of: users))")
      }
      try Fields(entry: user, read: read).apply(to: &settings)
    }
    return settings
  }

  private func choice(of entries: [String: Entry], _ advice: String? = nil) -> String {
    let names = entries.keys.sorted()
    let known = names.isEmpty ? "there are none" : "known are " + names.joined(separator: ", ")
    return [advice, known].compactMap { $0 }.joined(separator: "; ")
  }
}

/// Reads the fields of one entry; errors name file and field.
private struct Fields {
  let entry: Kubeconfig.Entry
  let read: @Sendable (String) throws -> Data

  func error(_ field: String, _ problem: String) -> KubeconfigError {
    KubeconfigError("kubeconfig \(entry.file): \(entry.place).\(field) of '\(entry.name)': \(problem)")
  }

  func text(_ field: String) throws(KubeconfigError) -> String? {
    try Kubeconfig.text(entry.fields[field], "\(entry.place).\(field)", entry.file)
  }

  func flag(_ field: String) throws(KubeconfigError) -> Bool {
    guard let value = entry.fields[field], !value.isNull else { return false }
    guard let flag = value.bool else { throw error(field, "expected true or false, found \(value.typeName)") }
    return flag
  }

  func server() throws(KubeconfigError) -> String {
    guard let server = try text("server") else { throw error("server", "missing; expected a URL") }
    guard let url = URL(string: server), let scheme = url.scheme, scheme == "https" || scheme == "http",
      url.host() != nil
    else { throw error("server", "expected a URL such as https://host:6443, found '\(server)'") }
    return server
  }

  /// A path relative to the file that names it.
  func path(_ text: String) -> String {
    if text.hasPrefix("/") { return text }
    let folder = entry.file.lastIndex(of: "/").map { entry.file[...$0] } ?? ""
    return folder + text
  }

  func file(_ field: String) throws(KubeconfigError) -> Data? {
    guard let name = try text(field) else { return nil }
    do {
      return try read(path(name))
    } catch {
      throw self.error(field, "the file \(path(name)) cannot be read: \(error.localizedDescription)")
    }
  }

  /// `<field>-data`, base64, which wins as in kubectl, or the file that `<field>` names.
  func pem(_ field: String) throws(KubeconfigError) -> Data? {
    let pem: Data
    let source: String
    if let inline = try text(field + "-data") {
      source = field + "-data"
      guard let data = Data(base64Encoded: inline, options: .ignoreUnknownCharacters), !data.isEmpty else {
        throw error(source, "expected base64")
      }
      pem = data
    } else if let data = try file(field) {
      source = field
      pem = data
    } else {
      return nil
    }
    guard pem.range(of: Data("-----BEGIN ".utf8)) != nil else {
      throw error(source, "expected PEM, which has a line that begins with -----BEGIN")
    }
    return pem
  }

  func apply(to settings: inout ClusterSettings) throws(KubeconfigError) {
    settings.clientCertificatePEM = try pem("client-certificate")
    settings.clientKeyPEM = try pem("client-key")
    if settings.clientCertificatePEM != nil, settings.clientKeyPEM == nil {
      throw error("client-key", "missing, though there is a client-certificate")
    }
    if settings.clientKeyPEM != nil, settings.clientCertificatePEM == nil {
      throw error("client-certificate", "missing, though there is a client-key")
    }
    if let user = try text("as") {
      let groups = entry.fields["as-groups"]?.array?.compactMap(\.string) ?? []
      settings.impersonation = Impersonation(user: user, groups: groups)
    }
    let user = try text("username")
    let password = try text("password")
    // As in client-go, the file wins over the inline token: it may be rotated.
    if let file = try text("tokenFile") {
      settings.credentials = TokenFile(path: path(file), read: read)
    } else if let token = try text("token") {
      settings.credentials = FixedCredentials.bearer(token)
    } else if let user {
      settings.credentials = FixedCredentials.basic(user: user, password: password ?? "")
    } else if entry.fields["exec"]?.object != nil {
      throw error(
        "exec", "credential plugins are not supported; use a token, a tokenFile or a client certificate")
    } else if entry.fields["auth-provider"]?.object != nil {
      throw error(
        "auth-provider", "kubectl dropped these long ago; use a token, a tokenFile or a client certificate")
    }
  }
}
