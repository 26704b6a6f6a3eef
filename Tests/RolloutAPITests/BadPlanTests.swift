import KubernetesAPI
import Testing

@testable import RolloutAPI

/// Each plan is right but for one place, and the message about that place names the field, what is there, and what would
/// be right.
@Suite struct BadPlanTests {
  struct Case: Sendable, CustomStringConvertible {
    var path: String
    /// What is put there; empty takes the field away.
    var yaml: String
    var field: String
    var found: String
    var wanted: String

    init(_ path: String, _ yaml: String, at field: String? = nil, _ found: String, _ wanted: String) {
      self.path = path
      self.yaml = yaml
      self.field = field ?? path
      self.found = found
      self.wanted = wanted
    }

    var description: String { "\(path): \(yaml)" }
  }

  static let shape: [Case] = [
    Case("apiVersion", "sluice.dev/v1", "\"sluice.dev/v1\"", "sluice.dev/v1alpha1"),
    Case("kind", "Rolout", "\"Rolout\"", "one of Rollout, RolloutRun"),
    Case("metadata", "{namespace: shop}", at: "metadata.name", "nothing", "name"),
    Case("spec", "", "nothing", "an object"),
    Case("spec.workloadRef", "", "nothing", "an object"),
    Case("spec.workloadRef", "checkout", "\"checkout\"", "an object"),
    Case("spec.serviceRefs", "{name: checkout}", "object", "a list"),
    Case("spec.steps", "", at: "spec", "none of them", "exactly one of steps and autopilot"),
    Case("spec.autopilot", "{riskBudget: 10}", at: "spec", "steps and autopilot", "exactly one"),
    Case("spec.autopilot", "{}", at: "spec.autopilot.riskBudget", "nothing", "a whole number"),
    Case("spec.autopilot", "{riskBudget: 1%}", at: "spec.autopilot.riskBudget", "\"1%\"", "a whole number"),
    Case("spec.bake", "10m", "\"10m\"", "an object"),
    Case("spec.stepps", "[]", "an unknown field", "perhaps steps"),
    Case("spec.zzz", "1", "an unknown field", "one of analysis, autopilot, bake, deletionPolicy"),
    Case("spec.steps", "[{weight: 10%}]", at: "spec.steps[0].weight", "\"10%\"", "a whole number"),
    Case("spec.steps", "[{weight: 1.5}]", at: "spec.steps[0].weight", "1.5", "a whole number"),
    Case(
      "spec.steps", "[{weight: 1, analyse: {for: 1m}}]", at: "spec.steps[0].analyse", "an unknown", "perhaps analyze"),
    Case("spec.steps", "[{weight: 1, analyze: {}}]", at: "spec.steps[0].analyze.for", "nothing", "a text"),
    Case("spec.hold", "Allways", "\"Allways\"", "one of Auto, Admission, Always"),
    Case("spec.traffic.istio.mesh", "sometimes", "\"sometimes\"", "true or false"),
    Case("spec.analysis.minRequests", "many", "\"many\"", "a whole number"),
    Case(
      "spec.analysis.slos", "[{name: e, errorRate: {max: 1}}]", at: "spec.analysis.slos[0].errorRate.max", "1", "text"),
  ]

  static let workload: [Case] = [
    Case("metadata.name", "Checkout", "\"Checkout\"", "lower-case letters"),
    Case("spec.workloadRef.kind", "StatefulSet", "\"StatefulSet\"", "Deployment"),
    Case("spec.workloadRef.apiVersion", "apps/v1beta1", "\"apps/v1beta1\"", "apps/v1"),
    Case("spec.workloadRef.name", "check_out", "\"check_out\"", "a DNS name"),
    Case("spec.serviceRefs", "[]", "none", "at least 1"),
    Case("spec.serviceRefs", "[{name: a, port: 0}]", at: "spec.serviceRefs[0].port", "0", "from 1 to 65535"),
    Case(
      "spec.serviceRefs", "[{name: a, port: \"80\"}]", at: "spec.serviceRefs[0].port", "\"80\"", "a port number, or"),
    Case(
      "spec.serviceRefs", "[{name: \(String(repeating: "a", count: 57)), port: 80}]", at: "spec.serviceRefs[0].name",
      "\"aaa", "at most 56 characters"),
    Case(
      "spec.serviceRefs", "[{name: a, port: 80}, {name: a, port: 81}]", at: "spec.serviceRefs[1].name",
      "\"a\", as in entry 0", "no other entry"),
    Case("spec.settle", "5", at: "spec.settle", "5", "a text"),
    Case("spec.settle", "5 s", "\"5 s\"", "a duration such as 30s"),
    Case("spec.settle", "11m", "11m", "0s to 10m"),
    Case("spec.scaleDownDelay", "25h", "25h", "0s to 24h"),
    Case("spec.fastUndo", "{revisions: 11}", at: "spec.fastUndo.revisions", "11", "from 0 to 10"),
    Case("spec.runHistoryLimit", "0", "0", "from 1 to 50"),
    Case("spec.notify", "[{channel: Team}]", at: "spec.notify[0].channel", "\"Team\"", "lower case"),
    Case("spec.notify", "[{channel: t}, {channel: t}]", at: "spec.notify[1].channel", "as in entry 0", "no other"),
    Case("spec.notify", "[{channel: t, events: []}]", at: "spec.notify[0].events", "none", "at least one event"),
  ]

