# SPDX-License-Identifier: Apache-2.0
"""Limits of the model server through tritonclient: models that never end, memory, folders that change, aliases in a
file of models."""
import json
import pathlib
import shutil
import threading
import time

import numpy
import pytest
from tritonclient.utils import InferenceServerException

import serving_fixture as fixture
from conftest import wait_for
from serving_fixture import grpc_input, http_input, with_inference

ROWS = numpy.arange(8, dtype=numpy.float32).reshape(2, 4)
# Models without instances of their own run on the thread that asks, which has ten seconds.
QUEUED = 'parameters { key: "inline" value: { string_value: "false" } }'


def turns():
    """N INT64 [1] to Y INT64 [1]: counts to N, which may take for ever."""
    from onnx import TensorProto, helper
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "one"], ["w"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", TensorProto.INT64, [1])],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("w", TensorProto.INT64, [1])])
    return fixture.onnx_file(
        "turns", [helper.make_node("Loop", ["N", "true", "zero"], ["Y"], body=body)],
        [("N", TensorProto.INT64, [1])], [("Y", TensorProto.INT64, [1])],
        [helper.make_tensor("true", TensorProto.BOOL, [], [True]), helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
         helper.make_tensor("one", TensorProto.INT64, [1], [1])])


def zeros():
    """N INT64 [1] to Y FP32 [1]: the largest of N zeros, which takes 4 N bytes."""
    from onnx import TensorProto, helper
    return fixture.onnx_file(
        "zeros", [helper.make_node("ConstantOfShape", ["N"], ["many"]),
                  helper.make_node("ReduceMax", ["many"], ["Y"], keepdims=1)],
        [("N", TensorProto.INT64, [1])], [("Y", TensorProto.FLOAT, [None])])


def number(value):
    return numpy.array([value], numpy.int64)


def states(client):
    return {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}


def counts_to_five(client, model):
    """False where even that takes longer than the limit, which is short."""
    try:
        return client.infer(model, [http_input("N", number(5))]).as_numpy("Y") == [5]
    except InferenceServerException as error:
        assert "in time" in str(error)
        return False


def test_a_run_that_never_ends_is_ended(request, tmp_path):
    """Without a timeout of the client the server's limit holds, or the model's own; the instance goes on."""
    own = QUEUED + ' parameters { key: "run_timeout" value: { string_value: "0.5" } }'
    folder = fixture.repository(tmp_path / "models", server=(turns(), QUEUED), own=(turns(), own))
    for server in with_inference(request, "--model-repository", folder, "--run-timeout", "1.5"):
        with server.http(network_timeout=60) as http, server.grpc() as grpc:
            for model, least in [("server", 1.5), ("own", 0.5)]:
                begin = time.monotonic()
                with pytest.raises(InferenceServerException, match="in time"):
                    http.infer(model, [http_input("N", number(1 << 62))])
                assert time.monotonic() - begin >= least
                with pytest.raises(InferenceServerException, match="DEADLINE_EXCEEDED"):
                    grpc.infer(model, [grpc_input("N", number(1 << 62))])
                wait_for(lambda: counts_to_five(http, model), what="a run that is in time")
            status, _, text = server.raw(
                "POST", "/v2/models/own/infer",
                json.dumps({"inputs": [{"name": "N", "datatype": "INT64", "shape": [1], "data": [1 << 62]}]}).encode())
            assert status == 504 and "in time" in json.loads(text)["error"]


def test_a_python_worker_that_never_ends_is_started_anew(request, tmp_path):
    import joblib
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.linear_model import LinearRegression
    model = make_pipeline(FunctionTransformer(numpy.nan_to_num), LinearRegression())
    model.fit([[0.0], [1.0]], [0.0, 1.0])
    # What a worker does with a long input is its own affair: here it counts the days.
    model.steps[0] = ("sleep", FunctionTransformer(numpy.vectorize(time.sleep, otypes=[bool])))
    (tmp_path / "sleeper" / "1").mkdir(parents=True)
    joblib.dump(model, tmp_path / "sleeper" / "1" / "model.joblib")
    for server in with_inference(request, "--model-repository", tmp_path, "--run-timeout", "2"):
        with server.http(network_timeout=120, connection_timeout=120) as client:
            def ask(seconds):
                return client.infer("sleeper", [http_input("input-0", numpy.array([[seconds]]))])

            with pytest.raises(InferenceServerException, match="in time"):
                ask(86_400.0)

            def again():
                try:
                    return ask(0.0) is not None
                except InferenceServerException:
                    return False

            wait_for(again, 120, "a new worker to answer")


def test_the_folder_is_looked_at_again(request, tmp_path):
    """--repository-poll: models and versions that come and go without a request."""
    folder = fixture.repository(tmp_path / "models", a=fixture.scale(2.0))
    for server in with_inference(request, "--model-repository", folder, "--repository-poll", "0.2"):
        with server.http() as client:
            fixture.repository(tmp_path / "next", b=fixture.scale(3.0))
            (tmp_path / "next" / "b").rename(folder / "b")
            wait_for(lambda: client.is_model_ready("b"), what="the new model")
            assert (server.infer("b", {"X": ROWS})["Y"] == ROWS * 3).all()
            fixture.repository(tmp_path / "next", a={2: fixture.scale(5.0)})
            (tmp_path / "next" / "a" / "2").rename(folder / "a" / "2")
            wait_for(lambda: (server.infer("a", {"X": ROWS})["Y"] == ROWS * 5).all(), what="the new version")
            shutil.rmtree(folder / "b")
            wait_for(lambda: not client.is_model_ready("b"), what="the model to go")
            assert client.is_model_ready("a")


def test_models_that_were_used_longest_ago_go(request, tmp_path):
    """--evict: a load of a model of the folder takes the place of another."""
    names = ["one", "two", "three"]
    file = fixture.slow(10)
    folder = fixture.repository(tmp_path / "models", **{name: file for name in names})
    size = file.stat().st_size
    for server in with_inference(
            request, "--model-repository", folder, "--load", "none", "--memory-limit", str(size * 5 // 2), "--evict"):
        with server.http() as client:
            for name in ["two", "one"]:
                client.load_model(name)
                assert (server.infer(name, {"X": ROWS})["Y"] == ROWS).all()
                time.sleep(0.05)
            client.load_model("three")
            assert states(client) == {"one": "READY", "two": "UNAVAILABLE", "three": "READY"}
            reason = next(e["reason"] for e in client.get_model_repository_index() if e["name"] == "two")
            assert "memory" in reason
            with pytest.raises(InferenceServerException):
                server.infer("two", {"X": ROWS})
            server.infer("one", {"X": ROWS})
            client.load_model("two")
            assert states(client) == {"one": "READY", "two": "READY", "three": "UNAVAILABLE"}
            assert (server.infer("two", {"X": ROWS})["Y"] == ROWS).all()


def test_a_request_that_needs_too_much_memory_fails_alone(request, tmp_path):
    """--process-memory-limit: the run gets an error, the server lives."""
    folder = fixture.repository(tmp_path / "models", zeros=(zeros(), QUEUED), a=fixture.scale(2.0))
    for server in with_inference(request, "--model-repository", folder, "--process-memory-limit", "4Gi"):
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
        assert str(4 << 30) in next(line for line in limits.splitlines() if line.startswith("Max address space"))
        with server.http(network_timeout=60) as client:
            for _ in range(3):
                with pytest.raises(InferenceServerException):
                    client.infer("zeros", [http_input("N", number(1 << 40))])
                with pytest.raises(InferenceServerException):
                    client.infer("zeros", [http_input("N", number(1 << 31))])
                assert client.infer("zeros", [http_input("N", number(1000))]).as_numpy("Y") == [0]
            assert (server.infer("a", {"X": ROWS})["Y"] == ROWS * 2).all()


def test_aliases_in_a_file_of_models_are_followed(request, tmp_path):
    """mlflow's client sets the alias to another version while the model is asked: no request fails."""
    from tracking_fixture import with_tracking

    for tracking in with_tracking(request):
        client = tracking.client()
        fixture.register_scales(client, tmp_path)
        file = tmp_path / "models.json"

        def write(**models):
            (tmp_path / "new.json").write_text(json.dumps([
                {"modelName": name, "modelSpec": {"storageUri": uri, "framework": "onnx", "memory": "1Mi"}}
                for name, uri in models.items()]))
            (tmp_path / "new.json").rename(file)

        plain = f"file://{fixture.scale(5.0)}"
        write(best="models:/numbers@champion", late="models:/numbers@challenger", plain=plain)
        for server in with_inference(
                request, "--models-file", file, "--follow", "0.2", "--model-cache", tmp_path / "cache",
                environment={"MLFLOW_TRACKING_URI": tracking.url}):
            stop, failed, seen = threading.Event(), [], set()

            def ask():
                with server.http() as http:
                    while not stop.is_set():
                        try:
                            answer = http.infer("best", [http_input("X", ROWS)])
                            version = int(answer.get_response()["model_version"])
                            seen.add(version)
                            if not (answer.as_numpy("Y") == ROWS * (version + 1)).all():
                                failed.append(version)
                        except InferenceServerException as error:
                            failed.append(error)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                with server.http() as http:
                    def version():
                        return http.infer("best", [http_input("X", ROWS)]).get_response()["model_version"]

                    assert version() == "1" and not http.is_model_ready("late")
                    for wanted in ("2", "1", "2"):
                        client.set_registered_model_alias("numbers", "champion", wanted)
                        wait_for(lambda: version() == wanted, what=f"version {wanted}")
                    # An alias that is set only later, and one that the file no longer names.
                    client.set_registered_model_alias("numbers", "challenger", "1")
                    wait_for(lambda: http.is_model_ready("late"), what="the alias that was not there")
                    write(best="models:/numbers@champion", plain=plain)
                    wait_for(lambda: not http.is_model_ready("late"), what="the model to go")
                    client.set_registered_model_alias("numbers", "challenger", "2")
                    client.delete_registered_model_alias("numbers", "champion")
                    assert version() == "2" and http.is_model_ready("plain")
            finally:
                stop.set()
                for thread in threads:
                    thread.join(60)
            assert failed == [] and seen == {1, 2}
