import Foundation
import KubernetesAPI
import Yams

@testable import RolloutAPI

/// The top of the repository, also where the tests are reached by a symbolic link.
let repository = URL(filePath: #filePath).resolvingSymlinksInPath()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

func json(_ yaml: String) throws -> JSON { convert(try load(yaml: yaml)) }

func documents(in file: URL) throws -> [JSON] {
  try load_all(yaml: String(contentsOf: file, encoding: .utf8)).map(convert).filter { !$0.isNull }
}

private func convert(_ value: Any?) -> JSON {
  switch value {
  case let value as Bool: .bool(value)
  case let value as Int: .int(Int64(value))
  case let value as Double: .double(value)
  case let value as String: .string(value)
  case let value as [Any]: .array(value.map(convert))
  case let value as [AnyHashable: Any]:
    .object(Dictionary(value.map { ("\($0.key)", convert($0.value)) }, uniquingKeysWith: { $1 }))
  default: .null
  }
}

/// A Rollout that is right, to be made wrong in one place.
let checkout = """
  apiVersion: sluice.dev/v1alpha1
  kind: Rollout
  metadata: {name: checkout, namespace: shop}
  spec:
    workloadRef: {name: checkout}
    serviceRefs: [{name: checkout, port: http}]
    traffic:
      istio: {hosts: [shop.example.com], gateways: [shop/public], matches: [{path: {value: /checkout}}]}
    steps:
    - {name: first-users, weight: 1, analyze: {for: 2m}}
    - {weight: 50, pause: {}}
    analysis:
      slos:
      - {name: errors, errorRate: {max: 1%}}
  """

func plan(_ yaml: String, templates: AnalysisTemplates = AnalysisTemplates()) throws -> Plan {
  try plan(json(yaml), templates: templates)
}

func plan(_ json: JSON, templates: AnalysisTemplates = AnalysisTemplates()) throws -> Plan {
  guard case .rollout(let rollout) = try SluiceDocument(json) else { throw PlanErrors([]) }
  return try Plan(rollout, templates: templates)
}

/// The Rollout above with other steps.
func plan(steps: String) throws -> Plan {
  var document = try json(checkout)
  document[path: ["spec", "steps"]] = try json(steps)
  return try plan(document)
}
