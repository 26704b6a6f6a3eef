import KubernetesAPI
import Testing

@testable import Sandbox

private func stored(_ object: JSON, _ type: ResourceType) throws -> JSON {
  let schema = try #require(BuiltIns.schema(for: type))
  var result = Normalization.normalized(object, schema)
  BuiltIns.applyDefaults(&result, type)
  return result
}

@Suite("built-in kinds as they are stored")
struct ObjectTests {
  let web: JSON = [
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web"],
    "spec": [
      "replicas": 2, "paused": false, "selector": ["matchLabels": ["app": "web"]],
      "template": [
        "metadata": ["labels": ["app": "web"], "creationTimestamp": .null],
        "spec": ["containers": [["name": "c", "image": "app:1", "env": []]]],
      ],
    ],
  ]

  @Test("a Deployment gets the server's defaults, and empty values go")
  func deployment() throws {
    let object = try stored(web, .deployments)
    #expect(
      object["spec"] == [
        "replicas": 2, "selector": ["matchLabels": ["app": "web"]],
        "template": [
          "metadata": ["labels": ["app": "web"]],
          "spec": [
            "containers": [
              [
                "name": "c", "image": "app:1", "resources": [:], "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
              ]
            ], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": [:], "schedulerName": "default-scheduler",
          ],
        ], "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": "25%", "maxSurge": "25%"]],
        "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
      ])
    #expect(object["status"] == [:])
    #expect(try stored(object, .deployments) == object)
  }

  @Test("a Service's ports default their protocol and target")
  func service() throws {
    let object = try stored(
      ["metadata": ["name": "web"], "spec": ["ports": [["port": 80]], "publishNotReadyAddresses": false]], .services)
    #expect(
      object["spec"] == [
        "ports": [["port": 80, "protocol": "TCP", "targetPort": 80]], "sessionAffinity": "None", "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
      ])
    #expect(object["status"] == ["loadBalancer": [:]])
  }

  @Test("probes get their numbers, and latest images are always pulled")
  func probes() throws {
    let object = try stored(
      [
        "spec": [
          "containers": [
            [
              "name": "c", "image": "host:5000/app",
              "readinessProbe": ["httpGet": ["port": "http"], "initialDelaySeconds": 0],
            ]
          ]
        ]
      ], .pods)
    let container = object["spec"]?["containers"]?[0]
    #expect(container?["imagePullPolicy"] == "Always")
    #expect(
      container?["readinessProbe"] == [
        "httpGet": ["port": "http", "path": "/", "scheme": "HTTP"], "timeoutSeconds": 1, "periodSeconds": 10,
        "successThreshold": 1, "failureThreshold": 3,
      ])
  }

  @Test("what Go always writes is there: null endpoints, a ReplicaSet's count, a slice's conditions")
  func alwaysWritten() throws {
    #expect(try stored([:], .endpointSlices)["endpoints"] == .null)
    #expect(try stored([:], .replicaSets)["status"] == ["replicas": 0])
    let slice = try stored(["endpoints": [["addresses": ["10.0.0.1"]]]], .endpointSlices)
    #expect(slice["endpoints"] == [["addresses": ["10.0.0.1"], "conditions": [:]]])
  }

  @Test("text of a Secret becomes bytes")
  func secret() throws {
    let object = try stored(["stringData": ["a": "x"]], .secrets)
    #expect(object["data"] == ["a": "eA=="])
    #expect(object["stringData"] == nil)
    #expect(object["type"] == "Opaque")
  }

  @Test("unknown fields are named with their path, at any depth")
  func unknown() throws {
    let schema = try #require(BuiltIns.schema(for: .deployments))
    var object = web
    object[path: ["spec", "replica"]] = 3
    object[path: ["spec", "template", "spec", "containers"]] = [["name": "c", "img": "x"]]
    #expect(
      FieldValidation.check(object, schema: schema) == [
        "unknown field \"spec.replica\"", "unknown field \"spec.template.spec.containers[0].img\"",
      ])
    #expect(FieldValidation.check(web, schema: schema).isEmpty)
  }

  @Test("a value of the wrong type is found, null and either form of a port are not wrong")
  func types() throws {
    let deployment = try #require(BuiltIns.schema(for: .deployments))
    let service = try #require(BuiltIns.schema(for: .services))
    let lease = try #require(BuiltIns.schema(for: .leases))
    #expect(
      FieldValidation.typeFault(["spec": ["replicas": "four"]], schema: deployment)?.contains("spec.replicas") == true)
    #expect(FieldValidation.typeFault(["spec": ["replicas": 3_000_000_000]], schema: deployment) != nil)
    #expect(FieldValidation.typeFault(["spec": .null], schema: deployment) == nil)
    #expect(
      FieldValidation.typeFault(["spec": ["ports": [["targetPort": "http"], ["targetPort": 8]]]], schema: service)
        == nil)
    #expect(FieldValidation.typeFault(["spec": ["renewTime": "2001-01-01T00:00:05Z"]], schema: lease) != nil)
    #expect(FieldValidation.typeFault(["spec": ["renewTime": "2001-01-01T00:00:05.000001Z"]], schema: lease) == nil)
  }
}

