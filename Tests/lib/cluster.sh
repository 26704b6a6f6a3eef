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
  # One after the other: each installs Sluice in the cluster and takes it away again.
  local suites=("EndToEndTests.EndToEnd/" "EndToEndTests.ControllerLoss/")
  if [ ${#filter[@]} -gt 0 ]; then suites=("${filter[1]}"); fi
  for suite in "${suites[@]}"; do
    swift test --skip-build --disable-xctest --filter "$suite" 2>&1 | tee -a "$log" | grep -E '^(✘|==|not all)|rror' || true
    [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  done
  step "what came of it"
  echo "Proved on this cluster, with the rights of deploy/ and no others:"
  grep -E '^✔ Test "' "$log" | sed -E 's/^✔ Test "(.*)" (with ([0-9]+) test cases )?passed after ([0-9]+)\..*/  + \1 (\4 s)/' || true
  if grep -q -E '^✘ Test "' "$log"; then
    failed=1
    echo "Failed (all of it is in $log):"
    grep -E '^✘ Test ".* failed after' "$log" | sed -E 's/^✘ Test "(.*)" (with .*)?failed after.*/  x \1/'
  fi
  not_proved
  return $failed
}
