# SPDX-License-Identifier: Apache-2.0
"""`apus serve inference` over REST, asked by clients as people have them: tritonclient (http, aio), kserve's
InferenceRESTClient (V1, V2), boto3's sagemaker-runtime, curl by the documented JSON, an OpenAPI reader."""
import asyncio
import gzip
import json
import subprocess
import zlib

import numpy
import pytest

from serving_fixture import http_input, iris, iris_rows, reference, repository, scale, texts, with_inference

ROWS = numpy.arange(8, dtype=numpy.float32).reshape(2, 4) / 3


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    folder = repository(tmp_path_factory.mktemp("models"), iris=iris(), double=scale(), texts=texts())
    yield from with_inference(request, "--model-repository", folder)


@pytest.fixture(scope="module")
def client(server):
    client = server.http(concurrency=4)
    yield client
    client.close()


def infer(name="X", shape=(1, 4), datatype="FP32", data=(1, 2, 3, 4), **more):
    return {"inputs": [{"name": name, "shape": list(shape), "datatype": datatype, "data": list(data)}], **more}


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("double") and client.is_model_ready("double", "1")
    assert not client.is_model_ready("none") and not client.is_model_ready("double", "9")
    assert client.get_server_metadata()["name"] == "apus"
    metadata = client.get_model_metadata("double")
    assert metadata["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["versions"] == ["1"]
    assert client.get_model_config("double")["input"][0]["data_type"] == "TYPE_FP32"
    assert {model["name"] for model in client.get_model_repository_index()} == {"iris", "double", "texts"}


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_tensors_in_json_and_binary(client, binary_in, binary_out):
    import tritonclient.http
    wish = None if binary_out is None else [tritonclient.http.InferRequestedOutput("Y", binary_data=binary_out)]
    answer = client.infer("double", [http_input("X", ROWS, binary_in)], outputs=wish, request_id="r1")
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), ROWS * 2)
    assert answer.get_response()["id"] == "r1"
    assert ("data" in answer.get_output("Y")) == (binary_out is False)


def test_iris_as_onnxruntime(client):
    rows = iris_rows()
    expected = reference(iris(), X=rows)
    for binary in (True, False):
        answer = client.infer("iris", [http_input("X", rows, binary)])
        for name, array in expected.items():
            numpy.testing.assert_array_equal(answer.as_numpy(name), array)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compression_both_ways(client, algorithm):
    rows = numpy.tile(ROWS, (2000, 1))
    answer = client.infer(
        "double", [http_input("X", rows)], request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm)
    assert answer.get_response()["outputs"][0]["shape"] == [4000, 4]
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), rows * 2)


def test_answers_are_compressed_only_when_asked(server):
    rows = numpy.tile(ROWS, (500, 1))
    body = infer(shape=rows.shape, data=rows.flatten().tolist())
    status, headers, content = server.raw("POST", "/v2/models/double/infer", body)
    assert status == 200 and "Content-Encoding" not in headers
    for name, plain in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
        status, headers, small = server.raw(
            "POST", "/v2/models/double/infer", body, headers={"accept-encoding": name})
        assert headers["Content-Encoding"] == name and len(small) < len(content) / 2
        assert plain(small) == content


def test_texts(client):
    words = numpy.array(["a", "", "ü€😀", "x" * 5000], dtype=object)
    for binary in (True, False):
        answer = client.infer("texts", [http_input("S", words, binary)])
        assert [word.decode() for word in answer.as_numpy("T")] == list(words)


def test_bytes_that_are_no_text(client):
    import tritonclient.http
    from tritonclient.utils import InferenceServerException
    words = numpy.array([b"\xff\xfe", b"\0"], dtype=object)
    given = [http_input("S", words)]
    assert list(client.infer("texts", given).as_numpy("T")) == [b"\xff\xfe", b"\0"]
    with pytest.raises(InferenceServerException, match="binary"):
        client.infer("texts", given, outputs=[tritonclient.http.InferRequestedOutput("T", binary_data=False)])


def test_raw_bodies(server, client):
    """The body is the data of the only input; tritonclient makes such requests by hand."""
    import tritonclient.http
    status, headers, content = server.raw(
        "POST", "/v2/models/double/infer", ROWS[:1].tobytes(), headers={"Inference-Header-Content-Length": "0"})
    assert status == 200
    answer = tritonclient.http.InferenceServerClient.parse_response_body(
        content, header_length=int(headers["Inference-Header-Content-Length"]))
    numpy.testing.assert_array_equal(answer.as_numpy("Y"), ROWS[:1] * 2)
    body, length = tritonclient.http.InferenceServerClient.generate_request_body([http_input("X", ROWS)])
    status, _, _ = server.raw(
        "POST", "/v2/models/double/infer", body, headers={"Inference-Header-Content-Length": str(length)})
    assert status == 200


