import Testing

/// Bodies as kubectl 1.32 sent them to a server that recorded them, in hexadecimal, with the command, the path, and the
/// same object as `kubectl … --dry-run=client -o json` prints it.
struct RecordedBody: Sendable, CustomTestStringConvertible {
  var command: String
  var path: String
  var hexadecimal: String
  /// Empty where kubectl prints none.
  var json = ""

  var testDescription: String { "kubectl \(command)" }

  var bytes: [UInt8] {
    let digits = hexadecimal.filter { !$0.isWhitespace }.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}

extension RecordedBody {
  static let created = [
    configMap, namespace, secret, serviceAccount, deployment, deploymentWithCommand, service, nodePortService,
    externalNameService, headlessService, role, roleBinding, clusterRole, aggregatedRole, clusterRoleBinding, budget,
    quota,
  ]

  static let configMap = RecordedBody(
    command: "create configmap settings --from-literal=color=blue --from-literal=empty=",
    path: "/api/v1/namespaces/default/configmaps",
    hexadecimal: """
      6b3873000a0f0a0276311209436f6e6669674d617012340a180a0873657474696e677312001a0022002a00320038004200120d0a0563
      6f6c6f721204626c756512090a05656d70747912001a002200
      """,
    json: """
      {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings", "creationTimestamp": null},
      "data": {"color": "blue", "empty": ""}}
      """)

  static let namespace = RecordedBody(
    command: "create namespace shop",
    path: "/api/v1/namespaces",
    hexadecimal: """
      6b3873000a0f0a02763112094e616d657370616365121c0a140a0473686f7012001a0022002a0032003800420012001a020a001a0022
      00
      """,
    json: """
      {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop", "creationTimestamp": null},
      "spec": {}, "status": {}}
      """)

  static let secret = RecordedBody(
    command: "create secret generic token --from-literal=password=s3cret",
    path: "/api/v1/namespaces/default/secrets",
    hexadecimal: """
      6b3873000a0c0a0276311206536563726574122d0a150a05746f6b656e12001a0022002a0032003800420012120a0870617373776f72
      6412067333637265741a001a002200
      """,
    json: """
      {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "token", "creationTimestamp": null},
      "data": {"password": "czNjcmV0"}}
      """)

  static let serviceAccount = RecordedBody(
    command: "create serviceaccount bot",
    path: "/api/v1/namespaces/default/serviceaccounts",
    hexadecimal: """
      6b3873000a140a027631120e536572766963654163636f756e7412150a130a03626f7412001a0022002a003200380042001a002200
      """,
    json: """
      {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "bot", "creationTimestamp": null}}
      """)

  static let deployment = RecordedBody(
    command: "create deployment web --image=nginx:1.27 --image=busybox --replicas=3",
    path: "/apis/apps/v1/namespaces/default/deployments",
    hexadecimal: """
      6b3873000a150a07617070732f7631120a4465706c6f796d656e7412da010a1f0a0377656212001a0022002a003200380042005a0a0a
      03617070120377656212a8010803120c0a0a0a0361707012037765621a8d010a1c0a0012001a0022002a003200380042005a0a0a0361
      70701203776562126d12270a056e67696e78120a6e67696e783a312e32372a0042006a007200800100880100900100a2010012260a07
      62757379626f78120762757379626f782a0042006a007200800100880100900100a201001a00320042004a0052005800600068008201
      008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200
      """,
    json: """
      {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "creationTimestamp": null,
      "labels": {"app": "web"}}, "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
      "template": {"metadata": {"creationTimestamp": null, "labels": {"app": "web"}},
      "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27", "resources": {}}, {"name": "busybox",
      "image": "busybox", "resources": {}}]}}, "strategy": {}}, "status": {}}
      """)

