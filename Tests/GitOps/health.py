#!/usr/bin/env python3
"""How GitOps tools read objects. Standard library, and lua5.1 for Argo CD's scripts (its own interpreter speaks Lua 5.1).

    health.py SCRIPTS < objects.json

reads a JSON list of Kubernetes objects and prints a list with, for each: `kind`, `name`, `kstatus` (status and message by
the rules of kstatus, which Flux, Helm 4, kpt and `kubectl wait`-like tools go by) and, where SCRIPTS has a health script
for the kind, `argo` (what it returns). The rules of kstatus are written anew here from its documentation, so that
nothing of the product judges itself.
"""
import json
import os
import subprocess
import sys
import tempfile

# ---------------------------------------------------------------- kstatus


def condition(obj, kind):
    for c in obj.get("status", {}).get("conditions") or []:
        if c.get("type") == kind:
            return c
    return {}


def kstatus(obj):
    meta, status = obj["metadata"], obj.get("status") or {}
    if meta.get("deletionTimestamp"):
        return "Terminating", "Resource scheduled for deletion"
    observed = status.get("observedGeneration")
    if observed is not None and observed != meta.get("generation"):
        return "InProgress", f"{obj['kind']} generation is {meta.get('generation')}, but latest observed generation is {observed}"
    for kind, answer in (("Reconciling", "InProgress"), ("Stalled", "Failed")):
        c = condition(obj, kind)
        if c.get("status") == "True":
            return answer, c.get("message", "")
    if obj["kind"] == "Deployment" and obj["apiVersion"].startswith("apps/"):
        return deployment(obj)
    ready = condition(obj, "Ready")
    if ready.get("status") in ("False", "Unknown"):
        return "InProgress", ready.get("message", "")
    return "Current", "Resource is current"


def deployment(obj):
    spec, status = obj["spec"], obj.get("status") or {}
    # Without a deadline (or with the largest number) the condition is not asked for.
    progressing = spec.get("progressDeadlineSeconds", 2**31 - 1) == 2**31 - 1
    available = False
    for c in status.get("conditions") or []:
        if c["type"] == "Progressing":
            if c.get("reason") == "ProgressDeadlineExceeded":
                return "Failed", "Progress deadline exceeded"
            if c["status"] == "True" and c.get("reason") == "NewReplicaSetAvailable":
                progressing = True
        if c["type"] == "Available" and c["status"] == "True":
            available = True
    wanted = spec.get("replicas", 1)
    number = lambda key: status.get(key, 0)
    if wanted > number("replicas"):
        return "InProgress", f"replicas: {number('replicas')}/{wanted}"
    if wanted > number("updatedReplicas"):
        return "InProgress", f"Updated: {number('updatedReplicas')}/{wanted}"
    if number("replicas") > wanted:
        return "InProgress", f"Pending termination: {number('replicas') - wanted}"
    if number("updatedReplicas") > number("availableReplicas"):
        return "InProgress", f"Available: {number('availableReplicas')}/{number('updatedReplicas')}"
    if wanted > number("readyReplicas"):
        return "InProgress", f"Ready: {number('readyReplicas')}/{wanted}"
    if not progressing:
        return "InProgress", "ReplicaSet not Available"
    if not available:
        return "InProgress", "Deployment not Available"
    return "Current", f"Deployment is available. Replicas: {wanted}"


# ---------------------------------------------------------------- Argo CD


def lua(value):
    """A value as Lua source. Argo CD hands the object over the same way: null is nil, numbers are numbers."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() or c in " -_./:" else "".join(f"\\{b:03d}" for b in c.encode()) for c in value) + '"'
    if isinstance(value, list):
        return "{" + ",".join(lua(v) for v in value) + "}"
    return "{" + ",".join(f"[{lua(k)}]={lua(v)}" for k, v in value.items()) + "}"


def argo(obj, scripts):
    path = os.path.join(scripts, obj["kind"].lower() + ".lua")
    if not os.path.exists(path):
        return None
    with open(path) as f:
        script = f.read()
    # Argo CD's sandbox: the object is a global, and the script can reach neither files nor the system.
    program = f"""
local source = [==[{script}]==]
local environment = {{obj = {lua(obj)}, ipairs = ipairs, pairs = pairs, string = string, table = table, math = math,
  tonumber = tonumber, tostring = tostring, type = type, next = next}}
local chunk = assert(loadstring(source, "{os.path.basename(path)}"))
setfenv(chunk, environment)
local hs = chunk()
io.write(hs.status, "\\n", hs.message or "")
"""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as f:
        f.write(program)
        f.flush()
        out = subprocess.run(["lua5.1", f.name], capture_output=True, text=True, timeout=20)
    if out.returncode != 0:
        sys.exit(f"{path}: {out.stderr}")
    status, _, message = out.stdout.partition("\n")
    known = {"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}
    if status not in known:
        sys.exit(f"{path}: returned the status {status!r}, which Argo CD does not know")
    return {"status": status, "message": message}


def main():
    scripts = sys.argv[1]
    answers = []
    for obj in json.load(sys.stdin):
        status, message = kstatus(obj)
        answer = {"kind": obj["kind"], "name": obj["metadata"]["name"], "kstatus": {"status": status, "message": message}}
        health = argo(obj, scripts)
        if health:
            answer["argo"] = health
        answers.append(answer)
    json.dump(answers, sys.stdout, indent=1)


main()
