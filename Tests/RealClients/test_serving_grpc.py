# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol over gRPC, by tritonclient (blocking, asyncio, streams), kserve's client, and the clients
of gRPC's own health and reflection."""
import asyncio
import json
import queue
import re
import socket
import struct
import subprocess
import threading

import grpc
import numpy
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from google.protobuf import descriptor_pool
from tritonclient.utils import InferenceServerException
import tritonclient.grpc
import tritonclient.grpc.aio

from conftest import wait_for
from serving_fixture import grpc_input, iris, iris_rows, reference, repository, scale, slow, texts, with_inference

SERVICE = "/inference.GRPCInferenceService/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return repository(
        tmp_path_factory.mktemp("models"), iris=iris(), texts=texts(), slow=slow(), slower=slow(50, 512),
        double=({1: scale(2.0), 2: scale(3.0)}, "version_policy { all { } }"))


@pytest.fixture(scope="module")
def server(request, folder):
    yield from with_inference(request, "--model-repository", folder)


@pytest.fixture
def client(server):
    client = server.grpc()
    yield client
    client.close()


def code(error):
    return str(error.value.status()).removeprefix("StatusCode.")


def raw_call(server, method, message, timeout=60, compression=None):
    """One message of bytes to a method: the answer's bytes."""
    with grpc.insecure_channel(server.grpc_address, options=[("grpc.max_send_message_length", -1)]) as channel:
        return channel.unary_unary(SERVICE + method)(message, timeout=timeout, compression=compression)


def test_server_and_models_tell_of_themselves(client, server):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("iris") and client.is_model_ready("iris", "1")
    assert not client.is_model_ready("none") and not client.is_model_ready("iris", "9")
    about = client.get_server_metadata(as_json=True)
    assert about["name"] and about["version"] and "binary_tensor_data" in about["extensions"]
    model = client.get_model_metadata("iris", as_json=True)
    assert model["name"] == "iris" and model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "X", "datatype": "FP32", "shape": ["-1", "4"]}]
    assert [output["name"] for output in model["outputs"]] == ["label", "probabilities"]
    config = client.get_model_config("iris").config
    assert config.name == "iris" and config.input[0].name == "X"
    with pytest.raises(InferenceServerException) as error:
        client.get_model_metadata("none")
    assert code(error) == "NOT_FOUND" and "none" in error.value.message()


def test_answers_equal_the_library(client):
    rows = iris_rows(7)
    answer = client.infer("iris", [grpc_input("X", rows)], request_id="r1")
    expected = reference(iris(), X=rows)
    assert answer.get_response().id == "r1" and answer.get_response().model_version == "1"
    for name, array in expected.items():
        found = answer.as_numpy(name)
        assert found.dtype == array.dtype and found.shape == array.shape
        numpy.testing.assert_allclose(found, array, atol=1e-6)
    only = client.infer("iris", [grpc_input("X", rows)], outputs=[tritonclient.grpc.InferRequestedOutput("label")])
    assert only.as_numpy("probabilities") is None
    numpy.testing.assert_array_equal(only.as_numpy("label"), expected["label"])


def test_texts_come_back(client):
    given = numpy.array(["a", "é", "", "x" * 5000], dtype=object)
    answer = client.infer("texts", [grpc_input("S", given)]).as_numpy("T")
    assert [text.decode() for text in answer] == list(given)


def test_versions_are_told_apart(server):
    with server.grpc() as client:
        ones = numpy.ones((1, 4), numpy.float32)
        for version, factor in (("1", 2), ("2", 3)):
            answer = client.infer("double", [grpc_input("X", ones)], model_version=version)
            numpy.testing.assert_array_equal(answer.as_numpy("Y"), factor * ones)
        with pytest.raises(InferenceServerException) as error:
            client.infer("double", [grpc_input("X", ones)], model_version="9")
        assert code(error) == "NOT_FOUND"


def refusals():
    ones = numpy.ones((1, 4), numpy.float32)
    yield "unknown model", "none", [grpc_input("X", ones)], "NOT_FOUND", "none"
    yield "wrong name", "iris", [grpc_input("Z", ones)], "INVALID_ARGUMENT", "Z"
    yield "wrong shape", "iris", [grpc_input("X", ones[:, :3].copy())], "INVALID_ARGUMENT", "X"
    yield "wrong type", "iris", [grpc_input("X", ones.astype(numpy.int32))], "INVALID_ARGUMENT", "INT32"
    yield "no input", "iris", [], "INVALID_ARGUMENT", "iris"
    yield "twice", "iris", [grpc_input("X", ones), grpc_input("X", ones)], "INVALID_ARGUMENT", "X"
    short = tritonclient.grpc.InferInput("X", [1, 4], "FP32")
    short._raw_content = b"\0" * 12
    yield "bytes", "iris", [short], "INVALID_ARGUMENT", "12"
    huge = tritonclient.grpc.InferInput("X", [2**40, 2**40], "FP32")
    huge._raw_content = b"\0" * 16
    yield "huge", "iris", [huge], "RESOURCE_EXHAUSTED", "X"