  static let traffic: [Case] = [
    Case("spec.traffic", "{}", "none of them", "exactly one of istio, gatewayAPI and replicas"),
    Case("spec.traffic.replicas", "{}", at: "spec.traffic", "istio and replicas", "exactly one"),
    Case("spec.traffic.istio.hosts", "", "none", "since gateways are named"),
    Case("spec.traffic.istio.gateways", "", "none", "since hosts are named"),
    Case("spec.traffic.istio", "{mesh: false}", "neither hosts nor mesh", "mesh: true"),
    Case("spec.traffic.istio.hosts", "[Shop.example.com]", at: "spec.traffic.istio.hosts[0]", "\"Shop.", "lower case"),
    Case("spec.traffic.istio.gateways", "[mesh]", at: "spec.traffic.istio.gateways[0]", "\"mesh\"", "mesh: true"),
    Case("spec.traffic.istio.gateways", "[a/b/c]", at: "spec.traffic.istio.gateways[0]", "\"a/b/c\"", "namespace/name"),
    Case(
      "spec.traffic.istio", "{route: {name: shop}, hosts: [a.example.com]}", at: "spec.traffic.istio.hosts",
      "beside route", "no such field"),
    Case(
      "spec.traffic.istio", "{route: {name: shop}, mesh: false}", at: "spec.traffic.istio.mesh", "beside route",
      "no such field"),
    Case(
      "spec.traffic.istio", "{route: {name: shop}, delegate: true}", at: "spec.traffic.istio.delegate", "beside route",
      "no such field"),
    Case(
      "spec.traffic.istio", "{route: {name: shop}, adopt: {name: shop}}", at: "spec.traffic.istio.adopt",
      "beside route", "no such field"),
    Case(
      "spec.traffic", "{gatewayAPI: {route: {name: shop}, hostnames: [a.example.com]}}",
      at: "spec.traffic.gatewayAPI.hostnames", "beside route", "no such field"),
    Case(
      "spec.traffic", "{gatewayAPI: {route: {name: shop}, mesh: false}}", at: "spec.traffic.gatewayAPI.mesh",
      "beside route", "no such field"),
    Case(
      "spec.traffic", "{gatewayAPI: {route: {name: shop}, adopt: {name: shop}}}", at: "spec.traffic.gatewayAPI.adopt",
      "beside route", "no such field"),
    Case(
      "spec.traffic", "{gatewayAPI: {adopt: {name: A}}}", at: "spec.traffic.gatewayAPI.adopt.name", "\"A\"",
      "lower case"),
    Case(
      "spec.traffic", "{gatewayAPI: {route: {name: shop}}, retries: {attempts: 1}}", at: "spec.traffic.retries",
      "beside route", "your own route"),
    Case(
      "spec.traffic.istio", "{delegate: true, hosts: [a.example.com]}", at: "spec.traffic.istio.hosts",
      "beside delegate: true", "no such field"),
    Case(
      "spec.traffic.istio", "{adopt: {name: A}}", at: "spec.traffic.istio.adopt.name", "\"A\"", "lower case"),
    Case(
      "spec.traffic", "{istio: {route: {name: shop}}, timeouts: {request: 5s}}", at: "spec.traffic.timeouts",
      "beside route", "your own route"),
    Case("spec.traffic.istio.matches", "[{}]", at: "spec.traffic.istio.matches[0]", "no condition", "at least one of"),
    Case(
      "spec.traffic.istio.matches", "[{path: {value: checkout}}]", at: "spec.traffic.istio.matches[0].path.value",
      "\"checkout\"", "begins with /"),
    Case(
      "spec.traffic.istio.matches", "[{path: {type: RegularExpression, value: \"/(a\"}}]",
      at: "spec.traffic.istio.matches[0].path.value", "\"/(a\"", "RE2"),
    Case(
      "spec.traffic.istio.matches", "[{headers: [{name: x, type: RegularExpression, value: \"(?!a)b\"}]}]",
      at: "spec.traffic.istio.matches[0].headers[0].value", "(?!", "no look-around"),
    Case(
      "spec.traffic.istio.matches", "[{headers: [{name: \"x y\", value: a}]}]",
      at: "spec.traffic.istio.matches[0].headers[0].name", "\"x y\"", "letters, digits"),
    Case(
      "spec.traffic.istio.matches", "[{headers: [{name: X, value: a}, {name: x, value: b}]}]",
      at: "spec.traffic.istio.matches[0].headers[1].name", "as in entry 0", "no other entry"),
    Case("spec.traffic.maxBypass", "2", "2", "a text"),
    Case("spec.traffic.maxBypass", "101%", "\"101%\"", "a percentage such as 1%"),
    Case("spec.traffic.timeouts", "{}", "neither", "at least one"),
    Case(
      "spec.traffic.timeouts", "{request: 1s, backendRequest: 2s}", at: "spec.traffic.timeouts.backendRequest", "2s",
      "at most request, which is 1s"),
    Case("spec.traffic.retries", "{attempts: 11}", at: "spec.traffic.retries.attempts", "11", "from 0 to 10"),
    Case(
      "spec.traffic.retries", "{attempts: 1, codes: [200]}", at: "spec.traffic.retries.codes[0]", "200", "400 to 599"),
    Case("spec.traffic.loadBalancing", "{}", "none of them", "exactly one of algorithm and consistentHash"),
    Case(
      "spec.traffic.loadBalancing", "{consistentHash: {header: a, cookie: b}}",
      at: "spec.traffic.loadBalancing.consistentHash", "header and cookie", "exactly one of"),
    Case("spec.traffic.connectionLimits", "{}", "no limit", "at least one"),
    Case(
      "spec.traffic.connectionLimits", "{maxRequests: 0}", at: "spec.traffic.connectionLimits.maxRequests", "0",
      "from 1 to"),
    Case(
      "spec.traffic.circuitBreaking", "{consecutiveErrors: 0}", at: "spec.traffic.circuitBreaking.consecutiveErrors",
      "0", "from 1 to 1000"),
    Case(
      "spec.traffic", "{gatewayAPI: {mesh: false}}", at: "spec.traffic.gatewayAPI", "neither", "parentRefs, or mesh"),
    Case(
      "spec.traffic", "{gatewayAPI: {metrics: None}}", at: "spec.traffic.gatewayAPI.metrics", "the SLO errors",
      "metrics of your own"),
    Case(
      "spec.traffic", "{gatewayAPI: {hostnames: [a.example.com]}}", at: "spec.traffic.gatewayAPI.parentRefs", "none",
      "since hostnames are named"),
    Case(
      "spec.traffic", "{gatewayAPI: {parentRefs: [{kind: Service, name: a}]}}",
      at: "spec.traffic.gatewayAPI.parentRefs[0].kind", "\"Service\"", "mesh: true"),
  ]

