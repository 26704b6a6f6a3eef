import Foundation
import HTTPTransport
import KubernetesAPI
import Synchronization

/// Serves one Lease as an API server does: versions, conflicts, six-digit times.
final class LeaseServer: Sendable {
  private struct State {
    var lease: JSON?
    var version = 0
    var isAway = false
    var writes: [JSON] = []
  }

  private let state = Mutex(State())

  var transport: ScriptedTransport {
    ScriptedTransport { [self] request, _ in answer(request) }
  }

  var lease: JSON? { state.withLock { $0.lease } }
  var holder: String? { lease?[path: ["spec", "holderIdentity"]]?.string }
  var writes: [JSON] { state.withLock { $0.writes } }

  /// Requests get no answer.
  func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

  /// Somebody else writes the lease.
  func take(by holder: String) {
    state.withLock { state in
      state.version += 1
      state.lease?[path: ["spec", "holderIdentity"]] = .string(holder)
      state.lease?[path: ["metadata", "resourceVersion"]] = .string("\(state.version)")
    }
  }

  private func answer(_ request: HTTPRequest) -> ScriptedTransport.Answer {
    state.withLock { state in
      if state.isAway { return .failure(TransportError.timedOut("no answer")) }
      guard request.method != .get, var body = request.json else {
        return state.lease.map { .json($0) } ?? .status(404, "NotFound")
      }
      for field in ["acquireTime", "renewTime"] {
        guard let time = body[path: ["spec", field]]?.string else { continue }
        guard time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil else {
          return .status(422, "Invalid", "\(field): \(time)")
        }
      }
      if request.method == .post, state.lease != nil { return .status(409, "AlreadyExists") }
      if request.method == .put, body.resourceVersion != state.lease?.resourceVersion {
        return .status(409, "Conflict")
      }
      state.version += 1
      body[path: ["metadata", "resourceVersion"]] = .string("\(state.version)")
      state.lease = body
      state.writes.append(body)
      return .json(body)
    }
  }
}
