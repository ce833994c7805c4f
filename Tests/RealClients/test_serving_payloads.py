# SPDX-License-Identifier: Apache-2.0
"""Requests and answers as CloudEvents: in a topic, read by confluent-kafka, and over HTTP."""
import http.server
import json
import threading

import requests
from confluent_kafka import Consumer

from conftest import wait_for
from events_fixture import broker, new_topic  # noqa: F401 (a fixture)
from serving_fixture import grpc_input, iris, iris_rows, with_inference


def consume(address, topic, count):
    consumer = Consumer({"bootstrap.servers": address, "group.id": f"{topic}-readers", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        found = []

        def more():
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
            return len(found) >= count

        wait_for(more, 60, f"{count} records in {topic}")
        return found
    finally:
        consumer.close()


def test_payloads_in_a_topic(request, broker):  # noqa: F811
    topic = new_topic(broker)
    for server in with_inference(
            request, "--model-name", "iris", "--model-uri", f"file://{iris()}", "--payload-log-url",
            f"kafka://{broker.address}/{topic}", "--payload-log-service", "garden/flowers"):
        rows = iris_rows(2)
        body = {"id": "r1", "inputs": [{"name": "X", "shape": [2, 4], "datatype": "FP32", "data": rows.tolist()}]}
        answer = requests.post(
            f"{server.url}/v2/models/iris/infer", json=body, headers={"ce-id": "event-1"}, timeout=30)
        assert answer.status_code == 200
        with server.grpc() as client:
            client.infer("iris", [grpc_input("X", rows)], request_id="g1", headers={"ce-id": "event-2"})
        events = {}
        for message in consume(broker.address, topic, 4):
            headers = {name: value.decode() for name, value in message.headers()}
            assert message.key().decode() == headers["ce_id"] and headers["ce_specversion"] == "1.0"
            assert headers["ce_inferenceservicename"] == "flowers" and headers["ce_namespace"] == "garden"
            assert headers["ce_time"].endswith("Z") and headers["ce_source"]
            events[headers["ce_id"], headers["ce_type"].rsplit(".", 1)[1]] = (headers, message.value())
        assert set(events) == {(name, kind) for name in ("event-1", "event-2") for kind in ("request", "response")}
        assert json.loads(events["event-1", "request"][1]) == body
        assert json.loads(events["event-1", "response"][1]) == answer.json()
        assert events["event-1", "request"][0]["content-type"] == "application/json"
        from tritonclient.grpc import service_pb2
        asked = service_pb2.ModelInferRequest.FromString(events["event-2", "request"][1])
        assert asked.model_name == "iris" and asked.raw_input_contents[0] == rows.tobytes()
        given = service_pb2.ModelInferResponse.FromString(events["event-2", "response"][1])
        assert given.id == "g1" and len(given.raw_output_contents) == 2


def test_a_sink_that_is_gone_costs_no_request(request):
    """Answers only, to a server that is there later: what was tried before is lost, nothing else."""
    events = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            events.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    # It has its port, so that nobody else gets it, and takes no connection yet.
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    sink.server_bind()
    rows = iris_rows(1)
    for server in with_inference(
            request, "--model-name", "iris", "--model-uri", f"file://{iris()}", "--payload-log-url",
            f"http://127.0.0.1:{sink.server_port}/events", "--payload-log-mode", "response"):
        for _ in range(50):
            assert server.infer("iris", {"X": rows})["label"].shape == (1,)
        sink.server_activate()
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        try:
            def seen():
                server.infer("iris", {"X": rows})
                return events

            wait_for(seen, 60, "an event over HTTP")
            headers = {name.lower(): value for name, value in events[0][0].items()}
            assert headers["ce-type"] == "org.kubeflow.serving.inference.response"
            assert headers["ce-specversion"] == "1.0" and headers["ce-id"]
        finally:
            sink.shutdown()
            sink.server_close()
