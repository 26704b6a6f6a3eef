import KubernetesAPI

extension KubernetesClient {
  /// What the server serves: two requests where it knows aggregated discovery (Kubernetes 1.27 or later), else one more
  /// for each version of each group. A group whose own server is away does not hide the others.
  /// - Throws: ``KubernetesError``
  public func discover() async throws -> APICatalog {
    var catalog = APICatalog()
    for path in ["/api", "/apis"] {
      var request = APIRequest.raw(path)
      request.accept = APICatalog.accept
      let answer: JSON
      do {
        answer = try await send(request)
      } catch let error as KubernetesError where error.status?.code == 406 {
        // Something between that takes the header for nonsense.
        request.accept = nil
        answer = try await send(request)
      }
      if catalog.add(aggregated: answer) { continue }
      for (group, version) in catalog.add(groups: answer) {
        let place = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        do {
          catalog.add(resources: try await send(.raw(place)), group: group, version: version)
        } catch let error as KubernetesError where error.isNotFound || error.isRetriable {
          logger.warning("a part of the API is not available", metadata: ["path": "\(place)", "problem": "\(error)"])
          catalog.markUnavailable(group: group, version: version)
        }
      }
    }
    return catalog
  }
}
