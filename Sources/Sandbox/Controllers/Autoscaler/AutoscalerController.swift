import Foundation
import KubernetesAPI
import Synchronization

/// The HorizontalPodAutoscaler controller of kube-controller-manager 1.36, for metrics of the type Resource and the
/// default behaviour.
final class AutoscalerController: BuiltInController {
  let name = "horizontal-pod-autoscaler"

  private let usages: any PodUsages
  /// Recommendations of the last minutes: the highest holds against smaller ones.
  private let recommendations = Mutex<[ObjectKey: [(at: Date, replicas: Int)]]>([:])

  init(usages: any PodUsages = AnnotatedUsages()) { self.usages = usages }

  func due(after change: ObjectChange, in cluster: any ClusterAccess) -> [TypedKey] {
    // Changes may come in the older version.
    guard change.type.group == ResourceType.autoscalers.group, change.type.kind == ResourceType.autoscalers.kind else {
      return []
    }
    let key = change.reference.key
    if change.new == nil { recommendations.withLock { $0[key] = nil } }
    return change.old?["spec"] == change.new?["spec"] ? [] : [TypedKey(type: .autoscalers, key: key)]
  }

  func sync(_ object: TypedKey, in cluster: any ClusterAccess) throws(Status) -> Duration? {
    guard var autoscaler = cluster.get(.autoscalers, object.key) else { return nil }
    // A new one is first looked at a period after it came.
    if let created = autoscaler[path: ["metadata", "creationTimestamp"]]?.string.flatMap({ Timestamp($0) }) {
      let first = created.date.adding(ReplicaCalculation.syncPeriod)
      if first > cluster.now { return first.since(cluster.now) }
    }
    let reference = autoscaler[path: ["spec", "scaleTargetRef"]]
    guard
      let type = cluster.type(
        apiVersion: reference?["apiVersion"]?.string ?? "apps/v1", kind: reference?["kind"]?.string ?? ""),
      let target = cluster.get(type, ObjectKey(namespace: object.key.namespace, name: reference?["name"]?.string ?? ""))
    else {
      set("AbleToScale", "False", "FailedGetScale", "the target was not found", in: &autoscaler, cluster.now)
      try write(autoscaler, in: cluster)
      return ReplicaCalculation.syncPeriod
    }
    let current = target[path: ["spec", "replicas"]]?.int ?? 1
    let desired = recommend(for: &autoscaler, target, current, in: cluster)
    autoscaler[path: ["status", "observedGeneration"]] = JSON(autoscaler.generation)
    autoscaler[path: ["status", "currentReplicas"]] = JSON(target[path: ["status", "replicas"]]?.int ?? 0)
    autoscaler[path: ["status", "desiredReplicas"]] = JSON(desired)
    if desired != current {
      var scaled = target
      scaled[path: ["spec", "replicas"]] = JSON(desired)
      _ = try cluster.update(type, scaled, subresource: "scale")
      autoscaler[path: ["status", "lastScaleTime"]] = .string(cluster.now.stamp)
    }
    try write(autoscaler, in: cluster)
    return ReplicaCalculation.syncPeriod
  }

  private func recommend(
    for autoscaler: inout JSON, _ target: JSON, _ current: Int, in cluster: any ClusterAccess
  ) -> Int {
    let now = cluster.now
    let least = autoscaler[path: ["spec", "minReplicas"]]?.int ?? 1
    let most = autoscaler[path: ["spec", "maxReplicas"]]?.int ?? 1
    guard current > 0 else {
      set("ScalingActive", "False", "ScalingDisabled", "scaling is disabled at 0 replicas", in: &autoscaler, now)
      return current
    }
    set("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size", in: &autoscaler, now)
    if current > most { return most }
    if current < least { return least }
    let pods = cluster.list(.pods, namespace: autoscaler.namespace).filter {
      SelectorMatch.matches(target[path: ["spec", "selector"]], labels: $0.labels)
    }
    let metrics = (autoscaler[path: ["spec", "metrics"]]?.array ?? []).map { metric -> (JSON?, Int?) in
      replicas(by: metric, pods, current, now)
    }
    autoscaler[path: ["status", "currentMetrics"]] = .array(metrics.compactMap(\.0))
    let answers = metrics.compactMap(\.1)
    guard let highest = answers.max(), answers.count == metrics.count || highest > current else {
      set(
        "ScalingActive", "False", "FailedGetResourceMetric", "did not receive metrics for any ready pods",
        in: &autoscaler, now)
      return current
    }
    set(
      "ScalingActive", "True", "ValidMetricFound", "the HPA was able to compute the replica count", in: &autoscaler, now
    )
    let stable = stabilized(highest, autoscaler.objectKey, now)
    let allowed = min(stable, ReplicaCalculation.scaleUpLimit(current))
    let bounded = min(max(allowed, least), most)
    set(
      "ScalingLimited", stable > most || stable < least ? "True" : "False",
      stable > most ? "TooManyReplicas" : stable < least ? "TooFewReplicas" : "DesiredWithinRange",
      stable > most
        ? "the desired replica count is more than the maximum replica count"
        : stable < least
          ? "the desired replica count is less than the minimum replica count"
          : "the desired count is within the acceptable range", in: &autoscaler, now)
    return bounded
  }

