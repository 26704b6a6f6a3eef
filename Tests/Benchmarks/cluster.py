"""A sandbox, a controller behind the recording proxy, and the objects of a benchmark."""

import collections
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
MERGE = "application/merge-patch+json"
SLUICE = "/apis/sluice.dev/v1alpha1"


class Failure(Exception):
    pass


def stand_back():
    """Lets the controller, and what measures it, have a processor first. On a real cluster the API server, and all who
    change objects there, have machines of their own; here they share its processors. Holds for the calling thread and
    those that it starts."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


class API:
    """The sandbox's API past the proxy: what people and other tools do. One connection for each thread."""

    def __init__(self, port):
        self.port, self.local = port, threading.local()

    def ask(self, method, path, body=None, kind="application/json"):
        data = None if body is None else json.dumps(body)
        for attempt in (1, 2):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = http.client.HTTPConnection(wire.LOOPBACK, self.port, timeout=30)
            try:
                connection.request(method, path, data, {"Content-Type": kind})
                answer = connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                if attempt == 2:
                    raise
        if answer.status >= 300:
            raise Failure(f"{method} {path}: {answer.status} {text[:300].decode(errors='replace')}")
        return json.loads(text)

    def create(self, prefix, namespace, plural, body):
        return self.ask("POST", f"{prefix}/namespaces/{namespace}/{plural}", body)

    def patch(self, path, body):
        return self.ask("PATCH", path, body, MERGE)