  /// A right counter, and what is wrong instead of it or beside it.
  static let orders = "sum(increase(orders_total{pod=~\"$(pods)\"}[$(window)]))"
  static let counted: [Case] =
    ([
      ("", "value: {max: \"0.5\"}, compare: {ratio: {min: \"1\"}}", "compare.ratio.min", "1", "below 1"),
      ("", "compare: {ratio: {min: \"0\"}}", "compare.ratio.min", "0", "above 0"),
      ("", "compare: {ratio: {max: \"1\"}}", "compare.ratio.max", "1", "above 1"),
      ("", "compare: {difference: {min: \"-1\"}}", "compare.difference", "with kind Events", "ratio"),
      ("", "compare: {margin: 150%, ratio: {min: \"0.9\"}}", "compare.margin", "with a query", "difference"),
      ("", "value: {min: \"1\"}", "value.min", "1", "above 0 and below 1"),
      ("", "value: {max: \"0\"}", "value.max", "0", "kind Mean for more than one each"),
      ("", "value: {max: \"0.1\"}, bounds: {min: \"0\", max: \"1\"}", "bounds", "with kind Events", "kind Mean"),
      ("", "value: {max: \"0.1\"}, per: up", "per", "up of each series by itself", "sum(…)"),
      ("sum(up)", "", "query", "sum(up), which may be a gauge", "sum(increase(up{…}[$(window)]))"),
      ("sum(increase(a_total[$(window)]))", "", "query", "a_total of both tracks", "pod=~\"$(pods)\""),
      ("sum(rate(a_total{pod=~\"$(pods)\"}[5m]))", "", "query", "rate(…), which is per second", "increase"),
      ("sum(increase(a_total{pod=~\"$(pods)\"}[5m]))", "", "query", "a window of 5m", "[$(window)]"),
      ("sum by (path) (a_total{pod=~\"$(pods)\"})", "", "query", "sum by (…), which gives several series", "sum(…)"),
      ("increase(a_total{pod=~\"$(pods)\"}[$(window)])", "", "query", "each series by itself", "sum(increase("),
      ("avg(a_total{pod=~\"$(pods)\"})", "", "query", "avg(…), which is no count", "sum(increase("),
      ("max_over_time(a{pod=~\"$(pods)\"}[5m])", "", "query", "max_over_time(…), which is no count", "sum("),
      (
        "histogram_quantile(0.9, sum by (le) (rate(a_bucket{pod=~\"$(pods)\"}[5m])))", "", "query", "a quantile",
        "sum(increase("
      ),
      (
        "sum(a_total{pod=~\"$(pods)\"}) / sum(b_total{pod=~\"$(pods)\"})", "", "query", "a quotient", "in the field per"
      ),
      ("sum(a_total{pod=~\"$(pods)\"}) * 2", "", "query", "* between counts", "sum(increase("),
      ("sum(a_total{pod=~\"$(pods)\"} offset 5m)", "", "query", "no counter", "sum(increase("),
      ("sum(shop:orders:increase5m{pod=~\"$(pods)\"})", "", "query", "a recorded series", "the counter"),
      ("a_total{pod=~\"$(pods)\"}[5m]", "", "query", "a range of values", "one number"),
      (
        Array(repeating: "sum(a_total{pod=~\"$(pods)\"})", count: 5).joined(separator: " + "), "", "query",
        "5 counters", "at most 4"
      ),
    ] as [(String, String, String, String, String)]).map { counted("Events", $0, $1, $2, $3, $4) }

