/// What a plan has where it says nothing. The schemas in deploy/crds say the same, and a test compares the two.
public enum Defaults {
  public static let apiVersion = "apps/v1"
  public static let kind = "Deployment"
  public static let selector = SelectorMode.declared
  public static let mesh = true
  public static let maxBypass = "1%"
  public static let hold = HoldMode.auto
  public static let settle = "5s"
  public static let scaleDownDelay = "30s"
  public static let fastUndoRevisions = 2
  public static let fastUndoWithin = "24h"
  public static let runHistoryLimit = 10
  public static let deletionPolicy = DeletionPolicy.orphan
  public static let maxDuration = "1h"
  public static let startWeight = 5
  public static let deadline = "1h"
  public static let interval = "10s"
  public static let onUndecided = UndecidedAction.pause
  public static let minRequests = 50
  public static let falseAbortRisk = "0.1%"
  public static let warmUp = "90s"
  public static let guards = GuardMode.warn
  public static let burnRateMode = BurnRateMode.hold
  /// The pairs of the SRE workbook that page: 2 % of a 30-day budget in an hour, 5 % in six.
  public static let burnWindows = [
    BurnWindowsSpec(long: "1h", short: "5m", rate: "14.4"), BurnWindowsSpec(long: "6h", short: "30m", rate: "6"),
  ]
  public static let distributionMargin = "5%"
  public static let against = ComparedTrack.stable
  public static let mode = CheckMode.enforce
  public static let queryKind = QueryKind.value
  public static let templateKind = TemplateReference.Kind.analysisTemplate
  public static let stickyMaxAge = "24h"
  public static let pathType = PathMatch.Kind.pathPrefix
  public static let nameValueType = NameValueMatch.Kind.exact
  public static let parentGroup = "gateway.networking.k8s.io"
  public static let parentKind = "Gateway"
  public static let breakerInterval = "10s"
  public static let breakerEjectionTime = "30s"
  public static let breakerMaxEjected = "10%"
}
