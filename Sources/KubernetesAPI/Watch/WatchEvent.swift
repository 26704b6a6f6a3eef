/// One line of a watch.
public enum WatchEvent: Sendable, Hashable {
  case added(JSON)
  case modified(JSON)
  /// The last state, with the version of the deletion.
  case deleted(JSON)
  /// Nothing changed up to this version; `initialEventsEnd` marks the end of a streamed list.
  case bookmark(resourceVersion: String, initialEventsEnd: Bool)
  /// The server's error in mid-watch, as a 410 for a version that it no longer has. The watch is over.
  case failed(Status)
  /// A line that is no event. The lines after it are not affected.
  case malformed(MalformedWatchLine)

  /// The version up to which the watcher knows everything after this event; `nil` if it does not tell.
  public var resourceVersion: String? {
    let version: String
    switch self {
    case .added(let object), .modified(let object), .deleted(let object): version = object.resourceVersion
    case .bookmark(let resourceVersion, _): version = resourceVersion
    case .failed, .malformed: return nil
    }
    return version.isEmpty ? nil : version
  }
}

/// What was wrong with a line of a watch.
public struct MalformedWatchLine: Error, Sendable, Hashable, CustomStringConvertible {
  public var problem: String
  /// The beginning of the line, at most 200 characters.
  public var excerpt: String
  /// The object, where the line was JSON with one.
  public var object: JSON?

  public init(problem: String, excerpt: String, object: JSON? = nil) {
    self.problem = problem
    self.excerpt = excerpt
    self.object = object
  }

  public var description: String { "a watch line cannot be read: \(problem), in: \(excerpt)" }
}

extension WatchEvent {
  /// Reads one line.
  public init(line: some Collection<UInt8>) {
    func malformed(_ problem: String, _ object: JSON? = nil) -> WatchEvent {
      .malformed(
        MalformedWatchLine(
          problem: problem, excerpt: String(String(decoding: line.prefix(800), as: UTF8.self).prefix(200)),
          object: object))
    }
    let json: JSON
    do {
      json = try JSON(parsing: line)
    } catch {
      self = malformed(error.description)
      return
    }
    guard let object = json["object"], object.object != nil else {
      self = malformed("'object' is missing or no object")
      return
    }
    // An object without a name has no place in a cache.
    let isNamed = !object.name.isEmpty
    switch json["type"]?.string {
    case "ADDED": self = isNamed ? .added(object) : malformed("the object has no name", object)
    case "MODIFIED": self = isNamed ? .modified(object) : malformed("the object has no name", object)
    case "DELETED": self = isNamed ? .deleted(object) : malformed("the object has no name", object)
    case "BOOKMARK":
      let end = object.annotations["k8s.io/initial-events-end"] == "true"
      self = .bookmark(resourceVersion: object.resourceVersion, initialEventsEnd: end)
    case "ERROR":
      let status = try? object.decode(Status.self)
      self = .failed(status ?? Status(code: 500, reason: "InternalError", message: object.description))
    case let type:
      self = malformed("the type is \(type.map { "'\($0)'" } ?? "missing")", object)
    }
  }
}
