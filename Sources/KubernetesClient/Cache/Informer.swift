import KubernetesAPI
import Logging
import ServiceLifecycle

/// What an informer watches, and how.
public struct InformerOptions: Sendable {
  /// `nil`: all namespaces.
  public var namespace: String?
  public var labelSelector: LabelSelector?
  public var fieldSelector: String?
  /// Each watch ends after a random time in this range, so that the load of many watches spreads over the servers.
  public var watchSeconds: ClosedRange<Int>
  /// Cached objects lose `metadata.managedFields`, which is often half of an object.
  public var keepsManagedFields: Bool
  /// Members that cached objects lose: the `spec` of pods, where only their state matters. Such an object must not be
  /// written back.
  public var drops: [String]
  /// Values within them that are kept all the same, by their paths.
  public var keeps: [[String]]
  /// ``Informer/run()`` returns, its cache empty, when the server answers that it does not serve the kind.
  public var endsWhereNotServed: Bool

  public init(
    namespace: String? = nil, labelSelector: LabelSelector? = nil, fieldSelector: String? = nil,
    watchSeconds: ClosedRange<Int> = 300...600, keepsManagedFields: Bool = false, drops: [String] = [],
    keeps: [[String]] = [], endsWhereNotServed: Bool = false
  ) {
    self.namespace = namespace
    self.labelSelector = labelSelector
    self.fieldSelector = fieldSelector
    self.watchSeconds = watchSeconds
    self.keepsManagedFields = keepsManagedFields
    self.drops = drops
    self.keeps = keeps
    self.endsWhereNotServed = endsWhereNotServed
  }
}

/// Keeps a cache of all objects of a kind by a list and watches, and tells its handlers of each change. An object that
/// does not decode is kept aside, reported, and stops no other.
public struct Informer<Object: Sendable>: ServiceLifecycle.Service {
  /// Called for each change, in order, before the next event is read: it must be quick, as adding to a queue is.
  public typealias Handler = @Sendable (CacheChange<Object>) -> Void

  public let cache: ObjectCache<Object>
  private let client: KubernetesClient
  private let type: ResourceType
  private let options: InformerOptions
  private let handlers: [Handler]
  private let decode: @Sendable (JSON) throws(UndecodableObject) -> Object
  private let backoff: Backoff
  private let logger: Logger

  init(
    client: KubernetesClient, type: ResourceType, options: InformerOptions,
    indexes: [IndexName: @Sendable (Object) -> [String]], backoff: Backoff, handlers: [Handler],
    decode: @escaping @Sendable (JSON) throws(UndecodableObject) -> Object
  ) {
    cache = ObjectCache(indexes: indexes)
    self.client = client
    self.type = type
    self.options = options
    self.handlers = handlers
    self.decode = decode
    self.backoff = backoff
    var logger = client.logger
    logger[metadataKey: "watched"] = "\(type.qualifiedName)"
    self.logger = logger
  }

  /// Runs until it is cancelled or shut down gracefully.
  public func run() async throws {
    try await cancelWhenGracefulShutdown {
      var machine = ListWatch(backoff: backoff)
      while !Task.isCancelled {
        do {
          if try await perform(machine.step, &machine) == .over { return }
        } catch is CancellationError {
          return
        }
      }
    }
  }

  private func perform(_ step: ListWatch.Step, _ machine: inout ListWatch) async throws -> Watching {
    switch step {
    case .wait(let pause):
      try await client.time.sleep(for: pause)
      tell(&machine, .waited)
    case .list:
      do {
        let list = try await client.list(
          type, namespace: options.namespace,
          ListOptions(labelSelector: options.labelSelector, fieldSelector: options.fieldSelector))
        replace(with: list)
        tell(&machine, .listed(version: list.resourceVersion))
      } catch let error as KubernetesError {
        // Of a collection only this can be missing.
        if options.endsWhereNotServed, error.isNotFound {
          for change in cache.clear() { announce(change) }
          return .over
        }
        report(error)
        tell(&machine, .listFailed)
      }
    case .watch(let version):
      try await watch(from: version, &machine)
    }
    return .on
  }