@pytest.mark.parametrize("name, model, inputs, status, word", refusals(), ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_requests_are_refused(client, name, model, inputs, status, word):
    with pytest.raises(InferenceServerException) as error:
        client.infer(model, inputs)
    assert code(error) == status, error.value
    assert word in error.value.message()
    assert client.is_server_live()


def test_unknown_outputs_and_shared_memory(client):
    ones = numpy.ones((1, 4), numpy.float32)
    with pytest.raises(InferenceServerException) as error:
        client.infer("iris", [grpc_input("X", ones)], outputs=[tritonclient.grpc.InferRequestedOutput("Q")])
    assert code(error) == "INVALID_ARGUMENT" and "Q" in error.value.message()
    shared = tritonclient.grpc.InferInput("X", [1, 4], "FP32")
    shared.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException) as error:
        client.infer("iris", [shared])
    assert code(error) == "UNIMPLEMENTED" and "shared memory" in error.value.message()
    assert client.get_system_shared_memory_status(as_json=True) == {}
    assert client.get_cuda_shared_memory_status(as_json=True) == {}
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    with pytest.raises(InferenceServerException) as error:
        client.register_system_shared_memory("region", "/key", 64)
    assert code(error) == "UNIMPLEMENTED" and "raw_input_contents" in error.value.message()
    with pytest.raises(InferenceServerException) as error:
        client.register_cuda_shared_memory("region", b"eHg=", 0, 64)
    assert code(error) == "UNIMPLEMENTED"


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_messages(client, algorithm):
    rows = numpy.zeros((500, 4), numpy.float32)
    answer = client.infer("iris", [grpc_input("X", rows)], compression_algorithm=algorithm)
    numpy.testing.assert_allclose(
        answer.as_numpy("probabilities"), reference(iris(), X=rows)["probabilities"], atol=1e-6)


def test_deadlines_end_calls(client):
    rows = numpy.ones((1, 4), numpy.float32)
    with pytest.raises(InferenceServerException) as error:
        client.infer("slower", [grpc_input("X", rows)], client_timeout=0.001)
    assert code(error) == "DEADLINE_EXCEEDED"
    # The server's own limit, in microseconds.
    with pytest.raises(InferenceServerException) as error:
        client.infer("slower", [grpc_input("X", rows)], timeout=1)
    assert code(error) == "DEADLINE_EXCEEDED"
    assert client.infer("slower", [grpc_input("X", rows)], client_timeout=60).as_numpy("Y").shape == (1, 4)


def test_statistics_count(client):
    rows = numpy.ones((3, 4), numpy.float32)
    before = client.get_inference_statistics("iris").model_stats[0]
    for _ in range(4):
        client.infer("iris", [grpc_input("X", rows)])
    after = client.get_inference_statistics("iris", "1").model_stats[0]
    assert after.name == "iris" and after.version == "1" and after.last_inference > 0
    assert after.inference_stats.success.count - before.inference_stats.success.count == 4
    assert after.execution_count - before.execution_count == 4
    assert after.inference_stats.compute_infer.ns > 0
    assert {model.name for model in client.get_inference_statistics().model_stats} >= {"iris", "texts"}
    with pytest.raises(InferenceServerException):
        client.get_inference_statistics("none")


def test_repository_control(client):
    def states():
        return {model.name: model.state for model in client.get_model_repository_index().models}

    assert states()["texts"] == "READY"
    client.unload_model("texts")
    wait_for(lambda: states()["texts"] == "UNAVAILABLE", what="the model to be unloaded")
    assert not client.is_model_ready("texts")
    with pytest.raises(InferenceServerException) as error:
        client.infer("texts", [grpc_input("S", numpy.array(["a"], dtype=object))])
    assert code(error) in ("NOT_FOUND", "UNAVAILABLE")
    client.load_model("texts")
    assert states()["texts"] == "READY"
    with pytest.raises(InferenceServerException):
        client.load_model("none")
    with pytest.raises(InferenceServerException):
        client.load_model("texts", config="{")
    assert client.is_model_ready("texts")