class Environment:
    """Everything that one scenario needs; leaving it ends every process."""

    def __init__(self, binary, *, volume=1000, errors_of_1000=5, bad_after=None):
        self.binary = binary
        self.metrics = (volume, errors_of_1000, bad_after)
        self.processes, self.children = [], []
        self.requests, self.answers, self.hung = [], [], 0
        self.lock = threading.Lock()
        self.listeners = []

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-benchmark."))
        self.is_kept = False
        try:
            self.open()
        except BaseException:
            self.__exit__(True, None, None)
            raise
        return self

    def open(self):
        kubeconfig = self.folder / "kubeconfig"
        self.start("sandbox", "sandbox", "--port", "0", "--kubeconfig", str(kubeconfig), yielding=True)
        until("the sandbox", kubeconfig.exists, 30)
        text = kubeconfig.read_text()
        port = int(re.search(r"127\.0\.0\.1:(\d+)", text).group(1))
        self.api = API(port)
        for options in (["-k", "deploy/crds"], ["-k", "deploy/policies"]):
            subprocess.run(
                ["kubectl", "--kubeconfig", kubeconfig, "apply", *options], cwd=ROOT, check=True,
                stdout=subprocess.DEVNULL)
        records = wire.context.SimpleQueue()
        orders, self.orders = wire.context.Pipe(duplex=False)
        proxy = self.child(wire.proxy, port, records)
        prometheus = self.child(wire.prometheus, *self.metrics, orders, records)
        self.webhook = self.child(wire.hanging, records)
        threading.Thread(target=self.collect, args=(records,), daemon=True).start()
        self.proxied = self.folder / "proxied"
        self.proxied.write_text(text.replace(f":{port}", f":{proxy}"))
        self.prometheus = f"http://{wire.LOOPBACK}:{prometheus}"

    def child(self, target, *arguments):
        process, port = wire.start(target, *arguments)
        self.children.append(process)
        return port

    def start(self, log, *arguments, yielding=False):
        with open(self.folder / f"{log}.log", "w") as file:
            environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
            # As deploy/controller/deployment.yaml has it.
            environment["MALLOC_ARENA_MAX"] = "2"
            process = subprocess.Popen(
                [self.binary, *arguments], stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment,
                preexec_fn=stand_back if yielding else None)
        self.processes.append(process)
        return process

    def start_controller(self):
        with socket.socket() as free:
            free.bind((wire.LOOPBACK, 0))
            self.status = free.getsockname()[1]
        self.controller = self.start(
            "controller", "controller", "--kubeconfig", str(self.proxied), "--prometheus-url", self.prometheus,
            "--status-address", wire.LOOPBACK, "--status-port", str(self.status))

    def metrics_of_controller(self):
        """What the controller says of itself, by series."""
        connection = http.client.HTTPConnection(wire.LOOPBACK, self.status, timeout=10)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {name: float(value) for name, _, value in (l.rpartition(" ") for l in lines if not l.startswith("#"))}

    def collect(self, records):
        while True:
            record = records.get()
            if record[0] == "request":
                record = (*record[:4], wire.news(*record[2:]))
            with self.lock:
                if record[0] == "request":
                    self.requests.append(record[1:])
                elif record[0] == "answer":
                    self.answers.append(record[1:])
                else:
                    self.hung += 1
            for listener in self.listeners:
                listener(record)

    def log(self):
        return (self.folder / "controller.log").read_text(errors="replace")

    def __exit__(self, kind, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self.children:
            child.kill()
            child.join()
        if kind and not self.is_kept:
            self.is_kept = True
            print(f"The logs are kept in {self.folder}", flush=True)
        elif not kind:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What teams do

    def namespace(self, name):
        self.api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def channel(self, namespace):
        """A NotificationChannel whose receiver accepts and never answers."""
        url = f"http://{wire.LOOPBACK}:{self.webhook}/hook"
        self.api.create("/api/v1", namespace, "secrets", {"metadata": {"name": "hook"}, "stringData": {"url": url}})
        self.api.create(SLUICE, namespace, "notificationchannels", {
            "apiVersion": "sluice.dev/v1alpha1", "kind": "NotificationChannel", "metadata": {"name": "team"},
            "spec": {"webhook": {"urlSecretRef": {"name": "hook"}}}})

    def rollout(self, namespace, app, steps, *, replicas=2, interval="1s", notify=False):
        pod = {"containers": [{"name": "app", "image": f"registry.example/{app}:v1", "ports": [{"containerPort": 8080}]}]}
        self.api.create("/api/v1", namespace, "services", {
            "metadata": {"name": app},
            "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
        self.api.create("/apis/apps/v1", namespace, "deployments", {
            "metadata": {"name": app},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}},
                     "template": {"metadata": {"labels": {"app": app}}, "spec": pod}}})
        spec = {
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app},
            "serviceRefs": [{"name": app, "port": "http"}], "traffic": {"istio": {}}, "steps": steps,
            "settle": "0s", "scaleDownDelay": "0s",
            "analysis": {"interval": interval, "slos": [
                {"name": "errors", "errorRate": {"max": "1%"}},
                {"name": "p99", "latency": {"quantile": "99", "max": "500ms"}}]}}
        if notify:
            spec["notify"] = [{"channel": "team"}]
        self.api.create(SLUICE, namespace, "rollouts", {
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": app}, "spec": spec})

    def image(self, namespace, app, tag):
        self.api.ask(
            "PATCH", f"/apis/apps/v1/namespaces/{namespace}/deployments/{app}",
            {"spec": {"template": {"spec": {"containers": [
                {"name": "app", "image": f"registry.example/{app}:{tag}"}]}}}},
            "application/strategic-merge-patch+json")

    def ready_rollouts(self):
        def is_ready(rollout):
            conditions = {c["type"]: c["status"] for c in rollout.get("status", {}).get("conditions", [])}
            return conditions.get("Ready") == "True"

        return [r for r in self.api.ask("GET", f"{SLUICE}/rollouts")["items"] if is_ready(r)]

    def await_ready(self, count, limit=240):
        until(f"{count} ready Rollouts", lambda: len(self.ready_rollouts()) >= count, limit, 2)

    def serve_metrics(self, namespace):
        """From now on Prometheus has series for the namespace's Rollout."""
        app = f"{namespace}app"
        status = self.api.ask("GET", f"{SLUICE}/namespaces/{namespace}/rollouts/{app}")["status"]
        self.orders.send((namespace, "lane", status["stable"]["replicaSet"]))

    def make_unready(self, namespace):
        """One pod of the stable revision fails its readiness probe from now on."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        pods = [p for p in self.api.ask("GET", path)["items"] if p["metadata"]["name"].startswith(f"{namespace}app-")]
        self.api.ask(
            "PATCH", f"{path}/{pods[0]['metadata']['name']}/status",
            {"status": {"conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
                {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady"}]}},
            "application/strategic-merge-patch+json")

    def memory(self):
        """Resident memory of the controller: now and at its highest, in MB (1,048,576 bytes)."""
        text = pathlib.Path(f"/proc/{self.controller.pid}/status").read_text()
        return {key: int(re.search(rf"{key}:\s+(\d+) kB", text).group(1)) / 1024 for key in ("VmRSS", "VmHWM")}

    def processor_time(self):
        """Seconds of processor time that the controller has used."""
        fields = pathlib.Path(f"/proc/{self.controller.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(what, condition, limit, pause=0.1):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"gave up waiting for {what} after {limit} s")
        time.sleep(pause)


def kinds(requests):
    """Requests by what they do, most frequent first."""
    counted = collections.Counter()
    for _, method, path, _ in requests:
        counted[describe(method, path)] += 1
    return dict(counted.most_common())


def describe(method, path):
    path, _, query = path.partition("?")
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    kind = "/".join([parts[0], *parts[2:]]) if parts else path
    if "watch=1" in query or "watch=true" in query:
        return f"WATCH {kind}"
    return f"{method} {kind}"
