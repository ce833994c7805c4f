# SPDX-License-Identifier: Apache-2.0
"""What stands around a predictor: transformer and explainer on KServe's own Python server, batcher, and logger."""
import concurrent.futures
import http.server
import json
import pathlib
import sys
import threading

import pytest
import requests

from conftest import wait_for
from gateway_load import Serving
from serving_fixture import iris

COMPONENT = str(pathlib.Path(__file__).parent / "kserve_component.py")


class Collector(http.server.ThreadingHTTPServer):
    """Takes CloudEvents."""

    def __init__(self):
        self.events = []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.events.append((dict((k.lower(), v) for k, v in self.headers.items()), json.loads(body)))
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass


def component(port):
    return {"containers": [{
        "name": "kserve-container", "image": "python",
        "command": [sys.executable, COMPONENT], "args": ["--http_port", str(port)],
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/v1/models/flowers", "port": port}, "periodSeconds": 1,
                           "failureThreshold": 60}}]}


@pytest.fixture(scope="module")
def flowers(cluster):
    serving = Serving(cluster)
    collector = Collector()
    cluster.kubectl("create", "namespace", "garden")
    cluster.apply(json.dumps({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "flowers", "namespace": "garden"},
        "spec": {
            "predictor": {
                "model": {"modelFormat": {"name": "onnx"}, "storageUri": f"file://{iris()}", "protocolVersion": "v1"},
                "batcher": {"maxBatchSize": 8, "maxLatency": 200},
                "logger": {"url": f"http://127.0.0.1:{collector.server_port}", "mode": "all"}},
            "transformer": component(18085), "explainer": component(18086)}}))
    wait_for(lambda: serving.ready("flowers", "garden"), 120, "the service with its components")
    yield serving, collector
    cluster.kubectl("delete", "isvc", "flowers", "-n", "garden")
    collector.shutdown()


def ask(serving, verb, rows):
    answer = requests.post(
        f"{serving.url}/v1/models/flowers:{verb}", json={"instances": rows},
        headers={"Host": serving.host("flowers", "garden")}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_transformer_and_explainer(cluster, flowers):
    serving, _ = flowers
    rows = [[51, 35, 14, 2], [67, 30, 52, 23]]
    answer = ask(serving, "predict", rows)
    assert [one["label"] for one in answer["predictions"]] == [0, 2] and answer["by"] == "transformer"
    assert ask(serving, "explain", rows)["explanations"] == [{"largest": 5.1, "label": 0}, {"largest": 6.7, "label": 2}]
    status = serving.status("flowers", "garden")
    assert {c["type"] for c in status["conditions"] if c["status"] == "True"} >= {
        "PredictorReady", "TransformerReady", "ExplainerReady", "IngressReady", "Ready"}


def test_requests_are_put_together(cluster, flowers):
    spec = cluster.get("service", "flowers-predictor", "-n", "garden")["spec"]
    address = f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def count():
        model = requests.get(f"{address}/v2/models/flowers/stats", timeout=30).json()["model_stats"][0]
        return model["inference_count"], model["execution_count"]

    def one(_):
        answer = requests.post(
            f"{address}/v1/models/flowers:predict", json={"instances": [[5.1, 3.5, 1.4, 0.2]]}, timeout=30)
        return answer.json()["predictions"][0]["label"]

    rows, runs = count()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(32))) == [0] * 32
    now = count()
    assert now[0] - rows == 32 and now[1] - runs < 32


def test_payloads_are_told(cluster, flowers):
    serving, collector = flowers
    ask(serving, "predict", [[60, 30, 48, 18]])

    def told(kind, matches):
        # Events of other tests' requests may come as late as now.
        return next(((headers, body) for headers, body in list(collector.events)
                     if headers["ce-type"].rsplit(".", 1)[1] == kind and matches(headers, body)), None)

    headers, _ = wait_for(lambda: told("request", lambda _, body: body == {"instances": [[6.0, 3.0, 4.8, 1.8]]}), 30,
                          "the request")
    assert headers["ce-inferenceservicename"] == "flowers" and headers["ce-namespace"] == "garden"
    _, body = wait_for(lambda: told("response", lambda other, _: other["ce-id"] == headers["ce-id"]), 30, "its answer")
    assert len(body["predictions"]) == 1
