# SPDX-License-Identifier: Apache-2.0
"""The proxy subresources of pods, services and nodes, and `kubectl proxy`."""
import json
import re

import pytest
import requests
from kubernetes import client, config
from kubernetes.client.rest import ApiException

from conftest import wait_for

BACKEND = """
import http.server, json, os, threading

go = threading.Semaphore(0)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        if self.path.startswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", "/elsewhere?x=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/slow"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in range(3):
                self.wfile.write(b"6\\r\\npart %d\\r\\n" % part)
                self.wfile.flush()
                if not go.acquire(timeout=60):
                    self.close_connection = True
                    return
            self.wfile.write(b"0\\r\\n\\r\\n")
            return
        if self.path.startswith("/go"):
            go.release()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = json.dumps({"method": self.command, "path": self.path, "headers": dict(self.headers),
                           "bytes": len(body)}).encode()
        self.send_response(418 if self.path.startswith("/teapot") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = reply

http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def api(cluster):
    return config.new_client_from_config(cluster.kubeconfig)


@pytest.fixture(scope="module")
def web(cluster):
    """A namespace with a pod `web` and a service of that name that leads to it."""
    cluster.kubectl("create", "namespace", "proxied")
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "web", "namespace": "proxied", "labels": {"app": "web"}},
         "spec": {"terminationGracePeriodSeconds": 0, "containers": [
             {"name": "main", "image": "x", "command": ["python3", "-c", BACKEND],
              "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
              "ports": [{"name": "http", "containerPort": 8080}],
              "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "proxied"},
         "spec": {"selector": {"app": "web"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "none", "namespace": "proxied"},
         "spec": {"selector": {"app": "none"}, "ports": [{"port": 80}]}}]}))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "-n", "proxied", "--timeout=60s")
    wait_for(lambda: cluster.kubectl("get", "endpoints", "web", "-n", "proxied", "--ignore-not-found",
                                     "-o", "jsonpath={.subsets}"), what="endpoints")
    yield "proxied"
    cluster.kubectl("delete", "namespace", "proxied", "--wait=false")


def test_python_client_through_pod_and_service(api, web):
    core = client.CoreV1Api(api)
    for connect, name in [(core.connect_get_namespaced_pod_proxy_with_path, "web"),
                          (core.connect_get_namespaced_pod_proxy_with_path, "web:8080"),
                          (core.connect_get_namespaced_service_proxy_with_path, "web:80"),
                          (core.connect_get_namespaced_service_proxy_with_path, "http:web:web")]:
        told = eval(connect(name, web, "a/b"))
        assert told["path"] == "/a/b" and told["method"] == "GET", told
    for method in ["post", "put", "patch", "delete", "options"]:
        connect = getattr(core, f"connect_{method}_namespaced_pod_proxy_with_path")
        told = eval(connect("web", web, "x"))
        assert told["method"] == method.upper()
    with pytest.raises(ApiException) as error:
        core.connect_get_namespaced_pod_proxy_with_path("web", web, "teapot")
    assert error.value.status == 418
    with pytest.raises(ApiException) as error:
        core.connect_get_namespaced_service_proxy_with_path("none:80", web, "x")
    assert error.value.status == 503
    assert json.loads(error.value.body)["message"] == 'no endpoints available for service "none"'
    with pytest.raises(ApiException) as error:
        core.connect_get_namespaced_pod_proxy_with_path("web:1", web, "x")
    assert error.value.status == 503 and json.loads(error.value.body)["reason"] == "ServiceUnavailable"
    assert "error trying to reach service" in json.loads(error.value.body)["message"]


def session(cluster):
    session = requests.Session()
    session.trust_env = False
    session.verify = str(cluster.data / "pki" / "ca.crt")
    session.cert = (str(cluster.data / "pki" / "admin.crt"), str(cluster.data / "pki" / "admin.key"))
    return session


def test_headers_redirects_bodies_and_streams(cluster, web):
    https = session(cluster)
    path = f"/api/v1/namespaces/{web}/services/web:80/proxy"
    told = https.get(cluster.url + path + "/p%2Fq%20r?a=1&a=2&b", headers={"X-Mine": "1", "Authorization": ""}).json()
    assert told["path"] == "/p/q%20r?a=1&a=2&b"
    assert told["headers"]["X-Mine"] == "1" and told["headers"]["X-Forwarded-Uri"] == path + "/p/q%20r"
    assert "Authorization" not in told["headers"]
    redirect = https.get(cluster.url + path + "/redirect", allow_redirects=False)
    assert redirect.status_code == 302 and redirect.headers["Location"] == path + "/elsewhere?x=1"
    assert https.get(cluster.url + path + "/redirect").json()["path"] == "/elsewhere?x=1"
    directory = https.get(cluster.url + path, allow_redirects=False)
    assert directory.status_code == 301 and directory.headers["Location"] == path + "/"
    # More than a request for this server itself may have: it goes through without being held.
    assert https.post(cluster.url + path + "/post", data=b"x" * (8 << 20)).json()["bytes"] == 8 << 20
    head = https.head(cluster.url + path + "/head")
    assert head.status_code == 200 and int(head.headers["Content-Length"]) > 10 and head.content == b""
    parts = []
    for part in https.get(cluster.url + path + "/slow", stream=True).iter_content(None):
        parts.append(part)
        # Only then the next one is sent.
        https.get(cluster.url + path + "/go")
    assert parts == [b"part 0", b"part 1", b"part 2"], "each part comes when it is sent"


def test_kubectl_raw_and_proxy(cluster, web):
    told = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{web}/pods/web:8080/proxy/raw"))
    assert told["path"] == "/raw"
    running = cluster.popen("proxy", "--port=0")
    try:
        port = re.search(r"127.0.0.1:(\d+)", running.stdout.readline()).group(1)
        plain = requests.Session()
        plain.trust_env = False
        pods = plain.get(f"http://127.0.0.1:{port}/api/v1/namespaces/{web}/pods").json()
        assert [pod["metadata"]["name"] for pod in pods["items"]] == ["web"]
        told = plain.get(f"http://127.0.0.1:{port}/api/v1/namespaces/{web}/services/web:web/proxy/through").json()
        assert told["path"] == "/through"
    finally:
        running.terminate()
        running.wait(10)


def test_node(cluster, api, web):
    core = client.CoreV1Api(api)
    node = core.list_node().items[0].metadata.name
    assert core.connect_get_node_proxy_with_path(node, "healthz") == "ok"
    pods = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/pods"))
    assert "web" in [pod["metadata"]["name"] for pod in pods["items"]]
    with pytest.raises(ApiException) as error:
        core.connect_get_node_proxy_with_path(f"{node}:22", "x")
    assert error.value.status == 400 and "address not allowed" in error.value.body
    with pytest.raises(ApiException) as error:
        core.connect_get_node_proxy_with_path("nobody", "healthz")
    assert error.value.status == 404