@Suite("validation of built-in kinds")
struct ValidationTests {
  private func causes(_ object: JSON, old: JSON? = nil, _ type: ResourceType) throws -> [String] {
    do {
      let old = try old.map { try stored($0, type) }
      try BuiltIns.validate(stored(object, type), old: old, type: type)
      return []
    } catch let status as Status {
      #expect(status.code == 422)
      return (status.details?.causes ?? []).map { "\($0.field ?? "") \($0.reason ?? "")" }.sorted()
    }
  }

  private func deployment(_ changes: [(path: [String], value: JSON?)] = []) -> JSON {
    var object: JSON = [
      "metadata": ["name": "web"],
      "spec": [
        "selector": ["matchLabels": ["app": "web"]],
        "template": [
          "metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "c", "image": "app:1"]]],
        ],
      ],
    ]
    for change in changes { object[path: change.path] = change.value }
    return object
  }

  @Test("a Deployment that is right has no faults")
  func right() throws { #expect(try causes(deployment(), .deployments) == []) }

  @Test("a Deployment's faults are all named")
  func wrong() throws {
    let selector = ["spec", "selector"]
    let containers = ["spec", "template", "spec", "containers"]
    let mismatch = "spec.template.metadata.labels FieldValueInvalid"
    #expect(try causes(deployment([(selector, ["matchLabels": ["app": "x"]])]), .deployments) == [mismatch])
    #expect(try causes(deployment([(selector, nil)]), .deployments) == ["spec.selector FieldValueRequired", mismatch])
    #expect(
      try causes(deployment([(containers, [])]), .deployments) == ["spec.template.spec.containers FieldValueRequired"])
    #expect(
      try causes(deployment([(["spec", "replicas"], -1), (containers, [["name": "Not A Name"]])]), .deployments) == [
        "spec.replicas FieldValueInvalid", "spec.template.spec.containers[0].image FieldValueRequired",
        "spec.template.spec.containers[0].name FieldValueInvalid",
      ])
    #expect(
      try causes(
        deployment([(["spec", "strategy"], ["type": "Recreate", "rollingUpdate": ["maxSurge": 1]])]), .deployments)
        == ["spec.strategy.rollingUpdate FieldValueForbidden"])
    #expect(
      try causes(
        deployment([(["spec", "strategy"], ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": 0]])]), .deployments)
        == ["spec.strategy.rollingUpdate.maxUnavailable FieldValueInvalid"])
  }

  @Test("selectors, cluster addresses and immutable data stay as they are")
  func immutable() throws {
    let other: JSON = ["matchLabels": ["app": "else"]]
    #expect(
      try causes(deployment([(["spec", "selector"], other)]), old: deployment(), .deployments)
        == ["spec.selector FieldValueInvalid", "spec.template.metadata.labels FieldValueInvalid"])
    let fixed: JSON = ["metadata": ["name": "one"], "immutable": true, "data": ["a": "1"]]
    var changed = fixed
    changed["data"] = ["a": "2"]
    #expect(try causes(changed, old: fixed, .configMaps) == ["data FieldValueForbidden"])
    func service(_ address: String) -> JSON {
      ["metadata": ["name": "web"], "spec": ["ports": [["port": 80]], "clusterIP": .string(address)]]
    }
    #expect(
      try causes(service("10.0.0.2"), old: service("10.0.0.1"), .services) == ["spec.clusterIPs[0] FieldValueInvalid"])
  }

  @Test("a Service's ports must be numbers that exist, with names where there are several")
  func ports() throws {
    func service(_ ports: JSON) -> JSON { ["metadata": ["name": "svc"], "spec": ["ports": ports]] }
    #expect(
      try causes(service([["port": 0]]), .services)
        == ["spec.ports[0].port FieldValueInvalid", "spec.ports[0].targetPort FieldValueInvalid"])
    #expect(
      try causes(service([["port": 80], ["port": 81]]), .services)
        == ["spec.ports[0].name FieldValueRequired", "spec.ports[1].name FieldValueRequired"])
  }

  @Test("labels, annotations, owners and finalizers have a syntax")
  func metadata() throws {
    func object(_ metadata: JSON) -> JSON {
      var metadata = metadata
      if metadata["name"] == nil { metadata["name"] = "x" }
      return ["metadata": metadata]
    }
    #expect(
      try causes(object(["labels": ["bad key!": "v"], "annotations": ["a/b/c": ""]]), .configMaps)
        == ["metadata.annotations FieldValueInvalid", "metadata.labels FieldValueInvalid"])
    #expect(
      try causes(object(["finalizers": ["nodomain"]]), .configMaps) == ["metadata.finalizers[0] FieldValueInvalid"])
    #expect(try causes(object(["name": "Bad_Name"]), .configMaps) == ["metadata.name FieldValueInvalid"])
    #expect(try causes(object(["name": ""]), .configMaps) == ["metadata.name FieldValueRequired"])
    let owner: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "name": "y", "uid": "1", "controller": true]
    #expect(
      try causes(object(["ownerReferences": [owner, owner]]), .configMaps)
        == ["metadata.ownerReferences FieldValueInvalid"])
  }

  @Test("a volume has one source")
  func volumes() throws {
    let volumes: JSON = [["name": "v", "emptyDir": [:], "configMap": ["name": "m"]]]
    #expect(
      try causes(deployment([(["spec", "template", "spec", "volumes"], volumes)]), .deployments)
        == ["spec.template.spec.volumes[0].configMap FieldValueForbidden"])
  }

  @Test("an Event says who, what and when, and not too much")
  func events() throws {
    let event: JSON = [
      "metadata": ["name": "e"], "eventTime": "2001-01-01T00:00:01.000001Z", "reportingController": "t.dev/c",
      "reportingInstance": "c-0", "action": "Abort", "reason": "Aborted", "type": "Warning",
    ]
    func changed(_ field: String, _ value: JSON?) -> JSON { event.with(field, value) }
    #expect(try causes(event, .eventsV1) == [])
    #expect(try causes(changed("eventTime", nil), .eventsV1) == ["eventTime FieldValueRequired"])
    #expect(try causes(changed("action", ""), .eventsV1) == ["action FieldValueRequired"])
    #expect(try causes(changed("type", "Bad"), .eventsV1) == ["type FieldValueInvalid"])
    let long = JSON.string(String(repeating: "x", count: 1025))
    #expect(try causes(changed("note", long), .eventsV1) == ["note FieldValueInvalid"])
    #expect(try causes(changed("reason", "Other"), old: event, .eventsV1) == ["reason FieldValueInvalid"])
  }
}

extension JSON {
  fileprivate func with(_ field: String, _ value: JSON?) -> JSON {
    var object = self
    object[field] = value
    return object
  }
}