  static let deploymentWithCommand = RecordedBody(
    command: "create deployment one --image=nginx:1.27 --port=8080 -- sleep 5",
    path: "/apis/apps/v1/namespaces/default/deployments",
    hexadecimal: """
      6b3873000a150a07617070732f7631120a4465706c6f796d656e7412c8010a1f0a036f6e6512001a0022002a003200380042005a0a0a
      0361707012036f6e651296010801120c0a0a0a0361707012036f6e651a7c0a1c0a0012001a0022002a003200380042005a0a0a036170
      7012036f6e65125c123e0a056e67696e78120a6e67696e783a312e32371a05736c6565701a01352a00320b0a00100018903f22002a00
      42006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2010022020a0028003800
      1a0c0800100018002000280038001a002200
      """,
    json: """
      {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "one", "creationTimestamp": null,
      "labels": {"app": "one"}}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "one"}},
      "template": {"metadata": {"creationTimestamp": null, "labels": {"app": "one"}},
      "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27", "command": ["sleep", "5"],
      "ports": [{"containerPort": 8080}], "resources": {}}]}}, "strategy": {}}, "status": {}}
      """)

  static let service = RecordedBody(
    command: "create service clusterip web --tcp=80:8080 --tcp=443:https",
    path: "/api/v1/namespaces/default/services",
    hexadecimal: """
      6b3873000a0d0a027631120753657276696365128d010a1f0a0377656212001a0022002a003200380042005a0a0a0361707012037765
      6212660a1b0a0738302d38303830120354435018502207080010903f1a0028000a220a093434332d6874747073120354435018bb0322
      0b080110001a0568747470732800120a0a0361707012037765621a002209436c757374657249503a00420052005a00600068001a020a
      001a002200
      """,
    json: """
      {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web", "creationTimestamp": null,
      "labels": {"app": "web"}}, "spec": {"ports": [{"name": "80-8080", "protocol": "TCP", "port": 80,
      "targetPort": 8080}, {"name": "443-https", "protocol": "TCP", "port": 443, "targetPort": "https"}],
      "selector": {"app": "web"}, "type": "ClusterIP"}, "status": {"loadBalancer": {}}}
      """)

  static let nodePortService = RecordedBody(
    command: "create service nodeport np --tcp=80:8080 --node-port=30080",
    path: "/api/v1/namespaces/default/services",
    hexadecimal: """
      6b3873000a0d0a02763112075365727669636512670a1d0a026e7012001a0022002a003200380042005a090a0361707012026e701242
      0a1d0a0738302d38303830120354435018502207080010903f1a002880eb0112090a0361707012026e701a0022084e6f6465506f7274
      3a00420052005a00600068001a020a001a002200
      """,
    json: """
      {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "np", "creationTimestamp": null,
      "labels": {"app": "np"}}, "spec": {"ports": [{"name": "80-8080", "protocol": "TCP", "port": 80,
      "targetPort": 8080, "nodePort": 30080}], "selector": {"app": "np"}, "type": "NodePort"},
      "status": {"loadBalancer": {}}}
      """)

  static let externalNameService = RecordedBody(
    command: "create service externalname ext --external-name=example.com",
    path: "/api/v1/namespaces/default/services",
    hexadecimal: """
      6b3873000a0d0a027631120753657276696365125a0a1f0a0365787412001a0022002a003200380042005a0a0a036170701203657874
      1233120a0a0361707012036578741a00220c45787465726e616c4e616d653a004200520b6578616d706c652e636f6d5a00600068001a
      020a001a002200
      """,
    json: """
      {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "ext", "creationTimestamp": null,
      "labels": {"app": "ext"}}, "spec": {"selector": {"app": "ext"}, "type": "ExternalName",
      "externalName": "example.com"}, "status": {"loadBalancer": {}}}
      """)

  static let headlessService = RecordedBody(
    command: "create service clusterip headless --clusterip=None",
    path: "/api/v1/namespaces/default/services",
    hexadecimal: """
      6b3873000a0d0a027631120753657276696365125f0a290a08686561646c65737312001a0022002a003200380042005a0f0a03617070
      1208686561646c657373122e120f0a036170701208686561646c6573731a044e6f6e652209436c757374657249503a00420052005a00
      600068001a020a001a002200
      """,
    json: """
      {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "headless", "creationTimestamp": null,
      "labels": {"app": "headless"}}, "spec": {"selector": {"app": "headless"}, "clusterIP": "None",
      "type": "ClusterIP"}, "status": {"loadBalancer": {}}}
      """)

  static let role = RecordedBody(
    command: "create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a",
    path: "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
    hexadecimal: """
      6b3873000a240a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f76311204526f6c6512530a160a06726561646572
      12001a0022002a0032003800420012160a036765740a046c69737412001a04706f647322016112210a036765740a046c697374120461
      7070731a0b6465706c6f796d656e74732201611a002200
      """,
    json: """
      {"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reader",
      "creationTimestamp": null}, "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"],
      "resourceNames": ["a"]}, {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"],
      "resourceNames": ["a"]}]}
      """)