  static let means: [Case] =
    ([
      ("per: '\(orders)', value: {max: \"3\"}", "bounds", "nothing", "min and max of a single value"),
      ("per: '\(orders)', value: {max: \"3\"}, bounds: {max: \"9\"}", "bounds", "one bound", "min and max"),
      ("value: {max: \"3\"}, bounds: {min: \"0\", max: \"9\"}", "per", "nothing", "how many values"),
      (
        "per: '\(orders)', value: {max: \"3\"}, bounds: {min: \"-1\", max: \"9\"}", "bounds.min", "-1", "at least 0"
      ),
      (
        "per: '\(orders)', compare: {ratio: {min: \"0.9\"}}, bounds: {min: \"9\", max: \"9\"}", "bounds", "min 9",
        "below max"
      ),
      ("per: '\(orders)', value: {max: \"9\"}, bounds: {min: \"0\", max: \"9\"}", "value.max", "9", "below 9"),
    ] as [(String, String, String, String)]).map { counted("Mean", "", $0, $1, $2, $3) }

  private static func counted(
    _ kind: String, _ query: String, _ more: String, _ field: String, _ found: String, _ wanted: String
  ) -> Case {
    let bounds = more.isEmpty ? "value: {max: \"0.5\"}" : more
    return Case(
      "spec.analysis.slos", "[{name: a, kind: \(kind), query: '\(query.isEmpty ? orders : query)', \(bounds)}]",
      at: "spec.analysis.slos[0].\(field)", found, wanted)
  }

  /// Of a plan without a mesh, put in as its whole spec.
  static let withoutMesh: [Case] = [
    ("steps: [{weight: 60, pause: {}}]", "steps[0].weight", "60 with spec.traffic.replicas", "at most 50"),
    ("steps: [{weight: 20, pause: {}}, {weight: 100, pause: {}}]", "steps[1].weight", "100", "at most 50"),
    ("steps: [{weight: 20, scale: 50%, pause: {}}]", "steps[0].scale", "numbers of pods", "weight alone"),
    ("steps: [{weight: 20, mirror: 5, pause: {}}]", "steps[0].mirror", "with spec.traffic.replicas", "only weight"),
    (
      "steps: [{weight: 20, pause: {}}], analysis: {slos: [{name: e, kind: Events, query: '\(orders)', "
        + "compare: {ratio: {min: \"0.9\"}}}]}",
      "analysis.slos[0].per", "without a mesh that counts requests", "a counter of your own"
    ),
    (
      "steps: [{weight: 20, pause: {}}], analysis: {slos: [{name: e, errorRate: {max: 1%}}]}",
      "analysis.slos[0].errorRate", "of a mesh's metrics", "a query of your own"
    ),
    (
      "steps: [{weight: 20, pause: {}}], traffic: {replicas: {}, mtls: Strict}", "traffic.mtls", "beside replicas",
      "without a mesh"
    ),
    (
      "steps: [{weight: 20, pause: {}}], serviceRefs: [{name: a, port: 80, selector: Managed}]", "steps[0].weight",
      "20 with selector: Managed", "0 or 100"
    ),
    (
      "steps: [{weight: 100, pause: {}}], serviceRefs: [{name: a, port: 80, selector: Managed}, {name: b, port: 80}]",
      "serviceRefs[1].selector", "Declared beside others", "the same for all Services"
    ),
  ].map { members, field, found, wanted in
    let rest = [("serviceRefs", "[{name: a, port: 80}]"), ("traffic", "{replicas: {}}")]
      .filter { !members.contains("\($0.0):") }.map { ", \($0.0): \($0.1)" }.joined()
    return Case("spec", "{workloadRef: {name: a}, \(members)\(rest)}", at: "spec.\(field)", found, wanted)
  }

