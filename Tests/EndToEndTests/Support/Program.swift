import Foundation
import Synchronization

/// What a program that ran to its end left behind.
struct Outcome: Sendable, CustomStringConvertible {
  var command: String
  var exitCode: Int32
  var output: String
  var errors: String

  var description: String { "\(command)\nexit code \(exitCode)\n\(output)\(errors)" }
}

struct HarnessError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}

/// A program and how to call it.
struct Program: Sendable {
  var path: String
  var leading: [String] = []
  var environment: [String: String] = [:]

  /// Runs to the end, without a thread that waits for it. The program is killed at the deadline.
  func run(_ arguments: [String], input: String? = nil, deadline: Duration = .seconds(60)) async throws -> Outcome {
    let words = leading + arguments
    let folder = FileManager.default.temporaryDirectory.appending(path: "sluice-call-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let process = try prepared(words, log: folder.appending(path: "out"), errors: folder.appending(path: "err"))
    let source = folder.appending(path: "in")
    try Data((input ?? "").utf8).write(to: source)
    process.standardInput = try FileHandle(forReadingFrom: source)

    let ended = Ended()
    process.terminationHandler = { ended.set($0.terminationStatus) }
    try process.runAndClose()
    let identifier = process.processIdentifier
    let late = DispatchWorkItem { kill(identifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + deadline / .seconds(1), execute: late)
    // A cancelled test still waits for the end, so that nothing outlives it.
    let code = await withTaskCancellationHandler {
      await ended.wait()
    } onCancel: {
      kill(identifier, SIGKILL)
    }
    late.cancel()
    func text(_ name: String) -> String {
      String(decoding: (try? Data(contentsOf: folder.appending(path: name))) ?? Data(), as: UTF8.self)
    }
    let name = URL(filePath: path).lastPathComponent
    return Outcome(
      command: ([name] + arguments).joined(separator: " "), exitCode: code, output: text("out"),
      errors: text("err"))
  }

  fileprivate func prepared(_ words: [String], log: URL, errors: URL) throws -> Process {
    for file in [log, errors] where !FileManager.default.fileExists(atPath: file.path) {
      guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
        throw HarnessError("\(file.path) cannot be created")
      }
    }
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = try Self.appending(to: log)
    process.standardError = log == errors ? process.standardOutput : try Self.appending(to: errors)
    return process
  }

  private static func appending(to file: URL) throws -> FileHandle {
    let handle = try FileHandle(forWritingTo: file)
    try handle.seekToEnd()
    return handle
  }

  private final class Ended: Sendable {
    private enum State {
      case running
      case awaited(CheckedContinuation<Int32, Never>)
      case ended(Int32)
    }

    private let state = Mutex(State.running)

    func set(_ code: Int32) {
      state.withLock { state in
        if case .awaited(let waiter) = state { waiter.resume(returning: code) }
        state = .ended(code)
      }
    }

    /// The exit code; for one caller.
    func wait() async -> Int32 {
      await withCheckedContinuation { waiter in
        state.withLock { state in
          if case .ended(let code) = state { waiter.resume(returning: code) } else { state = .awaited(waiter) }
        }
      }
    }
  }
}

extension Process {
  /// Starts the program, and leaves its files to it alone: thousands are called, and Foundation reads beyond its list of
  /// open files once that has over a thousand entries.
  fileprivate func runAndClose() throws {
    try run()
    for file in [standardInput, standardOutput, standardError] {
      if let file = file as? FileHandle, file !== FileHandle.nullDevice { try? file.close() }
    }
  }
}

/// A program that runs beside the tests and writes to a log file. It dies with the tests, however they end.
final class Daemon: Sendable {
  let name: String
  let log: URL
  private let process: Mutex<Process>

  /// - Parameters:
  ///   - input: what the program reads; nothing where absent.
  ///   - output: gets what the program prints, and empty data at the end; where absent, the log does.
  init(
    _ name: String, _ program: Program, _ arguments: [String], log: URL, input: Pipe? = nil,
    output: (@Sendable (Data) -> Void)? = nil
  ) throws {
    self.name = name
    self.log = log
    let process = try program.prepared(program.leading + arguments, log: log, errors: log)
    process.standardInput = input ?? FileHandle.nullDevice
    if let output {
      let pipe = Pipe()
      process.standardOutput = pipe
      let reading = pipe.fileHandleForReading
      // A thread of its own: a handler that is taken away at the end of the pipe races with the closing of it.
      Thread.detachNewThread {
        while true {
          let data = reading.availableData
          output(data)
          if data.isEmpty { return }
        }
      }
    }
    try process.runAndClose()
    Leash.shared.add(process.processIdentifier)
    self.process = Mutex(process)
  }

  /// It was asked to end.
  var wasStopped: Bool { stopped.withLock { $0 } }
  private let stopped = Mutex(false)

  var isRunning: Bool { process.withLock { $0.isRunning } }

  func signal(_ number: Int32) {
    process.withLock { if $0.isRunning { _ = Foundation.kill($0.processIdentifier, number) } }
  }

  /// Asks it to end, and insists after a few seconds.
  func stop() async {
    stopped.withLock { $0 = true }
    signal(SIGTERM)
    await untilEnded()
    await kill()
  }

  /// Ends it without a chance to clean up, as a lost machine would.
  func kill() async {
    signal(SIGKILL)
    await untilEnded()
    Leash.shared.drop(process.withLock { $0.processIdentifier })
  }

  private func untilEnded() async {
    _ = try? await poll("its end", within: .seconds(5), every: .milliseconds(10)) { isRunning ? nil : true }
  }

  /// The last lines that it wrote.
  func tail(_ lines: Int, containing text: String = "") -> String {
    Self.tail(of: log, lines, containing: text)
  }

  static func tail(of log: URL, _ lines: Int, containing text: String = "") -> String {
    let all = String(decoding: (try? Data(contentsOf: log)) ?? Data(), as: UTF8.self)
    return all.split(separator: "\n").filter { text.isEmpty || $0.contains(text) }.suffix(lines)
      .joined(separator: "\n")
  }
}

/// A helper process that knows the daemons and kills them when the tests are gone, which it sees by the end of its
/// input.
private final class Leash: Sendable {
  static let shared = Leash()

  private let pipe = Pipe()
  private let process = Process()

  private init() {
    let script = """
      trap '' INT TERM HUP
      while read -r verb pid; do
        rest=
        for other in $pids; do [ "$other" = "$pid" ] || rest="$rest $other"; done
        case $verb in add) pids="$rest $pid" ;; *) pids=$rest ;; esac
      done
      for pid in $pids; do kill -KILL "$pid"; done
      """
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", script]
    process.standardInput = pipe
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { print("no leash for the daemons of the tests: \(error)") }
  }

  func add(_ identifier: Int32) { say("add \(identifier)\n") }
  func drop(_ identifier: Int32) { say("drop \(identifier)\n") }

  private func say(_ line: String) { try? pipe.fileHandleForWriting.write(contentsOf: Data(line.utf8)) }
}
