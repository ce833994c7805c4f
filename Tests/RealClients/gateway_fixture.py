# SPDX-License-Identifier: Apache-2.0
"""A gateway by a file of objects, and small servers behind it."""
import http.client
import http.server
import json
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import pytest
import yaml

from conftest import APUS, wait_for

GIVEN = set()


def free_port():
    """A port for a server that comes later: none of those from 30000 on, which Services have on nodes and which the
    system gives to others who listen meanwhile; and each only once."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            if port not in GIVEN and probe.connect_ex(("127.0.0.1", port)) != 0:
                GIVEN.add(port)
                return port


class Origin:
    """A server of HTTP/1.1 that says in JSON what it was asked; some paths do otherwise."""

    def __init__(self, name="origin", port=0, status=200, tls=None):
        # Seconds that each answer waits, or an event that it waits for.
        self.name, self.status, self.delay, self.hold = name, status, 0, None
        self.requests, self.lock = [], threading.Lock()
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *arguments):
                pass

            def body(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    parts = []
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        part = self.rfile.read(size)
                        self.rfile.readline()
                        if not size:
                            return b"".join(parts)
                        parts.append(part)
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def answer(self):
                body = self.body()
                with origin.lock:
                    origin.requests.append((self.command, self.path, dict(self.headers), body))
                path = self.path.split("?")[0]
                if origin.delay:
                    time.sleep(origin.delay)
                if origin.hold:
                    origin.hold.wait(60)
                if path == "/lost":
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if path == "/chunks":
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for number in range(100):
                        part = f"part {number};" * 100
                        self.wfile.write(f"{len(part):x}\r\n{part}\r\n".encode())
                    return self.wfile.write(b"0\r\n\r\n")
                if path == "/until-close":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b"x" * 100_000)
                    self.close_connection = True
                    return None
                answer = json.dumps({
                    "name": origin.name, "method": self.command, "path": self.path, "bytes": len(body),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": body[:1000].decode("latin1")}).encode()
                if path.startswith("/bytes/"):
                    answer = b"b" * int(path.split("/")[2])
                status = int(path.split("/")[2]) if path.startswith("/status/") else origin.status
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Origin", origin.name)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def count(self):
        with self.lock:
            return len(self.requests)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def upstream(name, *endpoints, port=80, http2=False, annotations=None):
    return {"apiVersion": "serving.apus.dev/v1alpha1", "kind": "Upstream",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"port": port, "http2": http2, "endpoints": list(endpoints)}}


def backend(name, weight=1, port=80, **more):
    return {"name": name, "port": port, "weight": weight, **more}


def route(name, *rules, hostnames=(), kind="HTTPRoute", created="2026-01-01T00:00:00Z", **spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
            "metadata": {"name": name, "creationTimestamp": created},
            "spec": {"parentRefs": [{"name": "gateway"}], "rules": list(rules),
                     **({"hostnames": list(hostnames)} if hostnames else {}), **spec}}


def rule(*backends, path=None, exact=None, **more):
    matches = more.pop("matches", None)
    if path or exact:
        matches = [{"path": {"type": "Exact" if exact else "PathPrefix", "value": exact or path}}]
    return {**({"matches": matches} if matches else {}), "backendRefs": list(backends), **more}


def policy(name, target, kind="HTTPRoute", **spec):
    return {"apiVersion": "serving.apus.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": {"name": name},
            "spec": {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": kind, "name": target}], **spec}}


class Gateway:
    """`apus serve gateway --config FILE`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-gateway-"))
        self.file = self.folder / "gateway.yaml"
        self.port, self.tls_port = free_port(), None
        self.process, self.reloads = None, 0
        self.listeners = [{"name": "http", "port": self.port, "protocol": "HTTP"}]
        self.arguments, self.spec = [], {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def write(self, *objects):
        gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gateway"},
                   "spec": {"gatewayClassName": "apus", "listeners": self.listeners,
                            "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}], **self.spec}}
        self.put(yaml.safe_dump_all([gateway, *objects]))

    def put(self, text):
        """At once: the gateway never reads a part of it."""
        temporary = self.folder / "next.yaml"
        temporary.write_text(text)
        temporary.rename(self.file)

    def start(self, *objects):
        self.write(*objects)
        said = self.folder / "gateway.out"
        with open(said, "w") as output, open(self.folder / "gateway.log", "ab") as log:
            self.process = subprocess.Popen(
                [APUS, "serve", "gateway", "--config", str(self.file), "--admin-listen", "127.0.0.1:0", *self.arguments],
                stdout=output, stderr=log)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"apus serve gateway ended with {self.process.returncode}: {self.logged()[-2000:]}")
            return next((line for line in said.read_text().splitlines() if line.startswith("ready gateway ")), None)

        self.admin = wait_for(ready, 60, "the gateway to be ready").split()[-1]
        return self

    def reload(self, *objects):
        """Takes over other objects, by SIGHUP. The gateway looks at the file by itself, too, and may take that of before
        once more: a route of its own tells this file from others."""
        before = self.metric("apus_gateway_reloads_total")
        self.reloads += 1
        redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "reloads.test", "statusCode": 302}}
        self.write(*objects, route("reloads", rule(exact=f"/{self.reloads}", filters=[redirect]),
                                   hostnames=["reloads.test"]))
        self.process.send_signal(signal.SIGHUP)
        wait_for(self.goes_by_file, 30, "the gateway to go by its file")
        wait_for(lambda: self.metric("apus_gateway_reloads_total") > before, 30, "the reload to be counted")

    def goes_by_file(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", f"/{self.reloads}", headers={"Host": "reloads.test"})
            return connection.getresponse().status == 302
        finally:
            connection.close()

    def metrics(self):
        return urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=30).read().decode()

    def metric(self, name, **labels):
        """The sum of a metric's samples that have these labels."""
        total = 0
        for line in self.metrics().splitlines():
            if not line.startswith(name) or line[len(name)] not in "{ ":
                continue
            if all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def logged(self):
        return (self.folder / "gateway.log").read_text(errors="replace")

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail("the gateway did not stop")
            assert code == 0, self.logged()[-2000:]
        shutil.rmtree(self.folder, ignore_errors=True)


def make_certificates(folder):
    """An authority, two certificates of servers and one of a client, in PEM, by openssl."""
    folder = pathlib.Path(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name, names in [("one", "DNS:one.test,DNS:localhost,IP:127.0.0.1"), ("two", "DNS:*.two.test"), ("client", "DNS:client")]:
        (folder / f"{name}.cnf").write_text(f"subjectAltName={names}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.cnf", "-out", f"{name}.pem")
    return folder


def tls_secret(name, chain, key):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": pathlib.Path(chain).read_text(), "tls.key": pathlib.Path(key).read_text()}}
