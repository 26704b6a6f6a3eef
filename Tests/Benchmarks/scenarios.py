"""The four measurements. Each returns a dictionary; nothing here prints."""

import random
import threading
import time

from cluster import SLUICE, Environment, Failure, describe, kinds, stand_back, until

SEED = 20240229
LANES = 20
OTHERS = 200
TOUCHES_PER_SECOND = 50
# Looks after the weight was written until the canary turns bad. Verifying takes about four; ten more tell the analysis
# that errors come one by one, and from then on a single look can prove a canary bad.
HEALTHY_LOOKS = 16
# What the outbox keeps for one channel, and its word for a message that found the queue full.
QUEUE = 100
FULL = f"more than {QUEUE} messages wait for the channel"


def percentiles(values):
    values = sorted(values)
    if not values:
        return {}
    at = lambda share: values[min(len(values) - 1, int(share * len(values)))]
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": values[-1]}


# Aborts


def abort(binary, aborts, *, burdened, tell):
    lanes = [f"lane{i:02d}" for i in range(min(LANES, aborts))]
    with Environment(binary, volume=1000, errors_of_1000=5, bad_after=HEALTHY_LOOKS) as world:
        steps = [{"weight": 20, "analyze": {"for": "1h"}}]
        for lane in lanes:
            world.namespace(lane)
            if burdened:
                world.channel(lane)
            world.rollout(lane, f"{lane}app", steps, notify=burdened)
        world.start_controller()
        world.await_ready(len(lanes))
        for lane in lanes:
            world.serve_metrics(lane)
        others, stop = [], threading.Event()
        toucher = None
        if burdened:
            others = start_others(world, lanes, tell)
            for lane in lanes:
                world.make_unready(lane)
            toucher = threading.Thread(target=touch, args=(world, others, stop), daemon=True)
            toucher.start()
        tell(f"{aborts} aborts in {len(lanes)} namespaces")
        before, said = world.processor_time(), world.metrics_of_controller()
        began = time.monotonic()
        try:
            driver = Driver(world, lanes, aborts)
            driver.drive(tell)
        finally:
            stop.set()
        took = time.monotonic() - began
        if toucher:
            toucher.join(10)
        result = driver.result()
        result["controllerProcessors"] = (world.processor_time() - before) / took
        now = world.metrics_of_controller()
        grown = lambda series: now.get(series, 0) - said.get(series, 0)
        result["reconcilesPerSecond"] = grown("sluice_reconcile_seconds_count") / took
        # What the controller itself says of its aborts: the mean of each stage.
        result["stageMilliseconds"] = {
            stage: 1000 * grown(f'sluice_abort_seconds_sum{{stage="{stage}"}}')
            / max(1, grown(f'sluice_abort_seconds_count{{stage="{stage}"}}'))
            for stage in ("Judge", "Queue", "Decide", "Write")}
        if burdened:
            result["burden"] = {
                "otherRollouts": len(others), "touchesPerSecond": touch.count / took if took else 0,
                "webhookConnectionsHung": world.hung, "messagesDroppedByFullQueue": world.log().count(FULL),
                "stablePodsUnready": len(lanes),
            }
        tell("milliseconds: " + ", ".join(f"{k} {v:.1f}" for k, v in result["milliseconds"].items()))
        return result


def start_others(world, lanes, tell):
    """Other Rollouts in the lanes' namespaces, each with a run under way that waits for metrics, whose people pause and
    resume them until the channel of each namespace, which hangs, has more messages than its queue takes."""
    others = [(lanes[i % len(lanes)], f"other{i:03d}") for i in range(OTHERS)]
    for namespace, app in others:
        world.rollout(namespace, app, [{"weight": 1, "analyze": {"for": "1h"}}], replicas=1, interval="10s", notify=True)
    tell(f"waiting for {OTHERS} other Rollouts")
    world.await_ready(len(lanes) + OTHERS, limit=400)
    for namespace, app in others:
        world.image(namespace, app, "v2")
    wanted = {app for _, app in others}

    def runs():
        items = world.api.ask("GET", f"{SLUICE}/rolloutruns")["items"]
        return [r for r in items if r["spec"]["rolloutRef"]["name"] in wanted
                and r.get("status", {}).get("phase") == "Progressing"]

    tell("starting their runs")
    until(f"the runs of {OTHERS} other Rollouts", lambda: len(runs()) >= OTHERS, 400, 2)
    rounds = QUEUE * len(lanes) // OTHERS + 2
    tell("filling the queues of the channels")
    paths = [f"{SLUICE}/namespaces/{r['metadata']['namespace']}/rolloutruns/{r['metadata']['name']}" for r in runs()]
    for sequence in range(1, rounds + 1):
        for path in paths:
            action = "Pause" if sequence % 2 else "Resume"
            world.api.patch(path, {"spec": {"command": {
                "action": action, "sequence": sequence, "requestedBy": "benchmark"}}})

        def are_obeyed():
            with world.lock:
                seen = {path.partition("?")[0] for _, _, path, news in world.requests
                        if news and (news.get("commandSequence") or 0) >= sequence}
            return all(f"{path}/status" in seen for path in paths)

        until(f"command {sequence} on {OTHERS} runs", are_obeyed, 120, 0.2)
    return others


