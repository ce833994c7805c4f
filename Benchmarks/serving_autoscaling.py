#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a request at a model without pods takes, in parts, and how replicas follow a step of traffic.

From zero: `apus up`, `apus serve gateway`, `apus operate serving` and a Deployment of `apus serve inference` with an ONNX
model, scaled to 0. A request comes in through the gateway; watches of the Kubernetes API note when each step is seen.
The ceiling of the same run is the model server started by hand: from its start to its first answer.
A step: load of 2, then 42, then 2 requests at a time (told to the autoscaler as a gateway tells it) at `scaleTarget` 2,
3 to 30 replicas, window 60 s (--short: 6 s); every decision is recomputed by Tests/RealClients/kpa_reference.py.
Prints one JSON object; what is going on to standard error.

Usage: APUS_BINARIES=.build/release .venv/bin/python Benchmarks/serving_autoscaling.py [--short] [--parts zero,step]"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "RealClients"))

from conftest import APUS, new_cluster, wait_for  # noqa: E402
from kpa_reference import KPA as Reference  # noqa: E402
from scaling_fixture import IS_KPA, KPA, ToldLoad, apply_kinds, autoscaler, deployment, free_port, gateway  # noqa: E402

AIM_SECONDS = 0.3
GROUP = "gateway.networking.k8s.io"


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Moments:
    """When watches saw what, in seconds of the monotonic clock."""

    def __init__(self, cluster, name):
        from kubernetes import client, config, watch
        api = config.new_client_from_config(cluster.kubeconfig)
        apps, core, discovery = client.AppsV1Api(api), client.CoreV1Api(api), client.DiscoveryV1Api(api)
        self.seen, self.watches, self.places = {}, [], set()
        self.follow(watch.Watch(), apps.list_namespaced_deployment, lambda o: {
            "scaled": o.metadata.name == name and (o.spec.replicas or 0) > 0})
        self.follow(watch.Watch(), core.list_namespaced_pod, lambda o: {
            "podCreated": True, "scheduled": o.spec.node_name is not None, "started": o.status.phase == "Running",
            "addressed": self.ask(o.status.pod_ip)})
        self.follow(watch.Watch(), discovery.list_namespaced_endpoint_slice, lambda o: {
            "endpointKnown": o.metadata.name.startswith(name) and bool(o.endpoints)})

    def ask(self, address):
        """Asks a pod, apart from the gateway, until it says that it is ready."""
        if address is None or address in self.places:
            return address is not None
        self.places.add(address)

        def run():
            while "serverReady" not in self.seen:
                try:
                    if requests.get(f"http://{address}:8080/v2/health/ready", timeout=5).ok:
                        self.seen["serverReady"] = time.monotonic()
                except requests.RequestException:
                    time.sleep(0.002)

        threading.Thread(target=run, daemon=True).start()
        return True

    def follow(self, watch, function, facts):
        self.watches.append(watch)

        def run():
            for event in watch.stream(function, "default"):
                now = time.monotonic()
                for fact, is_so in facts(event["object"]).items():
                    if is_so and event["type"] != "DELETED":
                        self.seen.setdefault(fact, now)

        threading.Thread(target=run, daemon=True).start()

    def stop(self):
        for watch in self.watches:
            watch.stop()


def inference_command(model):
    return ["apus", "serve", "inference", "--model-name", "iris", "--model-uri", f"file://{model}", "--host", "$(POD_IP)",
            "--http-port", "8080", "--grpc-port", "8081"]


def by_hand(model, rounds):
    """Seconds from the start of a model server to its first answer."""
    times = []
    for _ in range(rounds):
        port = free_port()
        begin = time.monotonic()
        process = subprocess.Popen(
            [APUS, "serve", "inference", "--model-name", "iris", "--model-uri", f"file://{model}", "--http-port",
             str(port), "--grpc-port", str(free_port())], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    if requests.post(f"http://127.0.0.1:{port}/v2/models/iris/infer", json=request(), timeout=5).ok:
                        break
                except requests.ConnectionError:
                    time.sleep(0.002)
            times.append(time.monotonic() - begin)
        finally:
            process.terminate()
            process.wait(30)
    return statistics.median(times)


def request():
    return {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}


def routed(cluster, name, port):
    cluster.apply(json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "GatewayClass", "metadata": {"name": "apus"},
                              "spec": {"controllerName": "serving.apus.dev/gateway"}}))
    cluster.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "default"},
        "spec": {"gatewayClassName": "apus", "listeners": [{"name": "main", "port": port, "protocol": "HTTP"}]}}))
    cluster.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "default"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}}))
    cluster.kubectl("wait", "--for=condition=Programmed", "gateway/gw", "--timeout=60s")


