# SPDX-License-Identifier: Apache-2.0
"""`apus operate serving` and the gateway of deploy/serving on a test's cluster, and a load of requests through it."""
import collections
import json
import pathlib
import sys
import threading
import time

import requests

from conftest import ROOT, wait_for

DEPLOY = ROOT / "deploy" / "serving"
STUB = pathlib.Path(__file__).parent / "serving_stub.py"


class Serving:
    """What `kubectl apply -k deploy/serving` makes, ready to be used."""

    def __init__(self, cluster):
        self.cluster = cluster
        for file in ["crds.yaml", "gateway-api.yaml", "scaling-crds.yaml"]:
            cluster.kubectl("apply", "-f", str(DEPLOY / file))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        cluster.kubectl("apply", "-k", str(DEPLOY))
        for name in ["serving-operator", "gateway"]:
            cluster.kubectl("rollout", "status", f"deployment/{name}", "-n", "kserve", "--timeout=60s")
        spec = cluster.get("service", "gateway", "-n", "kserve")["spec"]
        self.address = f"{spec['clusterIP']}:{spec['ports'][0]['port']}"
        self.url = f"http://{self.address}"

    def host(self, name, namespace):
        return f"{name}-{namespace}.localhost"

    def status(self, name, namespace):
        return self.cluster.get("inferenceservice", name, "-n", namespace).get("status", {})

    def ready(self, name, namespace):
        found = self.cluster.get("inferenceservice", name, "-n", namespace)
        status = found.get("status", {})
        return status.get("observedGeneration") == found["metadata"]["generation"] and any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))

    def shares(self, name, namespace):
        """Percent of the traffic by revision."""
        traffic = self.status(name, namespace).get("components", {}).get("predictor", {}).get("traffic", [])
        return {t["revisionName"]: t["percent"] for t in traffic if t["percent"]}

    def routed(self, name, namespace):
        """Whether the gateway goes by the service's route as it is: it says so after it does."""
        route = self.cluster.get("httproute", name, "-n", namespace)
        conditions = [c for parent in route.get("status", {}).get("parents", []) for c in parent["conditions"]]
        return conditions and all(c["observedGeneration"] == route["metadata"]["generation"] for c in conditions)

    def events(self, name, namespace):
        events = self.cluster.get("events", "-n", namespace)["items"]
        return {e["reason"]: e["message"] for e in events if e["involvedObject"]["name"] == name}

    def stub(self, name, namespace, revision, *options, annotations=None, **predictor):
        """Declares a service whose predictor is the stub."""
        self.cluster.apply(json.dumps({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
            "spec": {"predictor": {
                "terminationGracePeriodSeconds": 10, **predictor,
                "containers": [{
                    "name": "kserve-container", "image": "python",
                    "command": [sys.executable, str(STUB), "--name", revision, *map(str, options)],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1,
                                       "timeoutSeconds": 10, "failureThreshold": 10},
                }]}}}))

    def load(self, name, namespace, **settings):
        return Load(self.url, self.host(name, namespace), **settings)


class Load:
    """Asks a service over and over, by the gateway. Nothing is tried again: each request has to be answered."""

    def __init__(self, url, host, workers=4, path="/v2/models/m/infer", pause=0.0, body="{}"):
        self.url, self.host, self.workers, self.pause, self.body = url + path, host, workers, pause, body
        self.answered, self.failed, self.ended = collections.Counter(), [], [0] * workers
        self.lock = threading.Lock()
        self.threads = []

    def work(self, number):
        with requests.Session() as session:
            session.trust_env = False
            while not self.stop.is_set():
                try:
                    answer = session.post(self.url, data=self.body, headers={"Host": self.host}, timeout=30)
                    problem = None if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"
                    revision = answer.json().get("revision") if problem is None else None
                except requests.RequestException as error:
                    problem = repr(error)
                with self.lock:
                    self.ended[number] += 1
                    if problem:
                        self.failed.append((time.time(), problem))
                    else:
                        self.answered[revision] += 1
                if self.pause:
                    time.sleep(self.pause)

    @property
    def total(self):
        return sum(self.answered.values()) + len(self.failed)

    def counts(self):
        with self.lock:
            return collections.Counter(self.answered)

    def more(self, count, seconds=60):
        """Waits for so many more answers; how they went."""
        before, total = self.counts(), self.total
        wait_for(lambda: self.total >= total + count, seconds, f"{count} more requests")
        return self.counts() - before

    def settle(self, seconds=60):
        """Waits until all requests that are on their way have ended."""
        before = list(self.ended)
        wait_for(lambda: all(now > then for now, then in zip(self.ended, before)), seconds, "requests on their way")

    def __enter__(self):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(self.workers)]
        for thread in self.threads:
            thread.start()
        wait_for(lambda: self.total > 10, what="the load to begin")
        return self

    def __exit__(self, kind, *exception):
        self.stop.set()
        for thread in self.threads:
            thread.join()
