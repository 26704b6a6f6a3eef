"""What stands around the controller: a recording proxy before the API, a Prometheus that answers as told, and a receiver
that never answers. Each runs in a process of its own, so that none waits for another's interpreter; all note times by
the monotonic clock, which is the same for every process of the machine."""

import asyncio
import json
import multiprocessing
import queue
import re
import signal
import sys
import threading
import time
from urllib.parse import parse_qs

context = multiprocessing.get_context("spawn")
LOOPBACK = "127.0.0.1"


# The proxy


class Requests:
    """Splits the bytes that a client sends over one HTTP/1.1 connection into requests."""

    def __init__(self, note):
        self.note = note
        self.buffer = b""
        self.began = None

    def feed(self, data, now):
        if not self.buffer:
            self.began = now
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            if "chunked" in headers.get("transfer-encoding", ""):
                raise ValueError(f"{method} {path}: a chunked request body, which this proxy does not read")
            size = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < size:
                return
            self.note(self.began, method, path, self.buffer[end + 4 : size])
            self.buffer = self.buffer[size:]
            # A request that came in the same piece as the one before it began with that piece.
            self.began = now


def news(method, path, body):
    """What the harness wants to know of a write: a canary's weight, or how far a run is."""
    if method == "GET" or not body:
        return None
    if "/virtualservices" in path:
        return {"weight": canary_weight(json.loads(body))}
    if "/rolloutruns/" in path and path.partition("?")[0].endswith("/status"):
        status = json.loads(body).get("status", {})
        found = {key: status.get(key) for key in ("phase", "step", "stage", "commandSequence", "message")}
        return {**found, "verdicts": {check["name"]: check["verdict"] for check in status.get("checks", [])}}
    if "/rollouts/" in path and path.partition("?")[0].endswith("/status"):
        status = json.loads(body).get("status", {})
        return {"rollout": status.get("message"), "canary": status.get("canary"), "weightShown": status.get("weight")}
    return None


def canary_weight(virtual_service):
    routes = [route for rule in virtual_service.get("spec", {}).get("http", []) for route in rule.get("route", [])]
    weights = [r.get("weight", 0) for r in routes if r["destination"]["host"].split(".")[0].endswith("-canary")]
    return max(weights, default=0)


def telling(records):
    """Hands records over by a thread of its own, so that a pipe that is full never holds up the loop."""
    # A loop that wakes up waits no longer than this for the other thread.
    sys.setswitchinterval(0.0002)
    line = queue.SimpleQueue()

    def tell():
        while True:
            records.put(line.get())

    threading.Thread(target=tell, daemon=True).start()
    return line.put