  static let roleBinding = RecordedBody(
    command: "create rolebinding readers --role=reader --user=jane --serviceaccount=default:bot --group=team",
    path: "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    hexadecimal: """
      6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b526f6c6542696e64696e6712bd010a17
      0a077265616465727312001a0022002a0032003800420012290a04557365721219726261632e617574686f72697a6174696f6e2e6b38
      732e696f1a046a616e652200122a0a0547726f75701219726261632e617574686f72697a6174696f6e2e6b38732e696f1a047465616d
      220012200a0e536572766963654163636f756e7412001a03626f74220764656661756c741a290a19726261632e617574686f72697a61
      74696f6e2e6b38732e696f1204526f6c651a067265616465721a002200
      """,
    json: """
      {"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "readers",
      "creationTimestamp": null}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io",
      "name": "jane"}, {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "team"},
      {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}],
      "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}}
      """)

  static let clusterRole = RecordedBody(
    command: "create clusterrole health --verb=get --non-resource-url=/healthz",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    hexadecimal: """
      6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b436c7573746572526f6c6512290a160a
      066865616c746812001a0022002a00320038004200120f0a036765742a082f6865616c74687a1a002200
      """,
    json: """
      {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "health",
      "creationTimestamp": null}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]}
      """)

  static let aggregatedRole = RecordedBody(
    command: "create clusterrole agg --aggregation-rule=a=b",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    hexadecimal: """
      6b3873000a2b0a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f7631120b436c7573746572526f6c6512210a130a
      0361676712001a0022002a003200380042001a0a0a080a060a01611201621a002200
      """,
    json: """
      {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "agg",
      "creationTimestamp": null}, "rules": null,
      "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
      """)

  static let clusterRoleBinding = RecordedBody(
    command: "create clusterrolebinding crb --clusterrole=cr --user=jane",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    hexadecimal: """
      6b3873000a320a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f76311212436c7573746572526f6c6542696e6469
      6e67126e0a130a0363726212001a0022002a0032003800420012290a04557365721219726261632e617574686f72697a6174696f6e2e
      6b38732e696f1a046a616e6522001a2c0a19726261632e617574686f72697a6174696f6e2e6b38732e696f120b436c7573746572526f
      6c651a0263721a002200
      """,
    json: """
      {"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "crb",
      "creationTimestamp": null}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io",
      "name": "jane"}], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
      "name": "cr"}}
      """)

  static let token = RecordedBody(
    command: "create token bot --duration=10m --bound-object-kind=Pod --bound-object-name=p",
    path: "/api/v1/namespaces/default/serviceaccounts/bot/token",
    hexadecimal: """
      6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374122d0a100a001200
      1a0022002a0032003800420012131a0e0a03506f64120276311a0170220020d8041a040a0012001a002200
      """)

  static let review = RecordedBody(
    command: "auth can-i get pods",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    hexadecimal: """
      6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365737352657669
      6577123c0a100a0012001a0022002a00320038004200121e0a1c0a0764656661756c7412036765741a0022002a04706f647332003a00
      1a08080012001a0020001a002200
      """)

  static let budget = RecordedBody(
    command: "create poddisruptionbudget pdb --selector=a=b --min-available=1",
    path: "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    hexadecimal: """
      6b3873000a200a09706f6c6963792f76311213506f6444697372757074696f6e42756467657412350a130a0370646212001a0022002a
      0032003800420012120a06080010011a0012080a060a01611201621a0a080018002000280030001a002200
      """,
    json: """
      {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "metadata": {"name": "pdb",
      "creationTimestamp": null}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
      "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}}
      """)

  static let quota = RecordedBody(
    command: "create quota q --hard=cpu=1",
    path: "/api/v1/namespaces/default/resourcequotas",
    hexadecimal: """
      6b3873000a130a027631120d5265736f7572636551756f746112230a110a017112001a0022002a00320038004200120c0a0a0a036370
      7512030a01311a001a002200
      """,
    json: """
      {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "q", "creationTimestamp": null},
      "spec": {"hard": {"cpu": "1"}}, "status": {}}
      """)
}