def touch(world, others, stop):
    """Changes an annotation of one other Rollout after the other, so that they are reconciled all the time."""
    stand_back()
    touch.count = 0
    draw = random.Random(SEED)
    end = time.monotonic()
    while not stop.is_set():
        namespace, app = draw.choice(others)
        try:
            world.api.patch(
                f"{SLUICE}/namespaces/{namespace}/rollouts/{app}",
                {"metadata": {"annotations": {"benchmark/touch": str(touch.count)}}})
        except (Failure, OSError):
            if stop.is_set():
                return
            raise
        touch.count += 1
        end += 1 / TOUCHES_PER_SECOND
        stop.wait(max(0, end - time.monotonic()))


class Driver:
    """Gives each lane a new image when its last run is over, until there were enough aborts."""

    def __init__(self, world, lanes, aborts):
        self.world, self.aborts = world, aborts
        self.rounds = dict.fromkeys(lanes, 0)
        self.due = {}
        self.over = set()
        self.writes = []
        self.weights = dict.fromkeys(lanes, 0)
        self.draw = random.Random(SEED)
        self.lock = threading.Lock()

    def drive(self, tell):
        now = time.monotonic()
        # Spread over the time of a run, so that aborts do not come in one heap.
        self.due = {lane: now + i * 20 / len(self.rounds) for i, lane in enumerate(self.rounds)}
        self.world.listeners.append(self.hear)
        quiet_since, told = now, 0
        while len(self.writes) < self.aborts:
            now = time.monotonic()
            with self.lock:
                due = [lane for lane, moment in self.due.items() if moment <= now]
                for lane in due:
                    del self.due[lane]
                    self.rounds[lane] += 1
            for lane in due:
                self.world.image(lane, f"{lane}app", f"v{self.rounds[lane] + 1}")
                quiet_since = now
            if len(self.writes) >= told + 20:
                told = len(self.writes)
                tell(f"{told} aborts")
                quiet_since = now
            if now - quiet_since > 180:
                raise Failure(f"no further abort for 180 s after {len(self.writes)}")
            time.sleep(0.02)

    def hear(self, record):
        if record[0] != "request":
            return
        _, moment, method, path, news = record
        if not news:
            return
        lane = path.split("/namespaces/")[1].split("/")[0]
        parts = path.partition("?")[0].split("/")
        if "weight" in news:
            if parts[-1] != f"{lane}app":
                return
            with self.lock:
                if news["weight"] == 0 and self.weights[lane] > 0:
                    self.writes.append((moment, lane))
                changed = news["weight"] != self.weights[lane]
                self.weights[lane] = news["weight"]
            if changed:
                self.world.orders.send((lane, "weight", news["weight"]))
        elif news.get("phase") == "Aborted" and parts[-2].startswith(f"{lane}app-"):
            with self.lock:
                # The status of a run that is over may be written again: only the first time makes room for the next.
                if parts[-2] not in self.over:
                    self.over.add(parts[-2])
                    self.due[lane] = time.monotonic() + 0.3 + self.draw.random()

    def result(self):
        with self.world.lock:
            answers = list(self.world.answers)
        samples, late, early, bad_looks = [], 0, 0, []
        for moment, lane in sorted(self.writes)[: self.aborts]:
            own = [a for a in answers if lane in a[2] and moment - 3 < a[0] < moment]
            bad = [a for a in own if lane in a[3]]
            if not bad:
                early += 1
                continue
            # Both views ask for requests; what is more than one of each is a further look.
            looks = max(sum(a[1] == question for a in bad) for question in ("caller/requests", "callee/requests"))
            bad_looks.append(looks)
            if looks > 1:
                late += 1
            samples.append((moment - max(a[0] for a in own)) * 1000)
        return {
            "aborts": len(samples), "milliseconds": percentiles(samples), "samples": [round(s, 2) for s in samples],
            "provedByOneLook": bad_looks.count(1), "neededMoreLooks": late, "withoutProof": early,
        }


