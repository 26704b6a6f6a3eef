import Foundation
import KubernetesAPI
import Synchronization

/// A Chromium without a window, which is told what to do through a pipe, in the DevTools protocol: its own way to print a
/// page waits for the end of all requests, and a page that listens to events has none.
/// <https://chromedevtools.github.io/devtools-protocol/>
final class Browser: Sendable {
  static var isThere: Bool { (try? Machine.tool(name)) != nil }
  private static let name = "chromium"

  private let inbox: Inbox
  private let input: Pipe
  private let process: Daemon
  private let last = Mutex(0)

  init(folder: URL) throws {
    let inbox = Inbox()
    let input = Pipe()
    self.inbox = inbox
    self.input = input
    // It reads from the descriptor 3 and writes to 4.
    let shell = Program(path: "/bin/sh", leading: ["-c", #"exec "$0" "$@" 3<&0 4>&1 >/dev/null"#])
    process = try Daemon(
      "chromium", shell,
      [
        try Machine.tool(Self.name), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--user-data-dir=\(folder.appending(path: "chromium").path)", "--remote-debugging-pipe", "about:blank",
      ], log: folder.appending(path: "chromium.log"), input: input, output: { inbox.take($0) })
  }

  func open(_ url: String) async throws -> Page {
    let tab = try await call("Target.createTarget", ["url": .string(url)])
    let session = try await call(
      "Target.attachToTarget", ["targetId": tab["targetId"] ?? .null, "flatten": true])
    guard let id = session["sessionId"]?.string else { throw HarnessError("no tab for \(url): \(session)") }
    return Page(browser: self, session: id)
  }

  func close() async { await process.kill() }

  fileprivate func call(_ method: String, _ parameters: JSON, session: String? = nil) async throws -> JSON {
    let id = last.withLock { last in
      last += 1
      return last
    }
    var message: JSON = ["id": JSON(id), "method": .string(method), "params": parameters]
    message["sessionId"] = session.map(JSON.string)
    try input.fileHandleForWriting.write(contentsOf: message.data + [0])
    let answer = try await poll("Chromium's answer to \(method)", within: .seconds(20), every: .milliseconds(10)) {
      inbox.answer(to: id)
    }
    guard let result = answer["result"] else { throw HarnessError("\(method) \(parameters): \(answer)") }
    return result
  }

  /// What it wrote: messages with a null byte after each. Those that are no answers tell of events.
  private final class Inbox: Sendable {
    private struct State {
      var partial = Data()
      var answers: [Int: JSON] = [:]
    }

    private let state = Mutex(State())

    func take(_ data: Data) {
      state.withLock { state in
        state.partial += data
        while let end = state.partial.firstIndex(of: 0) {
          let message = try? JSON(parsing: Data(state.partial[state.partial.startIndex..<end]))
          if let message, let id = message["id"]?.int { state.answers[id] = message }
          state.partial = Data(state.partial[state.partial.index(after: end)...])
        }
      }
    }

    func answer(to id: Int) -> JSON? { state.withLock { $0.answers.removeValue(forKey: id) } }
  }
}

/// A page in a tab of its own.
struct Page: Sendable {
  fileprivate let browser: Browser
  fileprivate let session: String

  /// What an expression in JavaScript gives, as text; `nil` where it fails, as before the page is there.
  func ask(_ expression: String) async throws -> String? {
    let answer = try await browser.call(
      "Runtime.evaluate", ["expression": .string("String(\(expression))"), "returnByValue": true], session: session)
    return answer[path: ["result", "type"]] == "string" ? answer[path: ["result", "value"]]?.string : nil
  }

  /// Waits until the text that a person reads has all of these in it, and gives it.
  func text(with parts: [String]) async throws -> String {
    var last = ""
    do {
      return try await poll("\(parts) on the page", within: .seconds(10)) {
        last = try await ask("document.body.innerText") ?? ""
        return parts.allSatisfy(last.contains) ? last : nil
      }
    } catch let error as HarnessError {
      throw HarnessError("\(error); it says:\n\(last)")
    }
  }
}
