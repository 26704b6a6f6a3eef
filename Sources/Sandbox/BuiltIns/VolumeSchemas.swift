import KubernetesAPI

/// The sorts of volumes that a pod can have.
enum VolumeSchemas {
  /// The members of a volume that say where it comes from; a volume has exactly one.
  static let sources: [String: Schema] = [
    "emptyDir": .object(["medium": .string, "sizeLimit": .quantity]),
    "hostPath": .object(["path": .string.always(), "type": .string], required: ["path"]),
    "secret": .object([
      "secretName": .string, "items": items, "defaultMode": .int32(), "optional": .boolean,
    ]),
    "configMap": .object(["name": .string, "items": items, "defaultMode": .int32(), "optional": .boolean]),
    "persistentVolumeClaim": .object(
      ["claimName": .string.always(), "readOnly": .boolean], required: ["claimName"]),
    "downwardAPI": .object(["items": downwardItems, "defaultMode": .int32()]),
    "projected": .object(["sources": .list(of: projection), "defaultMode": .int32()]),
    "csi": .object(
      [
        "driver": .string.always(), "readOnly": .boolean, "fsType": .string, "volumeAttributes": .stringMap,
        "nodePublishSecretRef": MetaSchemas.localReference,
      ], required: ["driver"]),
    "nfs": .object(
      ["server": .string.always(), "path": .string.always(), "readOnly": .boolean], required: ["server", "path"]),
    "ephemeral": .object([
      "volumeClaimTemplate": .object(
        ["metadata": MetaSchemas.objectMeta.always(), "spec": ConfigSchemas.claimSpec.always()], required: ["spec"])
    ]),
    "image": .object(["reference": .string, "pullPolicy": .string]),
    "iscsi": .anyObject, "cephfs": .anyObject, "rbd": .anyObject, "fc": .anyObject, "gitRepo": .anyObject,
    "azureDisk": .anyObject, "azureFile": .anyObject, "awsElasticBlockStore": .anyObject,
    "gcePersistentDisk": .anyObject, "cinder": .anyObject, "flexVolume": .anyObject, "vsphereVolume": .anyObject,
    "portworxVolume": .anyObject, "storageos": .anyObject, "scaleIO": .anyObject, "glusterfs": .anyObject,
    "quobyte": .anyObject, "photonPersistentDisk": .anyObject, "flocker": .anyObject,
  ]

  static let volume = Schema.object(
    sources.merging(["name": .string.always()], uniquingKeysWith: { own, _ in own }), required: ["name"])

  private static let items = Schema.list(
    of: .object(
      ["key": .string.always(), "path": .string.always(), "mode": .int32()], required: ["key", "path"]))

  private static let downwardItems = Schema.list(
    of: .object(
      [
        "path": .string.always(), "fieldRef": ContainerSchemas.fieldReference,
        "resourceFieldRef": ContainerSchemas.resourceFieldReference, "mode": .int32(),
      ], required: ["path"]))

  private static let projection = Schema.object([
    "secret": .object(["name": .string, "items": items, "optional": .boolean]),
    "configMap": .object(["name": .string, "items": items, "optional": .boolean]),
    "downwardAPI": .object(["items": downwardItems]),
    "serviceAccountToken": .object(
      ["audience": .string, "expirationSeconds": .int64(), "path": .string.always()], required: ["path"]),
    "clusterTrustBundle": .object([
      "name": .string, "signerName": .string, "labelSelector": MetaSchemas.labelSelector, "optional": .boolean,
      "path": .string.always(),
    ]),
    "podCertificate": .anyObject,
  ])
}
