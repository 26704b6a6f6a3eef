import CLibcurl
import Foundation

/// One transfer of libcurl: its handle, and all memory that the handle points to. Lives in the event loop's thread only.
final class CurlTransfer {
  let easy: UnsafeMutableRawPointer
  let exchange: Exchange
  var deadlines: Deadlines
  private let connectTimeout: Duration
  private let liveness: TransportConfiguration.Liveness
  private let alarm: Alarm
  private let clock = ContinuousClock()
  private let started: ContinuousClock.Instant
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private var connectList: UnsafeMutablePointer<curl_slist>?
  private let errorBuffer: UnsafeMutablePointer<CChar>
  private let bodyBytes: Data
  private var bodyOffset = 0
  private(set) var isPaused = false
  private(set) var isConnected = false

  /// - Throws: ``TransportError/invalidRequest(_:)`` if libcurl refuses a setting.
  init(
    _ exchange: Exchange, configuration: TransportConfiguration, alarm: Alarm, now: ContinuousClock.Instant
  ) throws(TransportError) {
    guard let easy = curl_easy_init() else { throw .notConnected("libcurl made no handle") }
    self.easy = easy
    self.exchange = exchange
    let request = exchange.request
    deadlines = Deadlines(whole: request.timeout.map { request.begun + $0 }, stall: request.stallTimeout, start: now)
    connectTimeout = configuration.connectTimeout
    liveness = configuration.liveness
    self.alarm = alarm
    started = now
    errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    bodyBytes = request.body ?? Data()
    try configure(request, configuration)
    alarm.note(deadlines.next)
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_slist_free_all(headerList)
    curl_slist_free_all(connectList)
    errorBuffer.deallocate()
  }

  /// libcurl's own words about a failure.
  var detail: String { String(cString: errorBuffer) }

  func long(_ info: CURLINFO) -> Int {
    var value = 0
    return curl_shim_get_long(easy, info, &value) == CURLE_OK ? value : 0
  }

