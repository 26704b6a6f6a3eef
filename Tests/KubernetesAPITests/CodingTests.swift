import Foundation
import Testing

@testable import KubernetesAPI

@Suite("Typed values and JSON")
struct CodingTests {
  struct Sample: Codable, Equatable {
    struct Inner: Codable, Equatable {
      var numbers: [Int8]
      var flag: Bool?
    }
    var name: String
    var inner: [Inner]
    var raw: JSON?
    var data: Data?
    var ratio: Double?
    var map: [String: Int]?
  }

  @Test("a value goes into JSON and comes back, nil members left out, JSON members as they are")
  func roundTrip() throws {
    let sample = Sample(
      name: "a", inner: [.init(numbers: [1, -2]), .init(numbers: [], flag: false)], raw: ["x": [1, 2.5, .null]],
      data: Data([1, 2, 255]), ratio: 2, map: ["k": 1])
    let json = try JSON(encoding: sample)
    #expect(
      json == [
        "name": "a", "inner": [["numbers": [1, -2]], ["numbers": [], "flag": false]], "raw": ["x": [1, 2.5, .null]],
        "data": "AQL/", "ratio": .double(2), "map": ["k": 1],
      ])
    #expect(try json.decode(Sample.self) == sample)
    #expect(try JSON(encoding: ["a", "b"]) == ["a", "b"])
  }

  @Test("Foundation's coders take JSON values too")
  func foundation() throws {
    let json: JSON = ["a": [1, 2.5, true, .null, "x"], "b": [:]]
    let data = try JSONEncoder().encode(json)
    #expect(try JSONDecoder().decode(JSON.self, from: data) == json)
  }

  @Test(
    "an error names the field, what was expected and what was found",
    arguments: [
      (#"{"inner":[]}"#, "name: missing"),
      (#"{"name":1,"inner":[]}"#, "name: expected a string, found integer"),
      (#"{"name":null,"inner":[]}"#, "name: expected a string, found null"),
      (#"{"name":"a","inner":[{"numbers":[1,"x"]}]}"#, "inner[0].numbers[1]: expected an integer, found string"),
      (#"{"name":"a","inner":[{"numbers":[1,300]}]}"#, "inner[0].numbers[1]: 300 is not within -128...127"),
      (#"{"name":"a","inner":[{"numbers":[1,1.5]}]}"#, "inner[0].numbers[1]: 1.5 is not within -128...127"),
      (#"{"name":"a","inner":{}}"#, "inner: expected an array, found object"),
      (#"{"name":"a","inner":[],"data":"?"}"#, "data: not base64"),
      (#"[]"#, "the object: expected an object, found array"),
    ])
  func errors(text: String, message: String) throws {
    let json = try JSON(parsing: text)
    let error = try #require(throws: DecodingError.self) { try json.decode(Sample.self) }
    #expect(error.fieldDescription == message)
  }

  @Test("an object that does not decode is named with its field")
  func undecodable() throws {
    let json: JSON = [
      "metadata": ["name": "web", "namespace": "shop"], "spec": ["replicas": "3", "selector": [:], "template": [:]],
    ]
    let error = #expect(throws: UndecodableObject.self) { try json.decoded(as: Deployment.self) }
    #expect(
      error?.description == "Deployment shop/web cannot be read: spec.replicas: expected an integer, found string")
  }

  @Test("what JSON cannot hold is refused on encoding")
  func notFinite() {
    #expect(throws: EncodingError.self) { try JSON(encoding: [Double.infinity]) }
    #expect(throws: EncodingError.self) { try JSON(encoding: UInt64.max) }
  }
}
