import ArgumentParser
import Foundation
import KubernetesAPI
import KubernetesClient
import RolloutAPI
import TrafficRouting

struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Print the Rollout that takes over a route which a team already has.",
    discussion: """
      Reads only. The Rollout names the route in traffic.istio.adopt or traffic.gatewayAPI.adopt, so that the controller \
      takes it over in one write and gives it back, as it was, when the Rollout is deleted. What a Rollout cannot say is \
      named on standard error, with exit code 1: then leave the route to its owner and edit one rule in place (route), as \
      is printed instead.
      """)

  @Argument(help: "The route: virtualservice/NAME or httproute/NAME.")
  var route: String
  @Option(help: "The Service whose rules are read, where the route has several.")
  var service: String?
  @Option(name: [.customShort("f"), .long], help: "A file with the route, instead of a cluster; - is standard input.")
  var file: String?
  @Option(name: .shortAndLong, help: "json or yaml.")
  var output: OutputFormat = .yaml
  @OptionGroup var cluster: ClusterOptions

  func validate() throws { _ = try Importer.Kind.named(in: route) }

  func run() async throws {
    let (kind, name) = try Importer.Kind.named(in: route)
    let title = "\(kind.type.kind) \(name)"
    let imported: Importer
    if let file {
      let objects = try Linter.File(reading: file).documents().filter { $0.kind == kind.type.kind && $0.name == name }
      guard let object = objects.first else { throw CommandFailure("there is no \(title) in \(file)") }
      imported = Importer(object, kind, service: service)
    } else {
      imported = try await cluster.withSession { session in
        guard let object = try await session.client.find(kind.type, session.key(name)) else {
          throw CommandFailure("there is no \(title) in namespace \(session.namespace)")
        }
        return Importer(
          object, kind, service: service,
          services: try await session.client.list(.services, namespace: session.namespace).items,
          deployments: try await session.client.list(.deployments, namespace: session.namespace).items)
      }
    }
    for note in imported.notes { Output.note("note: \(note)") }
    for loss in imported.losses { Output.note("cannot be said: \(loss)") }
    Output.print([try Output.text([imported.rollout], as: output)])
    if !imported.losses.isEmpty { throw ExitCode.failure }
  }
}

/// The Rollout for a route, and what is to be said about it.
struct Importer: Sendable {
  let rollout: JSON
  let losses: [String]
  let notes: [String]

  /// What can be taken over.
  enum Kind: CaseIterable, Sendable {
    case virtualService
    case httpRoute

    var type: ResourceType {
      switch self {
      case .virtualService: .virtualServices
      case .httpRoute: .httpRoutes
      }
    }

    /// What kubectl calls it too.
    private var names: [String] {
      let short = self == .virtualService ? ["vs"] : []
      return [type.kind.lowercased(), type.plural, "\(type.plural).\(type.group)"] + short
    }

    /// - Throws: `ValidationError` for what is no `virtualservice/NAME` or `httproute/NAME`.
    static func named(in route: String) throws -> (Kind, String) {
      let parts = route.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[1].isEmpty,
        let kind = allCases.first(where: { $0.names.contains(parts[0].lowercased()) })
      else {
        throw ValidationError("found '\(route)', wanted virtualservice/NAME or httproute/NAME")
      }
      return (kind, parts[1])
    }
  }

  /// - Parameters:
  ///   - services: the live ones of the namespace.
  ///   - deployments: the live ones, of which that behind the Service is named.
  init(_ object: JSON, _ kind: Kind, service: String? = nil, services: [JSON] = [], deployments: [JSON] = []) {
    let read =
      switch kind {
      case .virtualService: IstioImport.read(object, service: service, live: services)
      case .httpRoute: GatewayImport.read(object, service: service, live: services)
      }
    var notes = read.notes
    let name = read.service?.name ?? service ?? object.name
    let selector = services.first { $0.name == name }?[path: ["spec", "selector"]]?.strings ?? [:]
    let behind = deployments.filter { deployment in
      let labels = deployment[path: ["spec", "template", "metadata", "labels"]]?.strings ?? [:]
      return !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value }
    }
    if behind.count != 1 {
      let found = behind.isEmpty ? "none" : behind.map(\.name).joined(separator: ", ")
      notes.append("workloadRef: put in the Deployment behind Service \(name) (found: \(found))")
    }
    let workload = behind.count == 1 ? behind[0].name : name
    var traffic = read.traffic
    switch (kind, read.losses.isEmpty) {
    case (.virtualService, true): traffic.istio?.adopt = AdoptReference(name: object.name)
    case (.httpRoute, true): traffic.gatewayAPI?.adopt = AdoptReference(name: object.name)
    case (.virtualService, false):
      let rules = (object[path: ["spec", "http"]]?.array ?? []).filter { rule in
        rule["route"]?.array?.contains {
          $0[path: ["destination", "host"]]?.string?.split(separator: ".").first == Substring(name)
        } ?? false
      }
      traffic = TrafficSpec(
        istio: IstioSpec(route: RouteReference(name: object.name, rule: rules.first?["name"]?.string)))
      if rules.count != 1 || rules.first?["name"] == nil {
        notes.append("traffic.istio.route.rule: give the rule for Service \(name) a name of its own and put it in")
      }
    case (.httpRoute, false):
      let rules = (object[path: ["spec", "rules"]]?.array ?? []).filter { rule in
        rule["backendRefs"]?.array?.contains { $0["name"]?.string == name } ?? false
      }
      traffic = TrafficSpec(
        gatewayAPI: GatewayAPISpec(
          metrics: read.traffic.gatewayAPI?.metrics,
          route: RouteReference(name: object.name, rule: rules.first?["name"]?.string)))
      if rules.count != 1 {
        notes.append(
          "traffic.gatewayAPI.route.rule: \(rules.count) rules send to Service \(name); name the one to weigh")
      }
    }
    var spec: JSON = [
      "workloadRef": ["name": .string(workload)],
      "steps": [["weight": 5, "analyze": ["for": "5m"]], ["weight": 50, "analyze": ["for": "5m"]]],
      "analysis": ["slos": [["name": "errors", "errorRate": ["max": "1%"]]]],
    ]
    let reference = read.service ?? ServiceReference(name: name, port: .int(80))
    // Their types hold texts, numbers and truth values, which always encode.
    spec["serviceRefs"] = (try? JSON(encoding: [reference])) ?? []
    spec["traffic"] = (try? JSON(encoding: traffic)) ?? .emptyObject
    var metadata: JSON = ["name": .string(workload)]
    if !object.namespace.isEmpty { metadata["namespace"] = .string(object.namespace) }
    rollout = [
      "apiVersion": .string(ResourceType.rollouts.apiVersion), "kind": "Rollout", "metadata": metadata, "spec": spec,
    ]
    losses = read.losses
    self.notes = notes
  }
}

extension Linter.File {
  fileprivate func documents() throws -> [JSON] {
    do throws(YAMLError) {
      return try JSON.documents(yaml: text).map(\.json)
    } catch {
      throw CommandFailure("\(name):\(error.line ?? 1): \(error.problem)")
    }
  }
}
