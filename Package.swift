// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny")
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// Dependencies point downward only; the targets under `pure` import no I/O, not even through another target.
let pure: [Target] = [
  module("KubernetesAPI"),
  module("CanaryAnalysis"),
  module("RolloutAPI", ["KubernetesAPI"]),
  module("TrafficRouting", ["RolloutAPI", "KubernetesAPI"]),
  module("RolloutEngine", ["RolloutAPI", "CanaryAnalysis"]),
]

let package = Package(
  name: "sluice",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "sluice", targets: ["sluice"]),
    .library(name: "KubernetesClient", targets: ["KubernetesAPI", "KubernetesClient"]),
    .library(name: "CanaryAnalysis", targets: ["CanaryAnalysis"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: pure + [
    .systemLibrary(
      name: "CLibcurlSystem", path: "Sources/CLibcurl/system", pkgConfig: "libcurl",
      providers: [.apt(["libcurl4-openssl-dev"])]),
    .target(name: "CLibcurl", dependencies: ["CLibcurlSystem"], path: "Sources/CLibcurl/shim"),
    module("HTTPTransport", ["CLibcurl"]),
    module("KubernetesClient", ["KubernetesAPI", "HTTPTransport", logging, lifecycle, collections, yams]),
    module("Prometheus", ["HTTPTransport", "KubernetesAPI"]),
    module("Notifications", ["RolloutAPI", "KubernetesAPI", "HTTPTransport", logging, lifecycle, collections]),
    .target(
      name: "Dashboard",
      dependencies: ["KubernetesClient", "KubernetesAPI", "RolloutAPI", hummingbird, logging, lifecycle],
      resources: [.embedInCode("Page/index.html"), .embedInCode("Page/app.js"), .embedInCode("Page/style.css")],
      swiftSettings: settings),
    module("Sandbox", ["KubernetesAPI", hummingbird, logging, lifecycle, collections, yams]),
    module(
      "Operator",
      [
        "RolloutEngine", "TrafficRouting", "RolloutAPI", "CanaryAnalysis", "KubernetesClient", "KubernetesAPI",
        "Prometheus", "Notifications", "HTTPTransport", hummingbird, logging, lifecycle, tracing,
      ]),
    .executableTarget(
      name: "sluice",
      dependencies: [
        "Operator", "Dashboard", "Sandbox", "TrafficRouting", "RolloutAPI", "CanaryAnalysis", "KubernetesClient",
        "KubernetesAPI",
        "Prometheus", "HTTPTransport", argumentParser, logging, lifecycle, yams,
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "detection", dependencies: ["CanaryAnalysis"], path: "Tests/Benchmarks/Detection", swiftSettings: settings),
    tests("DetectionTests", ["detection", "CanaryAnalysis"]),
    tests("KubernetesAPITests", ["KubernetesAPI"]),
    tests("HTTPTransportTests", ["HTTPTransport"]),
    tests("KubernetesClientTests", ["KubernetesClient", "KubernetesAPI", "HTTPTransport", logging]),
    tests("RolloutAPITests", ["RolloutAPI", "KubernetesAPI", yams]),
    tests("CanaryAnalysisTests", ["CanaryAnalysis"], resources: [.copy("Reference")]),
    tests("TrafficRoutingTests", ["TrafficRouting", "RolloutAPI", "KubernetesAPI"]),
    tests("RolloutEngineTests", ["RolloutEngine", "RolloutAPI", "CanaryAnalysis", "KubernetesAPI", "Sandbox"]),
    tests("PrometheusTests", ["Prometheus", "HTTPTransport", "RolloutAPI"]),
    tests("NotificationsTests", ["Notifications", "RolloutAPI", "KubernetesAPI", "HTTPTransport", logging]),
    tests(
      "SandboxTests", ["Sandbox", "KubernetesAPI", logging, yams],
      resources: [.copy("Transcripts"), .copy("DataPlane/Golden")]),
    tests(
      "DashboardTests",
      ["Dashboard", "KubernetesAPI", "KubernetesClient", "HTTPTransport", hummingbird, logging, lifecycle]),
    tests("EndToEndTests", ["sluice", "KubernetesAPI", "HTTPTransport"]),
    tests(
      "OperatorTests",
      [
        "Operator", "RolloutEngine", "RolloutAPI", "TrafficRouting", "CanaryAnalysis", "KubernetesClient",
        "KubernetesAPI", "Prometheus", "HTTPTransport", "Sandbox", logging, tracing, yams,
      ]),
    tests(
      "SluiceTests",
      ["sluice", "Operator", "RolloutAPI", "KubernetesAPI", "KubernetesClient", "HTTPTransport", argumentParser]),
  ]
)
