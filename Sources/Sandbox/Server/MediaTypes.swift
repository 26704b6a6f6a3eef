import Foundation
import KubernetesAPI

/// In which form an answer is to be written.
enum Representation: Sendable, Equatable {
  case object
  case table
  case partialMetadata
}

/// A form, and the media type under which it goes out.
struct NegotiatedType: Sendable, Equatable {
  var representation = Representation.object
  var contentType = "application/json"
  /// Of discovery: the aggregated form was asked for.
  var isAggregatedDiscovery = false
}

/// Chooses what to answer with and reads what was sent. Everything is JSON here: a client that asks for protobuf
/// first gets JSON, which the real server does for custom resources too.
enum MediaTypes {
  static let accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"

  /// - Throws: 406 where nothing that the client takes is served.
  static func negotiate(accept: String?) throws(Status) -> NegotiatedType {
    guard let accept, !accept.allSatisfy(\.isWhitespace) else { return NegotiatedType() }
    var sawKnownType = false
    for clause in accept.split(separator: ",") {
      let (type, parameters) = parse(clause)
      guard ["application/json", "*/*", "application/*", "application/vnd.kubernetes.protobuf"].contains(type) else {
        continue
      }
      sawKnownType = true
      switch parameters["as"] {
      case nil:
        var chosen = NegotiatedType()
        if let stream = parameters["stream"], stream == "watch" { chosen.contentType = "application/json;stream=watch" }
        return chosen
      case "Table" where parameters["g"] == "meta.k8s.io" && parameters["v"] == "v1":
        return NegotiatedType(representation: .table)
      case "PartialObjectMetadata", "PartialObjectMetadataList":
        if parameters["g"] == "meta.k8s.io", parameters["v"] == "v1" {
          return NegotiatedType(representation: .partialMetadata)
        }
      case "APIGroupDiscoveryList":
        if parameters["g"] == "apidiscovery.k8s.io", parameters["v"] == "v2" {
          return NegotiatedType(
            contentType: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            isAggregatedDiscovery: true)
        }
      default: break
      }
    }
    if sawKnownType {
      throw Status(
        code: 406, reason: "NotAcceptable", message: "only the following media types are accepted: \(accepted)")
    }
    throw Status(
      code: 406, reason: "NotAcceptable",
      message: "406: Not Acceptable\n\nAvailable representations: \(accepted)", details: .init())
  }

  /// `application/json;as=Table;v=v1` → the type in lower case and its parameters.
  static func parse(_ clause: some StringProtocol) -> (type: String, parameters: [String: String]) {
    let parts = clause.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
    var parameters: [String: String] = [:]
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      if pair.count == 2 { parameters[pair[0]] = pair[1] }
    }
    return (parts.first?.lowercased() ?? "", parameters)
  }
}
