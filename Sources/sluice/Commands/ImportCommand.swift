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
      Reads only. The Rollout names the route in traffic.istio.adopt, so that the controller takes it over in one write and
      gives it back, as it was, when the Rollout is deleted. What a Rollout cannot say is named on standard error, with exit
      code 1: then leave the route to its owner and edit one rule in place (traffic.istio.route), as is printed instead.
      """)

  @Argument(help: "The route: virtualservice/NAME.")
  var route: String
  @Option(help: "The Service whose rules are read, where the route has several.")
  var service: String?
  @Option(name: [.customShort("f"), .long], help: "A file with the route, instead of a cluster; - is standard input.")
  var file: String?
  @Option(name: .shortAndLong, help: "json or yaml.")
  var output: OutputFormat = .yaml
  @OptionGroup var cluster: ClusterOptions

  func validate() throws { _ = try Importer.name(of: route) }

  func run() async throws {
    let name = try Importer.name(of: route)
    let imported: Importer
    if let file {
      let objects = try Linter.File(reading: file).documents().filter { $0.kind == "VirtualService" && $0.name == name }
      guard let object = objects.first else { throw CommandFailure("there is no VirtualService \(name) in \(file)") }
      imported = Importer(object, service: service)
    } else {
      imported = try await cluster.withSession { session in
        guard let object = try await session.client.find(.virtualServices, session.key(name)) else {
          throw CommandFailure("there is no VirtualService \(name) in namespace \(session.namespace)")
        }
        return Importer(
          object, service: service,
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

  /// - Throws: `ValidationError` for what is no `virtualservice/NAME`.
  static func name(of route: String) throws -> String {
    let parts = route.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let kinds = ["virtualservice", "virtualservices", "vs", "virtualservices.networking.istio.io"]
    guard parts.count == 2, kinds.contains(parts[0].lowercased()), !parts[1].isEmpty else {
      throw ValidationError("\"\(route)\" should be virtualservice/NAME")
    }
    return parts[1]
  }

  /// - Parameters:
  ///   - services: the live ones of the namespace.
  ///   - deployments: the live ones, of which that behind the Service is named.
  init(_ object: JSON, service: String? = nil, services: [JSON] = [], deployments: [JSON] = []) {
    let read = IstioImport.read(object, service: service, live: services)
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
    if read.losses.isEmpty {
      traffic.istio?.adopt = AdoptReference(name: object.name)
    } else {
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
