import Foundation
import KubernetesAPI
import Synchronization

extension APIServer {
  func watch(_ call: Call, _ options: ListOptions, _ filter: ObjectFilter) throws(Status) -> ServerResponse {
    let version = try options.version()
    let resource = call.kind.stored
    let (subscription, start) = try store.subscribe(to: resource) { state throws(Status) -> WatchStart in
      if let version, version > state.resourceVersion {
        throw Refusal.tooLargeVersion(version, current: state.resourceVersion)
      }
      let listsFirst = options.sendsInitialEvents ?? (version == nil || version == 0)
      if listsFirst {
        let objects = state.objects(resource, namespace: call.namespace)
        return WatchStart(initial: objects, changes: [], version: state.resourceVersion)
      }
      let from = version.flatMap { $0 == 0 ? nil : $0 } ?? state.resourceVersion
      guard let changes = state.changes(after: from, of: resource) else {
        let oldest = state.oldestVersion(of: resource)
        return WatchStart(
          initial: [], changes: [], version: from,
          failure: Refusal.expired("too old resource version: \(from) (\(oldest))"))
      }
      return WatchStart(initial: [], changes: changes, version: state.resourceVersion)
    }
    // The real server picks a time between 30 and 60 minutes where the client names none.
    let timeout = options.timeoutSeconds.flatMap { $0 > 0 ? $0 : nil } ?? Int(1800 + randomNumber() % 1800)
    let stream = WatchStream(
      subscription: subscription, start: start, kind: call.kind, filter: filter,
      encoding: WatchStream.Encoding(
        representation: call.media.representation, includeObject: call.request.parameter("includeObject")),
      bookmarks: .init(
        allowed: options.allowsBookmarks, endsInitialEvents: options.sendsInitialEvents == true),
      clock: clock, deadline: now.addingTimeInterval(TimeInterval(timeout)),
      storeVersion: {
        self.removeExpired()
        return self.store.state.resourceVersion
      },
      nextExpiry: { [store] in resource == Self.events ? store.nextExpiry : nil })
    return ServerResponse(status: 200, contentType: call.media.contentType, body: .watch(stream))
  }
}

/// What a watch begins with.
struct WatchStart: Sendable {
  /// Objects that exist, sent as ADDED.
  var initial: [JSON]
  /// What happened between the client's version and now.
  var changes: [StoreChange]
  var version: UInt64
  /// The only event, where the watch cannot be served.
  var failure: Status?
}

/// The body of a watch: lines of JSON, one event each, until the time is up, the reader was too slow or goes away.
///
/// ``poll(at:)`` gives what there is at a moment, without waiting, so that a simulation can read a watch in its own
/// time; ``next()`` waits. One reader at a time.
final class WatchStream: Sendable {
  struct Encoding: Sendable {
    var representation: Representation
    var includeObject: String?
  }

  struct Bookmarks: Sendable {
    var allowed: Bool
    /// The first bookmark says that all that existed has been sent.
    var endsInitialEvents: Bool
    /// How often one comes.
    static let interval: TimeInterval = 60
    /// So long before the end of the watch comes the last one.
    static let lead: TimeInterval = 2
  }

  /// What a reader gets at a moment.
  struct Progress: Sendable {
    /// One event each, without the line break.
    var events: [JSON]
    var isAtEnd: Bool
    /// When to look again although nothing is written.
    var nextLook: Date
  }

  private struct Guarded {
    var start: WatchStart?
    var version: UInt64
    var nextBookmark: Date?
    var hasSentColumns = false
    var isAtEnd = false
  }

  private let subscription: StoreSubscription
  private let kind: ServedKind
  private let filter: ObjectFilter
  private let encoding: Encoding
  private let bookmarks: Bookmarks
  private let clock: SandboxClock
  /// When the server ends it.
  let deadline: Date
  private let storeVersion: @Sendable () -> UInt64
  private let nextExpiry: @Sendable () -> Date?
  private let guarded: Mutex<Guarded>

  init(
    subscription: StoreSubscription, start: WatchStart, kind: ServedKind, filter: ObjectFilter, encoding: Encoding,
    bookmarks: Bookmarks, clock: SandboxClock, deadline: Date, storeVersion: @escaping @Sendable () -> UInt64,
    nextExpiry: @escaping @Sendable () -> Date?
  ) {
    self.subscription = subscription
    self.storeVersion = storeVersion
    self.nextExpiry = nextExpiry
    self.kind = kind
    self.filter = filter
    self.encoding = encoding
    self.bookmarks = bookmarks
    self.clock = clock
    self.deadline = deadline
    var first: Date?
    if bookmarks.allowed {
      first = min(
        clock.now().addingTimeInterval(Bookmarks.interval), deadline.addingTimeInterval(-Bookmarks.lead))
    }
    guarded = Mutex(Guarded(start: start, version: start.version, nextBookmark: first))
  }

