#!/usr/bin/env python3
"""Sends HTTP requests to a Service of a `sluice sandbox --data-plane`, and counts what comes back.

Callers in the mesh go through Envoy by the Service's name; callers beside it go straight to the addresses that the
Service's EndpointSlices call ready, as clients of a headless Service or without a proxy do. Connections are kept alive.
Ends on SIGTERM or SIGINT, or after --duration, and prints one JSON object:

  {"requests", "failures", "latency": {"p50", "p99"} (milliseconds), "by": [{"via", "revision", "status", "requests"}],
   "failed": the first failures, each with its time, "via" and what was seen}

Begins once the mesh has answered with 200, or after half a minute. From then on a failure is every answer but 200 and
every request without a whole answer. With --out, a line with the counts of each tenth of a second is appended to a file:
{"at": end of the interval, seconds since 1970, "by": [as above]}.
"""
import argparse
import asyncio
import collections
import json
import signal
import sys
import time
import urllib.parse

ANSWER_WITHIN = 10.0
REACHED_WITHIN = 30.0


class Connection:
    """One kept-alive connection to one address."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.streams = None

    async def get(self, path, host, headers=""):
        """The status, the headers and the body of an answer."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.address)
        reader, writer = self.streams
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        else:
            body = await reader.readexactly(int(fields.get("content-length", 0)))
        if fields.get("connection") == "close":
            self.close()
        return int(head[0].split(" ")[1]), fields, body

    def close(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None


class Counts:
    def __init__(self, out):
        self.out = out
        self.total = collections.Counter()
        self.interval = collections.Counter()
        self.latencies = []
        self.failed = []

    def add(self, via, revision, status, seconds, detail=""):
        self.total[(via, revision, status)] += 1
        self.interval[(via, revision, status)] += 1
        # Enough for a percentile, and bounded.
        if len(self.latencies) < 1_000_000:
            self.latencies.append(seconds)
        if status != "200" and len(self.failed) < 50:
            self.failed.append({"at": time.time(), "via": via, "revision": revision, "saw": f"{status} {detail}".strip()})

    @staticmethod
    def rows(counter):
        return [
            {"via": via, "revision": revision, "status": status, "requests": requests}
            for (via, revision, status), requests in sorted(counter.items())
        ]

    def flush(self):
        if self.out and self.interval:
            self.out.write(json.dumps({"at": time.time(), "by": self.rows(self.interval)}) + "\n")
            self.out.flush()
        self.interval.clear()

    def summary(self):
        ordered = sorted(self.latencies) or [0]
        percentile = lambda share: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)
        return {
            "requests": sum(self.total.values()),
            "failures": sum(n for (_, _, status), n in self.total.items() if status != "200"),
            "latency": {"p50": percentile(0.5), "p99": percentile(0.99)},
            "by": self.rows(self.total), "failed": self.failed,
        }


async def send(connection, counts, via, path, host, headers=""):
    began = time.monotonic()
    try:
        status, fields, body = await asyncio.wait_for(connection.get(path, host, headers), ANSWER_WITHIN)
        detail = "" if status == 200 else body[:200].decode("utf-8", "replace").strip()
        counts.add(via, fields.get("x-revision", ""), str(status), time.monotonic() - began, detail)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
        connection.close()
        counts.add(via, "", "none", time.monotonic() - began, f"{type(error).__name__}: {error}")


async def paced(rate, offset, stop, act):
    """Calls `act` at a rate until told to stop, and does not make up for what a slow answer has cost."""
    due = time.monotonic() + offset
    while not stop.is_set():
        await asyncio.sleep(max(0, due - time.monotonic()))
        await act()
        due = max(due + 1 / rate, time.monotonic() - 1 / rate)


class Endpoints:
    """The ready endpoints of a Service, asked for ten times a second, and where they really listen."""

    def __init__(self, arguments, network):
        api = urllib.parse.urlsplit(arguments.api)
        self.api, self.host = Connection(api.netloc), api.netloc
        url = urllib.parse.urlsplit(network)
        self.network, self.network_path = Connection(url.netloc), url.path
        self.path = (
            f"/apis/discovery.k8s.io/v1/namespaces/{arguments.namespace}/endpointslices"
            f"?labelSelector=kubernetes.io/service-name%3D{arguments.service}"
        )
        self.where = {}
        self.ready = []

    async def follow(self):
        while True:
            try:
                await asyncio.wait_for(self.look(), 2)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                self.api.close()
                self.network.close()
            await asyncio.sleep(0.1)

    async def look(self):
        _, _, body = await self.api.get(self.path, self.host, "accept: application/json\r\n")
        ready = []
        for piece in json.loads(body).get("items", []):
            for endpoint in piece.get("endpoints") or []:
                if endpoint["conditions"].get("ready", True):
                    ready += endpoint["addresses"]
        if any(address not in self.where for address in ready):
            self.where = json.loads((await self.network.get(self.network_path, self.host))[2])
        self.ready = [self.where[address] for address in ready if address in self.where]