def test_a_load_may_bring_its_file(client):
    config = json.dumps({"backend": "onnxruntime"})
    client.load_model("brought", config=config, files={"file:1/model.onnx": scale(5.0).read_bytes()})
    ones = numpy.ones((2, 4), numpy.float32)
    numpy.testing.assert_array_equal(client.infer("brought", [grpc_input("X", ones)]).as_numpy("Y"), 5 * ones)
    client.unload_model("brought")


def test_settings_of_trace_and_log(client):
    assert client.get_trace_settings(as_json=True)["settings"]["trace_mode"]["value"] == ["triton"]
    changed = client.update_trace_settings(settings={"trace_rate": "5", "trace_level": ["TIMESTAMPS"]}, as_json=True)
    assert changed["settings"]["trace_rate"]["value"] == ["5"]
    assert changed["settings"]["trace_level"]["value"] == ["TIMESTAMPS"]
    client.update_trace_settings(settings={"trace_rate": None, "trace_level": None})
    assert client.get_trace_settings().settings["trace_rate"].value == ["1000"]
    log = client.update_log_settings({"log_verbose_level": 1, "log_info": True})
    assert log.settings["log_verbose_level"].uint32_param == 1
    client.update_log_settings({"log_verbose_level": 0})
    assert client.get_log_settings().settings["log_file"].string_param == ""
    with pytest.raises(InferenceServerException) as error:
        client.get_trace_settings("none")
    assert code(error) == "NOT_FOUND"


def test_streams_answer_each_request(server):
    answers = queue.Queue()
    with server.grpc() as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        ones = numpy.ones((1, 4), numpy.float32)
        for index in range(300):
            client.async_stream_infer("iris", [grpc_input("X", ones)], request_id=f"s{index}")
        client.async_stream_infer("none", [grpc_input("X", ones)], request_id="bad")
        client.async_stream_infer("iris", [grpc_input("X", ones[:, :2].copy())], request_id="shape")
        client.async_stream_infer(
            "iris", [grpc_input("X", ones)], request_id="last", enable_empty_final_response=True)
        found, errors = {}, []
        for _ in range(303):
            result, error = answers.get(timeout=30)
            if error:
                errors.append(str(error))
            else:
                found[result.get_response().id] = result
        client.stop_stream()
    assert set(found) == {f"s{index}" for index in range(300)} | {"last"}
    assert len(errors) == 2 and any("none" in text for text in errors)
    for result in found.values():
        assert result.get_response().parameters["triton_final_response"].bool_param
    numpy.testing.assert_array_equal(found["last"].as_numpy("label"), reference(iris(), X=ones)["label"])


def test_streams_of_slow_models_and_early_ends(server):
    answers = queue.Queue()
    with server.grpc() as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        ones = numpy.ones((1, 4), numpy.float32)
        for index in range(4):
            client.async_stream_infer("slow", [grpc_input("X", ones)], request_id=str(index))
        # Ends its side, and waits for the answers that are on their way.
        client.stop_stream()
    found = [answers.get(timeout=30) for _ in range(4)]
    assert sorted(result.get_response().id for result, error in found) == ["0", "1", "2", "3"]
    # More than may wait at a time: the server stops reading, and goes on.
    with server.grpc() as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        for index in range(160):
            client.async_stream_infer("slow", [grpc_input("X", ones)], request_id=str(index))
        found = {answers.get(timeout=60)[0].get_response().id for _ in range(160)}
        assert found == {str(index) for index in range(160)}
    with server.grpc() as client:
        client.start_stream(callback=lambda result, error: None)
        client.async_stream_infer("slow", [grpc_input("X", ones)])
        client.stop_stream(cancel_requests=True)
        assert client.is_server_live()


def test_asyncio_client(server):
    async def run():
        async with tritonclient.grpc.aio.InferenceServerClient(server.grpc_address) as client:
            rows = iris_rows(5)
            expected = reference(iris(), X=rows)
            answers = await asyncio.gather(*(client.infer("iris", [grpc_input("X", rows)]) for _ in range(100)))
            for answer in answers:
                numpy.testing.assert_array_equal(answer.as_numpy("label"), expected["label"])

            async def requests():
                for index in range(20):
                    yield {"model_name": "iris", "inputs": [grpc_input("X", rows)], "request_id": str(index)}

            ids = []
            async for result, error in client.stream_infer(requests()):
                assert error is None
                ids.append(result.get_response().id)
            assert sorted(ids, key=int) == [str(index) for index in range(20)]
            with pytest.raises(InferenceServerException):
                await client.infer("none", [grpc_input("X", rows)])
            assert await client.is_model_ready("iris")

    asyncio.run(run())


