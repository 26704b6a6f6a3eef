import KubernetesAPI

/// The declared plan of one Deployment. Only people and Git write its spec, only Sluice its status.
public struct Rollout: KubernetesResource, Hashable {
  public static let resource = ResourceType.rollouts

  public var metadata: ObjectMeta
  public var spec: RolloutSpec
  public var status: RolloutStatus?

  public init(metadata: ObjectMeta, spec: RolloutSpec, status: RolloutStatus? = nil) {
    self.metadata = metadata
    self.spec = spec
    self.status = status
  }
}

/// As the wire has it: scalars are texts until ``Plan`` reads them, so that every wrong one is reported, not only the
/// first.
public struct RolloutSpec: Codable, Sendable, Hashable {
  public var workloadRef: WorkloadReference
  /// The Services that callers use.
  public var serviceRefs: [ServiceReference]
  public var traffic: TrafficSpec
  /// At least one; after the last the run promotes. Either these or ``autopilot``.
  public var steps: [StepSpec]?
  /// The next weight follows from what was measured, instead of from ``steps``.
  public var autopilot: AutopilotSpec?
  /// How long a canary that has all traffic is watched before the old pods may go; not at all where absent.
  public var bake: BakeSpec?
  public var analysis: AnalysisSpec?
  public var notify: [NotifySpec]?
  /// How the Deployment is kept from rolling by itself.
  public var hold: HoldMode?
  /// How long Deployment, Rollout and Services must be unchanged before a run starts.
  public var settle: String?
  /// How long both revisions are kept after all traffic has moved.
  public var scaleDownDelay: String?
  /// Which earlier revisions go straight to all traffic when they return.
  public var fastUndo: FastUndoSpec?
  /// How many finished runs are kept.
  public var runHistoryLimit: Int?
  /// What becomes of the routing object when the Rollout is deleted.
  public var deletionPolicy: DeletionPolicy?

  public init(
    workloadRef: WorkloadReference, serviceRefs: [ServiceReference], traffic: TrafficSpec,
    steps: [StepSpec]? = nil, autopilot: AutopilotSpec? = nil, bake: BakeSpec? = nil, analysis: AnalysisSpec? = nil,
    notify: [NotifySpec]? = nil, hold: HoldMode? = nil, settle: String? = nil,
    scaleDownDelay: String? = nil, fastUndo: FastUndoSpec? = nil, runHistoryLimit: Int? = nil,
    deletionPolicy: DeletionPolicy? = nil
  ) {
    self.workloadRef = workloadRef
    self.serviceRefs = serviceRefs
    self.traffic = traffic
    self.steps = steps
    self.autopilot = autopilot
    self.bake = bake
    self.analysis = analysis
    self.notify = notify
    self.hold = hold
    self.settle = settle
    self.scaleDownDelay = scaleDownDelay
    self.fastUndo = fastUndo
    self.runHistoryLimit = runHistoryLimit
    self.deletionPolicy = deletionPolicy
  }
}

/// The Deployment, in the namespace of the Rollout.
public struct WorkloadReference: Codable, Sendable, Hashable {
  /// `apps/v1` where absent.
  public var apiVersion: String?
  /// `Deployment` where absent.
  public var kind: String?
  public var name: String

  public init(apiVersion: String? = nil, kind: String? = nil, name: String) {
    self.apiVersion = apiVersion
    self.kind = kind
    self.name = name
  }
}

/// A Service that callers use, and which of its ports.
public struct ServiceReference: Codable, Sendable, Hashable {
  public var name: String
  /// By number or by name.
  public var port: IntOrString
  public var selector: SelectorMode?

  public init(name: String, port: IntOrString, selector: SelectorMode? = nil) {
    self.name = name
    self.port = port
    self.selector = selector
  }
}

/// Whose the selector of a callers' Service is.
public enum SelectorMode: String, Codable, Sendable, Hashable, CaseIterable {
  /// The manifest declares it, and Sluice leaves it alone but for a pin.
  case declared = "Declared"
  /// Sluice writes it; the manifest omits it.
  case managed = "Managed"
}

/// How a Deployment is kept from rolling by itself.
public enum HoldMode: String, Codable, Sendable, Hashable, CaseIterable {
  /// `Admission` where the cluster serves mutating admission policies, else `Always`.
  case auto = "Auto"
  /// Admission policies pause it in the request that changes its template.
  case admission = "Admission"
  /// It is paused at rest too.
  case always = "Always"
}

/// What becomes of the routing object when the Rollout is deleted.
public enum DeletionPolicy: String, Codable, Sendable, Hashable, CaseIterable {
  /// It stays and sends everything to the callers' Service.
  case orphan = "Orphan"
  case delete = "Delete"
}

/// A revision that was stable so recently goes straight to all traffic.
public struct FastUndoSpec: Codable, Sendable, Hashable {
  /// How many earlier revisions; 0 turns it off.
  public var revisions: Int?
  public var within: String?

  public init(revisions: Int? = nil, within: String? = nil) {
    self.revisions = revisions
    self.within = within
  }
}

/// Whom to tell, and of what.
public struct NotifySpec: Codable, Sendable, Hashable {
  /// The name of a ``NotificationChannel`` in the namespace of the Rollout.
  public var channel: String
  /// All where absent.
  public var events: [NotificationEvent]?

  public init(channel: String, events: [NotificationEvent]? = nil) {
    self.channel = channel
    self.events = events
  }
}

extension ResourceType {
  /// The API group of all our kinds.
  public static let sluiceGroup = "sluice.dev"
  public static let sluiceVersion = "v1alpha1"

  public static let rollouts = ResourceType(
    group: sluiceGroup, version: sluiceVersion, kind: "Rollout", plural: "rollouts")
  public static let rolloutRuns = ResourceType(
    group: sluiceGroup, version: sluiceVersion, kind: "RolloutRun", plural: "rolloutruns")
  public static let analysisTemplates = ResourceType(
    group: sluiceGroup, version: sluiceVersion, kind: "AnalysisTemplate", plural: "analysistemplates")
  public static let clusterAnalysisTemplates = ResourceType(
    group: sluiceGroup, version: sluiceVersion, kind: "ClusterAnalysisTemplate", plural: "clusteranalysistemplates",
    namespaced: false)
  public static let notificationChannels = ResourceType(
    group: sluiceGroup, version: sluiceVersion, kind: "NotificationChannel", plural: "notificationchannels")

  /// Every kind of ours.
  public static let sluiceKinds = [
    rollouts, rolloutRuns, analysisTemplates, clusterAnalysisTemplates, notificationChannels,
  ]
}
