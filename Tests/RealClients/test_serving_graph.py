# SPDX-License-Identifier: Apache-2.0
"""`apus serve graph`: InferenceGraphs over HTTP, before services that say what they were asked."""
import collections
import http.server
import json
import subprocess
import threading

import pytest
import requests

from conftest import APUS
from service_fixture import Service


class Steps(http.server.ThreadingHTTPServer):
    """Services of steps: /echo gives the request back, /NUMBER answers that status, /predict V1's answer, others their
    name. Keeps what they were asked."""

    def __init__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                asked.append((self.path, body, dict(self.headers)))
                name = self.path.strip("/")
                status = int(name) if name.isdigit() else 200
                answer = {"echo": body, "predict": b'{"predictions": [1, 2]}'}.get(
                    name, json.dumps({"from": name}).encode())
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Graph(Service):
    role = "graph"


@pytest.fixture
def steps():
    steps = Steps()
    yield steps
    steps.shutdown()
    steps.server_close()


@pytest.fixture
def graph(request):
    graphs = []

    def start(nodes, environment=None, **spec):
        graph = Graph(environment)
        graphs.append(graph)
        return graph.launch("--graph-json", json.dumps({"nodes": nodes, **spec}))

    yield start
    for graph in graphs:
        graph.stop()
        graph.clean(keep=request.session.testsfailed)


def ask(graph, body, path="/", **settings):
    return requests.post(f"http://{graph.address}{path}", json=body, timeout=30, **settings)


def node(kind, *steps):
    return {"routerType": kind, "steps": list(steps)}


def test_a_graph_of_all_kinds(graph, steps):
    router = graph({
        "root": node(
            "Sequence", {"serviceUrl": steps.url("predict"), "name": "first", "dependency": "Hard"},
            {"nodeName": "way", "data": "$response", "mapPredictionsToInstances": True}),
        "way": node(
            "Switch", {"nodeName": "both", "condition": "instances.#(==2)"},
            {"serviceUrl": steps.url("never"), "condition": "instances"}),
        "both": node("Ensemble", {"serviceUrl": steps.url("a"), "name": "a"}, {"serviceUrl": steps.url("echo")}),
    }, environment={"PROPAGATE_HEADERS": "x-user.*,Authorization"})
    assert requests.get(f"http://{router.address}/readyz", timeout=60).text == "ok"
    answer = ask(
        router, {"instances": [[1]]}, "/v1/models/x:predict",
        headers={"X-User-Name": "me", "authorization": "Bearer t", "cookie": "no"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json() == {"a": {"from": "a"}, "1": {"instances": [1, 2]}}
    for path, body, headers in steps.asked:
        names = {name.lower(): value for name, value in headers.items()}
        assert names["x-user-name"] == "me" and names["authorization"] == "Bearer t" and "cookie" not in names
        assert names["content-type"] == "application/json"
    assert [path for path, _, _ in steps.asked][0] == "/predict"


def test_splitters_hold_their_shares(graph, steps):
    router = graph({"root": node(
        "Splitter", {"serviceUrl": steps.url("a"), "weight": 20}, {"serviceUrl": steps.url("b"), "weight": 80})})
    with requests.Session() as session:
        counts = collections.Counter(
            session.post(f"http://{router.address}/", json={}, timeout=30).json()["from"] for _ in range(400))
    # 80 expected, the standard deviation is 8: six of them.
    assert 32 <= counts["a"] <= 128, counts


def test_faults_in_kserves_form(graph, steps):
    router = graph({"root": node("Switch", {"serviceUrl": steps.url("418"), "condition": "a"},
                                 {"serviceUrl": "http://127.0.0.1:1/", "condition": "b"})})
    none = ask(router, {"c": 1})
    assert none.status_code == 404 and none.json()["error"] == "Failed to process request" and none.json()["cause"]
    assert ask(router, {"a": 1}).status_code == 418
    gone = ask(router, {"b": 1})
    assert gone.status_code == 500 and "127.0.0.1:1" in gone.json()["cause"]
    assert requests.get(f"http://{router.address}/", timeout=60).status_code == 405
    assert requests.post(
        f"http://{router.address}/", data=b"no json", timeout=60).status_code == 404


def test_soft_and_hard_steps(graph, steps):
    for dependency, status, calls in (("Hard", 503, 1), ("Soft", 200, 2)):
        steps.asked.clear()
        router = graph({"root": node(
            "Sequence", {"serviceUrl": steps.url("503"), "dependency": dependency}, {"serviceUrl": steps.url("b")})})
        assert ask(router, {}).status_code == status and len(steps.asked) == calls


@pytest.mark.parametrize("spec, word", [
    ({"nodes": {}}, "root"),
    ({"nodes": {"root": node("Splitter", {"serviceUrl": "http://x", "weight": 50})}}, "100"),
    ({"nodes": {"root": node("Sequence", {"nodeName": "root"})}}, "circle"),
    ({"nodes": {"root": node("Switch", {"serviceUrl": "http://x", "condition": "a.*"})}}, "condition"),
])
def test_graphs_that_cannot_be_served(spec, word):
    done = subprocess.run(
        [APUS, "serve", "graph", "--listen", "127.0.0.1:0", "--graph-json", json.dumps(spec)], capture_output=True,
        text=True, timeout=30)
    assert done.returncode != 0 and word in done.stderr


def test_a_graph_from_a_file(request, steps, tmp_path):
    file = tmp_path / "graph.yaml"
    file.write_text(f"""
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {{name: g, namespace: default}}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{{serviceUrl: {steps.url('echo')}}}]
""")
    graph = Graph()
    try:
        graph.launch("--graph-file", file)
        assert ask(graph, {"q": [1.5, None]}).json() == {"q": [1.5, None]}
        graph.stop()
    finally:
        graph.clean(keep=request.session.testsfailed)
