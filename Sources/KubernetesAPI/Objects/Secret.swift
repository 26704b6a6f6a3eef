import Foundation

/// `v1` Secret. Its description names the object and the keys, never a value.
public struct Secret: KubernetesResource, Hashable, CustomStringConvertible, CustomReflectable {
  public static let resource = ResourceType.secrets

  public var metadata: ObjectMeta
  public var type: String?
  /// Base64 on the wire.
  public var data: [String: Data]?

  public init(metadata: ObjectMeta, type: String? = nil, data: [String: Data]? = nil) {
    self.metadata = metadata
    self.type = type
    self.data = data
  }

  /// A value as text; `nil` where the key is missing or the value is not UTF-8.
  public func text(_ key: String) -> String? {
    data?[key].flatMap { String(data: $0, encoding: .utf8) }
  }

  public var description: String {
    "Secret \(metadata.key) (keys: \((data ?? [:]).keys.sorted().joined(separator: ", ")))"
  }

  // `dump` and test failures reflect members: they would print the values.
  public var customMirror: Mirror { Mirror(self, children: ["keys": (data ?? [:]).keys.sorted()]) }
}
