import Foundation
import KubernetesAPI

/// What is wrong with a kubeconfig: which file, which field, what was found and what would be right. Never contains a
/// secret.
public struct KubeconfigError: Error, Sendable, Equatable, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

/// One or several kubeconfig files, merged as kubectl does it: of two files that set the same thing, the first wins, and
/// relative paths are relative to the file that they stand in.
public struct Kubeconfig: Sendable, CustomStringConvertible, CustomReflectable {
  /// One entry of `clusters`, `users` or `contexts`, and the file that it comes from.
  struct Entry: Sendable {
    var name: String
    var fields: JSON
    var file: String
    /// `clusters[2].cluster`, for messages.
    var place: String
  }

  /// The files that it was read from, in their order.
  public private(set) var files: [String] = []
  /// The context that is used unless another is named.
  public private(set) var currentContext: String?
  private(set) var clusters: [String: Entry] = [:]
  private(set) var users: [String: Entry] = [:]
  private(set) var contexts: [String: Entry] = [:]

  // Users' fields hold secrets: neither text nor reflection shows them.
  public var description: String { "kubeconfig \(files.joined(separator: ", "))" }
  public var customMirror: Mirror { Mirror(self, children: ["files": files, "contexts": contextNames]) }

  /// The names of all contexts, sorted.
  public var contextNames: [String] { contexts.keys.sorted() }

  /// - Parameter files: path and text of each, the first winning.
  /// - Throws: ``KubeconfigError``
  public init(_ files: [(path: String, text: String)]) throws(KubeconfigError) {
    for (path, text) in files {
      self.files.append(path)
      let json: JSON
      do {
        json = try JSON(yaml: text)
      } catch {
        throw KubeconfigError("kubeconfig \(path) is not readable as YAML: \(error)")
      }
      if json.isNull { continue }
      guard json.object != nil else {
        throw KubeconfigError("kubeconfig \(path): expected a mapping, found \(json.typeName)")
      }
      if let kind = json["kind"]?.string, kind != "Config" {
        throw KubeconfigError("kubeconfig \(path): kind: expected 'Config', found '\(kind)'")
      }
      if currentContext == nil, let current = try Self.text(json["current-context"], "current-context", path) {
        currentContext = current
      }
      try Self.read(json, "clusters", "cluster", path, into: &clusters)
      try Self.read(json, "users", "user", path, into: &users)
      try Self.read(json, "contexts", "context", path, into: &contexts)
    }
  }

  private static func read(
    _ json: JSON, _ list: String, _ member: String, _ file: String, into entries: inout [String: Entry]
  ) throws(KubeconfigError) {
    let value = json[list] ?? .null
    if value.isNull { return }
    guard let elements = value.array else {
      throw KubeconfigError("kubeconfig \(file): \(list): expected a list, found \(value.typeName)")
    }
    for (index, element) in elements.enumerated() {
      let place = "\(list)[\(index)]"
      guard let name = element["name"]?.string, !name.isEmpty else {
        throw KubeconfigError("kubeconfig \(file): \(place).name: missing; expected a text")
      }
      let fields = element[member] ?? .null
      guard fields.object != nil || fields.isNull else {
        throw KubeconfigError(
          "kubeconfig \(file): \(place).\(member): expected a mapping, found \(fields.typeName)")
      }
      if entries[name] == nil {
        entries[name] = Entry(name: name, fields: fields, file: file, place: "\(place).\(member)")
      }
    }
  }

  static func text(_ value: JSON?, _ field: String, _ file: String) throws(KubeconfigError) -> String? {
    guard let value, !value.isNull else { return nil }
    guard let text = value.string else {
      throw KubeconfigError("kubeconfig \(file): \(field): expected a text, found \(value.typeName)")
    }
    return text.isEmpty ? nil : text
  }
}

extension Kubeconfig {
  /// Reads the files that kubectl would read: `path` alone where it is given; else those that `KUBECONFIG` lists,
  /// separated by colons, missing ones passed over; else `~/.kube/config`.
  /// - Parameters:
  ///   - path: of the flag `--kubeconfig`; must exist.
  ///   - read: reads a file whole; throws `CocoaError.fileReadNoSuchFile` where there is none.
  /// - Returns: `nil` if there is no file at all and none was named.
  /// - Throws: ``KubeconfigError``
  public static func load(
    path: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment,
    read: (String) throws -> Data = { try Data(contentsOf: URL(filePath: $0)) }
  ) throws(KubeconfigError) -> Kubeconfig? {
    let listed = (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
    let paths: [String]
    if let path {
      paths = [path]
    } else if !listed.isEmpty {
      paths = listed
    } else if let home = environment["HOME"], !home.isEmpty {
      paths = [home + "/.kube/config"]
    } else {
      return nil
    }
    var files: [(path: String, text: String)] = []
    for file in paths {
      do {
        let data = try read(file)
        guard let text = String(data: data, encoding: .utf8) else {
          throw KubeconfigError("kubeconfig \(file) is not UTF-8 text")
        }
        files.append((file, text))
      } catch let error as KubeconfigError {
        throw error
      } catch {
        let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
        if isMissing, path == nil { continue }
        throw KubeconfigError(
          isMissing
            ? "there is no kubeconfig \(file)" : "kubeconfig \(file) cannot be read: \(error.localizedDescription)")
      }
    }
    guard !files.isEmpty else {
      if listed.isEmpty { return nil }
      throw KubeconfigError(
        "none of the files that KUBECONFIG names exists: \(listed.joined(separator: ", "))")
    }
    return try Kubeconfig(files)
  }
}