def test_kserve_client(server):
    from kserve import InferenceGRPCClient, InferInput, InferRequest
    rows = iris_rows(6)
    expected = reference(iris(), X=rows)

    async def run():
        client = InferenceGRPCClient(url=server.grpc_address, retries=0)
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready("iris")
        for is_binary in (True, False):
            given = InferInput(name="X", shape=list(rows.shape), datatype="FP32")
            given.set_data_from_numpy(rows, binary_data=is_binary)
            answer = await client.infer(InferRequest(model_name="iris", infer_inputs=[given], request_id="k"))
            assert answer.id == "k" and answer.model_name == "iris"
            outputs = {output.name: output for output in answer.outputs}
            numpy.testing.assert_array_equal(outputs["label"].as_numpy(), expected["label"])
            numpy.testing.assert_allclose(
                outputs["probabilities"].as_numpy(), expected["probabilities"], atol=1e-6)
        texts = InferInput(name="S", shape=[2], datatype="BYTES", data=["a", "é"])
        answer = await client.infer(InferRequest(model_name="texts", infer_inputs=[texts]))
        assert [bytes(text).decode() for text in answer.outputs[0].as_numpy()] == ["a", "é"], answer.outputs[0].data
        await client.close()

    asyncio.run(run())


def test_kserves_messages_of_control(server):
    # model_name is field 1 there, and the answer has it and whether it is loaded.
    assert raw_call(server, "RepositoryModelLoad", b"\x0a\x05texts") == b"\x0a\x05texts\x10\x01"


def test_health(server):
    with grpc.insecure_channel(server.grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "inference.GRPCInferenceService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as error:
            health.Check(health_pb2.HealthCheckRequest(service="none"), timeout=60)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=30)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        unknown = health.Watch(health_pb2.HealthCheckRequest(service="none"), timeout=30)
        assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        unknown.cancel()


def test_reflection_makes_a_client(server):
    """What grpcurl does: asks for the services and their files, and calls a method by what it was told alone."""
    from google.protobuf import message_factory
    with grpc.insecure_channel(server.grpc_address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            "inference.GRPCInferenceService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"}
        pool = descriptor_pool.DescriptorPool(database)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        assert len(service.methods) == 20
        from tritonclient.grpc import service_pb2
        expected = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        assert [method.name for method in service.methods] == [method.name for method in expected.methods]
        # Every message that can be reached has the same fields, numbers and types.
        waiting, seen = [(m.input_type, n.input_type) for m, n in zip(service.methods, expected.methods)], set()
        waiting += [(m.output_type, n.output_type) for m, n in zip(service.methods, expected.methods)]
        while waiting:
            ours, theirs = waiting.pop()
            if ours.full_name in seen:
                continue
            seen.add(ours.full_name)
            assert ours.full_name == theirs.full_name
            assert [(f.name, f.number, f.type, f.is_repeated) for f in ours.fields] == [
                (f.name, f.number, f.type, f.is_repeated) for f in theirs.fields]
            assert [o.name for o in ours.oneofs] == [o.name for o in theirs.oneofs]
            waiting += [(f.message_type, g.message_type) for f, g in zip(ours.fields, theirs.fields) if f.message_type]
        assert len(seen) > 60
        request = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelMetadataRequest"))
        answer = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelMetadataResponse"))
        call = channel.unary_unary(
            SERVICE + "ModelMetadata", request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString)
        assert call(request(name="iris"), timeout=60).inputs[0].name == "X"


def test_reflection_v1(server):
    """The same in its newer version, by bytes: PyPI has no client of it."""
    def ask(*requests):
        with grpc.insecure_channel(server.grpc_address) as channel:
            call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
            return list(call(iter(requests), timeout=60))

    services, missing = ask(b"\x3a\x01*", b"\x22\x04none")
    assert b"grpc.health.v1.Health" in services and b"inference.GRPCInferenceService" in services
    assert b"there is no symbol none" in missing


def test_unknown_methods_and_no_grpc(server):
    with pytest.raises(grpc.RpcError) as error:
        raw_call(server, "Nothing", b"")
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    # What HTTP/1.1 says is no HTTP/2: the connection ends.
    with socket.create_connection((server.host, server.grpc_port), timeout=30) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n")
        while connection.recv(4096):
            pass


