import HTTPTransport
import Logging
import ServiceLifecycle

/// Runs services until one of them ends, or SIGTERM or SIGINT asks the process to.
func serve(_ services: [any ServiceLifecycle.Service], logger: Logger) async throws {
  let group = ServiceGroup(
    configuration: ServiceGroupConfiguration(
      services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
  try await group.run()
}

extension CurlTransport {
  /// Closes the connections when the body has ended, however it did.
  func whileOpen<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
      let result = try await body()
      await shutdown()
      return result
    } catch {
      await shutdown()
      throw error
    }
  }
}

extension Logger {
  /// Writes to standard error: the other stream is for what a command prints.
  static func toStandardError(_ level: Level, label: String = "sluice") -> Logger {
    var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
  }
}