def proxy(server_port, records, ready):
    tell = telling(records)

    class Client(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport, self.server, self.early = transport, None, b""
            self.requests = Requests(self.note)
            self.opening = loop.create_task(self.open())

        async def open(self):
            self.server, _ = await loop.create_connection(lambda: Server(self), LOOPBACK, server_port)
            self.server.write(self.early)

        def data_received(self, data):
            now = time.monotonic()
            if self.server:
                self.server.write(data)
            else:
                self.early += data
            self.requests.feed(data, now)

        def note(self, began, method, path, body):
            # Read by the harness: what goes through here waits for nothing that can be done later.
            tell(("request", began, method, path, b"" if method == "GET" else body))

        def connection_lost(self, _):
            if self.server:
                self.server.close()
            else:
                self.opening.cancel()

    class Server(asyncio.Protocol):
        def __init__(self, client):
            self.client = client

        def data_received(self, data):
            self.client.transport.write(data)

        def connection_lost(self, _):
            self.client.transport.close()

    loop = asyncio.new_event_loop()
    serve(loop, Client, ready)


# The Prometheus


NAMESPACE = re.compile(r'destination_(?:service|workload)_namespace=~?"([^"]*)"')
SET = re.compile(r"([a-z0-9-]+)-\[a-z0-9\]\{5\}")
BUCKETS = ["10", "50", "100", "250", "500", "1000", "+Inf"]


class Lane:
    """The traffic of one Rollout. Each answer to a question counts one look's worth of requests more, so that what the
    controller reads depends on nothing but how often it has asked."""

    def __init__(self, stable):
        self.stable = stable
        self.weight = 0
        self.looks = {}
        self.counters = {}

    def set_weight(self, weight):
        self.weight = weight
        self.looks = {}


class Metrics:
    def __init__(self, volume, errors_of_1000, bad_after):
        self.volume, self.errors, self.bad_after = volume, errors_of_1000, bad_after
        self.lanes = {}

    def answer(self, query):
        """The series for a query, the lanes it asked for, and those whose canary is shown to be bad."""
        namespaces = NAMESPACE.search(query)
        names = namespaces.group(1).replace("\\", "").split("|") if namespaces else []
        view = "callee" if 'reporter="destination"' in query else "caller"
        kind = "latency" if "_bucket" in query else "requests"
        sets = SET.findall(query.replace("\\", ""))
        series, asked, bad = [], [], []
        for name in names:
            lane = self.lanes.get(name)
            if lane is None or not f"{name}app" in query:
                continue
            asked.append(name)
            look = lane.looks[view, kind] = lane.looks.get((view, kind), 0) + 1
            is_bad = self.bad_after is not None and lane.weight > 0 and look > self.bad_after
            if is_bad and kind == "requests":
                bad.append(name)
            own = [s for s in sets if s.startswith(f"{name}app-")]
            for track, share in (("stable", 100 - lane.weight), ("canary", lane.weight)):
                requests = self.volume * share // 100
                errors = requests if is_bad and track == "canary" else requests * self.errors // 1000
                if view == "caller":
                    labels = {
                        "destination_service_namespace": name, "destination_service_name": f"{name}app-{track}",
                        "instance": "10.0.0.1:15020", "namespace": "edge", "pod": "gateway-1",
                    }
                    self.count(series, lane, (view, kind, track), labels, requests, errors)
                else:
                    for one in own:
                        if (one == lane.stable) == (track == "stable"):
                            pod = f"{one}-aaaaa"
                            labels = {
                                "destination_workload_namespace": name, "pod": pod, "instance": f"{pod}:15020",
                                "namespace": name,
                            }
                            self.count(series, lane, (view, kind, one), labels, requests, errors)
        return series, view + "/" + kind, asked, bad

    @staticmethod
    def count(series, lane, key, labels, requests, errors):
        start = [0, 0] if "canary" in key else [1000, 0]
        good, failed = lane.counters.setdefault(key, start)
        good, failed = good + requests - errors, failed + errors
        lane.counters[key] = [good, failed]
        if key[1] == "requests":
            series.append(({**labels, "response_code": "200"}, good))
            series.append(({**labels, "response_code": "503"}, failed))
        else:
            series.extend(({**labels, "le": le}, 0 if le == "10" else good + failed) for le in BUCKETS)


def prometheus(volume, errors_of_1000, bad_after, orders, records, ready):
    metrics = Metrics(volume, errors_of_1000, bad_after)
    tell = telling(records)

    class Peer(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.requests = Requests(self.answer)

        def data_received(self, data):
            self.requests.feed(data, time.monotonic())

        def answer(self, _, method, path, body):
            query = parse_qs(body.decode()).get("query", [""])[0]
            series, question, asked, bad = metrics.answer(query)
            now = time.time()
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [
                {"metric": labels, "value": [now, str(value)]} for labels, value in series]}}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            # Just before the bytes go: a delay of this process counts against the controller, never for it.
            sent = time.monotonic()
            self.transport.write(head.encode() + body)
            tell(("answer", sent, question, asked, bad))

    def obey():
        while orders.poll():
            name, order, value = orders.recv()
            if order == "lane":
                metrics.lanes[name] = Lane(value)
            elif name in metrics.lanes:
                metrics.lanes[name].set_weight(value)

    loop = asyncio.new_event_loop()
    loop.add_reader(orders.fileno(), obey)
    serve(loop, Peer, ready)


# The receiver of notifications that hangs


def hanging(records, ready):
    class Peer(asyncio.Protocol):
        def connection_made(self, transport):
            records.put(("hung", time.monotonic()))

    serve(asyncio.new_event_loop(), Peer, ready)


def serve(loop, protocol, ready):
    # Ctrl-C reaches the whole group; the harness ends its children itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = loop.run_until_complete(loop.create_server(protocol, LOOPBACK, 0))
    ready.put(server.sockets[0].getsockname()[1])
    loop.run_forever()


def start(target, *arguments):
    """Starts one of the above; returns its process and its port."""
    ready = context.SimpleQueue()
    process = context.Process(target=target, args=(*arguments, ready), daemon=True)
    process.start()
    return process, ready.get()