def from_zero(cluster, rounds):
    from serving_fixture import iris
    model, name, port = iris(), "iris", free_port()
    # A short window: what has answered goes soon, so that the next round begins at zero.
    cluster.apply(deployment(name, 0, {**IS_KPA, KPA + "window": "6s", "serving.apus.dev/service": name},
                             command=inference_command(model), image="apus:latest", cpu="1"))
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "annotations": {"serving.apus.dev/scale-from-zero": "true"}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}))
    routed(cluster, name, port)
    results = []
    for index in range(rounds + 1):
        wait_for(lambda: not cluster.get("pods")["items"], seconds=120, what="no pods")
        moments = Moments(cluster, name)
        time.sleep(1.5)
        begin = time.monotonic()
        answer = requests.post(f"http://127.0.0.1:{port}/v2/models/iris/infer", json=request(), timeout=90)
        end = time.monotonic()
        assert answer.status_code == 200, answer.text
        time.sleep(0.3)
        moments.stop()
        # From the request on; the answer's own part is what comes after the server was ready.
        parts = {step: round((moment - begin) * 1000, 1) for step, moment in sorted(
            moments.seen.items(), key=lambda pair: pair[1])}
        parts["afterServerReady"] = round((end - moments.seen.get("serverReady", end)) * 1000, 1)
        say(f"from zero in {(end - begin) * 1000:.0f} ms: {parts}")
        if index > 0:  # The first one fills caches.
            results.append({"total": round((end - begin) * 1000, 1), **parts})
    middle = {key: statistics.median(r[key] for r in results if key in r) for key in results[0]}
    ceiling = by_hand(model, rounds)
    return {"milliseconds": middle, "worst": max(r["total"] for r in results), "serverByHandMilliseconds":
            round(ceiling * 1000, 1), "ratioToServerByHand": round(middle["total"] / 1000 / ceiling, 2),
            "aimMilliseconds": AIM_SECONDS * 1000, "reached": middle["total"] <= AIM_SECONDS * 1000}


def step(cluster, scaler, told, window):
    name = "step"
    cluster.apply(deployment(name, 3, {
        **IS_KPA, KPA + "target": "2", KPA + "min-scale": "3", KPA + "max-scale": "30", KPA + "window": f"{window}s"},
        command=["sleep", "3600"], serves=False))
    ready = lambda: int(cluster.kubectl(  # noqa: E731
        "get", "deployment", name, "-o", "jsonpath={.status.readyReplicas}") or 0)
    wait_for(lambda: ready() == 3, what="3 pods")
    told.set("default", name, 2.0)
    time.sleep(window + 6)
    begin = time.monotonic()
    told.set("default", name, 42.0)
    wait_for(lambda: ready() == 30, seconds=300, what="30 pods")
    up = time.monotonic() - begin
    time.sleep(window)
    begin = time.monotonic()
    told.set("default", name, 2.0)
    wait_for(lambda: scaler.decisions(name)[-1]["want"] == 3, seconds=60 + 4 * window, what="3 pods again")
    down = time.monotonic() - begin
    decisions = scaler.decisions(name)
    first = decisions[0]
    reference = Reference(target=first["target"], window=window, total=first["total"], low=3, high=30, ready=0)
    reference.panic_time, reference.max_panic = first.get("panicSince"), first["panicPods"]
    wrong = 0
    for d in decisions:
        made = reference.judge(d["now"], d["ready"], d["stable"], d["panic"])
        wrong += any(made[f] != d[f] for f in ["stableWant", "panicWant", "isPanicking", "want", "excessBurst"])
    trace, before = [], None
    for d in decisions:
        if (d["want"], d["isPanicking"]) != before:
            before = (d["want"], d["isPanicking"])
            trace.append({"at": round(d["now"] - first["now"], 1), "ready": d["ready"], "stable": d["stable"],
                          "panic": d["panic"], "want": d["want"], "isPanicking": d["isPanicking"]})
    return {"window": window, "secondsUp": round(up, 1), "secondsDown": round(down, 1), "decisions": len(decisions),
            "decisionsUnlikeTheReference": wrong, "trace": trace}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--parts", default="zero,step")
    options = parser.parse_args()
    cluster, folder = new_cluster()
    told, result = ToldLoad(), {"binary": APUS}
    roles = []
    try:
        cluster.start()
        wait_for(lambda: "True" in cluster.kubectl(
            "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"), what="the node")
        apply_kinds(cluster)
        cluster.kubectl("create", "namespace", "knative-serving")
        cluster.apply(json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
            "data": {"scale-to-zero-grace-period": "1s"}}))
        roles = [gateway(cluster).start(), autoscaler(cluster, "--gateway", told.url).start()]
        if "zero" in options.parts:
            result["fromZero"] = from_zero(cluster, 2 if options.short else 10)
        if "step" in options.parts:
            result["step"] = step(cluster, roles[1], told, 6 if options.short else 60)
    finally:
        for role in reversed(roles):
            role.stop()
        told.stop()
        cluster.down()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
