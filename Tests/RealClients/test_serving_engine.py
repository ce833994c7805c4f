# SPDX-License-Identifier: Apache-2.0
"""The model server's engine through tritonclient: repository control, versions, swaps under load, batches, limits."""
import json
import shutil
import signal
import threading
import time

import numpy
import pytest
from tritonclient.utils import InferenceServerException

import serving_fixture as fixture
from conftest import wait_for
from serving_fixture import Inference, grpc_input, http_input, with_inference

BATCHED = """
max_batch_size: 64
dynamic_batching { max_queue_delay_microseconds: 20000 }
"""
ENSEMBLE = """
platform: "ensemble"
max_batch_size: 16
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 4 ] } ]
ensemble_scheduling {
  step [
    { model_name: "double" model_version: -1
      input_map { key: "X" value: "IN" } output_map { key: "Y" value: "middle" } },
    { model_name: "triple" model_version: -1
      input_map { key: "X" value: "middle" } output_map { key: "Y" value: "OUT" } }
  ]
}
"""
ROWS = numpy.arange(8, dtype=numpy.float32).reshape(2, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of models in Triton's layout."""
    return fixture.repository(
        tmp_path_factory.mktemp("models"), iris=fixture.iris(), double=fixture.scale(2.0), triple=fixture.scale(3.0),
        versions=({1: fixture.scale(2.0), 2: fixture.scale(3.0)}, "version_policy { all { } }"),
        batched=(fixture.slow(20), BATCHED), cached=(fixture.scale(2.0), "response_cache { enable: true }"),
        ensemble=({1: None}, ENSEMBLE), busy=(fixture.slow(600), """
            dynamic_batching { default_queue_policy { max_queue_size: 4 } }
            max_batch_size: 1
            """),
        swapped=fixture.scale(2.0))


@pytest.fixture(scope="module")
def server(request, folder):
    yield from with_inference(request, "--model-repository", folder, "--cache-size", "1Mi")


@pytest.fixture(scope="module")
def http(server):
    client = server.http(concurrency=8)
    yield client
    client.close()


@pytest.fixture(scope="module")
def grpc(server):
    client = server.grpc()
    yield client
    client.close()


def states(client):
    return {(entry["name"], entry.get("version")): entry["state"] for entry in client.get_model_repository_index()}


def test_one_model_by_name(request, tmp_path):
    rows = fixture.iris_rows()
    server = Inference("--model-name", "iris", "--model-uri", f"file://{fixture.iris()}")
    try:
        server.start()
        answer = server.infer("iris", {"X": rows})
        expected = fixture.reference(fixture.iris(), X=rows)
        assert (answer["label"] == expected["label"]).all()
        assert numpy.array_equal(answer["probabilities"], expected["probabilities"])
        client = server.grpc()
        answer = client.infer("iris", [grpc_input("X", rows)])
        assert numpy.array_equal(answer.as_numpy("probabilities"), expected["probabilities"])
        assert client.is_server_ready() and client.is_model_ready("iris", "1")
        client.close()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def test_a_model_that_cannot_be_loaded_ends_the_server(tmp_path):
    import subprocess

    from conftest import APUS
    (tmp_path / "model.onnx").write_bytes(b"no model")
    ended = subprocess.run(
        [APUS, "serve", "inference", "--model-name", "bad", "--model-uri", str(tmp_path), "--http-port", "0",
         "--grpc-port", "0"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "bad" in ended.stderr


def test_all_of_the_folder_answer(http, server):
    assert http.is_server_ready()
    found = states(http)
    assert {name for name, _ in found} == {
        "iris", "double", "triple", "versions", "batched", "cached", "ensemble", "busy", "swapped"}
    assert set(found.values()) == {"READY"}


def test_versions(http, grpc):
    assert http.get_model_metadata("versions")["versions"] == ["1", "2"]
    for version, factor in [("1", 2), ("2", 3), ("", 3)]:
        answer = http.infer("versions", [http_input("X", ROWS)], model_version=version)
        assert numpy.array_equal(answer.as_numpy("Y"), ROWS * factor)
        answer = grpc.infer("versions", [grpc_input("X", ROWS)], model_version=version)
        assert numpy.array_equal(answer.as_numpy("Y"), ROWS * factor)
    with pytest.raises(InferenceServerException, match="version 9"):
        http.infer("versions", [http_input("X", ROWS)], model_version="9")


def test_statistics(http, grpc):
    before = http.get_inference_statistics("double")["model_stats"][0]
    for _ in range(3):
        http.infer("double", [http_input("X", ROWS)])
    after = http.get_inference_statistics("double", "1")["model_stats"][0]
    assert after["inference_count"] - before["inference_count"] == 6
    assert after["execution_count"] - before["execution_count"] == 3
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 3
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert abs(after["last_inference"] / 1000 - time.time()) < 60
    assert any(batch["batch_size"] == 2 for batch in after["batch_stats"])
    same = grpc.get_inference_statistics("double").model_stats[0]
    assert (same.inference_count, same.execution_count) == (after["inference_count"], after["execution_count"])
    assert len(http.get_inference_statistics()["model_stats"]) >= 9


def test_unload_and_load(http, grpc):
    for client, index in [(http, states), (grpc, lambda client: {
            (model.name, model.version): model.state for model in client.get_model_repository_index().models})]:
        client.unload_model("triple")
        wait_for(lambda: index(client)["triple", "1"] == "UNAVAILABLE", what="the model to be unloaded")
        assert not client.is_model_ready("triple")
        assert client.is_server_ready()
        client.unload_model("triple")
        client.load_model("triple")
        assert index(client)["triple", "1"] == "READY"
    with pytest.raises(InferenceServerException, match="none"):
        http.load_model("none")
    http.unload_model("none")


def test_configuration_of_a_load(http):
    http.load_model("iris", config=json.dumps({"max_batch_size": 2}))
    assert http.get_model_config("iris")["max_batch_size"] == 2
    with pytest.raises(InferenceServerException, match="batch-size"):
        http.infer("iris", [http_input("X", fixture.iris_rows(3))])
    with pytest.raises(InferenceServerException):
        http.load_model("iris", config="{")
    http.load_model("iris")
    http.infer("iris", [http_input("X", fixture.iris_rows(3))])


def test_files_of_a_load(http, grpc):
    files = {"file:1/model.onnx": fixture.scale(7.0).read_bytes()}
    for client, name in [(http, "brought-1"), (grpc, "brought-2")]:
        client.load_model(name, config="{}", files=files)
        answer = http.infer(name, [http_input("X", ROWS)])
        assert numpy.array_equal(answer.as_numpy("Y"), ROWS * 7)
        client.unload_model(name)


def test_ensemble(http, grpc):
    answer = http.infer("ensemble", [http_input("IN", ROWS)])
    assert numpy.array_equal(answer.as_numpy("OUT"), ROWS * 6)
    assert numpy.array_equal(grpc.infer("ensemble", [grpc_input("IN", ROWS)]).as_numpy("OUT"), ROWS * 6)
    config = http.get_model_config("ensemble")
    assert [step["model_name"] for step in config["ensemble_scheduling"]["step"]] == ["double", "triple"]
    http.unload_model("triple")
    with pytest.raises(InferenceServerException, match="triple"):
        http.infer("ensemble", [http_input("IN", ROWS)])
    http.load_model("triple")
    assert numpy.array_equal(http.infer("ensemble", [http_input("IN", ROWS)]).as_numpy("OUT"), ROWS * 6)


def test_requests_are_put_together(http):
    def rounds():
        before = http.get_inference_statistics("batched")["model_stats"][0]
        for first in range(0, 24, 8):
            asked = [http.async_infer("batched", [http_input("X", numpy.full((1, 4), first + index, numpy.float32))])
                     for index in range(8)]
            for index, answer in enumerate(asked):
                assert (answer.get_result().as_numpy("Y") == first + index).all()
        after = http.get_inference_statistics("batched")["model_stats"][0]
        assert after["inference_count"] - before["inference_count"] == 24
        return after["execution_count"] - before["execution_count"] < 24

    # The client sleeps between two requests; on a busy machine that may be longer than the queue's delay.
    wait_for(rounds, what="requests to be put together")


def test_cache(http):
    rows = numpy.random.default_rng(1).random((1, 4), numpy.float32)
    for _ in range(3):
        assert numpy.array_equal(http.infer("cached", [http_input("X", rows)]).as_numpy("Y"), rows * 2)
    statistics = http.get_inference_statistics("cached")["model_stats"][0]["inference_stats"]
    assert statistics["cache_hit"]["count"] == 2
    assert statistics["cache_miss"]["count"] == 1


def test_more_than_may_wait_is_refused(server):
    """Some of many at once are refused, by each protocol's own status; the others and those after them are answered."""
    import tritonclient.grpc

    answered, refused, other = [], [], []

    def over_http():
        status, headers, body = server.raw("POST", "/v2/models/busy/infer", json.dumps({"inputs": [
            {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}))
        if status == 200:
            answered.append(status)
        elif status == 429 and {key.lower(): value for key, value in headers.items()}.get("retry-after"):
            refused.append(status)
        else:
            other.append((status, body))

    def over_grpc():
        client = server.grpc()
        try:
            client.infer("busy", [grpc_input("X", ROWS[:1])])
            answered.append("OK")
        except tritonclient.grpc.InferenceServerException as error:
            (refused if error.status() == "StatusCode.RESOURCE_EXHAUSTED" else other).append(error.status())
        finally:
            client.close()

    def storm():
        threads = [threading.Thread(target=target) for target in [over_http, over_grpc] * 24]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return 429 in refused and "StatusCode.RESOURCE_EXHAUSTED" in refused

    # How many come at the same time is the machine's affair.
    wait_for(storm, what="more requests at a time than may wait")
    assert answered and not other
    assert numpy.array_equal(server.infer("busy", {"X": ROWS[:1]})["Y"], ROWS[:1])


def test_requests_have_their_timeouts(server, http, grpc):
    """One that would wait longer than it may is given up, while those before it go on."""
    stop = threading.Event()

    def load():
        client = server.http()
        while not stop.is_set():
            try:
                client.infer("busy", [http_input("X", ROWS[:1])])
            except InferenceServerException:
                pass
        client.close()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        def late():
            try:
                http.infer("busy", [http_input("X", ROWS[:1])], timeout=1)
                return False
            except InferenceServerException as error:
                return "timeout" in str(error)

        wait_for(late, what="a request to be late")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_swaps_under_load_fail_nothing(server, folder, http, protocol):
    """A version that is rolled forward and back while it is asked: no request fails, each is answered by one version."""
    stop, failures, counts = threading.Event(), [], [0] * 4

    def ask(index):
        client = getattr(server, protocol)()
        make = http_input if protocol == "http" else grpc_input
        while not stop.is_set():
            try:
                answer = client.infer("swapped", [make("X", ROWS)]).as_numpy("Y")
                if not any(numpy.array_equal(answer, ROWS * factor) for factor in (2, 5)):
                    failures.append(answer)
            except Exception as error:
                failures.append(error)
            counts[index] += 1
        client.close()

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: all(counts), what="each thread to be answered")
        for _ in range(5):
            for version, factor in [(2, 5.0), (1, 2.0)]:
                if version == 2:
                    fixture.repository(folder, swapped={2: fixture.scale(factor)})
                else:
                    shutil.rmtree(folder / "swapped" / "2")
                http.load_model("swapped")
                answer = http.infer("swapped", [http_input("X", ROWS)])
                assert answer.get_response()["model_version"] == str(version)
                assert numpy.array_equal(answer.as_numpy("Y"), ROWS * factor)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not failures and min(counts) > 0


def test_metrics(server, http):
    http.infer("double", [http_input("X", ROWS)])
    status, _, text = server.raw("GET", "/metrics")
    assert status == 200
    lines = text.decode().splitlines()
    found = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in lines if not line.startswith("#")}
    assert float(found['nv_inference_request_success{model="double",version="1"}']) >= 1
    assert float(found['nv_inference_pending_request_count{model="double",version="1"}']) == 0
    assert float(found["apus_inference_models_memory_bytes"]) > 0


def test_memory_is_limited(request, tmp_path):
    small, large = fixture.scale(2.0), fixture.slow(10)
    limit = large.stat().st_size + small.stat().st_size // 2
    folder = fixture.repository(tmp_path / "models", small=small, large=large)
    for server in with_inference(
            request, "--model-repository", folder, "--load", "large", "--memory-limit", str(limit)):
        with server.http() as client:
            with pytest.raises(InferenceServerException, match="memory-limit"):
                client.load_model("small")
            assert states(client)["small", "1"] == "UNAVAILABLE"
            assert numpy.array_equal(server.infer("large", {"X": ROWS})["Y"], ROWS)
            client.unload_model("large")
            wait_for(lambda: states(client)["large", "1"] == "UNAVAILABLE", what="the model to be unloaded")
            client.load_model("small")
            assert numpy.array_equal(server.infer("small", {"X": ROWS})["Y"], ROWS * 2)


def test_a_models_file_is_followed(request, tmp_path):
    file = tmp_path / "models.json"

    def put(text):
        new = tmp_path / "new.json"
        new.write_text(text)
        new.rename(file)

    def write(**models):
        put(json.dumps([
            {"modelName": name, "modelSpec": {"storageUri": f"file://{path}", "framework": "onnx", "memory": "1Mi"}}
            for name, path in models.items()]))

    write(a=fixture.scale(2.0))
    for server in with_inference(request, "--models-file", file):
        assert numpy.array_equal(server.infer("a", {"X": ROWS})["Y"], ROWS * 2)
        with server.http() as client:
            write(a=fixture.scale(3.0), b=fixture.scale(5.0))
            wait_for(lambda: client.is_model_ready("b"), what="the new model")
            wait_for(lambda: (server.infer("a", {"X": ROWS})["Y"] == ROWS * 3).all(), what="the changed model")
            put(json.dumps([
                {"modelName": name, "modelSpec": {"storageUri": f"file://{path}", "framework": "onnx", "memory": memory}}
                for name, path, memory in [("a", fixture.scale(3.0), "1Mi"), ("b", fixture.scale(5.0), "1Mi"),
                                           ("large", fixture.slow(20), "1Ki")]]))
            wait_for(lambda: states(client).get(("large", "1")) == "UNAVAILABLE", what="a model to be too large")
            put("[{")
            write(b=fixture.scale(5.0))
            # One after the other goes, and each is not ready a moment before the index is without it.
            wait_for(lambda: [name for name, _ in states(client)] == ["b"], what="the models to go")
            assert not client.is_model_ready("a")


def test_the_end_fails_no_request(request):
    """What comes before the server is seen to be no longer ready is answered, and the server ends well."""
    server = Inference(
        "--model-name", "slow", "--model-uri", f"file://{fixture.slow(50)}", "--shutdown-delay", "8")
    failures, answered, left = [], [], threading.Event()

    def ask(protocol):
        client = getattr(server, protocol)()
        try:
            while not left.is_set():
                given = (http_input if protocol == "http" else grpc_input)("X", ROWS)
                answered.append(client.infer("slow", [given]).as_numpy("Y"))
        except Exception as error:
            failures.append(error)

    try:
        server.start()
        threads = [threading.Thread(target=ask, args=(protocol,)) for protocol in ["http", "grpc"] * 3]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answered) > 20 or failures, what="answers")
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.raw("GET", "/v2/health/ready")[0] != 200, what="the server not to be ready")
        # As a gateway does that sees it.
        left.set()
        for thread in threads:
            thread.join(60)
        assert server.process.wait(60) == 0
        assert not failures and len(answered) > 20
    finally:
        left.set()
        server.clean(keep=request.session.testsfailed)


