# Sourced by Tests/run: the end-to-end tests against the cluster of KUBECONFIG, and what came of them.

# What these tests cannot show on a cluster, whatever it is.
not_proved() {
  cat <<'TEXT'
Not proved by these tests:
  - that a data plane sends requests as the routing objects say: callers and metrics are simulated from the routing objects,
    Services and EndpointSlices that the cluster has, and Prometheus is one that the tests start
  - that the controller runs as a pod: it ran beside the cluster, with the token of its service account, so that its rights
    were the cluster's to judge; the image was not pulled
TEXT
  echo "  - that no request fails (the suite of real traffic): its pods listen and its Envoy runs on the machine of the tests,"
  echo "    which the pods of a cluster do not; Tests/run without --cluster runs it"
  if [ "${SLUICE_TEST_ROUTE_STATUS:-}" = yes ]; then
    echo "  - that an implementation of the Gateway API accepts the routes: their status was written by the tests' stand-in"
  elif ! serves_routes; then
    echo "  - anything of the Gateway API, which the cluster does not serve; --crds may name a folder with its definitions"
  else
    echo "  - anything of the Gateway API: the cluster's own implementation would write the status of routes that it does not"
    echo "    serve for the tests"
  fi
  if [ -n "${SLUICE_TEST_CRDS:-}" ]; then
    echo "  - that the cluster's own mesh takes the routing objects: if it had no definitions, those of --crds judged them"
  fi
  if ! kubectl get --raw /apis/admissionregistration.k8s.io/v1 2>/dev/null | grep -q '"mutatingadmissionpolicies"'; then
    echo "  - hold: Admission, since the cluster does not serve MutatingAdmissionPolicy v1 (Kubernetes 1.36 or later does)"
  fi
}

test_cluster() {
  export SLUICE_TEST_KUBECONFIG=$KUBECONFIG
  local log failed=0 suite
  log=$(mktemp "${TMPDIR:-/tmp}/sluice-cluster.XXXXXX")
  step "test: against the cluster $(kubectl config view --minify --output='jsonpath={.clusters[0].cluster.server}')"
  kubectl version 2>/dev/null | grep Server || true
  # Where the definitions come from --crds, nobody else writes the status of routes.
  if ! serves_routes && define_routes; then export SLUICE_TEST_ROUTE_STATUS=yes; fi
  # One after the other: each installs Sluice in the cluster and takes it away again.
  local suites=(EndToEnd ControllerLoss AlwaysMode Failover)
  suites=("${suites[@]/%//}")
  suites=("${suites[@]/#/EndToEndTests.}")
  if [ ${#filter[@]} -gt 0 ]; then suites=("${filter[1]}"); fi
  for suite in "${suites[@]}"; do
    swift test --skip-build --disable-xctest --filter "$suite" >>"$log" 2>&1 || failed=1
    grep -oE '✘ (Test ".*"|Suite ".*") recorded an issue .*' "$log" | cut -c1-400 | sort -u >"$log.failed" || true
    [ ! -s "$log.failed" ] || { echo "so far:"; cat "$log.failed"; }
  done
  step "what came of it"
  echo "Proved on this cluster, with the rights of deploy/ and no others:"
  grep -oE '✔ Test ".*" (with [0-9]+ test cases )?passed after [0-9]+' "$log" |
    sed -E 's/^✔ Test "(.*)" (with ([0-9]+) test cases )?passed after ([0-9]+)/  + \1 (\4 s)/' || true
  if [ $failed = 1 ]; then
    echo "Failed (all of it is in $log):"
    grep -oE '✘ (Test|Suite) ".*" (with .* )?failed after' "$log" |
      sed -E 's/^✘ (Test|Suite) "(.*)" (with .* )?failed after/  x \2/' || true
  fi
  not_proved
  rm -f "$log.failed"
  return $failed
}

serves_routes() { kubectl get --raw /apis/gateway.networking.k8s.io/v1 2>/dev/null | grep -q '"httproutes"'; }

# Whether --crds names a definition of HTTPRoutes.
define_routes() {
  local folders
  mapfile -t folders <<<"${SLUICE_TEST_CRDS:-}"
  [ -n "${folders[0]}" ] && grep -rqsE '^ *name: httproutes\.gateway\.networking\.k8s\.io' "${folders[@]}"
}
