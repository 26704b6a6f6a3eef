import Foundation
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("Credentials")
struct CredentialsTests {
  @Test("a token file is read again after a minute, or when the token is doubted, and not sooner")
  func rotation() throws {
    let content = Mutex<String?>("one")
    let reads = Mutex(0)
    let file = TokenFile(path: "/t") { _ in
      reads.withLock { $0 += 1 }
      guard let text = content.withLock({ $0 }) else { throw CocoaError(.fileReadNoSuchFile) }
      return Data((text + "\n").utf8)
    }
    #expect(try file.authorization(at: .zero) == "Bearer one")
    content.withLock { $0 = "two" }
    #expect(try file.authorization(at: .seconds(59)) == "Bearer one")
    #expect(reads.withLock { $0 } == 1)
    #expect(try file.authorization(at: .seconds(60)) == "Bearer two")
    content.withLock { $0 = "three" }
    file.invalidate()
    #expect(try file.authorization(at: .seconds(61)) == "Bearer three")
    content.withLock { $0 = nil }
    #expect(try file.authorization(at: .seconds(200)) == "Bearer three")
  }

  @Test("a token file that cannot be read or is empty is named")
  func unreadable() {
    let missing = TokenFile(path: "/nowhere") { _ in throw CocoaError(.fileReadNoSuchFile) }
    let error = #expect(throws: CredentialsError.self) { try missing.authorization(at: .zero) }
    #expect(error?.description.contains("/nowhere") == true)
    let empty = TokenFile(path: "/t") { _ in Data() }
    #expect(throws: CredentialsError("the token file /t is empty")) { try empty.authorization(at: .zero) }
  }
}