class DirectCaller:
    """Sends to the ready endpoints in turn, on a connection to each; one that is ready no more is left."""

    def __init__(self, endpoints, counts, number):
        self.endpoints, self.counts, self.turn = endpoints, counts, number
        self.connections = {}

    async def act(self):
        ready = self.endpoints.ready
        for gone in set(self.connections) - set(ready):
            self.connections.pop(gone).close()
        if not ready:
            return
        self.turn += 1
        address = ready[self.turn % len(ready)]
        connection = self.connections.setdefault(address, Connection(address))
        await send(connection, self.counts, "direct", "/", address)


async def reached(connection, path, host):
    """Waits until a Service answers at all: a mesh tells its proxies of a new one seconds after it was made."""
    until = time.monotonic() + REACHED_WITHIN
    while time.monotonic() < until:
        try:
            status, _, _ = await asyncio.wait_for(connection.get(path, host), ANSWER_WITHIN)
            if status == 200:
                return
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            connection.close()
        await asyncio.sleep(0.1)


async def run(arguments):
    with open(arguments.addresses) as file:
        addresses = json.load(file)
    counts = Counts(open(arguments.out, "a") if arguments.out else None)
    host = arguments.host or f"{arguments.service}.{arguments.namespace}:{arguments.port}"
    await reached(Connection(addresses[arguments.entrance]), arguments.path, host)
    stop = asyncio.Event()
    callers, others = [], []
    for number in range(arguments.connections):
        connection = Connection(addresses[arguments.entrance])
        rate = arguments.rate / arguments.connections
        act = lambda connection=connection: send(connection, counts, arguments.entrance, arguments.path, host)
        callers.append(paced(rate, number / arguments.rate, stop, act))
    if arguments.direct_rate:
        endpoints = Endpoints(arguments, addresses["network"])
        others.append(endpoints.follow())
        # Two, so that they do not walk in step with the pods.
        for number in range(2):
            caller = DirectCaller(endpoints, counts, number)
            callers.append(paced(arguments.direct_rate / 2, 0.1 + number / arguments.direct_rate, stop, caller.act))

    async def report():
        while True:
            await asyncio.sleep(0.1)
            counts.flush()

    # Whoever started this may have blocked them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    others = [asyncio.create_task(other) for other in others + [report()]]
    sending = asyncio.gather(*callers)
    try:
        await asyncio.wait_for(asyncio.shield(sending), arguments.duration)
    except asyncio.TimeoutError:
        # What was asked is waited for, so that no answer is cut off.
        stop.set()
        await sending
    for task in others:
        task.cancel()
    ended = await asyncio.gather(*others, return_exceptions=True)
    counts.flush()
    print(json.dumps(counts.summary()), flush=True)
    faults = [error for error in ended if not isinstance(error, (asyncio.CancelledError, type(None)))]
    for error in faults:
        print(f"load.py: {type(error).__name__}: {error}", file=sys.stderr)
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--addresses", required=True, help="addresses.json of the data plane")
    parser.add_argument("--api", help="URL of the sandbox's API, for callers beside the mesh")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--service", required=True)
    parser.add_argument("--port", type=int, default=80, help="of the Service")
    parser.add_argument("--entrance", choices=["mesh", "gateway"], default="mesh")
    parser.add_argument("--host", help="the Host header, where it is not the Service's name")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=200, help="requests per second through the mesh")
    parser.add_argument("--direct-rate", type=float, default=0, help="requests per second beside it")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--duration", type=float, help="seconds; without it, until a signal")
    parser.add_argument("--out", help="a file for the counts of each tenth of a second")
    arguments = parser.parse_args()
    if arguments.rate <= 0 or arguments.connections < 1 or arguments.direct_rate < 0:
        parser.error("--rate and --connections must be positive, --direct-rate not negative")
    if arguments.direct_rate and not arguments.api:
        parser.error("--direct-rate needs --api, to read the endpoints")
    return asyncio.run(run(arguments))


if __name__ == "__main__":
    sys.exit(main())
