import HTTPTransport
import KubernetesAPI

/// The events of one watch, in the batches in which they arrive; to be read once. Reading slowly holds the server back.
/// Ends when the server ends the watch.
public struct WatchBody: AsyncSequence, Sendable {
  public typealias Element = [WatchEvent]

  private let body: HTTPStream.Body
  private let failure: @Sendable (TransportError) -> KubernetesError

  init(_ body: HTTPStream.Body, failure: @escaping @Sendable (TransportError) -> KubernetesError) {
    self.body = body
    self.failure = failure
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var pieces: HTTPStream.Body.AsyncIterator
    fileprivate let failure: @Sendable (TransportError) -> KubernetesError
    fileprivate var decoder = WatchDecoder()
    fileprivate var isFinished = false

    /// - Throws: ``KubernetesError``, or `CancellationError`.
    public mutating func next() async throws -> [WatchEvent]? {
      while !isFinished {
        do {
          guard let piece = try await pieces.next() else { break }
          let events = decoder.feed(piece)
          if !events.isEmpty { return events }
        } catch let error as TransportError {
          isFinished = true
          throw failure(error)
        }
      }
      guard !isFinished else { return nil }
      isFinished = true
      let rest = decoder.finish()
      return rest.isEmpty ? nil : rest
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(pieces: body.makeAsyncIterator(), failure: failure)
  }
}