# API writes for each step


def steps(binary, tell):
    weights = [10, 25, 50]
    lane = "steps"
    with Environment(binary, volume=20_000, errors_of_1000=1) as world:
        world.namespace(lane)
        world.rollout(lane, f"{lane}app", [{"weight": w, "analyze": {"for": "4s"}} for w in weights], replicas=4)
        world.start_controller()
        world.await_ready(1)
        world.serve_metrics(lane)
        phases = []

        def hear(record):
            if record[0] == "request" and record[4]:
                if "weight" in record[4]:
                    world.orders.send((lane, "weight", record[4]["weight"]))
                elif "phase" in record[4]:
                    phases.append(record[4]["phase"])

        world.listeners.append(hear)
        with world.lock:
            first = len(world.requests)
        tell("a run of three steps")
        world.image(lane, f"{lane}app", "v2")
        until("the end of the run", lambda: phases and phases[-1] in ("Promoted", "Aborted"), 120)
        if phases[-1] != "Promoted":
            raise Failure(f"the run of the good canary ended {phases[-1]}")
        # What is written after the end belongs to it, too.
        time.sleep(3)
        with world.lock:
            requests = world.requests[first:]
    return by_step(requests, weights)


def by_step(requests, weights):
    """Writes by step, from the write of its weight up to that of the next one's. The last step ends where the promotion
    scales the canary to full size. What starts the run and what promotes it stand for themselves."""
    parts, place, uncounted = {"start": []}, "start", {}
    left, said = list(weights), []
    for _, method, path, news in requests:
        if method == "GET":
            continue
        what = describe(method, path)
        if "leases" in what or "events" in what:
            uncounted[what] = uncounted.get(what, 0) + 1
            continue
        if left and news and news.get("weight") == left[0]:
            place = f"step {len(weights) - len(left) + 1}"
            left.pop(0)
        elif not left and (what == "PATCH replicasets" or news and news.get("phase") == "Promoting"):
            place = "promotion"
        parts.setdefault(place, []).append(what)
        if news:
            said.append({"part": place, "write": what, **news})
    counts = [len(parts.get(f"step {i + 1}", [])) for i in range(len(weights))]
    return {"weights": weights, "writesPerStep": counts, "writes": parts, "notCounted": uncounted, "news": said}


# Requests at rest


def rest(binary, tell, seconds=60):
    with Environment(binary) as world:
        world.namespace("rest")
        world.rollout("rest", "restapp", [{"weight": 10, "analyze": {"for": "1m"}}])
        world.start_controller()
        world.await_ready(1)
        time.sleep(5)
        tell(f"{seconds} s at rest")
        began, used = time.monotonic(), world.processor_time()
        time.sleep(seconds)
        end, used = time.monotonic(), world.processor_time() - used
        with world.lock:
            requests = [r for r in world.requests if began <= r[0] < end]
            queries = sum(began <= a[0] < end for a in world.answers)
    found = kinds(requests)
    allowed = {kind: n for kind, n in found.items() if kind.startswith("WATCH ") or kind.endswith(" leases")}
    return {
        "seconds": seconds, "requests": found, "others": {k: n for k, n in found.items() if k not in allowed},
        "prometheusQueries": queries, "processorMilliseconds": used * 1000,
    }


# Memory


def memory(binary, tell, count=100):
    with Environment(binary) as world:
        for i in range(10):
            world.namespace(f"team{i}")
        for i in range(count):
            world.rollout(f"team{i % 10}", f"app{i:03d}", [{"weight": 10, "analyze": {"for": "1m"}}], replicas=2)
        world.start_controller()
        tell(f"waiting for {count} Rollouts")
        world.await_ready(count)
        time.sleep(20)
        found = world.memory()
    return {"rollouts": count, "megabytes": found["VmRSS"], "highestMegabytes": found["VmHWM"]}