def test_classification(client):
    import tritonclient.http
    rows = iris_rows(3)
    wish = [tritonclient.http.InferRequestedOutput("probabilities", class_count=2)]
    found = client.infer("iris", [http_input("X", rows)], outputs=wish).as_numpy("probabilities")
    assert found.shape == (3, 2)
    best = reference(iris(), X=rows)["probabilities"].argmax(axis=1)
    assert [int(row[0].decode().split(":")[1]) for row in found] == list(best)


def test_async_requests(client):
    waiting = [client.async_infer("double", [http_input("X", ROWS + index)]) for index in range(20)]
    for index, request in enumerate(waiting):
        numpy.testing.assert_array_equal(request.get_result().as_numpy("Y"), (ROWS + index) * 2)


def test_asyncio(server):
    import tritonclient.http.aio

    async def run():
        async with tritonclient.http.aio.InferenceServerClient(server.address) as client:
            assert await client.is_server_ready()
            given = tritonclient.http.InferInput("X", list(ROWS.shape), "FP32")
            given.set_data_from_numpy(ROWS)
            answers = await asyncio.gather(*(client.infer("double", [given]) for _ in range(20)))
            return [answer.as_numpy("Y") for answer in answers]

    for found in asyncio.run(run()):
        numpy.testing.assert_array_equal(found, ROWS * 2)


def test_faults_as_clients_see_them(client):
    from tritonclient.utils import InferenceServerException
    for model, given, status, words in [
            ("none", http_input("X", ROWS), "404", "none"), ("double", http_input("Z", ROWS), "400", "'Z'"),
            ("double", http_input("X", ROWS[:, :3]), "400", r"Expected \[-1,4\], got \[2,3\]"),
            ("double", http_input("X", ROWS.astype(numpy.int64)), "400", "FP32")]:
        with pytest.raises(InferenceServerException, match=words) as caught:
            client.infer(model, [given])
        assert caught.value.status() == status


def test_kserve_v2(server):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def run():
        async with InferenceRESTClient(RESTConfig(protocol="v2", retries=1)) as client:
            assert await client.is_server_live(server.url) and await client.is_server_ready(server.url)
            assert await client.is_model_ready(server.url, "double")
            assert not await client.is_model_ready(server.url, "none")
            found = []
            for binary in (True, False):
                given = InferInput("X", list(ROWS.shape), "FP32")
                given.set_data_from_numpy(ROWS, binary_data=binary)
                request = InferRequest("double", [given], request_id="k1")
                answer = await client.infer(server.url, request, model_name="double")
                assert answer.id == "k1" and answer.model_name == "double"
                found.append(answer.outputs[0].as_numpy())
            return found

    for found in asyncio.run(run()):
        numpy.testing.assert_allclose(found, ROWS * 2)


def test_kserve_v1(server):
    import httpx
    from kserve import InferenceRESTClient, RESTConfig

    async def run():
        async with InferenceRESTClient(RESTConfig(protocol="v1", retries=1)) as client:
            assert await client.is_server_live(server.url)
            assert await client.is_model_ready(server.url, "double")
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await client.is_model_ready(server.url, "none")
            rows = await client.infer(server.url, {"instances": [[1, 2, 3, 4], [5, 6, 7, 8]]}, model_name="double")
            assert rows == {"predictions": [[2, 4, 6, 8], [10, 12, 14, 16]]}
            words = await client.infer(server.url, {"instances": ["a", "b"]}, model_name="texts")
            assert words == {"predictions": ["a", "b"]}
            several = await client.infer(
                server.url, {"instances": [{"X": row} for row in iris_rows(2).tolist()]}, model_name="iris")
            assert [set(row) for row in several["predictions"]] == [{"label", "probabilities"}] * 2
            with pytest.raises(httpx.HTTPStatusError, match="400"):
                await client.infer(server.url, {"instances": [[1, 2]]}, model_name="double")

    asyncio.run(run())


