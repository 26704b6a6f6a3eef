import HTTPTransport
import KubernetesAPI

@testable import KubernetesClient

/// A client whose waits take no time.
func makeClient(
  _ transport: some Transport, clock: ManualClock = ManualClock(runsByItself: true),
  credentials: any Credentials = FixedCredentials.none, options: ClientOptions = ClientOptions()
) -> KubernetesClient {
  KubernetesClient(
    server: "https://api/", transport: transport, credentials: credentials, options: options, time: clock.time,
    randomness: Randomness { 0 })
}

func object(_ name: String, _ version: Int = 1, kind: String = "ConfigMap", data: JSON? = nil) -> JSON {
  var object: JSON = [
    "apiVersion": "v1", "kind": .string(kind),
    "metadata": ["name": .string(name), "namespace": "shop", "resourceVersion": .string("\(version)")],
  ]
  object["data"] = data
  return object
}

func list(_ items: [JSON], version: Int, next: String? = nil, kind: String = "ConfigMap") -> JSON {
  var list: JSON = [
    "apiVersion": "v1", "kind": .string(kind + "List"), "metadata": ["resourceVersion": .string("\(version)")],
    "items": .array(items),
  ]
  list[path: ["metadata", "continue"]] = next.map(JSON.string)
  return list
}
