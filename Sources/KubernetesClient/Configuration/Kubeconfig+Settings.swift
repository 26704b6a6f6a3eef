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
      try Fields(entry: user, read: read).apply(to: &settings, cluster: cluster.fields)
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

  func apply(to settings: inout ClusterSettings, cluster: JSON) throws(KubeconfigError) {
    settings.clientCertificatePEM = try pem("client-certificate")
    settings.clientKeyPEM = try pem("client-key")
    if settings.clientCertificatePEM != nil, settings.clientKeyPEM == nil {
      throw error("client-key", "missing, though there is a client-certificate")
    }
    if settings.clientKeyPEM != nil, settings.clientCertificatePEM == nil {
      throw error("client-certificate", "missing, though there is a client-key")
    }
    if let user = try text("as") {
      let extra = entry.fields["as-user-extra"]?.object ?? [:]
      settings.impersonation = Impersonation(
        user: user, groups: try texts("as-groups"), uid: try text("as-uid"),
        extra: extra.mapValues { $0.array?.compactMap(\.string) ?? [] })
    } else if try !texts("as-groups").isEmpty {
      throw error("as", "missing, though there are as-groups; groups are impersonated only together with a user")
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
    } else if let plugin = entry.fields["exec"], !plugin.isNull {
      settings.credentials = ExecCredentials(try execPlugin(plugin, settings, cluster))
    } else if let provider = entry.fields["auth-provider"], !provider.isNull {
      let name = provider["name"]?.string ?? ""
      throw error(
        "auth-provider",
        "the provider '\(name)' is not supported"
          + (name == "oidc" ? ": tokens of OpenID Connect are not refreshed here" : "")
          + "; use an exec plugin (kubectl oidc-login, gke-gcloud-auth-plugin, kubelogin …), a token, a tokenFile or a "
          + "client certificate")
    }
  }

  func texts(_ field: String) throws(KubeconfigError) -> [String] {
    guard let value = entry.fields[field], !value.isNull else { return [] }
    guard let elements = value.array, elements.allSatisfy({ $0.string != nil }) else {
      throw error(field, "expected a list of texts, found \(value.typeName)")
    }
    return elements.compactMap(\.string)
  }
}

// MARK: - Credential plugins

extension Fields {
  private func execPlugin(
    _ exec: JSON, _ settings: ClusterSettings, _ cluster: JSON
  ) throws(KubeconfigError) -> ExecPlugin {
    guard exec.object != nil else { throw error("exec", "expected a mapping, found \(exec.typeName)") }
    let command = try member(exec, "command") ?? ""
    guard !command.isEmpty else { throw error("exec.command", "missing; expected a program") }
    let version = try member(exec, "apiVersion") ?? ""
    guard ExecPlugin.versions.contains(version) else {
      throw error(
        "exec.apiVersion", "expected \(ExecPlugin.versions.joined(separator: " or ")), found '\(version)'")
    }
    let mode = try member(exec, "interactiveMode") ?? "IfAvailable"
    guard ["Never", "IfAvailable", "Always"].contains(mode) else {
      throw error("exec.interactiveMode", "expected Never, IfAvailable or Always, found '\(mode)'")
    }
    guard mode != "Always" else {
      throw error(
        "exec.interactiveMode", "found Always, but sluice gives a plugin no terminal; use Never or IfAvailable")
    }
    let arguments = exec["args"] ?? .null
    guard arguments.isNull || arguments.array?.allSatisfy({ $0.string != nil }) == true else {
      throw error("exec.args", "expected a list of texts, found \(arguments.typeName)")
    }
    var environment: [String: String] = [:]
    for (index, variable) in (exec["env"]?.array ?? []).enumerated() {
      guard let name = variable["name"]?.string, !name.isEmpty, let value = variable["value"]?.string else {
        throw error("exec.env[\(index)]", "expected a name and a value, both texts")
      }
      environment[name] = value
    }
    return ExecPlugin(
      // As in kubectl, a bare name is looked for in PATH, and anything else is a path beside the kubeconfig.
      command: command.contains("/") ? path(command) : command,
      arguments: arguments.array?.compactMap(\.string) ?? [], environment: environment, apiVersion: version,
      installHint: try member(exec, "installHint"),
      cluster: exec["provideClusterInfo"]?.bool == true ? Self.information(settings, cluster) : nil,
      source: "\(entry.place).exec of '\(entry.name)' in \(entry.file)")
  }

  private func member(_ json: JSON, _ name: String) throws(KubeconfigError) -> String? {
    try Kubeconfig.text(json[name], "\(entry.place).exec.\(name)", entry.file)
  }

  /// The cluster as the plugin is told of it, with the files it names read in.
  private static func information(_ settings: ClusterSettings, _ cluster: JSON) -> JSON {
    var information: JSON = ["server": .string(settings.server)]
    if let ca = settings.caPEM { information["certificate-authority-data"] = .string(ca.base64EncodedString()) }
    if let name = settings.tlsServerName { information["tls-server-name"] = .string(name) }
    if settings.skipsVerification { information["insecure-skip-tls-verify"] = true }
    if let proxy = settings.proxyURL { information["proxy-url"] = .string(proxy) }
    let extensions = cluster["extensions"]?.array ?? []
    if let own = extensions.first(where: { $0["name"] == "client.authentication.k8s.io/exec" }) {
      information["config"] = own["extension"]
    }
    return information
  }
}
