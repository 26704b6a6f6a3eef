import Foundation

/// What the reader of an exchange is given next.
enum ExchangeEvent: Sendable {
  /// Collected exchanges: all of it.
  case response(HTTPResponse)
  /// Streamed exchanges: first the head, then pieces, then the end.
  case head(ResponseHead)
  case piece(Data)
  case end
}

/// How a transfer ended.
enum Ending: Sendable, Equatable {
  case complete
  case failed(TransportError)
}

/// The life of one exchange between the event loop, which brings bytes, and the one task that reads them: a pure state
/// machine. `Waiter` is the reader's continuation.
struct ExchangeState<Waiter: Sendable>: Sendable {
  enum Mode: Sendable, Equatable {
    /// The whole answer, at most `limit` bytes of body.
    case collect(limit: Int)
    /// In pieces; the transfer pauses while `buffer` bytes wait.
    case stream(buffer: Int)
  }

  /// What libcurl is told about bytes that it offers.
  enum Verdict: Sendable, Equatable {
    case accept
    /// Keep them and offer them again after a `resume`.
    case pause
    /// End the transfer.
    case refuse
  }

  /// What the event loop has to do.
  enum Order: Sendable, Equatable {
    case resume
    case abandon
  }

  /// What a transition asks for, to be carried out after it.
  struct Effects: Sendable {
    var delivery: (waiter: Waiter, result: Result<ExchangeEvent, any Error>)?
    var order: Order?
  }

  private enum Phase {
    case readingHead(HeadReader)
    case collecting(ResponseHead)
    /// `head` until it is delivered.
    case streaming(head: ResponseHead?, paused: Bool)
    /// The transfer is over; what came may still be unread.
    case ended(head: ResponseHead?, Ending)
    case cancelled
  }

  private let mode: Mode
  private var phase = Phase.readingHead(HeadReader())
  /// The body so far, or the part of it that is not yet read. Beside the phase, so that appending never copies it.
  private var body = Data()
  private var waiter: Waiter?

  init(_ mode: Mode) {
    self.mode = mode
  }

  var isCancelled: Bool { if case .cancelled = phase { true } else { false } }

  /// How far the answer has come, for messages.
  var progress: String {
    switch phase {
    case .readingHead: "before the head of the answer"
    case .collecting, .streaming, .ended, .cancelled: "in the body of the answer"
    }
  }

  // MARK: From the event loop

  mutating func headerLine(_ line: Data) -> (Verdict, Effects) {
    // Lines after the head are trailers.
    guard case .readingHead(var reader) = phase else { return (isOver ? .refuse : .accept, Effects()) }
    do throws(TransportError) {
      if let head = try reader.read(line) {
        phase = if case .collect = mode { .collecting(head) } else { .streaming(head: head, paused: false) }
      } else {
        phase = .readingHead(reader)
      }
    } catch {
      phase = .ended(head: nil, .failed(error))
      return (.refuse, deliver())
    }
    return (.accept, deliver())
  }

  mutating func received(_ bytes: Data) -> (Verdict, Effects) {
    switch (phase, mode) {
    case (.collecting, .collect(let limit)):
      guard body.count + bytes.count <= limit else {
        body = Data()
        phase = .ended(head: nil, .failed(.responseTooLarge(limit: limit)))
        return (.refuse, deliver())
      }
      body.append(bytes)
      return (.accept, Effects())
    case (.streaming(let head, _), .stream(let buffer)):
      // An empty buffer takes any piece, so that a bound smaller than libcurl's pieces still lets them through.
      guard body.isEmpty || body.count + bytes.count <= buffer else {
        phase = .streaming(head: head, paused: true)
        return (.pause, Effects())
      }
      body.append(bytes)
      return (.accept, deliver())
    default:
      return (.refuse, Effects())
    }
  }

  /// The transfer is over. Only the first ending counts.
  mutating func finished(_ ending: Ending) -> Effects {
    switch phase {
    case .ended, .cancelled:
      return Effects()
    case .readingHead:
      let missing = Ending.failed(.connectionLost("the connection ended before the head of the answer"))
      phase = .ended(head: nil, ending == .complete ? missing : ending)
    case .collecting(let head):
      phase = .ended(head: head, ending)
      if ending != .complete { body = Data() }
    case .streaming(let head, _):
      phase = .ended(head: head, ending)
    }
    return deliver()
  }

  // MARK: From the reader

  /// The reader wants the next event.
  mutating func wait(_ newcomer: Waiter) -> Effects {
    guard waiter == nil else {
      let error = TransportError.invalidRequest("an answer is read by one task at a time")
      return Effects(delivery: (newcomer, .failure(error)))
    }
    waiter = newcomer
    return deliver()
  }

  /// The reader has gone, or wants no more.
  mutating func cancel() -> Effects {
    guard !isCancelled else { return Effects() }
    let wasOver = isOver
    phase = .cancelled
    body = Data()
    var effects = deliver()
    effects.order = wasOver ? nil : .abandon
    return effects
  }

  // MARK: Delivery

  private var isOver: Bool {
    switch phase {
    case .ended, .cancelled: true
    case .readingHead, .collecting, .streaming: false
    }
  }

  /// Hands the next event to the waiter, if both are there.
  private mutating func deliver() -> Effects {
    guard let waiting = waiter else { return Effects() }
    guard let (result, order) = next() else { return Effects() }
    waiter = nil
    return Effects(delivery: (waiting, result), order: order)
  }

  private mutating func next() -> (Result<ExchangeEvent, any Error>, Order?)? {
    switch phase {
    case .readingHead, .collecting:
      return nil
    case .streaming(let head?, let paused):
      phase = .streaming(head: nil, paused: paused)
      return (.success(.head(head)), nil)
    case .streaming(nil, let paused):
      guard !body.isEmpty else { return nil }
      phase = .streaming(head: nil, paused: false)
      return (.success(.piece(takeBody())), paused ? .resume : nil)
    case .ended(let head, let ending):
      return (ended(head, ending), nil)
    case .cancelled:
      return (.failure(CancellationError()), nil)
    }
  }

  private mutating func ended(_ head: ResponseHead?, _ ending: Ending) -> Result<ExchangeEvent, any Error> {
    if case .collect = mode {
      switch ending {
      case .failed(let error):
        return .failure(error)
      case .complete:
        // A complete ending always has a head; see `finished`.
        guard let head else { return .failure(TransportError.connectionLost("the answer had no head")) }
        return .success(.response(HTTPResponse(status: head.status, headers: head.headers, body: takeBody())))
      }
    }
    if let head {
      phase = .ended(head: nil, ending)
      return .success(.head(head))
    }
    if !body.isEmpty { return .success(.piece(takeBody())) }
    return switch ending {
    case .complete: .success(.end)
    case .failed(let error): .failure(error)
    }
  }

  private mutating func takeBody() -> Data {
    let taken = body
    body = Data()
    return taken
  }
}