def test_damaged_messages(server):
    for message in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", b"\x2a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", b"\x3b"):
        with pytest.raises(grpc.RpcError) as error:
            raw_call(server, "ModelInfer", message)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as error:
            raw_call(server, "RepositoryModelLoad", message)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def http2_call(server, frames, headers=(), seconds=30):
    """A call by hand: DATA frames of these bytes. Returns the answer's headers, or None for a reset."""
    import h2.config
    import h2.connection
    import h2.events
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    with socket.create_connection((server.host, server.grpc_port), timeout=seconds) as channel:
        connection.initiate_connection()
        connection.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", SERVICE + "ModelInfer"),
            ("content-type", "application/grpc"), ("te", "trailers"), *headers])
        for frame in frames:
            connection.send_data(1, frame)
        if frames:
            connection.end_stream(1)
        channel.sendall(connection.data_to_send())
        found = {}
        while data := channel.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    found |= dict(event.headers)
                if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    return found
            channel.sendall(connection.data_to_send())
    return found


def test_bombs(server):
    before = server.memory()
    # A length of 4 GiB, of which nothing comes.
    assert http2_call(server, [b"\0" + struct.pack(">I", 0xFFFFFFFF)])["grpc-status"] == "8"
    # 100 MB of nothing in 100 KB.
    with pytest.raises(grpc.RpcError) as error:
        raw_call(server, "ModelInfer", b"\0" * (100 << 20), compression=grpc.Compression.Gzip)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "decompressed" in error.value.details()
    with pytest.raises(grpc.RpcError) as error:
        raw_call(server, "ModelInfer", b"\0" * (100 << 20))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "104857600" in error.value.details()
    assert http2_call(server, [b"\x01\0\0\0\x01a"])["grpc-status"] == "13"
    assert http2_call(server, [b"\0\0\0\0\x05ab"])["grpc-status"] == "13"
    assert http2_call(server, [b"\0\0\0\0\0\0\0\0\0\0"])["grpc-status"] == "12"
    assert http2_call(server, [b"\0\0\0\0\0"], [("grpc-encoding", "snappy")])["grpc-status"] == "12"
    assert server.memory() - before < 200 << 20
    with server.grpc() as client:
        assert client.is_server_live()


def test_many_clients_at_once(server):
    rows = iris_rows(3)
    expected = reference(iris(), X=rows)["label"]
    failures = []

    def work():
        try:
            with server.grpc() as client:
                for _ in range(40):
                    numpy.testing.assert_array_equal(
                        client.infer("iris", [grpc_input("X", rows)]).as_numpy("label"), expected)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures[:3]


def test_large_tensors(client):
    rows = numpy.random.default_rng(1).random((300_000, 4), numpy.float32)
    answer = client.infer("double", [grpc_input("X", rows)], model_version="1")
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), 2 * rows)


def test_tokens_and_an_orderly_end(request, folder, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("secret-token-0123456789 me\n")
    server = None
    for server in with_inference(
            request, "--model-repository", folder, "--load", "slow", "--token-file", tokens):
        with server.grpc() as client:
            assert client.is_server_live()
            with pytest.raises(InferenceServerException) as error:
                client.get_model_metadata("slow")
            assert code(error) == "UNAUTHENTICATED"
            headers = {"authorization": "Bearer secret-token-0123456789"}
            assert client.get_model_metadata("slow", headers=headers).name == "slow"
            # A call that is on its way when the server is told to end is answered.
            rows = numpy.ones((1, 4), numpy.float32)
            answers = queue.Queue()
            client.infer("slow", [grpc_input("X", rows)], headers=headers)
            for _ in range(3):
                client.async_infer(
                    "slow", [grpc_input("X", rows)], lambda result, error: answers.put(error), headers=headers)
            # One runs and two wait, or they are answered already.
            def begun():
                text = server.raw("GET", "/metrics", headers=headers)[2].decode()
                return int(re.search(r'nv_inference_pending_request_count\{model="slow",version="1"\} (\d+)', text)[1])

            # The answers first: one that comes between the two is not counted twice.
            wait_for(lambda: answers.qsize() + begun() >= 3, what="the server to have the calls")
            server.process.terminate()
            for _ in range(3):
                error = answers.get(timeout=30)
                assert error is None, error
            wait_for(lambda: server.process.poll() is not None, 60, "the server to end")
            assert server.process.returncode == 0


def test_tls(request, folder, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    rows = iris_rows(2)
    for server in with_inference(
            request, "--model-repository", folder, "--load", "iris", "--tls-certificate", certificate, "--tls-key", key):
        with server.grpc(ssl=True, root_certificates=str(certificate)) as client:
            answer = client.infer("iris", [grpc_input("X", rows)])
            numpy.testing.assert_array_equal(answer.as_numpy("label"), reference(iris(), X=rows)["label"])
        with server.grpc() as plain, pytest.raises(InferenceServerException):
            plain.infer("iris", [grpc_input("X", rows)], client_timeout=5)
