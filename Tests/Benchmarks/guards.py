"""How often guards hold a good run, and catch a bad one: `sluice simulate` on invented pods, many seeds for each kind."""

import json
import math
import pathlib
import re
import subprocess

PLAN = pathlib.Path(__file__).resolve().parent / "guards.yaml"

# Each bad twin is bad from the beginning of the canary on, but for requests that stay away: a share that is wrong at
# first is never verified, so that no guard is needed.
KINDS = {
    "good": [],
    "memory leak, 2 MiB a minute": ["--canary-memory-growth", "2"],
    "memory leak, 10 MiB a minute": ["--canary-memory-growth", "10"],
    "restarts, 4 an hour in each pod": ["--canary-restarts", "4"],
    "restarts, 20 an hour in each pod": ["--canary-restarts", "20"],
    "CPU +50 %": ["--canary-cpu", "1.5"],
    "CPU +100 %": ["--canary-cpu", "2"],
    "garbage collection, 8 % of the time": ["--canary-gc", "8%"],
    "404 for 3 % instead of 1 %": ["--canary-not-found", "3%"],
    "40 % of the requests stay away": ["--canary-away", "40%", "--fault-after", "4m"],
    "60 % of the service's requests are missing": ["--missing", "60%", "--fault-after", "4m"],
    # All callers together are served within the limit of 1 %, so that the run is held and not aborted.
    "one bad pod, 6 % of its requests fail": ["--canary-bad-pod", "6%"],
    "bad revision, 2 % of all requests fail": ["--canary-errors", "2%"],
}
# The guards that are to speak of each kind.
EXPECTED = {
    "memory": {"memory-growth", "memory"}, "restarts": {"restarts"}, "CPU": {"cpu"},
    "garbage": {"garbage-collection"}, "404": {"response-codes"}, "40 %": {"request-share"},
    "60 %": {"request-volume"},
}


def trial(binary, flags, seed, runs):
    """What many runs of one kind came to; `simulate` keeps all processors busy by itself."""
    command = [
        binary, "simulate", str(PLAN), "--rate", "200", "--replicas", "8", "--swing", "30%", "--seed", str(seed),
        "--runs", str(runs), "--horizon", "3h", "--output", "json", *flags,
    ]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    result = {name: found[name] for name in ("runs", "guards", "blamed")} | {"outcomes": {}, "held": 0}
    for group in found["groups"]:
        result["outcomes"][group["outcome"]] = group["runs"]
        result["held"] += sum(n for reason, n in group["reasons"].items() if reason.startswith("guards found"))
    return result


def measure(binary, runs, seed, word, tell):
    results = {}
    for kind, flags in chosen(word).items():
        results[kind] = trial(binary, flags, seed, runs)
        tell(f"{kind}: {summary(kind, results[kind])}")
    return results


def chosen(word):
    """The kinds whose name has this word in it; all without one."""
    return {kind: flags for kind, flags in KINDS.items() if word is None or word in kind}


def right(kind, result):
    """How often what is meant for the kind spoke: a guard, the pod's name, or an abort that names no pod; `None` for good."""
    if kind.startswith("one bad"):
        return named(result)[0]
    if kind.startswith("bad rev"):
        return max(0, result["outcomes"].get("Aborted", 0) - sum(result["blamed"].values()))
    for word, names in EXPECTED.items():
        if kind.startswith(word):
            return max(result["guards"].get(name, 0) for name in names)
    return None


def named(result):
    """How often the pod that was made bad was named, and how often another."""
    bad = sum(count for name, count in result["blamed"].items() if re.search(r"-00000$", name))
    return bad, sum(result["blamed"].values()) - bad


def summary(kind, result):
    found = right(kind, result)
    outcomes = ", ".join(f"{name.lower()} {count}" for name, count in sorted(result["outcomes"].items()))
    text = f"{outcomes} of {result['runs']}"
    if found is not None:
        text = f"rightly found {found}; {text}"
    if kind.startswith("one bad"):
        text += f"; another pod named {named(result)[1]}"
    spoke = {name: count for name, count in result["guards"].items() if count}
    if spoke:
        text += "; " + ", ".join(f"{name} {count}" for name, count in sorted(spoke.items()))
    return text


def tail(count, runs, share):
    """The probability of at most `count` of `runs` at this share."""
    def log(k):
        return (math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1)
                + k * math.log(share) + (runs - k) * math.log1p(-share))
    return min(1.0, sum(math.exp(log(k)) for k in range(count + 1)))


def at_most(count, runs):
    """The upper end of Clopper and Pearson's one-sided 95 % interval."""
    low, high = count / runs, 1.0
    if count == runs:
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(count, runs, middle) > 0.05 else (low, middle)
    return high


def at_least(count, runs):
    """And the lower end."""
    return 1 - at_most(runs - count, runs)


def targets(results):
    """What a good run and each bad twin must come to: name, found, wanted, whether it holds."""
    found = []
    if good := results.get("good"):
        share, most = good["held"] / good["runs"], at_most(good["held"], good["runs"])
        found.append(("good runs held", f"{share:.2%}, at most {most:.2%}", "at most 1 %", share <= 0.01))
    for kind, result in results.items():
        hits = right(kind, result)
        if hits is not None:
            share = hits / result["runs"]
            text = f"{share:.1%} found, at least {at_least(hits, result['runs']):.1%}"
            found.append((kind, text, "at least 90 %", share >= 0.9))
    return found
