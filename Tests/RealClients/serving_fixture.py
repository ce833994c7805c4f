# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve inference` for the tests, and makes small models into a folder.

`Inference("--model-name", "iris", "--model-uri", f"file://{iris(folder)}").start()` is a running server; `.http()` and
`.grpc()` are tritonclient's clients of it. Models are made once a session: `models()` gives a folder of its own in
Triton's layout with copies of those that are named. Outputs to compare with come from onnxruntime itself: `reference`.
"""
import functools
import pathlib
import shutil
import subprocess
import tempfile

import numpy
import pytest

from conftest import APUS, wait_for
from service_fixture import Service
from tracking_fixture import Calls

CACHE = {}


class Inference(Calls, Service):
    """One `apus serve inference`. A restart keeps folder and ports. `arguments` are its options."""

    role = "inference"

    def __init__(self, *arguments, environment=None):
        super().__init__(environment)
        self.arguments = list(arguments)
        # Where it listened; a restart listens there again.
        self.grpc_address = "127.0.0.1:0"

    @property
    def url(self):
        return ("https" if "--tls-key" in self.arguments else "http") + "://" + self.address

    @property
    def grpc_port(self):
        return int(self.grpc_address.rsplit(":", 1)[1])

    def start(self, timeout=60):
        """Starts it and waits for its line `ready inference HOST:PORT grpc HOST:PORT`, which comes when models are loaded."""
        said = self.folder / "inference.out"
        with open(said, "w") as output, open(self.folder / "inference.log", "ab") as log:
            self.process = subprocess.Popen(
                [APUS, "serve", "inference", "--http-port", str(self.port), "--grpc-port", str(self.grpc_port),
                 *map(str, self.arguments)], stdout=output, stderr=log, env=self.environment)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"apus serve inference ended with {self.process.returncode}: {self.logged()[-2000:]}")
            lines = said.read_text().splitlines()
            return next((line for line in lines if line.startswith("ready inference ")), None)

        words = wait_for(ready, timeout, "apus serve inference to be ready").split()
        self.address = words[2]
        if "grpc" in words:
            self.grpc_address = words[words.index("grpc") + 1]
        return self

    def http(self, **settings):
        """tritonclient's client over HTTP."""
        import tritonclient.http
        return tritonclient.http.InferenceServerClient(self.address, **settings)

    def grpc(self, **settings):
        """tritonclient's client over gRPC."""
        import tritonclient.grpc
        return tritonclient.grpc.InferenceServerClient(self.grpc_address, **settings)

    def infer(self, model, inputs, **settings):
        """Asks over HTTP with arrays by name: the answer's arrays by name."""
        import tritonclient.http
        client = self.http()
        try:
            given = [http_input(name, array) for name, array in inputs.items()]
            answer = client.infer(model, given, **settings)
            return {output["name"]: answer.as_numpy(output["name"]) for output in answer.get_response()["outputs"]}
        finally:
            client.close()

    def memory(self):
        """Resident bytes of the server."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


def http_input(name, array, binary=True):
    """An array as an input of tritonclient.http."""
    import tritonclient.http
    from tritonclient.utils import np_to_triton_dtype
    given = tritonclient.http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def grpc_input(name, array):
    """An array as an input of tritonclient.grpc."""
    import tritonclient.grpc
    from tritonclient.utils import np_to_triton_dtype
    given = tritonclient.grpc.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    given.set_data_from_numpy(array)
    return given


def with_inference(request, *arguments, **settings):
    """For a fixture: a running server; its folder stays when tests failed."""
    server = Inference(*arguments, **settings)
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


# Models. Each function makes a file once a session and gives its path.


@functools.cache
def made():
    """The folder of models that were made, gone at the end of the process."""
    import atexit
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def onnx_file(name, nodes, inputs, outputs, initializers=()):
    """An ONNX model of opset 17; inputs and outputs are (name, element type, shape), None: any length."""
    import onnx
    from onnx import helper
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(*spec) for spec in inputs],
        [helper.make_tensor_value_info(*spec) for spec in outputs], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = made() / f"{name}.onnx"
    onnx.save(model, str(path))
    return path


@functools.cache
def iris():
    """scikit-learn's logistic regression on iris: X FP32 [-1, 4] to label INT64 [-1], probabilities FP32 [-1, 3]."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    rows, classes = load_iris(return_X_y=True)
    rows = rows.astype(numpy.float32)
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    path = made() / "iris.onnx"
    path.write_bytes(to_onnx(model, rows[:1], options={"zipmap": False}, target_opset=17).SerializeToString())
    return path


