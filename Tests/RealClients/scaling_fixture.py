# SPDX-License-Identifier: Apache-2.0
"""`apus serve gateway` and `apus operate serving` beside a platform, and a gateway of the test's own that tells of any
load. What they decide can be read from their logs."""
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import APUS, ROOT, wait_for
from gateway_fixture import free_port  # noqa: F401 (for the tests)

# A server that starts as fast as Python can: answers each request after `DELAY` seconds, a thread each.
BACKEND = """
import os, socket, threading, time
delay, listener = float(os.environ.get("DELAY", "0")), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((os.environ["POD_IP"], 8080)); listener.listen(1024)
def serve(client):
    data = b""
    while True:
        while b"\\r\\n\\r\\n" not in data:
            more = client.recv(65536)
            if not more: return client.close()
            data += more
        head, data = data.split(b"\\r\\n\\r\\n", 1)
        if b"/v2/health" not in head: time.sleep(delay)
        body = os.environ["POD_NAME"].encode()
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"""


class Role:
    """A process of apus that is a client of a platform."""

    def __init__(self, cluster, name, *arguments, ready):
        self.cluster, self.name, self.arguments, self.word = cluster, name, arguments, ready
        self.process, self.address = None, None

    def start(self, timeout=60):
        said = self.cluster.folder / f"{self.name}.out"
        with open(said, "w") as output, open(self.cluster.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([APUS, *map(str, self.arguments), "--kubeconfig", self.cluster.kubeconfig],
                                            stdout=output, stderr=log)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"{self.name} ended with {self.process.returncode}: {self.logged()[-2000:]}")
            return next((l for l in said.read_text().splitlines() if l.startswith(f"ready {self.word} ")), None)

        self.address = wait_for(ready, timeout, f"{self.name} to be ready").split()[-1]
        return self

    def logged(self):
        return (self.cluster.folder / f"{self.name}.log").read_text(errors="replace")

    def decisions(self, name):
        """What was decided about a Deployment, with the numbers that it came from."""
        # The last line may be written half.
        lines = (l.split("decision ", 1)[1] for l in self.logged().split("\n")[:-1] if "decision {" in l)
        found = (json.JSONDecoder().raw_decode(line)[0] for line in lines)
        return [decision for decision in found if decision["name"] == name]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"{self.name} did not stop within 40 s of SIGTERM: {self.logged()[-2000:]}")


def gateway(cluster, *arguments):
    return Role(cluster, "gateway", "serve", "gateway", "--admin-listen", "127.0.0.1:0", "--address", "127.0.0.1",
                *arguments, ready="gateway")


def autoscaler(cluster, *arguments):
    return Role(cluster, "autoscaler", "operate", "serving", "--log-level", "debug", *arguments,
                ready="serving-operator")


class ToldLoad:
    """Looks like a gateway to the autoscaler: tells each second of the load that a test sets."""

    def __init__(self):
        self.loads, self.lock = {}, threading.Lock()
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                last = time.time() - 1
                while True:
                    now = time.time()
                    span, last = now - last, now
                    with told.lock:
                        loads = dict(told.loads)
                    for (namespace, service), concurrency in loads.items():
                        line = {"namespace": namespace, "service": service, "port": 80, "revision": "",
                                "time": int(now * 1000), "span": span, "concurrency": concurrency,
                                "requests": int(concurrency * 10 * span), "held": 0, "failures": 0, "latencies": []}
                        try:
                            self.wfile.write(json.dumps(line).encode() + b"\n")
                        except OSError:
                            return
                    time.sleep(1)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def set(self, namespace, service, concurrency):
        with self.lock:
            self.loads[namespace, service] = concurrency

    def stop(self):
        self.server.shutdown()


def deployment(name, replicas=0, annotations=None, command=None, delay=0, serves=True, image="host", cpu="250m"):
    """A Deployment of servers, or of what else `command` says, as a manifest."""
    command = command or ["python3", "-S", "-E", "-c", BACKEND]
    probe = {"readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1}}
    field = lambda path: {"valueFrom": {"fieldRef": {"fieldPath": path}}}  # noqa: E731
    container = {
        "name": "main", "image": image, "command": command,
        "env": [{"name": "POD_IP", **field("status.podIP")}, {"name": "POD_NAME", **field("metadata.name")},
                {"name": "DELAY", "value": str(delay)}],
        "resources": {"requests": {"cpu": cpu if serves else "1m", "memory": "1Mi"}}, **(probe if serves else {})}
    return json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                 "template": {"metadata": {"labels": {"app": name}},
                              "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}}})


def service(name, annotations=None):
    return json.dumps({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})


def apply_kinds(cluster):
    for file in ["gateway-api.yaml", "scaling-crds.yaml", "crds.yaml"]:
        cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "serving" / file))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


KPA = "autoscaling.knative.dev/"
IS_KPA = {KPA + "class": "kpa.autoscaling.knative.dev"}
LONG = os.environ.get("APUS_LONG_TESTS") == "1"
