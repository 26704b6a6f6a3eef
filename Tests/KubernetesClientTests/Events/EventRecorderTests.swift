import HTTPTransport
import KubernetesAPI
import ServiceLifecycle
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("The Event recorder")
struct EventRecorderTests {
  func occurrence(_ name: String) -> Occurrence {
    Occurrence(
      .normal, regarding: ObjectReference(kind: "Rollout", namespace: "shop", name: name, uid: name), reason: "Paused",
      action: "Pause", note: "waits")
  }

  /// Runs the recorder until so many requests were sent, then shuts it down gracefully.
  func run(_ recorder: EventRecorder, until count: Int, _ transport: ScriptedTransport, _ sent: Signal) async throws {
    let group = ServiceGroup(services: [recorder], logger: .init(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      while true {
        let seen = sent.version
        if transport.requests.count >= count { break }
        try await sent.wait(beyond: seen)
      }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  @Test("Events go to events.k8s.io, a failure is tried again, and one that exists already is fine")
  func writes() async throws {
    let sent = Signal()
    let transport = ScriptedTransport { request, index in
      defer { sent.raise() }
      switch index {
      case 0: return .failure(TransportError.timedOut("no answer"))
      case 1: return .status(409, "AlreadyExists")
      default: return .json(request.json ?? [:])
      }
    }
    let recorder = EventRecorder(client: makeClient(transport), controller: "sluice.dev/controller", instance: "0")
    recorder.record(occurrence("a"))
    recorder.record(occurrence("b"))
    try await run(recorder, until: 3, transport, sent)
    #expect(transport.requests.map { $0.json?[path: ["regarding", "name"]] } == ["a", "a", "b"])
    #expect(
      transport.requests.first?.line
        == "POST /apis/events.k8s.io/v1/namespaces/shop/events?fieldValidation=Strict&fieldManager=sluice")
    #expect(recorder.droppedCount == 0)
  }

  @Test("recording never waits: beyond the queue's bound Events are dropped and counted")
  func bound() async throws {
    let transport = ScriptedTransport([])
    let recorder = EventRecorder(client: makeClient(transport), controller: "c", instance: "0", capacity: 3)
    for number in 0..<5 { recorder.record(occurrence("r\(number)")) }
    #expect(recorder.droppedCount == 2)
    #expect(transport.requests.isEmpty)
  }

  @Test("what still waits at the shutdown is written")
  func drain() async throws {
    let sent = Signal()
    let transport = ScriptedTransport { request, _ in
      defer { sent.raise() }
      return .json(request.json ?? [:])
    }
    let recorder = EventRecorder(client: makeClient(transport), controller: "c", instance: "0")
    for number in 0..<5 { recorder.record(occurrence("r\(number)")) }
    try await run(recorder, until: 0, transport, sent)
    #expect(Set(transport.requests.compactMap { $0.json?[path: ["regarding", "name"]]?.string }).count == 5)
  }

  @Test("an Event that the server refuses is dropped, and the next one is written")
  func refused() async throws {
    let sent = Signal()
    let transport = ScriptedTransport { request, index in
      defer { sent.raise() }
      return index == 0 ? .status(403, "Forbidden", "namespace is being terminated") : .json(request.json ?? [:])
    }
    let recorder = EventRecorder(client: makeClient(transport), controller: "c", instance: "0")
    recorder.record(occurrence("a"))
    recorder.record(occurrence("b"))
    try await run(recorder, until: 2, transport, sent)
    #expect(recorder.droppedCount == 1)
  }
}
