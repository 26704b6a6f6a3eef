import KubernetesAPI
import Testing

@testable import sluice

/// Objects as Argo CD 3.6 and Flux 2.9 write them, cut to what is looked at and a few fields around it.
@Suite struct GitOpsDoctorTests {
  // MARK: - Argo CD

  private static let application = """
    apiVersion: argoproj.io/v1alpha1
    kind: Application
    metadata:
      name: shop
      namespace: argocd
      finalizers: [resources-finalizer.argocd.argoproj.io]
      annotations: {argocd.argoproj.io/compare-options: ServerSideDiff=true}
    spec:
      project: default
      source: {repoURL: https://git.example/shop.git, path: deploy, targetRevision: HEAD}
      destination: {server: https://kubernetes.default.svc, namespace: shop}
      syncPolicy:
        automated: {prune: true, selfHeal: true}
        syncOptions: [ServerSideApply=true]
    status:
      sync: {status: Synced, revision: 8a1e2f0b6c}
      health: {status: Healthy}
      resources:
      - {version: v1, kind: Service, namespace: shop, name: checkout, status: Synced}
      - {group: apps, version: v1, kind: Deployment, namespace: shop, name: checkout, status: Synced}
      - {group: sluice.dev, version: v1alpha1, kind: Rollout, namespace: shop, name: checkout, status: Synced}
      - {group: networking.istio.io, version: v1, kind: VirtualService, namespace: shop, name: shop, status: Synced}
    """

  /// `argocd-cm` with the component of deploy/gitops/argocd.
  private static let settings = [
    "resource.customizations.health.sluice.dev_Rollout": "local hs = {}",
    "resource.customizations.health.apps_Deployment": "local hs = {}",
  ]

  private static let deployment = """
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: checkout
      namespace: shop
      labels: {sluice.dev/managed: checkout}
      annotations: {argocd.argoproj.io/tracking-id: "shop:apps/Deployment:shop/checkout"}
      managedFields:
      - manager: argocd-controller
        operation: Apply
        apiVersion: apps/v1
        fieldsType: FieldsV1
        fieldsV1: {"f:spec": {"f:replicas": {}, "f:template": {}}}
      - manager: sluice
        operation: Update
        apiVersion: apps/v1
        fieldsType: FieldsV1
        fieldsV1: {"f:spec": {"f:paused": {}}}
    """

  private func rollout(_ change: (inout GitOpsRollout) -> Void = { _ in }) throws -> GitOpsRollout {
    var rollout = GitOpsRollout(
      rollout: ObjectKey(namespace: "shop", name: "checkout"), deployment: try JSON(yaml: Self.deployment))
    rollout.services = [Self.object("", "Service", "checkout")]
    rollout.isPinned = true
    rollout.shortestRun = .seconds(420)
    change(&rollout)
    return rollout
  }

  private static func object(_ group: String, _ kind: String, _ name: String) -> ObjectName {
    ObjectName(group: group, kind: kind, ObjectKey(namespace: "shop", name: name))
  }

  private func argo(
    _ rollout: GitOpsRollout, settings: [String: String]? = settings, _ change: (inout JSON) -> Void = { _ in }
  ) throws -> [Finding] {
    var application = try JSON(yaml: Self.application)
    change(&application)
    return diagnose(rollout, [ArgoApplication(application, settings: settings)].compactMap { $0 })
  }

  private func diagnose(_ rollout: GitOpsRollout, _ appliers: [any ManifestApplier]) -> [Finding] {
    GitOpsDiagnosis(rollouts: [rollout], appliers: appliers, served: ["Application"]).findings
  }

  private func texts(_ findings: [Finding]) -> [String] {
    findings.map { "\($0.verdict.rawValue): \($0.message)" }
  }