  /// Lets a paused transfer go on. libcurl may deliver bytes before this returns.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    deadlines.resumed(at: clock.now)
    alarm.note(deadlines.next)
    curl_easy_pause(easy, CURLPAUSE_CONT)
  }

  /// Nobody shall use the connection after this transfer, unless others are on it: it may be dead, or, where an HTTP/2
  /// stream ends early, short of flow control. (libcurl 7.88 never gives back the window that such a stream's late bytes
  /// took, and after 32 MiB of them the connection stands still.)
  func distrustConnection() {
    curl_shim_set_long(easy, CURLOPT_FORBID_REUSE, 1)
  }

  // MARK: Callbacks

  private func write(_ bytes: Data) -> Int {
    deadlines.received(at: clock.now)
    switch exchange.received(bytes) {
    case .accept: return bytes.count
    case .pause:
      isPaused = true
      deadlines.paused()
      return Int(CURL_WRITEFUNC_PAUSE)
    case .refuse:
      // Fewer than offered ends the transfer.
      distrustConnection()
      return 0
    }
  }

  private func header(_ line: Data) -> Int {
    deadlines.received(at: clock.now)
    return exchange.headerLine(line) == .accept ? line.count : 0
  }

  private func read(into space: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(space.count, bodyBytes.count - bodyOffset)
    if count > 0 {
      bodyBytes.copyBytes(
        to: space, from: bodyBytes.startIndex + bodyOffset..<bodyBytes.startIndex + bodyOffset + count)
      bodyOffset += count
    }
    return count
  }

  /// libcurl replays a request when a kept connection turns out to be closed. A write is not replayed once its body was
  /// begun: the server may have acted on it, and only the caller knows whether twice is harmless.
  private func rewind(to offset: Int, origin: Int32) -> Int32 {
    guard origin == SEEK_SET, offset >= 0, offset <= bodyBytes.count, offset == bodyOffset || mayReplay else {
      return CURL_SEEKFUNC_FAIL
    }
    bodyOffset = offset
    return CURL_SEEKFUNC_OK
  }

  private var mayReplay: Bool { exchange.request.lane != .write }

  /// A connection is begun. libcurl counts its connect timeout from the start of the transfer, including the wait for a
  /// free connection: so the bound is set only now, that much longer.
  private func connecting() {
    let now = clock.now
    deadlines.connecting(until: now + connectTimeout)
    alarm.note(deadlines.next)
    let bound = (now - started + connectTimeout).milliseconds
    curl_shim_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, bound)
  }

  private func opened(_ socket: Int32) {
    #if os(Linux)
      // Else the kernel tries for a quarter of an hour to get unacknowledged bytes through.
      var milliseconds = UInt32(clamping: liveness.unacknowledged.milliseconds)
      setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, socklen_t(MemoryLayout<UInt32>.size))
    #endif
  }

  /// - Returns: whether the request may go out. libcurl asks again where it replays a request, and a write without a
  ///   body, such as a deletion, has nothing to rewind that could be refused.
  private func mayBegin() -> Bool {
    guard mayReplay || !isConnected || !bodyBytes.isEmpty else { return false }
    isConnected = true
    deadlines.connected()
    return true
  }

  // MARK: Settings

  private func configure(_ request: PreparedRequest, _ configuration: TransportConfiguration) throws(TransportError) {
    let label = request.label
    func check(_ code: CURLcode, _ what: String) throws(TransportError) {
      guard code == CURLE_OK else {
        throw .invalidRequest("\(label): libcurl refused \(what): \(String(cString: curl_easy_strerror(code)))")
      }
    }
    func set(_ option: CURLoption, _ value: Int) throws(TransportError) {
      try check(curl_shim_set_long(easy, option, value), "option \(option.rawValue)")
    }
    func set(_ option: CURLoption, _ value: String?) throws(TransportError) {
      try check(curl_shim_set_string(easy, option, value), "option \(option.rawValue)")
    }

    try set(CURLOPT_URL, request.url)
    try check(curl_shim_allow_only_http(easy), "the schemes http and https")
    try set(CURLOPT_NOSIGNAL, 1)
    try check(curl_shim_set_quick_exit(easy), "to leave a resolver early")
    try check(curl_shim_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer), "the error buffer")
    try set(CURLOPT_USERAGENT, configuration.userAgent)
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_HTTP_VERSION, Int(request.mayShare ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
    // Rather wait for a connection that may turn out to be shared than open another. Only where TLS settles that: in
    // plain text libcurl knows it from the first answer, and a server that hangs would stop the whole lane.
    try set(CURLOPT_PIPEWAIT, request.mayShare && !request.freshConnection ? 1 : 0)
    try set(CURLOPT_FRESH_CONNECT, request.freshConnection ? 1 : 0)
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    if request.acceptsCompression { try set(CURLOPT_ACCEPT_ENCODING, "gzip") }

    // A new connection asks the resolver again: connections are few and long-lived, and addresses move.
    try set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
    try set(CURLOPT_CONNECTTIMEOUT_MS, 24 * 3600 * 1000)
    try set(CURLOPT_TCP_KEEPALIVE, 1)
    try set(CURLOPT_TCP_KEEPIDLE, max(1, Int(liveness.idle.components.seconds)))
    try set(CURLOPT_TCP_KEEPINTVL, max(1, Int(liveness.interval.components.seconds)))

    // Set even where empty, or libcurl would look into the environment by itself.
    try set(CURLOPT_PROXY, request.proxy ?? "")
    try set(CURLOPT_NOPROXY, "")
    if let address = request.connectTo {
      connectList = curl_slist_append(nil, address)
      try check(curl_shim_set_list(easy, CURLOPT_CONNECT_TO, connectList), "the address to connect to")
    }

    try configure(configuration.tls, check: check)
    try configureBody(request, check: check)
    for line in request.headerLines { headerList = curl_slist_append(headerList, line) }
    try check(curl_shim_set_list(easy, CURLOPT_HTTPHEADER, headerList), "the headers")
    try installCallbacks(check: check)
  }

  private func configure(
    _ tls: TransportConfiguration.TLS, check: (CURLcode, String) throws(TransportError) -> Void
  ) throws(TransportError) {
    try check(curl_shim_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)), "TLS 1.2 or later")
    if !tls.verify {
      try check(curl_shim_set_long(easy, CURLOPT_SSL_VERIFYPEER, 0), "to skip verification")
      try check(curl_shim_set_long(easy, CURLOPT_SSL_VERIFYHOST, 0), "to skip verification")
    }
    if let ca = tls.caPEM {
      // These default to the system's authorities, which would be trusted in addition.
      try check(curl_shim_set_string(easy, CURLOPT_CAINFO, nil), "the certificate authorities")
      try check(curl_shim_set_string(easy, CURLOPT_CAPATH, nil), "the certificate authorities")
      try check(setBlob(CURLOPT_CAINFO_BLOB, ca), "the certificate authorities")
    }
    if let certificate = tls.clientCertificatePEM, let key = tls.clientKeyPEM {
      try check(setBlob(CURLOPT_SSLCERT_BLOB, certificate), "the client certificate")
      try check(setBlob(CURLOPT_SSLKEY_BLOB, key), "the client key")
    }
  }

  private func setBlob(_ option: CURLoption, _ data: Data) -> CURLcode {
    data.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return CURLE_BAD_FUNCTION_ARGUMENT }
      return curl_shim_set_blob(easy, option, base, bytes.count)
    }
  }

  private func configureBody(
    _ request: PreparedRequest, check: (CURLcode, String) throws(TransportError) -> Void
  ) throws(TransportError) {
    // With CURLOPT_POST libcurl sends a body of known length, whatever the method is called.
    if request.body != nil || request.method == "POST" || request.method == "PUT" || request.method == "PATCH" {
      try check(curl_shim_set_long(easy, CURLOPT_POST, 1), "a body")
      try check(
        curl_shim_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bodyBytes.count)), "the body's length")
    }
    if request.method != "GET" || request.body != nil {
      try check(curl_shim_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method), "the method")
    }
  }

  private func installCallbacks(check: (CURLcode, String) throws(TransportError) -> Void) throws(TransportError) {
    // The event loop keeps this object for as long as libcurl has the handle.
    let context = Unmanaged.passUnretained(self).toOpaque()
    for option in [
      CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA, CURLOPT_RESOLVER_START_DATA,
      CURLOPT_PREREQDATA, CURLOPT_SOCKOPTDATA,
    ] {
      try check(curl_shim_set_pointer(easy, option, context), "a callback's context")
    }
    let write: curl_shim_data_callback = { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      return CurlTransfer.from(context).write(Data(bytes: bytes, count: size * count))
    }
    let header: curl_shim_data_callback = { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      return CurlTransfer.from(context).header(Data(bytes: bytes, count: size * count))
    }
    let read: curl_shim_data_callback = { space, size, count, context in
      guard let space, let context else { return 0 }
      return CurlTransfer.from(context).read(into: UnsafeMutableRawBufferPointer(start: space, count: size * count))
    }
    try check(curl_shim_set_data_callback(easy, CURLOPT_WRITEFUNCTION, write), "a callback")
    try check(curl_shim_set_data_callback(easy, CURLOPT_HEADERFUNCTION, header), "a callback")
    try check(curl_shim_set_data_callback(easy, CURLOPT_READFUNCTION, read), "a callback")
    let seek = curl_shim_set_seek_callback(easy) { context, offset, origin in
      guard let context else { return CURL_SEEKFUNC_FAIL }
      return CurlTransfer.from(context).rewind(to: Int(offset), origin: origin)
    }
    try check(seek, "a callback")
    let resolve = curl_shim_set_resolver_start_callback(easy) { _, _, context in
      if let context { CurlTransfer.from(context).connecting() }
      return 0
    }
    try check(resolve, "a callback")
    let prepare = curl_shim_set_before_request_callback(easy) { context, _, _, _, _ in
      guard let context else { return CURL_PREREQFUNC_ABORT }
      return CurlTransfer.from(context).mayBegin() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    }
    try check(prepare, "a callback")
    let socket = curl_shim_set_socket_option_callback(easy) { context, socket, _ in
      if let context { CurlTransfer.from(context).opened(socket) }
      return CURL_SOCKOPT_OK
    }
    try check(socket, "a callback")
  }

  private static func from(_ context: UnsafeMutableRawPointer) -> CurlTransfer {
    Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
  }
}

extension Duration {
  /// In whole milliseconds, rounded up, so that a bound is never met too early.
  var milliseconds: Int {
    let (seconds, attoseconds) = components
    let (whole, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
    return Int(clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue + whole + (rest > 0 ? 1 : 0))
  }

  /// As a person reads it: `1.5 s`, `250 ms`.
  var text: String {
    let milliseconds = milliseconds
    if milliseconds < 1000 { return "\(milliseconds) ms" }
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(Double(milliseconds) / 1000) s"
  }
}
