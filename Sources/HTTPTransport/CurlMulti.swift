import CLibcurl
import Foundation

/// A connection pool of libcurl with what it wants to be told: which sockets to watch and when to call again. Lives in
/// the event loop's thread only.
final class CurlMulti {
  /// `poll` events by file descriptor.
  private(set) var interests: [Int32: Int16] = [:]
  /// When libcurl wants to be called though no socket is ready.
  private(set) var timer: ContinuousClock.Instant?
  private let handle: UnsafeMutableRawPointer
  private let clock = ContinuousClock()

  /// - Throws: ``TransportError/notConnected(_:)`` if libcurl cannot make a handle (no memory).
  init(_ connections: TransportConfiguration.Connections) throws(TransportError) {
    guard let handle = curl_multi_init() else { throw .notConnected("libcurl made no multi handle") }
    self.handle = handle
    curl_shim_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, connections.perHost)
    curl_shim_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections.total)
    curl_shim_multi_set_long(handle, CURLMOPT_MAXCONNECTS, connections.total)
    curl_shim_multi_set_long(handle, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
    let context = Unmanaged.passUnretained(self).toOpaque()
    curl_shim_multi_set_pointer(handle, CURLMOPT_SOCKETDATA, context)
    curl_shim_multi_set_pointer(handle, CURLMOPT_TIMERDATA, context)
    curl_shim_multi_set_socket_callback(handle) { _, socket, what, context, _ in
      guard let context else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().watch(socket, what)
      return 0
    }
    curl_shim_multi_set_timer_callback(handle) { _, milliseconds, context in
      guard let context else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().schedule(milliseconds)
      return 0
    }
  }

  deinit {
    curl_multi_cleanup(handle)
  }

  /// - Returns: why libcurl refused, `nil` if it did not.
  func add(_ transfer: CurlTransfer) -> String? {
    let code = curl_multi_add_handle(handle, transfer.easy)
    return code == CURLM_OK ? nil : String(cString: curl_multi_strerror(code))
  }

  func remove(_ transfer: CurlTransfer) {
    curl_multi_remove_handle(handle, transfer.easy)
  }

  /// A socket is ready for these `poll` events.
  func ready(_ socket: Int32, _ events: Int16) {
    var mask: Int32 = 0
    if events & Int16(POLLIN) != 0 { mask |= CURL_CSELECT_IN }
    if events & Int16(POLLOUT) != 0 { mask |= CURL_CSELECT_OUT }
    if events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { mask |= CURL_CSELECT_ERR }
    var running: Int32 = 0
    curl_multi_socket_action(handle, socket, mask, &running)
  }

  /// Lets libcurl look at all its sockets, as if there were something to read. What is not there costs one `recv`.
  func prod() {
    // An earlier call may have closed the socket.
    for socket in interests.keys where interests[socket] != nil { ready(socket, Int16(POLLIN)) }
  }

  /// Calls libcurl if its time has come.
  func tick(at now: ContinuousClock.Instant) {
    guard let timer, timer <= now else { return }
    // It sets the next one during the call, or never.
    self.timer = nil
    var running: Int32 = 0
    curl_multi_socket_action(handle, CURL_SOCKET_BAD, 0, &running)
  }

  /// The transfers that have ended since the last call.
  func finished() -> [(easy: UnsafeMutableRawPointer, code: CURLcode)] {
    var ended: [(UnsafeMutableRawPointer, CURLcode)] = []
    var left: Int32 = 0
    while let message = curl_multi_info_read(handle, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      ended.append((easy, message.pointee.data.result))
    }
    return ended
  }

  private func watch(_ socket: Int32, _ what: Int32) {
    switch what {
    case CURL_POLL_IN: interests[socket] = Int16(POLLIN)
    case CURL_POLL_OUT: interests[socket] = Int16(POLLOUT)
    case CURL_POLL_INOUT: interests[socket] = Int16(POLLIN | POLLOUT)
    default: interests[socket] = nil
    }
  }

  private func schedule(_ milliseconds: Int) {
    timer = milliseconds < 0 ? nil : clock.now + .milliseconds(milliseconds)
  }
}
