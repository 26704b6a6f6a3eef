import Testing

@testable import KubernetesAPI

@Suite("Patterns")
struct PatternTests {
  @Test(
    "a pattern matches what RE2 matches",
    arguments: [
      ("^[0-9]+%$", "50%", true), ("^[0-9]+%$", "5 %", false), ("b", "abc", true), ("", "", true), ("^$", "x", false),
      ("^a*$", "aaa", true), ("^(ab|cd)+$", "abcd", true), ("^a{2,3}$", "aaaa", false), ("^a{2}$", "aa", true),
      ("^a{,2}$", "a{,2}", true), ("^(?i)abort$", "ABORT", true), ("^(?:a|b)c$", "bc", true), ("^(?P<n>x)$", "x", true),
      ("^[[:alpha:]]+$", "abc", true), ("^\\p{Lu}$", "É", true), ("^\\PL$", "1", true), ("^[^a-c]$", "d", true),
      ("^[]a]+$", "]a", true), ("^[a\\-z]+$", "-", true), ("^\\d{1,2}$", "12", true), ("^.$", "\n", false),
      ("^(?s).$", "\n", true), ("(?m)^b$", "a\nb", true), ("\\bweb\\b", "the web!", true), ("\\Bx", "ax", true),
      ("^\\x41\\x{42}\\103$", "ABC", true), ("^\\Qa.b\\E$", "a.b", true), ("^\\Qa.b\\E$", "axb", false),
      ("a|^b$", "xb", false),
      ("^([0-9]{1,5}(h|m|s|ms)){1,4}$", "1h30m", true), ("^(µs|ns)$", "µs", true), ("^[!-~]+$", "a b", false),
      ("^(\\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "*.example.com", true),
    ])
  func matches(_ source: String, _ text: String, _ expected: Bool) throws {
    #expect(try Pattern(source).matches(text) == expected)
  }

  @Test(
    "what is no pattern is refused",
    arguments: ["(", ")", "[a", "*", "a**", "a{2,1}", "\\", "\\1", "[b-a]", "(?<=a)b", "\\p{Xx}", "a{1001}"])
  func refused(_ source: String) {
    #expect(throws: PatternError.self) { try Pattern(source) }
  }

  @Test("the leftmost match is found, greedy or not")
  func ranges() throws {
    func found(_ source: String, _ text: String) throws -> Range<Int>? {
      try Pattern(source).firstRange(in: Array(text.unicodeScalars), from: 0)
    }
    #expect(try found("a+", "baac") == 1..<3)
    #expect(try found("a+?", "baac") == 1..<2)
    #expect(try found("a|ab", "ab") == 0..<1)
    #expect(try found("x*", "ab") == 0..<0)
  }

  @Test("a pattern that makes backtracking matchers hang takes no time")
  func linear() throws {
    #expect(try !Pattern("^(a+)+$").matches(String(repeating: "a", count: 5000) + "b"))
  }

  @Test("repetition cannot make a program without bound")
  func size() {
    #expect(throws: PatternError.self) { try Pattern("((a{1000}){1000}){1000}") }
  }
}
