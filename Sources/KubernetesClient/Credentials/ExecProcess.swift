import Foundation
import KubernetesAPI
import Synchronization

/// Runs a credential plugin: no input, no terminal, its error output thrown away, its output bounded in size and time.
enum ExecProcess {
  private static let maxOutput = 1 << 20

  /// - Returns: what it printed.
  /// - Throws: ``CredentialsError``, or `CancellationError` after the program was killed.
  static func run(_ plugin: ExecPlugin, timeout: Duration) async throws -> Data {
    let isCancelled = Flag()
    let result: Result<Data, CredentialsError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        // The calls block, and Swift's own threads must not.
        let thread = Thread {
          do throws(CredentialsError) {
            continuation.resume(returning: .success(try Child(plugin).output(timeout: timeout, isCancelled)))
          } catch {
            continuation.resume(returning: .failure(error))
          }
        }
        thread.name = "exec-plugin"
        thread.start()
      }
    } onCancel: {
      isCancelled.raise()
    }
    try Task.checkCancellation()
    return try result.get()
  }

  private final class Flag: Sendable {
    private let value = Mutex(false)
    var isRaised: Bool { value.withLock { $0 } }
    func raise() { value.withLock { $0 = true } }
  }

  /// A started program. It leads a process group, so that what it started itself can be killed with it.
  private struct Child {
    let plugin: ExecPlugin
    let identifier: pid_t
    /// The reading end of its output.
    let pipe: Int32

    init(_ plugin: ExecPlugin) throws(CredentialsError) {
      self.plugin = plugin
      var ends: [Int32] = [-1, -1]
      guard Foundation.pipe(&ends) == 0 else {
        throw plugin.failure("cannot be run: no pipe: \(String(cString: strerror(errno)))")
      }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      defer { close(ends[1]) }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var unblocked = sigset_t()
      sigemptyset(&unblocked)
      posix_spawnattr_setsigmask(&attributes, &unblocked)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

      let variables = ProcessInfo.processInfo.environment.merging(plugin.environment) { $1 }
        .merging(["KUBERNETES_EXEC_INFO": String(decoding: plugin.request.bytes, as: UTF8.self)]) { $1 }
      var started: pid_t = 0
      let code = withStrings([plugin.command] + plugin.arguments) { words in
        withStrings(variables.map { "\($0)=\($1)" }) { environment in
          posix_spawnp(&started, plugin.command, &actions, &attributes, words, environment)
        }
      }
      guard code == 0 else {
        close(ends[0])
        let hint = plugin.installHint.map { "; its installHint says: \($0)" } ?? ""
        throw plugin.failure("cannot be run: \(String(cString: strerror(code)))\(hint)")
      }
      identifier = started
      pipe = ends[0]
    }

    func output(timeout: Duration, _ isCancelled: Flag) throws(CredentialsError) -> Data {
      let clock = ContinuousClock()
      let end = clock.now + timeout
      var output = Data()
      var buffer = [UInt8](repeating: 0, count: 16 << 10)
      var problem: String?
      var status: Int32 = 0
      var isAtEnd = false
      while true {
        if isCancelled.isRaised {
          problem = "was stopped"
        } else if clock.now >= end {
          problem = "did not end within \(timeout.text) and was killed; sluice gives it no terminal to ask questions on"
        } else if output.count > ExecProcess.maxOutput {
          problem = "printed more than \(ExecProcess.maxOutput) bytes and was killed"
        }
        if problem != nil { break }
        if isAtEnd {
          usleep(10_000)
        } else {
          var ready = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
          if poll(&ready, 1, 50) > 0 {
            let count = read(pipe, &buffer, buffer.count)
            if count > 0 { output += buffer[..<count] } else { isAtEnd = true }
            continue
          }
        }
        // The program alone counts: what it leaves behind may hold the pipe open for as long as it likes.
        if waitpid(identifier, &status, WNOHANG) == identifier { break }
      }
      close(pipe)
      if let problem {
        kill(-identifier, SIGKILL)
        waitpid(identifier, &status, 0)
        throw plugin.failure(problem)
      }
      let signal = status & 0x7F
      let code = (status >> 8) & 0xFF
      guard signal == 0, code == 0 else {
        throw plugin.failure(
          "failed with \(signal == 0 ? "exit code \(code)" : "signal \(signal)"); run it by hand to see why")
      }
      return output
    }
  }

  /// Calls with the texts as C wants them: an array of pointers with a null at its end.
  private static func withStrings<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}
