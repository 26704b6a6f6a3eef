import KubernetesAPI

/// How pods are found over the network.
enum ServiceSchemas {
  private static let port = Schema.object(
    [
      "name": .string("Needed where there are several ports."), "protocol": .string.defaulting(to: "TCP"),
      "appProtocol": .string("The application protocol, as meshes read it."),
      "port": .int32("The port of the Service.").always(),
      "targetPort": .intOrString("The port of the pods, by number or name.").always(0), "nodePort": .int32(),
    ], required: ["port"])

  private static let ingress = Schema.object([
    "ip": .string, "hostname": .string, "ipMode": .string,
    "ports": .list(of: .object(["port": .int32().always(), "protocol": .string.always(), "error": .string])),
  ])

  static let service = Schema.kind(
    "A stable address for a changing set of pods.",
    [
      "spec": Schema.object(
        [
          "ports": .list(of: port, keys: ["port", "protocol"], mergeKey: "port", "The ports that are served."),
          "selector": .map(of: .string, mapType: .atomic, "Labels of the pods that requests go to."),
          "clusterIP": .string("The virtual address, or None."), "clusterIPs": .strings,
          "type": .string("ClusterIP, NodePort, LoadBalancer or ExternalName."), "externalIPs": .strings,
          "sessionAffinity": .string("ClientIP keeps a client on one pod; None does not."), "loadBalancerIP": .string,
          "loadBalancerSourceRanges": .strings, "externalName": .string, "externalTrafficPolicy": .string,
          "healthCheckNodePort": .int32(),
          "publishNotReadyAddresses": .boolean("Pods that are not ready are published too."),
          "sessionAffinityConfig": .object(["clientIP": .object(["timeoutSeconds": .int32()])]),
          "ipFamilies": .strings, "ipFamilyPolicy": .string, "allocateLoadBalancerNodePorts": .boolean,
          "loadBalancerClass": .string, "internalTrafficPolicy": .string, "trafficDistribution": .string,
        ], "What is wanted."
      ).always(),
      "status": Schema.object([
        "loadBalancer": Schema.object(["ingress": .list(of: ingress)]).always(),
        "conditions": MetaSchemas.conditions(MetaSchemas.condition),
      ]).always(),
    ])

  static let endpoints = Schema.kind(
    "The older form of EndpointSlices.",
    [
      "subsets": .list(
        of: .object([
          "addresses": .anyList, "notReadyAddresses": .anyList,
          "ports": .list(
            of: .object([
              "name": .string, "port": .int32().always(), "protocol": .string, "appProtocol": .string,
            ])),
        ]))
    ])

  static let endpointSlice = Schema.kind(
    "Some of the addresses behind a Service.",
    [
      "addressType": .string("IPv4, IPv6 or FQDN.").always(),
      "endpoints": .list(
        of: .object(
          [
            "addresses": .strings.always(),
            "conditions": Schema.object(["ready": .boolean, "serving": .boolean, "terminating": .boolean]).always(),
            "hostname": .string, "targetRef": MetaSchemas.objectReference, "deprecatedTopology": .stringMap,
            "nodeName": .string, "zone": .string,
            "hints": .object([
              "forZones": .list(of: .object(["name": .string.always()])),
              "forNodes": .list(of: .object(["name": .string.always()])),
            ]),
          ], required: ["addresses"])
      ).always(),
      "ports": .list(
        of: .object(["name": .string, "protocol": .string, "port": .int32(), "appProtocol": .string])
      ).always(),
    ])
}