def certificate(folder, name, authority=None):
    """A certificate for 127.0.0.1, of an authority or of itself: the paths of it and of its key."""
    import subprocess
    chain, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out",
         str(chain), *(["-CA", str(authority[0]), "-CAkey", str(authority[1])] if authority else [])],
        check=True, capture_output=True)
    return chain, key


def test_certificates_of_both_sides_and_new_ones(request, tmp_path):
    """REST and gRPC over TLS, to clients with a certificate only; a new certificate is taken without a restart."""
    import ssl
    import urllib.error
    import urllib.request

    import grpc
    import tritonclient.grpc

    authority = certificate(tmp_path, "authority")
    chain, key = certificate(tmp_path, "server", authority)
    client_chain, client_key = certificate(tmp_path, "client", authority)
    server = Inference(
        "--model-name", "double", "--model-uri", f"file://{fixture.scale(2.0)}", "--tls-certificate", chain, "--tls-key",
        key, "--tls-client-authority", authority[0])

    def fetch(with_certificate=True):
        context = ssl.create_default_context(cafile=str(authority[0]))
        if with_certificate:
            context.load_cert_chain(str(client_chain), str(client_key))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(f"https://{server.address}/v2/health/ready", timeout=30) as answer:
            return answer.status

    def serial():
        import socket
        context = ssl.create_default_context(cafile=str(authority[0]))
        context.load_cert_chain(str(client_chain), str(client_key))
        with context.wrap_socket(
                socket.create_connection((server.host, server.port)), server_hostname="127.0.0.1") as connection:
            return connection.getpeercert()["serialNumber"]

    try:
        server.start()
        assert fetch() == 200
        with pytest.raises((urllib.error.URLError, OSError)):
            fetch(with_certificate=False)
        credentials = grpc.ssl_channel_credentials(
            authority[0].read_bytes(), client_key.read_bytes(), client_chain.read_bytes())
        client = tritonclient.grpc.InferenceServerClient(server.grpc_address, ssl=True, creds=credentials)
        assert numpy.array_equal(client.infer("double", [grpc_input("X", ROWS)]).as_numpy("Y"), ROWS * 2)
        before = serial()
        new_chain, new_key = certificate(tmp_path, "new", authority)
        new_key.rename(key)
        new_chain.rename(chain)
        wait_for(lambda: serial() != before, what="the new certificate")
        # A connection from before goes on.
        assert numpy.array_equal(client.infer("double", [grpc_input("X", ROWS)]).as_numpy("Y"), ROWS * 2)
        client.close()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def test_who_may_ask(request, tmp_path):
    import subprocess

    from conftest import APUS
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-tests-1 tester\n")
    refused = subprocess.run(
        [APUS, "serve", "inference", "--model-name", "a", "--model-uri", str(fixture.scale(2.0)), "--host", "0.0.0.0",
         "--http-port", "0", "--grpc-port", "0"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "--token-file" in refused.stderr
    for server in with_inference(
            request, "--model-name", "double", "--model-uri", fixture.scale(2.0), "--token-file", tokens):
        # tritonclient writes into what it is given.
        headers = {"authorization": "Bearer a-token-of-tests-1"}
        with server.http() as client:
            assert client.is_server_live()
            with pytest.raises(InferenceServerException):
                client.infer("double", [http_input("X", ROWS)])
            answer = client.infer("double", [http_input("X", ROWS)], headers=dict(headers))
            assert numpy.array_equal(answer.as_numpy("Y"), ROWS * 2)
        with server.grpc() as client:
            with pytest.raises(InferenceServerException, match="UNAUTHENTICATED"):
                client.infer("double", [grpc_input("X", ROWS)])
            answer = client.infer("double", [grpc_input("X", ROWS)], headers=headers)
            assert numpy.array_equal(answer.as_numpy("Y"), ROWS * 2)


def test_an_alias_is_followed(request, tmp_path):
    """The registry's alias is set to another version while the model is asked: it takes the old one's place."""
    from tracking_fixture import with_tracking

    for tracking in with_tracking(request):
        client = tracking.client()
        fixture.register_scales(client, tmp_path)
        for server in with_inference(
                request, "--model-name", "numbers", "--model-uri", "models:/numbers@champion", "--follow", "0.2",
                "--model-cache", tmp_path / "cache", environment={"MLFLOW_TRACKING_URI": tracking.url}):
            with server.http() as http:
                def answers(version, factor):
                    answer = http.infer("numbers", [http_input("X", ROWS)])
                    return answer.get_response()["model_version"] == version and numpy.array_equal(
                        answer.as_numpy("Y"), ROWS * factor)

                assert answers("1", 2)
                client.set_registered_model_alias("numbers", "champion", "2")
                wait_for(lambda: answers("2", 3), what="the new version")
                client.set_registered_model_alias("numbers", "champion", "1")
                wait_for(lambda: answers("1", 2), what="the old version")