  static let steps: [Case] = [
    Case("spec.steps", "[]", "none", "at least 1"),
    Case("spec.bake", "{for: soon}", at: "spec.bake.for", "\"soon\"", "a duration such as"),
    Case("spec.bake", "{for: 0s}", at: "spec.bake.for", "0s", "1s to 720h"),
    Case(
      "spec.bake", "{for: 9s}", at: "spec.bake.for", "9s, which is over before the first look at an analysis.interval",
      "at least 10s, or a shorter spec.analysis.interval"),
    Case(
      "spec.steps", "[{weight: 1, analyze: {for: 1m}}, {weight: 50, analyze: {for: 5s}}]",
      at: "spec.steps[1].analyze.for", "5s, which is over before the first look at an analysis.interval of 10s",
      "at least 10s"),
    Case(
      "spec.steps", "[{weight: 1, analyze: {for: 0s}}]", at: "spec.steps[0].analyze.for", "0s", "1s to"),
    Case("spec.steps", "[{}]", at: "spec.steps[0]", "nothing to do", "at least one of weight"),
    Case("spec.steps", "[{name: x}]", at: "spec.steps[0]", "nothing to do", "at least one of weight"),
    Case("spec.steps", "[{weight: 101}]", at: "spec.steps[0].weight", "101", "from 0 to 100"),
    Case("spec.steps", "[{weight: -1}]", at: "spec.steps[0].weight", "-1", "from 0 to 100"),
    Case("spec.steps", "[{mirror: 0}]", at: "spec.steps[0].mirror", "0", "from 1 to 100"),
    Case("spec.steps", "[{weight: 100, mirror: 5}]", at: "spec.steps[0].mirror", "weight 100", "a smaller weight"),
    Case("spec.steps", "[{route: {matches: []}}]", at: "spec.steps[0].route.matches", "none", "at least 1"),
    Case(
      "spec.steps", "[{sticky: {cookie: {name: c}}}]", at: "spec.steps[0].sticky", "sticky without weight",
      "a weight above 0"),
    Case(
      "spec.steps", "[{weight: 1, sticky: {cookie: {name: \"a b\"}}}]", at: "spec.steps[0].sticky.cookie.name",
      "\"a b\"", "letters, digits"),
    Case("spec.steps", "[{scale: 0%}]", at: "spec.steps[0].scale", "0%", "1% to 100%"),
    Case("spec.steps", "[{scale: 10%, weight: 20}]", at: "spec.steps[0].scale", "10% for weight 20%", "at least 20%"),
    Case(
      "spec.steps", "[{weight: 50}, {scale: 10%}]", at: "spec.steps[1].scale", "10% for weight 50%", "at least 50%"),
    Case(
      "spec.steps", "[{weight: 1, analyze: {for: soon}}]", at: "spec.steps[0].analyze.for", "\"soon\"", "a duration"),
    Case(
      "spec.steps", "[{weight: 1, analyze: {for: 1m, atLeast: 2m}}]", at: "spec.steps[0].analyze.atLeast", "2m",
      "at most for, which is 1m"),
    Case("spec.steps", "[{analyze: {for: 1m}}]", at: "spec.steps[0].analyze", "no traffic", "weight, mirror or route"),
    Case(
      "spec.steps", "[{weight: 5}, {weight: 0, analyze: {for: 1m}}]", at: "spec.steps[1].analyze", "no traffic",
      "or a pause instead"),
    Case("spec.steps", "[{pause: {duration: 1}}]", at: "spec.steps[0].pause.duration", "1", "a text"),
    Case("spec.steps", "[{pause: {duration: 0s}}]", at: "spec.steps[0].pause.duration", "0s", "1s to"),
    Case(
      "spec.steps", "[{name: a, weight: 1}, {name: a, weight: 2}]", at: "spec.steps[1].name", "as in entry 0",
      "no other entry"),
    Case("spec.steps", "[{name: \"A step\", weight: 1}]", at: "spec.steps[0].name", "\"A step\"", "lower-case"),
  ]