  private func watch(from version: String, _ machine: inout ListWatch) async throws {
    let start = client.time.uptime
    let span = options.watchSeconds
    let seconds = span.lowerBound + Int(client.randomness.next * Double(span.count))
    tell(&machine, .watchBegan)
    do {
      let body = try await client.watch(
        type, namespace: options.namespace,
        WatchOptions(
          labelSelector: options.labelSelector, fieldSelector: options.fieldSelector, resourceVersion: version,
          timeoutSeconds: seconds))
      // The cache is known to be up to date again only when the watch is on.
      cache.setProblem(nil)
      for try await events in body {
        for event in events {
          if try apply(event, &machine) == .over { return }
        }
      }
      tell(&machine, .watchEnded(lasted: client.time.uptime - start))
    } catch let error as KubernetesError {
      report(error)
      tell(&machine, .watchFailed(isExpired: error.isExpired))
    }
  }

  private enum Watching { case on, over }

  private func apply(_ event: WatchEvent, _ machine: inout ListWatch) throws -> Watching {
    try Task.checkCancellation()
    let effect = machine.handle(.event(event), random: client.randomness.next)
    let version = event.resourceVersion
    switch effect {
    case .put(let json):
      let object = json.typed(type)
      let change = cache.change(resourceVersion: version) {
        $0.put(decoded(object), key: object.objectKey, version: object.resourceVersion)
      }
      if let change { announce(change) }
    case .remove(let json):
      if let change = cache.change(resourceVersion: version, { $0.remove(json.objectKey) }) { announce(change) }
    case .report(let line):
      logger.warning("a watch event cannot be read and is passed over", metadata: ["problem": "\(line)"])
    case .endWatch(let status):
      let message = status.message ?? status.reason ?? "no reason given"
      logger.debug("the server ended a watch", metadata: ["problem": "\(message)"])
      if status.failure != .expired { cache.setProblem("watch \(type.qualifiedName): \(message)") }
      return .over
    case nil:
      cache.change(resourceVersion: version) { _ in }
    }
    return .on
  }

  private func replace(with list: ObjectList) {
    let objects = list.items.map { (key: $0.objectKey, version: $0.resourceVersion, object: decoded($0)) }
    let changes = cache.change(resourceVersion: list.resourceVersion) { $0.replace(with: objects) }
    for change in changes { announce(change) }
    cache.markSynced()
  }

  private func decoded(_ json: JSON) -> Result<Object, UndecodableObject> {
    var json = json
    if !options.keepsManagedFields { json[path: ["metadata", "managedFields"]] = nil }
    let kept = options.keeps.compactMap { path in json[path: path].map { (path, $0) } }
    for member in options.drops { json[member] = nil }
    for (path, value) in kept { json[path: path] = value }
    do {
      return .success(try decode(json))
    } catch {
      return .failure(error)
    }
  }

  private func announce(_ change: CacheChange<Object>) {
    if case .unreadable(let problem) = change {
      logger.warning("an object cannot be read and stands aside", metadata: ["problem": "\(problem)"])
    }
    for handler in handlers { handler(change) }
  }

  private func tell(_ machine: inout ListWatch, _ input: ListWatch.Input) {
    _ = machine.handle(input, random: client.randomness.next)
  }

  private func report(_ error: KubernetesError) {
    cache.setProblem(error.description)
    logger.log(level: error.isExpired ? .debug : .warning, "watching goes on later", metadata: ["problem": "\(error)"])
  }
}

extension Informer where Object: KubernetesResource {
  /// Watches a kind that has a type.
  /// - Parameters:
  ///   - indexes: functions that give the values under which an object is to be found.
  ///   - handlers: see ``Handler``.
  public init(
    _ object: Object.Type = Object.self, client: KubernetesClient, options: InformerOptions = InformerOptions(),
    indexes: [IndexName: @Sendable (Object) -> [String]] = [:],
    backoff: Backoff = Backoff(initial: .milliseconds(250), maximum: .seconds(30)), handlers: [Handler] = []
  ) {
    self.init(
      client: client, type: Object.resource, options: options, indexes: indexes, backoff: backoff, handlers: handlers
    ) { json throws(UndecodableObject) in try json.decoded(as: Object.self) }
  }
}

extension Informer where Object == JSON {
  /// Watches any kind, untyped.
  public init(
    _ type: ResourceType, client: KubernetesClient, options: InformerOptions = InformerOptions(),
    indexes: [IndexName: @Sendable (JSON) -> [String]] = [:],
    backoff: Backoff = Backoff(initial: .milliseconds(250), maximum: .seconds(30)), handlers: [Handler] = []
  ) {
    self.init(client: client, type: type, options: options, indexes: indexes, backoff: backoff, handlers: handlers) {
      $0
    }
  }
}
