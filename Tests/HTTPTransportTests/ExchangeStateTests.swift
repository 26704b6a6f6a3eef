import Foundation
import Testing

@testable import HTTPTransport

@Suite struct ExchangeStateTests {
  typealias State = ExchangeState<Int>

  /// What a delivery was, in words that can be compared.
  private func words(_ effects: State.Effects) -> String? {
    guard let (waiter, result) = effects.delivery else { return nil }
    let what =
      switch result {
      case .success(.response(let response)): "response \(response.status) \(response.text)"
      case .success(.head(let head)): "head \(head.status) \(head.headers.map { "\($0.name)=\($0.value)" }.joined())"
      case .success(.piece(let data)): "piece \(String(decoding: data, as: UTF8.self))"
      case .success(.end): "end"
      case .failure(let error): "\(error)"
      }
    return "\(waiter): \(what)"
  }

  private func begun(_ mode: State.Mode, status: Int = 200) -> State {
    var state = State(mode)
    for line in ["HTTP/1.1 \(status) OK\r\n", "A: b\r\n", "\r\n"] { _ = state.headerLine(Data(line.utf8)) }
    return state
  }

  @Test("a collected answer is delivered whole, at its end")
  func collects() {
    var state = begun(.collect(limit: 10))
    #expect(words(state.wait(1)) == nil)
    #expect(state.received(Data("he".utf8)).0 == .accept)
    #expect(state.received(Data("llo".utf8)).0 == .accept)
    #expect(words(state.finished(.complete)) == "1: response 200 hello")
  }

  @Test("a collected answer that is already there is delivered when it is asked for")
  func collectsEarly() {
    var state = begun(.collect(limit: 10))
    _ = state.finished(.complete)
    #expect(words(state.wait(1)) == "1: response 200 ")
  }

  @Test("a body one byte over the limit fails, and one of exactly the limit does not")
  func limit() {
    var state = begun(.collect(limit: 3))
    _ = state.wait(1)
    #expect(state.received(Data("abc".utf8)).0 == .accept)
    let (verdict, effects) = state.received(Data("d".utf8))
    #expect(verdict == .refuse)
    #expect(words(effects) == "1: the answer is longer than 3 bytes")
    #expect(words(state.finished(.complete)) == nil)
  }

  @Test("a stream delivers the head, the pieces and the end, each when it is asked for")
  func streams() {
    var state = State(.stream(buffer: 100))
    _ = state.wait(1)
    _ = state.headerLine(Data("HTTP/2 201\r\n".utf8))
    #expect(words(state.headerLine(Data("\r\n".utf8)).1) == "1: head 201 ")
    #expect(words(state.received(Data("a".utf8)).1) == nil)
    #expect(words(state.received(Data("b".utf8)).1) == nil)
    #expect(words(state.wait(2)) == "2: piece ab")
    #expect(words(state.wait(3)) == nil)
    #expect(words(state.received(Data("c".utf8)).1) == "3: piece c")
    #expect(words(state.finished(.complete)) == nil)
    #expect(words(state.wait(4)) == "4: end")
    #expect(words(state.wait(5)) == "5: end")
  }

  @Test("a full buffer pauses the transfer, and emptying it resumes the transfer")
  func backpressure() {
    var state = begun(.stream(buffer: 4))
    _ = state.wait(1)
    #expect(state.received(Data("abc".utf8)).0 == .accept)
    #expect(state.received(Data("de".utf8)).0 == .pause)
    let effects = state.wait(2)
    #expect(words(effects) == "2: piece abc")
    #expect(effects.order == .resume)
    #expect(state.received(Data("de".utf8)).0 == .accept)
    #expect(state.wait(3).order == nil)
  }

  @Test("a piece larger than the buffer passes when nothing else waits")
  func largePiece() {
    var state = begun(.stream(buffer: 2))
    #expect(state.received(Data("abcdef".utf8)).0 == .accept)
    #expect(state.received(Data("g".utf8)).0 == .pause)
  }

  @Test("what arrived before a failure is delivered before the failure")
  func failsLate() {
    var state = begun(.stream(buffer: 100))
    _ = state.received(Data("last words".utf8))
    _ = state.finished(.failed(.stalled("x")))
    #expect(words(state.wait(1)) == "1: head 200 A=b")
    #expect(words(state.wait(2)) == "2: piece last words")
    #expect(words(state.wait(3)) == "3: stalled: x")
    #expect(words(state.wait(4)) == "4: stalled: x")
  }

