import KubernetesAPI
import Testing

@testable import Operator

@Suite("Pod templates")
struct PodTemplateTests {
  @Test("two templates are the same revision whatever hash and creation time they carry")
  func equality() {
    let plain: JSON = ["spec": ["template": ["metadata": ["labels": ["app": "web"]], "spec": ["x": 1]]]]
    let hashed: JSON = [
      "spec": [
        "template": [
          "metadata": ["labels": ["app": "web", "pod-template-hash": "abc"], "creationTimestamp": .null],
          "spec": ["x": 1],
        ]
      ]
    ]
    let other: JSON = ["spec": ["template": ["metadata": ["labels": ["app": "web"]], "spec": ["x": 2]]]]
    #expect(PodTemplate(of: plain) == PodTemplate(of: hashed))
    #expect(PodTemplate(of: plain).name == PodTemplate(of: hashed).name)
    #expect(PodTemplate(of: plain) != PodTemplate(of: other))
    #expect(PodTemplate(of: plain).name != PodTemplate(of: other).name)
  }
}