def test_sagemaker(server):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
    runtime = boto3.client(
        "sagemaker-runtime", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="a",
        aws_secret_access_key="b", config=Config(retries={"total_max_attempts": 1}))
    answer = runtime.invoke_endpoint(
        EndpointName="double", ContentType="application/json", TargetVariant="blue",
        Body=json.dumps({"instances": [[1, 2, 3, 4]]}))
    assert json.load(answer["Body"]) == {"predictions": [[2, 4, 6, 8]]}
    assert answer["InvokedProductionVariant"] == "blue" and answer["ContentType"] == "application/json"
    answer = runtime.invoke_endpoint(EndpointName="any", TargetModel="double", Body=json.dumps(infer()))
    assert json.load(answer["Body"])["outputs"][0]["data"] == [2, 4, 6, 8]
    answer = runtime.invoke_endpoint(
        EndpointName="double", ContentType="text/csv", Accept="text/csv", Body="1,2,3,4\n5,6,7,8\n")
    assert answer["Body"].read() == b"2.0,4.0,6.0,8.0\n10.0,12.0,14.0,16.0\n"
    for name, body in [("none", "{}"), ("double", "{"), ("double", '{"instances": [[1]]}')]:
        with pytest.raises(ClientError) as caught:
            runtime.invoke_endpoint(EndpointName=name, ContentType="application/json", Body=body)
        assert caught.value.response["Error"]["Code"] == "ValidationError"
        assert caught.value.response["Error"]["Message"]


def test_sagemaker_container(request):
    """With one model, as SageMaker starts containers: /ping and /invocations."""
    from serving_fixture import Inference
    server = Inference("--model-name", "only", "--model-uri", scale().as_uri())
    try:
        server.start()
        assert server.call("GET", "/ping")[0] == 200
        assert server.call("POST", "/invocations", {"instances": [[1, 2, 3, 4]]}) == (
            200, {"predictions": [[2.0, 4.0, 6.0, 8.0]]})
        body = json.dumps({"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "parameters": {
            "binary_data_size": 16}}], "parameters": {"binary_data_output": True}}).encode()
        kind = "application/vnd.sagemaker-triton.binary+json;json-header-size="
        status, headers, content = server.raw(
            "POST", "/invocations", body + ROWS[:1].tobytes(), headers={"content-type": f"{kind}{len(body)}"})
        assert status == 200 and headers["Content-Type"].startswith(kind)
        length = int(headers["Content-Type"].rsplit("=", 1)[1])
        numpy.testing.assert_array_equal(numpy.frombuffer(content[length:], numpy.float32), ROWS[0] * 2)
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def test_curl_of_the_documentation(server):
    def curl(*arguments):
        return json.loads(subprocess.run(
            ["curl", "--silent", "--fail-with-body", *arguments], capture_output=True, check=True, timeout=30).stdout)

    found = curl(f"{server.url}/v2/models/double/infer", "--data", json.dumps(infer(shape=[1, 4])))
    assert found["outputs"] == [{"name": "Y", "datatype": "FP32", "shape": [1, 4], "data": [2.0, 4.0, 6.0, 8.0]}]
    assert curl(f"{server.url}/v1/models/double:predict", "--data", '{"instances": [[1, 2, 3, 4]]}') == {
        "predictions": [[2.0, 4.0, 6.0, 8.0]]}
    # A long body, for which curl first asks whether it may come.
    long = subprocess.run(
        ["curl", "--silent", "--fail-with-body", "--header", "Expect: 100-continue", "--data-binary", "@-",
         f"{server.url}/v1/models/double:predict"], input=json.dumps({"instances": [[1, 2, 3, 4]] * 100_000}).encode(),
        capture_output=True, check=True, timeout=60).stdout
    assert json.loads(long) == {"predictions": [[2.0, 4.0, 6.0, 8.0]] * 100_000}
    status = subprocess.run(
        ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"{server.url}/v2/models/none"],
        capture_output=True, text=True, timeout=30).stdout
    assert status == "404"


def test_long_bodies(client):
    rows = numpy.random.default_rng(1).random((300_000, 4), dtype=numpy.float32)
    for binary in (True, False):
        part = rows if binary else rows[:60_000]
        answer = client.infer("double", [http_input("X", part, binary)])
        numpy.testing.assert_array_equal(answer.as_numpy("Y"), part * 2)


def test_settings_of_trace_and_log(client):
    assert client.get_trace_settings()["trace_mode"] == "triton"
    assert client.update_trace_settings(settings={"trace_rate": "5"})["trace_rate"] == "5"
    assert client.update_log_settings({"log_verbose_level": 0})["log_verbose_level"] == 0


def test_openapi_describes_what_is_there(server):
    status, document = server.call("GET", "/openapi.json")
    assert status == 200 and document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    references = set()

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                references.add(value["$ref"].rsplit("/", 1)[1])
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for element in value:
                walk(element)

    walk(document["paths"])
    assert references <= set(schemas)
    assert "/v2/models/double/infer" in document["paths"]
    for path, operations in document["paths"].items():
        for method in operations:
            if path.startswith("/v2/repository/models") or "{version}" in path:
                continue
            place = path.replace("{model}", "double")
            body = {} if method == "post" else None
            assert server.call(method.upper(), place, body)[0] not in (404, 405), (method, path)