  static let analysis: [Case] = [
    Case("spec.analysis", "", at: "spec.steps[0].analyze", "no SLO", "at least one in spec.analysis.slos"),
    Case(
      "spec.analysis.slos", "[{name: a}]", at: "spec.analysis.slos[0]", "none of them", "errorRate, latency and query"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, latency: {quantile: \"99\", max: 1s}}]",
      at: "spec.analysis.slos[0]", "errorRate and latency", "exactly one"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: \"0.01\"}}]", at: "spec.analysis.slos[0].errorRate.max",
      "\"0.01\"", "a percentage"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 0%}}]", at: "spec.analysis.slos[0].errorRate.max", "0%",
      "0.0001% to"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: p99, max: 1s}}]",
      at: "spec.analysis.slos[0].latency.quantile", "\"p99\"", "such as \"99\""),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: \"0.99\", max: 1s}}]",
      at: "spec.analysis.slos[0].latency.quantile", "less than one in a hundred", "\"99\" for the share 0.99"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: 99, max: 1s}}]",
      at: "spec.analysis.slos[0].latency.quantile", "99", "else \"99\" in quotes"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: \"99\", max: \"400\"}}]",
      at: "spec.analysis.slos[0].latency.max", "\"400\"", "a duration"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}}, {name: a, errorRate: {max: 2%}}]",
      at: "spec.analysis.slos[1].name", "as in entry 0", "no other entry"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, value: {max: \"1\"}}]", at: "spec.analysis.slos[0].value",
      "without a query", "max in errorRate"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, compare: {ratio: {max: \"0.5\"}}}]",
      at: "spec.analysis.slos[0].compare.ratio.max", "0.5", "at least 1"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, compare: {ratio: {min: \"0.5\"}}}]",
      at: "spec.analysis.slos[0].compare.ratio.min", "without a query", "only max"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, compare: {margin: 150%}}]",
      at: "spec.analysis.slos[0].compare.margin", "\"150%\"", "from 0% to 100%"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, compare: {against: None, margin: 1%}}]",
      at: "spec.analysis.slos[0].compare.against", "None beside", "Stable"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: \"99\", max: 1s, unit: Seconds}}]",
      at: "spec.analysis.slos[0].latency.unit", "without a metric", "beside metric only"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: \"99\", max: 1s, metric: 'lag{pod=~\"$(pods)\"}'}}]",
      at: "spec.analysis.slos[0].latency.unit", "does not end in _seconds", "Seconds or Milliseconds"),
    Case(
      "spec.analysis.slos", "[{name: a, latency: {quantile: \"99\", max: 1s, metric: lag_seconds}}]",
      at: "spec.analysis.slos[0].latency.metric", "of both tracks together", "pod=~\"$(pods)\""),
    Case(
      "spec.analysis.slos",
      "[{name: a, latency: {quantile: \"99\", max: 1s, metric: 'sum(lag_seconds{pod=~\"$(pods)\"})'}}]",
      at: "spec.analysis.slos[0].latency.metric", "no name of a metric", "a histogram's name and matchers"),
    Case(
      "spec.analysis.slos",
      "[{name: a, latency: {quantile: \"99\", max: 1s, metric: 'lag_seconds_sum{pod=~\"$(pods)\"}'}}]",
      at: "spec.analysis.slos[0].latency.metric", "lag_seconds_sum, which has no buckets", "a histogram's name"),
    Case(
      "spec.analysis.slos",
      "[{name: a, latency: {quantile: \"99\", max: 1s, metric: 'lag_seconds_bucket{pod=~\"$(pods)\",le=\"1\"}'}}]",
      at: "spec.analysis.slos[0].latency.metric", "a matcher for le", "max says which"),
    Case(
      "spec.analysis.slos",
      "[{name: a, latency: {quantile: \"99\", max: 1s}, compare: {against: None, distribution: {}}}]",
      at: "spec.analysis.slos[0].compare.against", "None beside", "no ratio, margin and distribution"),
    Case(
      "spec.analysis.slos",
      "[{name: a, latency: {quantile: \"99\", max: 1s}, compare: {distribution: {margin: 60%}}}]",
      at: "spec.analysis.slos[0].compare.distribution.margin", "60%", "0% to 50%"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, compare: {distribution: {}}}]",
      at: "spec.analysis.slos[0].compare.distribution", "with errorRate", "beside latency only"),
    Case(
      "spec.analysis.slos",
      "[{name: a, query: 'up{pod=~\"$(pods)\"}', compare: {ratio: {min: \"0.9\"}, distribution: {}}}]",
      at: "spec.analysis.slos[0].compare.distribution", "with a query", "beside latency only"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\"}]", at: "spec.analysis.slos[0]", "without bounds",
      "value, compare"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", value: {}}]", at: "spec.analysis.slos[0].value", "neither min",
      "at least one"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", value: {min: \"2\", max: \"1\"}}]",
      at: "spec.analysis.slos[0].value", "min 2 above max 1", "min at most max"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", value: {min: \"1e3\"}}]", at: "spec.analysis.slos[0].value.min",
      "\"1e3\"", "a decimal number"),
    Case(
      "spec.analysis.slos", "[{name: a, query: 'up{pod=~\"$(podz)\"}', value: {min: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "$(podz)", "$(pods)"),
    Case(
      "spec.analysis.slos", "[{name: a, query: 'up{pod=~\"$(pods\"}', value: {min: \"1\"}}]",
      at: "spec.analysis.slos[0].query",
      "$( without )", "$(pods)"),
    Case(
      "spec.analysis.slos", "[{name: a, query: 'up{pod=~\"[\"}', value: {min: \"1\"}}]",
      at: "spec.analysis.slos[0].query",
      "a regular expression of pod that is none (missing closing ]) at character 9", "the syntax of RE2"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", compare: {ratio: {min: \"1\"}}}]",
      at: "spec.analysis.slos[0].query", "the same for both tracks", "$(pods), $(service) or $(hash)"),
    Case(
      "spec.analysis.slos", "[{name: a, query: 'up{pod=~\"$(pods)\"}', compare: {ratio: {min: \"1\"}, margin: 1%}}]",
      at: "spec.analysis.slos[0].compare.margin", "with a query", "difference"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"sum(up\", value: {min: \"1\"}}]", at: "spec.analysis.slos[0].query",
      "the end of the query at character 7", "')'"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up[5m]\", value: {min: \"1\"}}]", at: "spec.analysis.slos[0].query",
      "a range of values", "avg_over_time"),
    Case(
      "spec.analysis.slos",
      "[{name: a, query: \"histogram_quantile(0.9, sum(rate(x_bucket[5m])))\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "x_bucket without the label le", "sum by (le)"),
    Case(
      "spec.analysis.slos",
      "[{name: a, query: \"histogram_quantile(0.9, sum by (le) (rate(x_seconds[5m])))\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "x_seconds, which has no buckets", "x_seconds_bucket"),
    Case(
      "spec.analysis.slos",
      "[{name: a, query: \"histogram_quantile(0.9, sum(rate(x_seconds_count[5m])))\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "x_seconds_count, which has no buckets", "sum by (le) (…) of x_seconds_bucket"),
    Case(
      "spec.analysis.slos",
      "[{name: a, query: \"histogram_quantile(99.9, sum by (le) (rate(x_bucket[5m])))\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "a histogram_quantile of 99.9", "from 0 to 1, such as 0.999"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"1 + quantile(-1, x)\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "a quantile of -1", "from 0 to 1"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"max(quantile_over_time(95, x[5m]))\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].query", "a quantile of 95", "such as 0.95"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, kind: Events}]", at: "spec.analysis.slos[0].kind",
      "without a query", "beside a query"),
    Case(
      "spec.analysis.slos", "[{name: a, kind: Counts, query: \"up\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].kind", "\"Counts\"", "one of Value, Events, Mean"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", per: \"up\", value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].per", "of kind Value", "kind Events or Mean"),
    Case(
      "spec.analysis.slos", "[{name: a, query: \"up\", bounds: {min: \"0\", max: \"1\"}, value: {max: \"1\"}}]",
      at: "spec.analysis.slos[0].bounds", "of kind Value", "kind Events or Mean"),
    Case(
      "spec.analysis.slos", "[{name: a, errorRate: {max: 1%}, mode: DryRun}]", at: "spec.steps[0].analyze",
      "only SLOs with mode DryRun", "pause with a duration"),
    Case("spec.analysis.deadline", "0s", "0s", "1s to"),
    Case("spec.analysis.interval", "11m", "11m", "1s to 10m"),
    Case("spec.analysis.minRequests", "0", "0", "from 1 to"),
    Case("spec.analysis.falseAbortRisk", "20%", "20%", "0.0001% to 10%"),
    Case("spec.analysis.warmUp", "2h", "2h", "0s to 1h"),
    Case("spec.analysis.warmUp", "2 minutes", "\"2 minutes\"", "such as"),
    Case("spec.analysis.guards", "On", "true", "one of Warn, Abort, Disabled; YAML reads on, off, yes and no as"),
    Case("spec.analysis.guards", "Alert", "\"Alert\"", "one of Warn, Abort, Disabled"),
    Case("spec.analysis.burnRate", "{mode: No}", at: "spec.analysis.burnRate.mode", "false", "one of Hold, Disabled"),
    Case("spec.analysis.burnRate", "{windows: []}", at: "spec.analysis.burnRate.windows", "none", "at least 1"),
    Case(
      "spec.analysis.burnRate", "{windows: [{long: 5m, short: 1h, rate: \"2\"}]}",
      at: "spec.analysis.burnRate.windows[0].short", "1h beside a long window of 5m", "the shorter one"),
    Case(
      "spec.analysis.burnRate", "{windows: [{long: 1h, short: 5m, rate: \"0\"}]}",
      at: "spec.analysis.burnRate.windows[0].rate", "0", "above 0"),
    Case(
      "spec.analysis.burnRate", "{windows: [{long: 1h, short: 5m, rate: fast}]}",
      at: "spec.analysis.burnRate.windows[0].rate", "\"fast\"", "a decimal number as text"),
    Case(
      "spec.analysis.burnRate", "{windows: [{long: 1h, short: 1s, rate: \"2\"}]}",
      at: "spec.analysis.burnRate.windows[0].short", "1s", "10s to"),
    Case(
      "spec.analysis.templates", "[{name: web}]", at: "spec.analysis.templates[0].name", "\"web\"",
      "AnalysisTemplate that exists; there is none"),
  ]

  static let cases = shape + workload + traffic + withoutMesh + steps + analysis + counted + means

  @Test(
    "a bad plan is refused with a message that names the field, what was found and what would be right",
    arguments: cases)
  func refused(bad: Case) throws {
    var document = try json(checkout)
    document[path: bad.path.split(separator: ".").map(String.init)] = bad.yaml.isEmpty ? nil : try json(bad.yaml)
    do {
      _ = try plan(document)
      Issue.record("accepted")
    } catch let errors as PlanErrors {
      let problem = errors.problems.first { $0.field == bad.field }
      #expect(problem != nil, "no problem at \(bad.field), but: \(errors)")
      #expect(problem?.found.contains(bad.found) == true, "\(errors)")
      #expect(problem?.wanted.contains(bad.wanted) == true, "\(errors)")
      #expect(errors.problems.count == 1, "more than the one thing that is wrong: \(errors)")
    }
  }

  @Test(
    "what does not go with a person's own route is refused: several Services, and deleting it",
    arguments: ["istio", "gatewayAPI"])
  func inPlace(provider: String) throws {
    var document = try json(checkout)
    document[path: ["spec", "traffic"]] = try json("{\(provider): {route: {name: shop}}}")
    _ = try plan(document)
    document[path: ["spec", "deletionPolicy"]] = "Delete"
    document[path: ["spec", "serviceRefs"]] = try json("[{name: a, port: 80}, {name: b, port: 80}]")
    let errors = try #require(throws: PlanErrors.self) { try plan(document) }
    #expect(errors.problems.map(\.field) == ["spec.serviceRefs", "spec.deletionPolicy"])
  }

  @Test("there are well over forty bad plans, and the plan they start from is right")
  func enough() throws {
    #expect(Self.cases.count >= 100)
    #expect(try plan(checkout).steps.count == 2)
  }

  @Test("all problems are reported at once, in the order of the fields")
  func together() throws {
    var document = try json(checkout)
    document[path: ["spec", "workloadRef", "kind"]] = "DaemonSet"
    document[path: ["spec", "steps"]] = try json("[{weight: 120, scale: 300%}, {}, {pause: {duration: x}}]")
    document[path: ["spec", "settle"]] = "1d"
    let errors = try #require(throws: PlanErrors.self) { try plan(document) }
    #expect(
      errors.problems.map(\.field) == [
        "spec.workloadRef.kind", "spec.steps[0].weight", "spec.steps[0].scale", "spec.steps[1]",
        "spec.steps[2].pause.duration", "spec.settle",
      ])
    #expect(
      errors.description.split(separator: "\n").first
        == "spec.workloadRef.kind: found \"DaemonSet\", wanted Deployment")
  }
}
