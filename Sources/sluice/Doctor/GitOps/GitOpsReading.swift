import KubernetesAPI
import KubernetesClient
import Operator
import RolloutAPI
import TrafficRouting

/// Reads what the cluster has of GitOps tools. Nothing is asked of them that the person who asks may not read.
struct GitOpsReading: Sendable {
  var client: KubernetesClient
  /// The plurals that a version of a group serves.
  var resources: @Sendable (_ group: String, _ version: String) async throws -> [String]
  /// Whether the policies that pin Services are installed.
  var hasPin: Bool

  func diagnose() async throws -> [Finding] {
    var diagnosis = GitOpsDiagnosis(rollouts: [], appliers: [])
    let listed = try await client.list(.rollouts, namespace: nil).items
    let applications = try await objects(ArgoApplication.type, in: &diagnosis)
    let settings = try await settings(of: Set(applications.map(\.namespace)))
    diagnosis.appliers += applications.compactMap { ArgoApplication($0, settings: settings[$0.namespace]) }
    diagnosis.appliers += try await objects(FluxKustomization.type, in: &diagnosis).compactMap(FluxKustomization.init)
    diagnosis.appliers += try await objects(FluxHelmRelease.type, in: &diagnosis).compactMap(FluxHelmRelease.init)
    let generated = try await generated()
    for json in listed {
      // A Rollout that cannot be read is told of by its own condition.
      guard let rollout = try? json.decode(Rollout.self),
        let deployment = try await client.find(
          .deployments, ObjectKey(namespace: json.namespace, name: rollout.spec.workloadRef.name))
      else { continue }
      diagnosis.rollouts.append(
        Self.rollout(rollout, json.objectKey, deployment, generated[json.objectKey] ?? [:], hasPin: hasPin))
    }
    return diagnosis.findings
  }

  /// All objects of a tool's kind; none where it is not served, or not to be read, which is noted.
  private func objects(_ type: ResourceType, in diagnosis: inout GitOpsDiagnosis) async throws -> [JSON] {
    guard try await resources(type.group, type.version).contains(type.plural) else { return [] }
    diagnosis.served.append(type.kind)
    do {
      return try await client.list(type, namespace: nil).items
    } catch let error as KubernetesError where error.isForbidden {
      diagnosis.unread.append(type.qualifiedName)
      return []
    }
  }

  /// Argo CD's own settings, of each namespace that has Applications and may be the one where it runs.
  private func settings(of namespaces: Set<String>) async throws -> [String: [String: String]] {
    var found: [String: [String: String]] = [:]
    for namespace in namespaces.sorted() {
      for name in ["argocd-cm", "argocd-cmd-params-cm"] {
        do {
          let map = try await client.find(.configMaps, ObjectKey(namespace: namespace, name: name))
          guard let data = map?["data"]?.strings else { continue }
          found[namespace, default: [:]].merge(data) { $1 }
        } catch let error as KubernetesError where error.isForbidden {
          continue
        }
      }
    }
    return found
  }

  /// What Sluice made or took over, by Rollout.
  private func generated() async throws -> [ObjectKey: [ObjectName: JSON]] {
    let selector = LabelSelector(matchExpressions: [.init(key: Names.rollout, operator: .exists)])
    var types: [ResourceType] = [.services, .replicaSets]
    for type in RoutingKinds.every.routes where try await resources(type.group, type.version).contains(type.plural) {
      types.append(type)
    }
    var found: [ObjectKey: [ObjectName: JSON]] = [:]
    for type in types {
      do {
        for object in try await client.list(type, namespace: nil, ListOptions(labelSelector: selector)).items {
          let rollout = ObjectKey(namespace: object.namespace, name: object.labels[Names.rollout] ?? "")
          found[rollout, default: [:]][ObjectName(type, object.objectKey)] = object
        }
      } catch let error as KubernetesError where error.isForbidden {
        continue
      }
    }
    return found
  }

  static func rollout(
    _ rollout: Rollout, _ key: ObjectKey, _ deployment: JSON, _ generated: [ObjectName: JSON], hasPin: Bool
  ) -> GitOpsRollout {
    var result = GitOpsRollout(rollout: key, deployment: deployment, generated: generated)
    let services = rollout.spec.serviceRefs
    result.services = services.map { ObjectName(.services, ObjectKey(namespace: key.namespace, name: $0.name)) }
    let edited =
      rollout.spec.traffic.istio?.route.map { (ResourceType.virtualServices, $0) }
      ?? rollout.spec.traffic.gatewayAPI?.route.map { (ResourceType.httpRoutes, $0) }
    result.editedRoute = edited.map {
      ObjectName($0.0, ObjectKey(namespace: key.namespace, name: $0.1.name))
    }
    result.isPausedAtRest = rollout.status?.hold?.mode == .always
    result.isPinned = hasPin && !result.isPausedAtRest && !services.contains { $0.selector == .managed }
    result.shortestRun = (try? Plan(namespace: key.namespace, name: key.name, spec: rollout.spec))?.shortestRun
    return result
  }
}

extension Plan {
  /// How long a run takes when all goes well; nil where a person must let it go on, or evidence sets the pace.
  fileprivate var shortestRun: Duration? {
    guard autopilot == nil else { return nil }
    var total = settle + scaleDownDelay + (bake ?? .zero)
    for step in steps {
      total += step.analyze?.duration ?? .zero
      switch step.pause {
      case .indefinite: return nil
      case .duration(let duration): total += duration
      case nil: break
      }
    }
    return total
  }
}
