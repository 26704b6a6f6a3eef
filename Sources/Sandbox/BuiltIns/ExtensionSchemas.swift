import KubernetesAPI

/// Definitions of custom resources.
enum ExtensionSchemas {
  private static let names = Schema.object(
    [
      "plural": .string.always(), "singular": .string, "shortNames": .strings, "kind": .string.always(),
      "listKind": .string, "categories": .strings,
    ], required: ["plural", "kind"])

  private static let version = Schema.object(
    [
      "name": .string.always(), "served": .boolean.always(), "storage": .boolean.always(), "deprecated": .boolean,
      "deprecationWarning": .string,
      // The shape of the schema itself is checked where it is read.
      "schema": .object(["openAPIV3Schema": .anyObject]),
      "subresources": .object([
        "status": .anyObject,
        "scale": .object([
          "specReplicasPath": .string.always(), "statusReplicasPath": .string.always(), "labelSelectorPath": .string,
        ]),
      ]),
      "additionalPrinterColumns": .list(
        of: .object([
          "name": .string.always(), "type": .string.always(), "format": .string, "description": .string,
          "priority": .int32(), "jsonPath": .string.always(),
        ])),
      "selectableFields": .list(of: .object(["jsonPath": .string.always()])),
    ], required: ["name", "served", "storage"])

  static let definition = Schema.kind(
    "A kind that is not built in.",
    [
      "spec": Schema.object(
        [
          "group": .string.always(), "names": names.always(), "scope": .string.always(),
          "versions": Schema.list(of: version).always(), "preserveUnknownFields": .boolean,
          "conversion": .object([
            "strategy": .string.always(),
            "webhook": .object(["clientConfig": .anyObject, "conversionReviewVersions": .strings.always()]),
          ]),
        ], required: ["group", "names", "scope", "versions"]
      ).always(),
      "status": Schema.object([
        "conditions": MetaSchemas.conditions(
          .object([
            "type": .string.always(), "status": .string.always(), "observedGeneration": .int64(),
            "lastTransitionTime": .time, "reason": .string, "message": .string,
          ])
        ).always(),
        "acceptedNames": names.always(), "storedVersions": Schema.strings.always(), "observedGeneration": .int64(),
      ]).always(),
    ])
}

/// Admission policies in CEL.
enum PolicySchemas {
  private static let rule = Schema.object(
    [
      "resourceNames": .strings, "operations": .strings, "apiGroups": .strings, "apiVersions": .strings,
      "resources": .strings, "scope": .string,
    ], mapType: .atomic)

  private static let match = Schema.object(
    [
      "namespaceSelector": MetaSchemas.labelSelector, "objectSelector": MetaSchemas.labelSelector,
      "resourceRules": .list(of: rule), "excludeResourceRules": .list(of: rule), "matchPolicy": .string,
    ], mapType: .atomic)

  private static let parameterKind = Schema.object(["apiVersion": .string, "kind": .string], mapType: .atomic)
  private static let parameterReference = Schema.object(
    [
      "name": .string, "namespace": .string, "selector": MetaSchemas.labelSelector,
      "parameterNotFoundAction": .string,
    ], mapType: .atomic)
  private static let condition = Schema.object(
    ["name": .string.always(), "expression": .string.always()], required: ["name", "expression"])
  private static let matchConditions = Schema.list(of: condition, keys: ["name"])

  static let validating = Schema.kind(
    "Refuses objects that an expression does not hold for.",
    [
      "spec": Schema.object([
        "paramKind": parameterKind, "matchConstraints": match,
        "validations": .list(
          of: .object(
            ["expression": .string.always(), "message": .string, "reason": .string, "messageExpression": .string],
            required: ["expression"])),
        "failurePolicy": .string,
        "auditAnnotations": .list(of: .object(["key": .string.always(), "valueExpression": .string.always()])),
        "matchConditions": matchConditions, "variables": .list(of: condition, keys: ["name"]),
      ]).always(),
      "status": Schema.object([
        "observedGeneration": .int64(),
        "typeChecking": .object(["expressionWarnings": .list(of: .object(["fieldRef": .string, "warning": .string]))]),
        "conditions": MetaSchemas.conditions(MetaSchemas.condition),
      ]).always(),
    ])

  static let mutating = Schema.kind(
    "Changes objects by expressions.",
    [
      "spec": Schema.object([
        "paramKind": parameterKind, "matchConstraints": match, "variables": .list(of: condition),
        "mutations": .list(
          of: .object(
            [
              "patchType": .string.always(), "applyConfiguration": .object(["expression": .string]),
              "jsonPatch": .object(["expression": .string]),
            ], required: ["patchType"])),
        "failurePolicy": .string, "matchConditions": matchConditions, "reinvocationPolicy": .string,
      ]).always()
    ])

  static let binding = Schema.kind(
    "Where a policy holds.",
    [
      "spec": Schema.object([
        "policyName": .string, "paramRef": parameterReference, "matchResources": match,
      ]).always()
    ])

  static let validatingBinding = Schema.kind(
    "Where a policy holds, and what follows from a denial.",
    [
      "spec": Schema.object([
        "policyName": .string, "paramRef": parameterReference, "matchResources": match,
        "validationActions": .set(of: .string),
      ]).always()
    ])
}
