import KubernetesAPI

extension APIServer {
  func openAPI(_ request: ServerRequest, _ segments: [String]) throws(Status) -> ServerResponse {
    .text(404, "404 page not found\n")
  }
}