  /// - Returns: the entry for the status, and the replicas that it asks for.
  private func replicas(by metric: JSON, _ pods: [JSON], _ current: Int, _ now: Date) -> (JSON?, Int?) {
    guard metric["type"] == "Resource", let resource = metric[path: ["resource", "name"]]?.string else {
      return (nil, nil)
    }
    let wanted = metric[path: ["resource", "target"]]
    let target: ReplicaCalculation.Target
    if let percent = wanted?["averageUtilization"]?.int {
      target = .utilization(percent)
    } else if let value = wanted?["averageValue"]?.string.flatMap({ Quantity($0) }) {
      target = .averageValue(value.value.double)
    } else {
      return (nil, nil)
    }
    let views = pods.map { pod in
      ReplicaCalculation.Pod(
        standing: standing(of: pod, resource, now), usage: usages.usage(of: pod, resource: resource),
        request: Self.request(of: pod, resource))
    }
    // A pod that asks for nothing has no utilization, and then no pod has.
    if case .utilization = target, views.contains(where: { $0.request == 0 }) { return (nil, nil) }
    let calculation = ReplicaCalculation(target: target)
    let answer = calculation.replicas(current: current, views)
    let counted = views.filter { $0.standing == .counted && $0.usage != nil }
    let average = counted.compactMap(\.usage).reduce(0, +) / Double(max(1, counted.count))
    var shown: JSON = ["averageValue": .string("\(Int((average * 1000).rounded()))m")]
    if case .utilization(let percent) = target, let ratio = calculation.ratio(counted) {
      shown["averageUtilization"] = JSON(Int((ratio * Double(percent)).rounded()))
    }
    return (["type": "Resource", "resource": ["name": .string(resource), "current": shown]], answer)
  }

  private func standing(of pod: JSON, _ resource: String, _ now: Date) -> ReplicaCalculation.Pod.Standing {
    let phase = pod[path: ["status", "phase"]]?.string
    if pod.isBeingDeleted || phase == "Failed" { return .ignored }
    if phase == "Pending" { return .unready }
    guard resource == "cpu" else { return .counted }
    let ready = pod[path: ["status", "conditions"]]?.array?.first { $0["type"] == "Ready" }
    guard let ready, let started = ControllerTime.date(pod[path: ["status", "startTime"]]) else { return .unready }
    let isUnready = ready["status"] != "True"
    if started.adding(Self.initialization) > now { return isUnready ? .unready : .counted }
    let changed = ControllerTime.date(ready["lastTransitionTime"]) ?? started
    return isUnready && started.adding(Self.initialReadiness) > changed ? .unready : .counted
  }

  /// `--horizontal-pod-autoscaler-cpu-initialization-period` and `-initial-readiness-delay`.
  private static let initialization = Duration.seconds(300)
  private static let initialReadiness = Duration.seconds(30)

  private static func request(of pod: JSON, _ resource: String) -> Double {
    (pod[path: ["spec", "containers"]]?.array ?? []).compactMap {
      $0[path: ["resources", "requests", resource]]?.string.flatMap { Quantity($0) }?.value.double
    }.reduce(0, +)
  }

  private func stabilized(_ replicas: Int, _ key: ObjectKey, _ now: Date) -> Int {
    recommendations.withLock { all in
      let since = now.adding(.zero - ReplicaCalculation.downscaleStabilization)
      let recent = (all[key] ?? []).filter { $0.at > since } + [(at: now, replicas: replicas)]
      all[key] = recent
      return recent.map(\.replicas).max() ?? replicas
    }
  }

  private func set(
    _ type: String, _ status: String, _ reason: String, _ message: String, in autoscaler: inout JSON, _ now: Date
  ) {
    var conditions = (autoscaler[path: ["status", "conditions"]]?.array ?? []).map(WorkloadCondition.init)
    conditions.set(WorkloadCondition(type, status, reason: reason, message: message, now: now, hasUpdateTime: false))
    autoscaler[path: ["status", "conditions"]] = .array(conditions.map(\.json))
  }

  private func write(_ autoscaler: JSON, in cluster: any ClusterAccess) throws(Status) {
    guard cluster.get(.autoscalers, autoscaler.objectKey)?["status"] != autoscaler["status"] else { return }
    var unlocked = autoscaler
    unlocked[path: ["metadata", "resourceVersion"]] = nil
    _ = try cluster.update(.autoscalers, unlocked, subresource: "status")
  }
}

extension ResourceType {
  static let autoscalers = ResourceType(
    group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers")
}

extension Decimal {
  var double: Double { NSDecimalNumber(decimal: self).doubleValue }
}
