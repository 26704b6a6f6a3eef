import Foundation

extension JSON {
  /// The JSON form of a value; members that are `nil` are left out. `Data` becomes base64 text.
  /// - Throws: `EncodingError`, for instance for a fraction that is not finite.
  public init(encoding value: some Encodable) throws {
    let node = EncodedNode()
    try node.encode(value, codingPath: [])
    self = node.json
  }
}

/// A value in the making: containers are handed out by reference, so the tree is built of reference nodes first.
private final class EncodedNode {
  enum Content {
    case nothing
    case leaf(JSON)
    case object([String: EncodedNode])
    case array([EncodedNode])
  }

  var content = Content.nothing

  var json: JSON {
    switch content {
    case .nothing: .emptyObject
    case .leaf(let value): value
    case .object(let members): .object(members.mapValues(\.json))
    case .array(let elements): .array(elements.map(\.json))
    }
  }

  func member(_ key: String) -> EncodedNode {
    let child = EncodedNode()
    guard case .object(var members) = content else {
      content = .object([key: child])
      return child
    }
    content = .nothing
    members[key] = child
    content = .object(members)
    return child
  }

  func element() -> EncodedNode {
    let child = EncodedNode()
    guard case .array(var elements) = content else {
      content = .array([child])
      return child
    }
    content = .nothing
    elements.append(child)
    content = .array(elements)
    return child
  }

  func encode(_ value: some Encodable, codingPath: [any CodingKey]) throws {
    switch value {
    case let json as JSON: content = .leaf(json)
    case let data as Data: content = .leaf(.string(data.base64EncodedString()))
    default: try value.encode(to: JSONTreeEncoder(node: self, codingPath: codingPath))
    }
  }

  func encode(integer value: some BinaryInteger, codingPath: [any CodingKey]) throws {
    guard let number = Int64(exactly: value) else {
      throw EncodingError.invalidValue(
        value, .init(codingPath: codingPath, debugDescription: "\(value) does not fit into 64 bits with a sign"))
    }
    content = .leaf(.int(number))
  }

  func encode(fraction value: Double, codingPath: [any CodingKey]) throws {
    guard value.isFinite else {
      throw EncodingError.invalidValue(value, .init(codingPath: codingPath, debugDescription: "JSON has no \(value)"))
    }
    content = .leaf(.double(value))
  }
}

private struct JSONTreeEncoder: Encoder, SingleValueEncodingContainer {
  let node: EncodedNode
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .nothing = node.content { node.content = .object([:]) }
    return KeyedEncodingContainer(KeyedWriter<Key>(node: node, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .nothing = node.content { node.content = .array([]) }
    return UnkeyedWriter(node: node, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }

  func encodeNil() throws { node.content = .leaf(.null) }
  func encode(_ value: Bool) throws { node.content = .leaf(.bool(value)) }
  func encode(_ value: String) throws { node.content = .leaf(.string(value)) }
  func encode(_ value: Double) throws { try node.encode(fraction: value, codingPath: codingPath) }
  func encode(_ value: Float) throws { try node.encode(fraction: Double(value), codingPath: codingPath) }
  func encode(_ value: Int) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: Int8) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: Int16) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: Int32) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: Int64) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: UInt) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: UInt8) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: UInt16) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: UInt32) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: UInt64) throws { try node.encode(integer: value, codingPath: codingPath) }
  func encode(_ value: some Encodable) throws { try node.encode(value, codingPath: codingPath) }
}

private struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: EncodedNode
  let codingPath: [any CodingKey]

  private func child(_ key: some CodingKey) -> JSONTreeEncoder {
    JSONTreeEncoder(node: node.member(key.stringValue), codingPath: codingPath + [key])
  }

  func encodeNil(forKey key: Key) throws { try child(key).encodeNil() }
  func encode(_ value: Bool, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: String, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Double, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Float, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Int, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Int8, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Int16, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Int32, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: Int64, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: UInt, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: UInt8, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: UInt16, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: UInt32, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: UInt64, forKey key: Key) throws { try child(key).encode(value) }
  func encode(_ value: some Encodable, forKey key: Key) throws { try child(key).encode(value) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    child(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { child(key).unkeyedContainer() }
  func superEncoder() -> any Encoder { child(JSONKey(stringValue: "super")) }
  func superEncoder(forKey key: Key) -> any Encoder { child(key) }
}

private struct UnkeyedWriter: UnkeyedEncodingContainer {
  let node: EncodedNode
  let codingPath: [any CodingKey]
  var count = 0

  init(node: EncodedNode, codingPath: [any CodingKey]) {
    self.node = node
    self.codingPath = codingPath
  }

  private mutating func child() -> JSONTreeEncoder {
    defer { count += 1 }
    return JSONTreeEncoder(node: node.element(), codingPath: codingPath + [JSONKey(intValue: count)])
  }

  mutating func encodeNil() throws { try child().encodeNil() }
  mutating func encode(_ value: some Encodable) throws { try child().encode(value) }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    child().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { child().unkeyedContainer() }
  mutating func superEncoder() -> any Encoder { child() }
}