def iris_rows(count=150):
    """Rows for `iris`."""
    from sklearn.datasets import load_iris
    return numpy.resize(load_iris(return_X_y=True)[0].astype(numpy.float32), (count, 4))


@functools.cache
def scale(factor=2.0, name=None):
    """X FP32 [-1, 4] to Y = factor * X of the same shape."""
    import onnx
    from onnx import TensorProto, helper
    name = name or f"scale-{factor}"
    return onnx_file(
        name, [helper.make_node("Mul", ["X", "F"], ["Y"])], [("X", TensorProto.FLOAT, [None, 4])],
        [("Y", TensorProto.FLOAT, [None, 4])], [onnx.numpy_helper.from_array(numpy.float32(factor), "F")])


def register_scales(client, folder):
    """The model `numbers` of a registry (mlflow's client): version 1 doubles and is the champion, version 2 triples."""
    client.create_registered_model("numbers")
    for factor in (2.0, 3.0):
        run = client.create_run("0").info.run_id
        place = folder / str(factor)
        place.mkdir()
        shutil.copy(scale(factor), place / "model.onnx")
        client.log_artifacts(run, str(place), "model")
        client.create_model_version("numbers", f"runs:/{run}/model", run)
    client.set_registered_model_alias("numbers", "champion", "1")


@functools.cache
def texts():
    """S BYTES [-1] to T, the same texts."""
    from onnx import TensorProto, helper
    return onnx_file(
        "texts", [helper.make_node("Identity", ["S"], ["T"])], [("S", TensorProto.STRING, [None])],
        [("T", TensorProto.STRING, [None])])


@functools.cache
def slow(rounds=200, size=128):
    """X FP32 [-1, 4] to Y [-1, 4]: the same numbers, after products of matrices that take milliseconds."""
    import onnx
    from onnx import TensorProto, helper
    nodes = [helper.make_node("Constant", [], ["start"], value=onnx.numpy_helper.from_array(
        numpy.zeros((size, size), numpy.float32)))]
    # Begins with the input, so that nothing is known before it comes: zero times its sum.
    nodes += [helper.make_node("ReduceSum", ["X"], ["sum"], keepdims=0), helper.make_node("Mul", ["sum", "zero"], ["no"]),
              helper.make_node("Add", ["start", "no"], ["m0"])]
    for index in range(rounds):
        nodes.append(helper.make_node("MatMul", [f"m{index}", "weights"], [f"m{index + 1}"]))
    nodes += [helper.make_node("ReduceSum", [f"m{rounds}"], ["end"], keepdims=0),
              helper.make_node("Add", ["X", "end"], ["Y"])]
    return onnx_file(
        f"slow-{rounds}-{size}", nodes, [("X", TensorProto.FLOAT, [None, 4])], [("Y", TensorProto.FLOAT, [None, 4])],
        [onnx.numpy_helper.from_array(numpy.float32(0), "zero"),
         onnx.numpy_helper.from_array(numpy.eye(size, dtype=numpy.float32), "weights")])


def repository(folder, **models):
    """Models in Triton's layout below a folder: NAME=(FILE, CONFIG) or NAME=FILE or NAME={VERSION: FILE}; a CONFIG is
    the text of a config.pbtxt."""
    folder = pathlib.Path(folder)
    for name, model in models.items():
        files, config = model if isinstance(model, tuple) else (model, None)
        versions = files if isinstance(files, dict) else {1: files}
        for version, file in versions.items():
            place = folder / name / str(version)
            place.mkdir(parents=True, exist_ok=True)
            if file is not None:
                shutil.copy(file, place / "model.onnx")
        if config is not None:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "config.pbtxt").write_text(config)
    return folder


def reference(path, **inputs):
    """Outputs by name of a model, by onnxruntime itself."""
    import onnxruntime
    session = CACHE.get(path) or onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    CACHE[path] = session
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))
