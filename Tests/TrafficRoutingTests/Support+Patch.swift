import KubernetesAPI

@testable import TrafficRouting

/// The object that a write leaves behind: for a patch as the API server carries it out, or `nil` where a test fails.
func applied(_ write: RoutingWrite, to object: JSON) -> JSON? {
  guard case .patch(_, _, let operations) = write else { return nil }
  var result: JSON? = object
  for operation in operations { result = result.flatMap { carriedOut(operation, on: $0) } }
  let version = (object[path: ["metadata", "resourceVersion"]]?.string).flatMap(Int.init) ?? 0
  result?[path: ["metadata", "resourceVersion"]] = .string("\(version + 1)")
  return result
}

private func carriedOut(_ operation: JSONPatchOperation, on object: JSON) -> JSON? {
  switch operation {
  case .test(let path, let value): value == found(path.parts[...], object) ? object : nil
  case .add(let path, let value): changed(object, path.parts[...], value, isInsertion: true)
  case .replace(let path, let value): changed(object, path.parts[...], value, isInsertion: false)
  case .remove(let path): changed(object, path.parts[...], nil, isInsertion: false)
  case .move, .copy: nil
  }
}

private func found(_ path: ArraySlice<String>, _ json: JSON) -> JSON? {
  guard let first = path.first else { return json }
  let child = json.array != nil ? Int(first).flatMap { json[$0] } : json[first]
  return child.flatMap { found(path.dropFirst(), $0) }
}

private func changed(_ json: JSON, _ path: ArraySlice<String>, _ value: JSON?, isInsertion: Bool) -> JSON? {
  guard let first = path.first else { return value }
  let rest = path.dropFirst()
  if var elements = json.array {
    guard let index = Int(first), index <= elements.count else { return nil }
    if rest.isEmpty {
      if isInsertion, let value {
        elements.insert(value, at: index)
      } else if let value {
        elements[index] = value
      } else {
        elements.remove(at: index)
      }
      return .array(elements)
    }
    guard let child = changed(elements[index], rest, value, isInsertion: isInsertion) else { return nil }
    elements[index] = child
    return .array(elements)
  }
  var copy = json
  if rest.isEmpty {
    guard isInsertion || json[first] != nil else { return nil }
    copy[first] = value
    return copy
  }
  guard let child = json[first].flatMap({ changed($0, rest, value, isInsertion: isInsertion) }) else { return nil }
  copy[first] = child
  return copy
}

extension JSON {
  /// Changes one element of a list.
  mutating func edit(_ member: String, _ index: Int, _ change: (inout JSON) -> Void) {
    var elements = self[member]?.array ?? []
    change(&elements[index])
    self[member] = .array(elements)
  }
}