  @Test("cancelling wakes the reader, abandons the transfer once, and refuses what still comes")
  func cancels() {
    var state = begun(.stream(buffer: 100))
    _ = state.wait(1)
    _ = state.wait(2)
    let effects = state.cancel()
    #expect(words(effects) == "2: CancellationError()")
    #expect(effects.order == .abandon)
    #expect(state.cancel().order == nil)
    #expect(state.received(Data("x".utf8)).0 == .refuse)
    #expect(state.isCancelled)
  }

  @Test("cancelling after the end abandons nothing")
  func cancelsLate() {
    var state = begun(.collect(limit: 10))
    _ = state.finished(.complete)
    #expect(state.cancel().order == nil)
  }

  @Test("a second reader is refused and the first one still gets its answer")
  func twoReaders() {
    var state = begun(.collect(limit: 10))
    _ = state.wait(1)
    #expect(words(state.wait(2)) == "2: invalid request: an answer is read by one task at a time")
    #expect(words(state.finished(.complete)) == "1: response 200 ")
  }

  @Test("an ending before the head is a lost connection")
  func noHead() {
    var state = State(.collect(limit: 10))
    _ = state.wait(1)
    #expect(
      words(state.finished(.complete)) == "1: connection lost: the connection ended before the head of the answer")
  }

  @Test("interim answers are passed over, trailers are ignored, folded lines are joined")
  func heads() throws {
    var state = State(.stream(buffer: 10))
    _ = state.wait(1)
    for line in ["HTTP/1.1 103 Early\r\n", "Link: x\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "A: b\r\n", " c\r\n"] {
      #expect(words(state.headerLine(Data(line.utf8)).1) == nil)
    }
    #expect(words(state.headerLine(Data("\r\n".utf8)).1) == "1: head 200 A=b c")
    #expect(state.headerLine(Data("Trailer: x\r\n".utf8)).0 == .accept)
  }

  @Test("a head without end is refused")
  func endlessHead() {
    var state = State(.collect(limit: 10))
    _ = state.wait(1)
    _ = state.headerLine(Data("HTTP/1.1 200 OK\r\n".utf8))
    let line = Data("X: \(String(repeating: "x", count: 64 << 10))\r\n".utf8)
    let verdicts = (0..<4).map { _ in state.headerLine(line).0 }
    #expect(verdicts == [.accept, .accept, .accept, .refuse])
  }
}

@Suite struct DeadlinesTests {
  private let start = ContinuousClock.now

  @Test("silence for longer than the stall bound is a breach, a byte starts it anew, and a pause suspends it")
  func stall() {
    var deadlines = Deadlines(whole: nil, stall: .seconds(10), start: start)
    #expect(deadlines.breach(at: start + .seconds(9)) == nil)
    #expect(deadlines.breach(at: start + .seconds(10)) == .stall)
    deadlines.received(at: start + .seconds(8))
    #expect(deadlines.breach(at: start + .seconds(17)) == nil)
    #expect(deadlines.next == start + .seconds(18))
    deadlines.paused()
    #expect(deadlines.breach(at: start + .seconds(1000)) == nil)
    #expect(deadlines.next == nil)
    deadlines.resumed(at: start + .seconds(1000))
    #expect(deadlines.breach(at: start + .seconds(1009)) == nil)
    #expect(deadlines.breach(at: start + .seconds(1010)) == .stall)
  }

  @Test("the whole exchange has its bound, however busy it is, and paused or not")
  func whole() {
    var deadlines = Deadlines(whole: start + .seconds(30), stall: .seconds(10), start: start)
    deadlines.received(at: start + .seconds(29))
    deadlines.paused()
    #expect(deadlines.breach(at: start + .seconds(29)) == nil)
    #expect(deadlines.breach(at: start + .seconds(30)) == .whole)
  }

  @Test("the connect bound holds from the first attempt until the connection stands")
  func connect() {
    var deadlines = Deadlines(whole: start + .seconds(30), stall: nil, start: start)
    deadlines.connecting(until: start + .seconds(5))
    deadlines.connecting(until: start + .seconds(9))
    #expect(deadlines.breach(at: start + .seconds(5)) == .connect)
    deadlines.connected()
    #expect(deadlines.breach(at: start + .seconds(5)) == nil)
    #expect(deadlines.next == start + .seconds(30))
  }
}