  deinit { subscription.cancel() }

  /// The events that are due, without waiting.
  func poll(at now: Date) -> Progress {
    guarded.withLock { guarded in
      guard !guarded.isAtEnd else { return Progress(events: [], isAtEnd: true, nextLook: deadline) }
      var events: [JSON] = []
      if let start = guarded.start.take() {
        if let failure = start.failure {
          guarded.isAtEnd = true
          subscription.cancel()
          return Progress(events: [["type": "ERROR", "object": failure.json]], isAtEnd: true, nextLook: deadline)
        }
        for object in start.initial.map(kind.shown) where filter.matches(object) {
          events.append(event("ADDED", object, &guarded))
        }
        if bookmarks.endsInitialEvents {
          events.append(bookmark(guarded.version, endsInitialEvents: true, &guarded))
        }
        for change in start.changes { append(change, to: &events, &guarded) }
      }
      // Read before the changes are taken, so that all up to this version are among them.
      let version = storeVersion()
      guard let changes = subscription.take() else {
        // Too slow: the client finds the stream ended and begins anew.
        guarded.isAtEnd = true
        return Progress(events: events, isAtEnd: true, nextLook: deadline)
      }
      for change in changes { append(change, to: &events, &guarded) }
      guarded.version = max(guarded.version, version)
      if let due = guarded.nextBookmark, due <= now {
        events.append(bookmark(guarded.version, endsInitialEvents: false, &guarded))
        let last = deadline.addingTimeInterval(-Bookmarks.lead)
        guarded.nextBookmark = due < last ? min(now.addingTimeInterval(Bookmarks.interval), last) : nil
      }
      if now >= deadline {
        guarded.isAtEnd = true
        subscription.cancel()
      }
      return Progress(
        events: events, isAtEnd: guarded.isAtEnd,
        nextLook: min(deadline, guarded.nextBookmark ?? deadline, nextExpiry() ?? deadline))
    }
  }

  /// The next lines of the body; waits for them.
  /// - Returns: `nil` at the end, and when the task is cancelled.
  func next() async -> [UInt8]? {
    while !Task.isCancelled {
      let progress = poll(at: clock.now())
      if !progress.events.isEmpty {
        return progress.events.flatMap { $0.bytes + [0x0A] }
      }
      if progress.isAtEnd { return nil }
      let wait = max(0, progress.nextLook.timeIntervalSince(clock.now()))
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.subscription.wait() }
        group.addTask { try? await self.clock.sleep(.milliseconds(Int(wait * 1000) + 1)) }
        await group.next()
        group.cancelAll()
      }
    }
    cancel()
    return nil
  }

  /// The reader is gone.
  func cancel() { subscription.cancel() }

  private func append(_ change: StoreChange, to events: inout [JSON], _ guarded: inout Guarded) {
    guarded.version = max(guarded.version, change.resourceVersion)
    let object = kind.shown(change.object)
    let previous = change.previous.map(kind.shown)
    let isIn = change.kind != .deleted && filter.matches(object)
    let wasIn = previous.map(filter.matches) ?? false
    switch (wasIn, isIn) {
    case (false, true): events.append(event("ADDED", object, &guarded))
    case (true, true): events.append(event("MODIFIED", object, &guarded))
    case (true, false):
      // Who leaves the selection is shown as it was last in it, under the version of the change.
      var last = previous ?? object
      if change.kind == .deleted { last = object }
      last[path: ["metadata", "resourceVersion"]] = .string(String(change.resourceVersion))
      events.append(event("DELETED", last, &guarded))
    case (false, false): break
    }
  }

  private func event(_ type: String, _ object: JSON, _ guarded: inout Guarded) -> JSON {
    ["type": .string(type), "object": encode(object, &guarded)]
  }

  private func encode(_ object: JSON, _ guarded: inout Guarded) -> JSON {
    switch encoding.representation {
    case .object: return object
    case .partialMetadata: return APIServer.partialMetadata(object)
    case .table:
      var table = TableRenderer(kind: kind, includeObject: encoding.includeObject, now: clock.now())
        .table([object], metadata: ["resourceVersion": .string(object.resourceVersion)])
      if guarded.hasSentColumns { table["columnDefinitions"] = .null }
      guarded.hasSentColumns = true
      return table
    }
  }

  private func bookmark(_ version: UInt64, endsInitialEvents: Bool, _ guarded: inout Guarded) -> JSON {
    var metadata: JSON = ["resourceVersion": .string(String(version))]
    if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
    let object: JSON = [
      "kind": .string(kind.type.kind), "apiVersion": .string(kind.type.apiVersion), "metadata": metadata,
    ]
    if encoding.representation == .table { return ["type": "BOOKMARK", "object": encode(object, &guarded)] }
    return ["type": "BOOKMARK", "object": object]
  }
}