  @Test("an Application as deploy/gitops has it is fine, and said to be")
  func argoIsFine() throws {
    #expect(
      texts(try argo(try rollout()))
        == ["Fine: applied as deploy/gitops asks: Rollout shop/checkout, by Application argocd/shop"])
  }

  @Test("sync options that delete and create what serves are a fault; a replace is one where no policy keeps a hold")
  func argoReplaces() throws {
    let both = try argo(try rollout()) {
      $0[path: ["spec", "syncPolicy", "syncOptions"]] = ["Replace=true", "Force=true"]
    }
    #expect(both.map(\.verdict) == [.fault])
    #expect(both[0].message.contains("deletes Deployment shop/checkout and creates it anew"))
    // By an annotation of the object itself.
    let annotated = try rollout {
      $0.deployment[path: ["metadata", "annotations", "argocd.argoproj.io/sync-options"]] = "Force=true, Replace=true"
    }
    #expect(try argo(annotated).map(\.verdict) == [.fault])
    let replaces: (inout JSON) -> Void = { $0[path: ["spec", "syncPolicy", "syncOptions"]] = ["Replace=true"] }
    #expect(try argo(try rollout(), replaces).map(\.verdict) == [.fine])
    let always = try argo(try rollout { $0.isPausedAtRest = true }, replaces)
    #expect(always.map(\.verdict) == [.fault])
    #expect(always[0].message.contains("ends a hold where no policy keeps it"))
  }

  @Test("self-heal wants to be told to pass over a route that Sluice edits; a rule for another object does not do")
  func argoHealsTheRoute() throws {
    let edited = try rollout { $0.editedRoute = Self.object("networking.istio.io", "VirtualService", "shop") }
    let healed = try argo(edited)
    #expect(
      texts(healed)[0]
        == "Note: Application argocd/shop heals itself, and so writes VirtualService shop/shop back in the middle of a run; "
        + "after three times within five minutes the run pauses (Rollout shop/checkout)")
    #expect(healed[0].advice?.contains("ignoreDifferences") == true)
    func ignoring(_ rule: String, _ more: @escaping (inout JSON) -> Void = { _ in }) throws -> [Finding.Verdict] {
      let rule = try JSON(yaml: rule)
      return try argo(edited) { application in
        application[path: ["spec", "ignoreDifferences"]] = [rule]
        more(&application)
      }.map(\.verdict)
    }
    let own = "{group: networking.istio.io, kind: VirtualService, name: shop, jqPathExpressions: [.spec.http]}"
    #expect(try ignoring(own) == [.fine])
    #expect(try ignoring("{group: '*', kind: VirtualService, jsonPointers: [/spec/http]}") == [.fine])
    #expect(try ignoring(own.replacing("name: shop", with: "name: cart")) == [.note])
    #expect(
      try ignoring(own) {
        $0[path: ["spec", "syncPolicy", "syncOptions"]] = ["RespectIgnoreDifferences=true"]
      } == [.note])
    // Who syncs by hand writes no drift back.
    #expect(
      try argo(edited) { $0[path: ["spec", "syncPolicy", "automated", "selfHeal"]] = false }.map(\.verdict) == [.fine])
    let system = "resource.customizations.ignoreDifferences.networking.istio.io_VirtualService"
    #expect(
      try argo(edited, settings: Self.settings.merging([system: "jsonPointers: [/spec/http]"]) { $1 }).map(\.verdict)
        == [.fine])
  }

  @Test("server-side apply without a server-side diff calls a pinned Service OutOfSync")
  func argoComparesByItself() throws {
    let local: (inout JSON) -> Void = { $0[path: ["metadata", "annotations"]] = nil }
    let found = try argo(try rollout(), local)
    #expect(found.map(\.verdict) == [.note])
    #expect(found[0].message.contains("calls Service shop/checkout OutOfSync while a run pins it"))
    #expect(found[0].advice == "annotate the Application with argocd.argoproj.io/compare-options: ServerSideDiff=true")
    #expect(try argo(try rollout { $0.isPinned = false }, local).map(\.verdict) == [.fine])
    let everywhere = Self.settings.merging(["controller.diff.server.side": "true"]) { $1 }
    #expect(try argo(try rollout(), settings: everywhere, local).map(\.verdict) == [.fine])
  }

  @Test("what Sluice made is not to be applied, and what it took over is not to be pruned")
  func argoPrunes() throws {
    let service = Self.object("", "Service", "checkout-stable")
    let taken = Self.object("networking.istio.io", "VirtualService", "shop")
    let labels: JSON = ["metadata": ["labels": ["sluice.dev/rollout": "checkout"]]]
    let applied = try argo(try rollout { $0.generated = [service: labels] }) { application in
      application[path: ["status", "resources"]] = .array(
        (application[path: ["status", "resources"]]?.array ?? []) + [
          ["version": "v1", "kind": "Service", "namespace": "shop", "name": "checkout-stable", "status": "Synced"]
        ])
    }
    #expect(applied.map(\.verdict) == [.fault])
    #expect(applied[0].message.contains("applies Service shop/checkout-stable, which is Sluice's to write"))

    func pruned(_ live: JSON) throws -> [Finding] {
      try argo(try rollout { $0.generated = [taken: live] }) { application in
        var resources = application[path: ["status", "resources"]]?.array ?? []
        resources[3]["requiresPruning"] = true
        resources[3]["status"] = "OutOfSync"
        application[path: ["status", "resources"]] = .array(resources)
      }
    }
    let bare = try pruned(labels)
    #expect(bare.map(\.verdict) == [.fault])
    #expect(bare[0].message.contains("deletes VirtualService shop/shop when it prunes"))
    var kept = labels
    kept[path: ["metadata", "annotations", "argocd.argoproj.io/sync-options"]] = "Prune=false"
    #expect(try pruned(kept).map(\.verdict) == [.fine])
  }

  @Test("Argo CD without the health checks cannot tell how a run goes; settings that cannot be read are passed over")
  func argoHealth() throws {
    let bare = try argo(try rollout(), settings: [:])
    #expect(bare.map(\.verdict) == [.note])
    #expect(bare[0].message.contains("no health check of sluice.dev_Rollout and apps_Deployment"))
    #expect(try argo(try rollout(), settings: nil).map(\.verdict) == [.fine])
  }

  @Test(
    "an Application of another cluster, or without a status, is told by what it says and by the marks of the object")
  func argoElsewhere() throws {
    let elsewhere = try argo(try rollout()) {
      $0[path: ["spec", "destination", "server"]] = "https://other.example"
    }
    #expect(
      texts(elsewhere) == [
        "Note: Deployment shop/checkout says that it is of Argo CD's Application shop, which was not found here "
          + "(Rollout shop/checkout)"
      ])
    #expect(try argo(try rollout()) { $0["status"] = nil }.map(\.verdict) == [.fine])
    let other = try argo(try rollout()) { application in
      application["status"] = nil
      application[path: ["metadata", "name"]] = "cart"
    }
    #expect(other.map(\.verdict) == [.note])
    // Tracking by label, where there is no annotation.
    let labelled = try rollout {
      $0.deployment[path: ["metadata", "annotations"]] = nil
      $0.deployment[path: ["metadata", "labels", "app.kubernetes.io/instance"]] = "shop"
    }
    #expect(try argo(labelled) { $0["status"] = nil }.map(\.verdict) == [.fine])
  }

  @Test("a manifest that says paused is found by the ownership of the field")
  func pausedInGit() throws {
    let said = try rollout { rollout in
      rollout.deployment[path: ["metadata", "managedFields"]] = [
        ["manager": "argocd-controller", "operation": "Apply", "fieldsV1": ["f:spec": ["f:paused": [:]]]]
      ]
    }
    let found = try argo(said)
    #expect(found.map(\.verdict) == [.note])
    #expect(found[0].message.contains("sets spec.paused of Deployment shop/checkout"))
  }

  // MARK: - Flux

  private static let kustomization = """
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata: {name: shop, namespace: flux-system, finalizers: [finalizers.fluxcd.io]}
    spec:
      interval: 10m0s
      path: ./shop
      prune: true
      sourceRef: {kind: GitRepository, name: shop}
      timeout: 2h0m0s
      healthChecks: [{apiVersion: sluice.dev/v1alpha1, kind: Rollout, name: checkout, namespace: shop}]
    status:
      inventory:
        entries:
        - {id: shop_checkout__Service, v: v1}
        - {id: shop_checkout_apps_Deployment, v: v1}
        - {id: shop_shop_networking.istio.io_VirtualService, v: v1}
        - {id: shop_checkout_sluice.dev_Rollout, v: v1alpha1}
      lastAppliedRevision: main@sha1:8a1e2f0b6c
    """

  private func fluxed(_ change: (inout GitOpsRollout) -> Void = { _ in }) throws -> GitOpsRollout {
    try rollout { rollout in
      rollout.deployment[path: ["metadata", "annotations"]] = nil
      rollout.deployment[path: ["metadata", "labels"]] = [
        "sluice.dev/managed": "checkout", "kustomize.toolkit.fluxcd.io/name": "shop",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
      ]
      change(&rollout)
    }
  }

  private func flux(_ rollout: GitOpsRollout, _ change: (inout JSON) -> Void = { _ in }) throws -> [Finding] {
    var kustomization = try JSON(yaml: Self.kustomization)
    change(&kustomization)
    return diagnose(rollout, [FluxKustomization(kustomization)].compactMap { $0 })
  }

  @Test("a Kustomization as deploy/gitops has it is fine; force, wait and a timeout that a run outlasts are told")
  func kustomization() throws {
    #expect(try flux(try fluxed()).map(\.verdict) == [.fine])
    func told(_ field: String, _ value: JSON) throws -> String {
      let found = try flux(try fluxed()) { $0[path: ["spec", field]] = value }
      #expect(found.map(\.verdict) == [.note])
      return found[0].message
    }
    #expect(try told("force", true).contains("(spec.force)"))
    #expect(try told("wait", true).contains("waits for every object"))
    #expect(try told("timeout", "5m").contains("gives up after 5m on a run that takes 7m at the least"))
    #expect(try flux(try fluxed()) { $0[path: ["spec", "suspend"]] = true }.map(\.verdict) == [.note])
    #expect(try flux(try fluxed()) { $0["status"] = nil }.map(\.verdict) == [.fine], "by its labels")
  }

  @Test(
    "a short interval contests an edited route, unless it is ignored; a generated object has no place in an inventory")
  func kustomizationOfRoute() throws {
    let edited = try fluxed { $0.editedRoute = Self.object("networking.istio.io", "VirtualService", "shop") }
    #expect(try flux(edited).map(\.verdict) == [.fine])
    let short: (inout JSON) -> Void = { $0[path: ["spec", "interval"]] = "1m" }
    #expect(try flux(edited, short).map(\.verdict) == [.note])
    #expect(
      try flux(edited) { kustomization in
        short(&kustomization)
        kustomization[path: ["spec", "ignore"]] = [
          ["target": ["kind": "VirtualService", "name": "sh.*"], "paths": ["/spec/http/1/route"]]
        ]
      }.map(\.verdict) == [.fine])
    let generated = try fluxed { $0.generated = [Self.object("", "Service", "checkout"): .emptyObject] }
    let found = try flux(generated)
    #expect(found.map(\.verdict) == [.fault])
    #expect(found[0].advice?.contains("kustomize.toolkit.fluxcd.io/prune: disabled") == true)
  }

  @Test("a HelmRelease that waits gives up on a run, and what it does then ends it")
  func helmRelease() throws {
    let release = """
      apiVersion: helm.toolkit.fluxcd.io/v2
      kind: HelmRelease
      metadata: {name: checkout, namespace: shop}
      spec: {interval: 10m0s, chartRef: {kind: OCIRepository, name: checkout}}
      status: {inventory: {entries: [{id: shop_checkout_apps_Deployment, v: v1}]}}
      """
    func helm(_ more: String, _ rollout: GitOpsRollout) throws -> [Finding] {
      var object = try JSON(yaml: release)
      for (field, value) in try JSON(yaml: more).object ?? [:] { object[path: ["spec", field]] = value }
      return diagnose(rollout, [FluxHelmRelease(object)].compactMap { $0 })
    }
    let rollout = try fluxed()
    let failing = try helm("{}", rollout)
    #expect(failing.map(\.verdict) == [.note])
    #expect(failing[0].message.contains("calls an upgrade failed after 5m, while a run takes 7m at the least"))
    let rolledBack = try helm("{upgrade: {remediation: {retries: 3}}}", rollout)
    #expect(rolledBack.map(\.verdict) == [.fault])
    #expect(rolledBack[0].message.contains("not done after 5m (rollback), and so ends a run"))
    #expect(try helm("{timeout: 2h}", rollout).map(\.verdict) == [.fine])
    #expect(try helm("{upgrade: {disableWait: true}}", rollout).map(\.verdict) == [.fine])
    let paused = try helm("{timeout: 2h}", try fluxed { $0.shortestRun = nil })
    #expect(paused[0].message.contains("while a run waits for a person"))
    #expect(
      try helm("{waitStrategy: {name: legacy}}", rollout)[0].message.contains("takes a held Deployment for ready"))
    let forced = "{timeout: 2h, upgrade: {force: true}}"
    #expect(try helm(forced, rollout).map(\.verdict) == [.fine])
    #expect(try helm(forced, try fluxed { $0.isPausedAtRest = true }).map(\.verdict) == [.fault])
  }

  // MARK: - All of it

  @Test("without tools it says so, and what may not be read is no fault")
  func nothing() throws {
    let none = GitOpsDiagnosis(rollouts: [], appliers: []).findings
    #expect(texts(none) == ["Fine: neither Argo CD's nor Flux's kinds are served"])
    let unread = GitOpsDiagnosis(rollouts: [], appliers: [], unread: ["applications.argoproj.io"]).findings
    #expect(unread.map(\.verdict) == [.note])
    let idle = GitOpsDiagnosis(
      rollouts: [try rollout { $0.deployment[path: ["metadata", "annotations"]] = nil }], appliers: [],
      served: ["Application", "Kustomization"])
    #expect(texts(idle.findings) == ["Fine: no Application, no Kustomization applies the Deployment of a Rollout"])
  }

  @Test("the same problem of many Rollouts is one sentence, which names three")
  func many() throws {
    let rollouts = try (1...5).map { number in
      try fluxed { $0.rollout = ObjectKey(namespace: "shop", name: "r\(number)") }
    }
    var kustomization = try JSON(yaml: Self.kustomization)
    kustomization[path: ["spec", "force"]] = true
    let applier = try #require(FluxKustomization(kustomization))
    let findings = GitOpsDiagnosis(rollouts: rollouts, appliers: [applier]).findings
    #expect(findings.count == 1)
    #expect(findings[0].message.hasSuffix("(Rollouts shop/r1, shop/r2, shop/r3 and 2 more)"))
  }

  @Test("durations as Flux writes them", arguments: [("1h30m", 5400.0), ("90s", 90), ("1.5m", 90), ("250ms", 0.25)])
  func durations(text: String, seconds: Double) {
    #expect(FluxInventory.duration(text).map { $0 / .seconds(1) } == seconds)
    #expect(FluxInventory.duration("\(text)x") == nil)
  }
}
