import Testing

@testable import RolloutAPI

@Suite("Queries of a team's own") struct PromQLQueryTests {
  static let shop = PromQLQuery.Confinement(label: "namespace", namespace: "shop")

  static func confined(_ text: String) throws -> String {
    try PromQLQuery(parsing: text).text(
      [.pods: "web-a-[a-z0-9]{5}", .service: "web.canary", .window: "90s", .hash: "a\"} or b{x=\"\\"],
      confinedTo: shop)
  }

  @Test(
    "every selector gets the namespace, wherever it stands",
    arguments: [
      ("up", #"up{namespace="shop"}"#),
      ("up{}", #"up{namespace="shop"}"#),
      (#"{__name__="up"}"#, #"{__name__="up",namespace="shop"}"#),
      (#"{__name__=~"u.*", job='x',}"#, #"{__name__=~"u.*",job="x",namespace="shop"}"#),
      (#"up{namespace="bank"}"#, #"up{namespace="bank",namespace="shop"}"#),
      (
        #"up{namespace=~".*"} or up{namespace!=""}"#,
        #"up{namespace=~".*",namespace="shop"} or up{namespace!="",namespace="shop"}"#
      ),
      ("sum by (pod, namespace) (rate(a:b:c[5m]))", #"sum by (pod, namespace) (rate(a:b:c{namespace="shop"}[5m]))"#),
      ("sum(up) without (pod,)", #"sum without (pod) (up{namespace="shop"})"#),
      ("SUM(up) BY (on)", #"sum by (on) (up{namespace="shop"})"#),
      ("a / on (x) group_left (y) b", #"a{namespace="shop"} / on (x) group_left (y) b{namespace="shop"}"#),
      ("a * ignoring (x) group_right b", #"a{namespace="shop"} * ignoring (x) group_right () b{namespace="shop"}"#),
      ("a > bool 1", #"a{namespace="shop"} > bool 1"#),
      ("-a ^ 2 ^ -b", #"-a{namespace="shop"} ^ 2 ^ -b{namespace="shop"}"#),
      (
        "topk(3, a) unless count_values('v', b)",
        #"topk(3, a{namespace="shop"}) unless count_values("v", b{namespace="shop"})"#
      ),
      (
        "max_over_time(rate(a[5m])[1h:1m] offset 1d)", #"max_over_time(rate(a{namespace="shop"}[5m])[1h:1m] offset 1d)"#
      ),
      ("max_over_time((a - b)[1h30m:])", #"max_over_time((a{namespace="shop"} - b{namespace="shop"})[1h30m:])"#),
      (
        "rate(a[5m] offset -1w2d @ end()) + b @ 1.5e9 offset 1ms",
        #"rate(a{namespace="shop"}[5m] offset -1w2d @ end()) + b{namespace="shop"} @ 1.5e9 offset 1ms"#
      ),
      (
        "histogram_quantile(.99, sum by (le) (rate(x_bucket[5m])))",
        #"histogram_quantile(.99, sum by (le) (rate(x_bucket{namespace="shop"}[5m])))"#
      ),
      ("up # {namespace=\"bank\"}\n + # or all\n up", #"up{namespace="shop"} + up{namespace="shop"}"#),
      (
        "label_replace(up, 'a', '$1', 'b', `(.*)\\.x`)",
        #"label_replace(up{namespace="shop"}, "a", "$1", "b", "(.*)\\.x")"#
      ),
      (#"up{a="\"} or {b=\""}"#, #"up{a="\"} or {b=\"",namespace="shop"}"#),
      (#"up{a='"} or up{b="'}"#, #"up{a="\"} or up{b=\"",namespace="shop"}"#),
      (#"up{a="\u0022\x7d\175\n"}"#, #"up{a="\"}}\n",namespace="shop"}"#),
      ("sum{a='b'} + rate", #"sum{a="b",namespace="shop"} + rate{namespace="shop"}"#),
      ("time() - 0x1F + Inf * nan", "time() - 0x1F + Inf * NaN"),
      ("absent(up) or vector(0)", #"absent(up{namespace="shop"}) or vector(0)"#),
      (#"rate(a{pod=~"$(pods)"}[$(window)])"#, #"rate(a{pod=~"web-a-[a-z0-9]{5}",namespace="shop"}[90s])"#),
      (#"a{s="$(service)",t=~"$(service)|x"}"#, #"a{s="web.canary",t=~"web\\.canary|x",namespace="shop"}"#),
      (#"a{h="$(hash)"}"#, #"a{h="a\"} or b{x=\"\\",namespace="shop"}"#),
    ])
  func confinement(query: String, expected: String) throws {
    #expect(try Self.confined(query) == expected)
    // What is printed is understood in the same way again.
    #expect(try PromQLQuery(parsing: expected).text([:], confinedTo: nil) == expected)
  }

  @Test(
    "what is no query that can be confined is refused with the place",
    arguments: [
      ("", 1, "the end"), ("up}", 3, "'}'"), ("up{namespace=\"shop\"", 20, "the end"), ("sum(up", 7, "the end"),
      ("up{a=\"b}", 6, "without an end"), ("up{a=\"b\nc\"}", 6, "without an end"), (#"up{a="\d+"}"#, 7, #"'\d'"#),
      (#"up{a="\xff"}"#, 7, #"'\x'"#), ("up{a=1}", 6, "'1'"), ("up{1=\"a\"}", 4, "'1'"), ("up{a}", 5, "'}'"),
      (#"up{a="b" or c="d"}"#, 10, "'or'"), (#"{"up"}"#, 2, "a string"), ("up up", 4, "'up'"), ("up or", 6, "the end"),
      ("up[5m]", 1, "a range"), ("\"up\"", 1, "a string"), ("rate(up)", 6, "a vector"),
      ("rate(up[5m], 1)", 1, "2 arguments"),
      ("sum(up[5m])", 5, "a matrix"), ("sum(1, up)", 1, "2 arguments"), ("topk(up)", 1, "1 arguments"),
      ("info(up)", 1, "info()"), ("exec(up)", 1, "exec()"), ("up[0s]", 4, "'0s'"), ("up[5]", 4, "'5'"),
      ("up[1m1h]", 4, "'1m1h'"), ("rate((up)[5m])", 10, "a range of an expression"),
      ("up offset 5m offset 1m", 14, "offset"),
      ("(up) offset 5m", 6, "offset"), ("1 == 2", 3, "between numbers"), ("up + bool up", 6, "bool after +"),
      ("up and 1", 4, "and with a scalar"), ("up[5m] + 1", 8, "with a matrix"), ("1 + on (a) up", 3, "a number"),
      ("by", 1, "'by'"), ("up; drop", 3, "';'"), ("up $(window)", 4, "$(window)"),
      ("$(pods)", 1, "outside of a string"),
      ("up{a=\"$(pod)\"}", 6, "$(pod)"), ("up{a=\"$(pods\"}", 6, "$( without )"), ("up{pod=\"$(pods)\"}", 8, "after ="),
      ("0x", 1, "'0x'"), ("1e", 1, "'1e'"), ("5mup", 1, "'5mup'"), ("1.2.3", 1, "'1.2.3'"), ("up @ up", 6, "'up'"),
      (String(repeating: "(", count: 100) + "up" + String(repeating: ")", count: 100), 65, "'('"),
    ])
  func refusals(query: String, position: Int, found: String) throws {
    let problem = #expect(throws: QueryProblem.self) { _ = try PromQLQuery(parsing: query) }
    #expect(problem?.position == position, "\(String(describing: problem))")
    #expect(problem?.found.contains(found) == true, "\(String(describing: problem))")
  }

  @Test(
    "a regular expression that Prometheus would refuse is refused",
    arguments: [
      ("[", "missing closing ]"), ("(a", "missing closing )"), ("a)", "unexpected )"), ("*a", "missing argument"),
      ("a|+", "missing argument"), ("a**", "nested repetition"), ("a{3,1}", "invalid repeat count"),
      (#"(a)\1"#, #"invalid escape sequence: `\1`"#), ("(?=a)b", "`(?=`"), ("(?!a)b", "`(?!`"), ("(?<=a)b", "`(?<`"),
      ("(?<!a)b", "`(?<`"), ("[b-a]", "class range"), (#"\d\y"#, #"`\y`"#), ("$(hash)(", "missing closing )"),
      ("[[:letter:]]", "class range"),
    ])
  func badPatterns(pattern: String, message: String) throws {
    for (text, place, position) in [
      ("up{pod=~`\(pattern)`}", "pod", 9), ("up{a='(', pod!~`\(pattern)`}", "pod", 16),
      ("label_replace(up, 'a', '$1', 'b', `\(pattern)`)", "label_replace()", 35),
    ] {
      let problem = try #require(throws: QueryProblem.self) { try PromQLQuery(parsing: text) }
      #expect(problem.found.hasPrefix("a regular expression of \(place) that is none ("))
      #expect(problem.found.contains(message))
      #expect(problem.position == position)
    }
  }

  @Test(
    "a regular expression that Prometheus takes is taken",
    arguments: [
      "", "a|", "$(pods)", "($(pods)|x)", ".*", "web-[a-z0-9]+(-[a-z0-9]{5})?", "(?i)ok", "(?:a|b)*?", "(?P<n>a)",
      #"\d+\.\d+"#, "[]a]", "[^]]", "[[:alpha:]_]+", "[[:]", "a{,2}", "x{1,1000}", #"\p{Greek}\pL"#, #"\Q(\E"#, "^$",
      "((a{1000}){1000})", "5..|429", "[a-z-]+", "é+",
    ])
  func goodPatterns(pattern: String) throws {
    _ = try PromQLQuery(parsing: "up{pod=~`\(pattern)`}")
    // What is no pattern is text.
    _ = try PromQLQuery(parsing: "up{pod='[',job!='*'}")
  }

  @Test("the variables of a query are those in its strings and brackets, not in comments")
  func variables() throws {
    let query = try PromQLQuery(parsing: "sum(rate(a{pod=~\"$(pods)\"}[$(window)])) # $(hash)")
    #expect(query.variables == [.pods, .window])
    #expect(query.growsWithTraffic)
    #expect(try !PromQLQuery(parsing: "sum(rate(a[5m])) / sum(rate(b[5m]))").growsWithTraffic)
    #expect(try !PromQLQuery(parsing: "sum by (a) (rate(a[5m]))").growsWithTraffic)
  }

  @Test(
    "the counters behind a count are asked for as they stand, each with the namespace",
    arguments: [
      ("sum(increase(a_total{pod=~\"$(pods)\"}[$(window)]))", ["a_total"], false),
      ("(sum(a_total{pod=~\"$(pods)\"})) or vector(0)", ["a_total"], true),
      ("sum(increase(a{pod=~\"$(pods)\"}[$(window)])) + sum(b_count{pod=~\"$(pods)\"})", ["a", "b_count"], false),
      (
        "(sum(a_total{pod=~\"$(pods)\"}) or vector(0)) + (sum(b_total{pod=~\"$(pods)\"}) or vector(0))",
        ["a_total", "b_total"], true
      ),
    ] as [(String, [String], Bool)])
  func counters(_ text: String, _ names: [String], _ isZero: Bool) throws {
    let counters = try PromQLQuery(parsing: text).counters()
    let values: [QueryVariable: String] = [.pods: "web-a", .window: "90s"]
    #expect(
      counters.texts(values, confinedTo: Self.shop) == names.map { "\($0){pod=~\"web-a\",namespace=\"shop\"}" })
    #expect(counters.isZeroWithoutSeries == isZero)
    #expect(counters.presenceText(values, confinedTo: nil) == "up{pod=~\"web-a\"}")
  }
}
