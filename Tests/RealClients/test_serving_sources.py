# SPDX-License-Identifier: Apache-2.0
"""Models that are fetched: logged by mlflow, put by boto3, from the web, as archives; and what is refused on the way."""
import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import socketserver
import tarfile
import threading
import zipfile

import numpy
import pytest

import serving_models
from conftest import wait_for
from objects_fixture import Objects, new_bucket
from serving_fixture import Inference, http_input
from tracking_fixture import Tracking, mlflow_at

pytestmark = pytest.mark.filterwarnings("ignore")


@contextlib.contextmanager
def running(request, server):
    """A server, started; its folder stays when the test failed."""
    failed = request.session.testsfailed
    try:
        # Longer than by itself: a server of models waits for its Python workers, each of which imports mlflow.
        yield server.start(timeout=120)
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed > failed)


def served(request, tmp_path, models, environment, *arguments):
    """A server of models by name and URI, as KServe's models.json has them."""
    file = tmp_path / f"models-{len(list(tmp_path.iterdir()))}.json"
    file.write_text(json.dumps(
        [{"modelName": name, "modelSpec": {"storageUri": uri, "framework": kind, "memory": "1Gi"}}
         for name, (uri, kind) in models.items()]))
    environment = {**os.environ, **environment}
    return running(request, Inference("--models-file", file, "--model-cache", tmp_path / "cache", *arguments,
                                      environment=environment))


def answered(client, model, inputs):
    """The outputs by name, once the model is there."""
    def ready():
        try:
            return client.is_model_ready(model)
        except OSError:
            return False

    wait_for(ready, 120, f"{model} to be ready")
    answer = client.infer(model, [http_input(name, array) for name, array in inputs.items()])
    return {output["name"]: answer.as_numpy(output["name"]) for output in answer.get_response()["outputs"]}


@functools.cache
def iris():
    from sklearn.datasets import load_iris
    rows, classes = load_iris(return_X_y=True)
    return rows.astype(numpy.float32), classes


def test_what_mlflow_logged(request, tmp_path):
    """Five flavors by models:/NAME@ALIAS and others, each as mlflow.pyfunc itself answers; a moved alias is followed."""
    import lightgbm
    import mlflow
    import onnx
    import xgboost
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression
    rows, classes = iris()
    wide = rows.astype(numpy.float64)
    with running(request, Tracking()) as tracking, mlflow_at(tracking.url):
        import pandas
        table = pandas.DataFrame(wide, columns=["a", "b", "c", "d"])
        linear = LogisticRegression(max_iter=500).fit(table, classes)
        trees = xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1, "max_depth": 3},
                              xgboost.DMatrix(rows, classes), 5)
        leaves = lightgbm.train({"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1},
                                lightgbm.Dataset(wide, classes), 5)

        class Sum(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return model_input.sum(axis=1)

        folder, _ = serving_models.collection()
        graph = onnx.load(str(folder / "sk-logistic" / "1" / "model.onnx"))
        with mlflow.start_run() as run:
            mlflow.sklearn.log_model(linear, name="linear", registered_model_name="linear",
                                     signature=infer_signature(table, linear.predict(table)), pip_requirements=[])
            mlflow.xgboost.log_model(trees, name="trees", registered_model_name="trees", model_format="ubj", pip_requirements=[])
            mlflow.lightgbm.log_model(leaves, name="leaves", registered_model_name="leaves", pip_requirements=[])
            mlflow.onnx.log_model(graph, name="graph", registered_model_name="graph", pip_requirements=[])
            mlflow.pyfunc.log_model(name="sum", python_model=Sum(), registered_model_name="sum",
                                    signature=infer_signature(wide, wide.sum(axis=1)), pip_requirements=[])
            mlflow.log_artifacts(str(folder / "sk-forest" / "1"), "plain")
        client = mlflow.MlflowClient()
        for name in ("linear", "trees", "graph"):
            client.set_registered_model_alias(name, "champion", "1")
        models = {"linear": ("models:/linear@champion", "mlflow"), "trees": ("models:/trees@champion", "mlflow"),
                  "leaves": ("models:/leaves/1", "mlflow"), "graph": ("models:/graph@champion", "mlflow"),
                  "sum": ("models:/sum/1", "mlflow"), "plain": (f"runs:/{run.info.run_id}/plain", "onnx")}
        with served(request, tmp_path, models, {"MLFLOW_TRACKING_URI": tracking.url}) as server:
            http = server.http(network_timeout=120, connection_timeout=120)
            columns = {name: table[name].to_numpy() for name in table}
            assert list(answered(http, "linear", columns).values())[0].tolist() == \
                mlflow.pyfunc.load_model("models:/linear/1").predict(table).tolist()
            assert numpy.array_equal(answered(http, "trees", {"input-0": rows})["predict"],
                                     trees.predict(xgboost.DMatrix(rows)))
            assert numpy.array_equal(answered(http, "leaves", {"input-0": wide})["predict"],
                                     mlflow.pyfunc.load_model("models:/leaves/1").predict(wide))
            expected = mlflow.pyfunc.load_model("models:/graph/1").predict(rows)
            assert numpy.array_equal(answered(http, "graph", {"X": rows})["probabilities"], expected["probabilities"])
            assert numpy.allclose(list(answered(http, "sum", {"input-0": wide}).values())[0],
                                  mlflow.pyfunc.load_model("models:/sum/1").predict(wide))
            assert answered(http, "plain", {"X": rows})["label"].shape == (150,)
            http.close()
        # Another version: the alias moves, and the server with it.
        environment = {**os.environ, "MLFLOW_TRACKING_URI": tracking.url}
        with running(request, Inference("--model-name", "trees", "--model-uri", "models:/trees@champion", "--model-cache",
                                        tmp_path / "cache", "--follow", "0.2", environment=environment)) as server:
            http = server.http()
            more = xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1, "max_depth": 3},
                                 xgboost.DMatrix(rows, classes), 9)
            with mlflow.start_run():
                mlflow.xgboost.log_model(more, name="trees", registered_model_name="trees", model_format="ubj", pip_requirements=[])
            client.set_registered_model_alias("trees", "champion", "2")

            def moved():
                answer = http.infer("trees", [http_input("input-0", rows)])
                return answer.get_response()["model_version"] == "2" and numpy.array_equal(
                    answer.as_numpy("predict"), more.predict(xgboost.DMatrix(rows)))

            wait_for(moved, 120, "the server to follow the alias")
            http.close()


def test_what_boto3_put(request, tmp_path):
    """An object, and a prefix with a graph whose weights lie beside it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    folder, cases = serving_models.collection()
    by_name = {case.model: case for case in cases}
    weights = numpy.arange(4096, dtype=numpy.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4096])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4096])], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "model.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    with running(request, Objects()) as objects:
        s3 = objects.client()
        bucket = new_bucket(s3)
        for key, path in (("boosted/model.ubj", folder / "xgb-classes" / "1" / "model.ubj"),
                          ("split/model.onnx", tmp_path / "model.onnx"), ("split/weights.bin", tmp_path / "weights.bin")):
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        s3.put_object(Bucket=bucket, Key="split/", Body=b"")
        models = {"one": (f"s3://{bucket}/boosted/model.ubj", "xgboost"), "all": (f"s3://{bucket}/boosted", "xgboost"),
                  "split": (f"s3://{bucket}/split/", "onnx")}
        environment = {"AWS_ENDPOINT_URL": objects.url, "AWS_ACCESS_KEY_ID": objects.access,
                       "AWS_SECRET_ACCESS_KEY": objects.secret}
        with served(request, tmp_path, models, environment) as server:
            http = server.http()
            case = by_name["xgb-classes"]
            for name in ("one", "all"):
                assert numpy.array_equal(answered(http, name, case.inputs)["predict"], case.outputs["predict"])
            assert numpy.array_equal(answered(http, "split", {"x": numpy.ones((1, 4096), numpy.float32)})["y"][0],
                                     weights + 1)
            http.close()


class Web(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def web(folder):
    """A web server of a folder: its address."""
    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), functools.partial(Web, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def packed(files, kind):
    """An archive with these contents by name."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=kind) as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_the_web_and_archives(request, tmp_path):
    folder, cases = serving_models.collection()
    case = next(case for case in cases if case.model == "sk-forest")
    content = (folder / "sk-forest" / "1" / "model.onnx").read_bytes()
    site = tmp_path / "site"
    site.mkdir()
    (site / "model.onnx").write_bytes(content)
    (site / "flat.zip").write_bytes(packed({"model.onnx": content}, "zip"))
    (site / "deep.tar.gz").write_bytes(packed({"m/model.onnx": content, "m/notes/a.txt": b"a"}, "w:gz"))
    (site / "pax.tar").write_bytes(packed({"d" * 90 + "/" + "e" * 90 + "/notes.txt": b"a", "model.onnx": content}, "w:"))
    (site / "up.zip").write_bytes(packed({"../up.onnx": content}, "zip"))
    (site / "up.tgz").write_bytes(packed({"/tmp/apus-up.onnx": content}, "w:gz"))
    with tarfile.open(site / "link.tar", "w") as archive:
        link = tarfile.TarInfo("model.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (site / "cut.zip").write_bytes(packed({"model.onnx": content}, "zip")[:-30])
    good = hashlib.sha256(content).hexdigest()
    with web(site) as address:
        models = {"file": f"{address}/model.onnx", "sum": f"{address}/model.onnx#sha256={good}",
                  "flat": f"{address}/flat.zip", "deep": f"{address}/deep.tar.gz", "pax": f"{address}/pax.tar"}
        bad = {"other": f"{address}/model.onnx#sha256={good[::-1]}", "up": f"{address}/up.zip", "away": f"{address}/up.tgz",
               "link": f"{address}/link.tar", "cut": f"{address}/cut.zip", "none": f"{address}/none.onnx",
               "nowhere": "http://127.0.0.1:9/x.onnx", "scheme": "gs://bucket/model"}
        everything = {name: (uri, "onnx") for name, uri in {**models, **bad}.items()}
        with served(request, tmp_path, everything, {}) as server:
            http = server.http()
            for name in models:
                answer = answered(http, name, case.inputs)
                assert numpy.array_equal(answer["probabilities"], case.outputs["probabilities"]), name
            for name in bad:
                assert not http.is_model_ready(name), name
            http.close()
    assert not pathlib.Path("/tmp/apus-up.onnx").exists()
    assert not list((tmp_path / "cache").glob("*.onnx")) and not (tmp_path / "up.onnx").exists()
    # Nothing that was not whole stays.
    assert not [name for name in os.listdir(tmp_path / "cache") if name.startswith(".")]


def test_volumes(request, tmp_path):
    """A claim's folder is named in a variable, for pods are processes of the host."""
    folder, cases = serving_models.collection()
    case = next(case for case in cases if case.model == "lgb-classes")
    shutil.copytree(folder / "lgb-classes", tmp_path / "claim" / "models")
    models = {"boosted": ("pvc://my-claim/models/1", "lightgbm")}
    with served(request, tmp_path, models, {"APUS_VOLUME_MY_CLAIM": str(tmp_path / "claim")}) as server:
        http = server.http()
        assert numpy.array_equal(answered(http, "boosted", case.inputs)["predict"], case.outputs["predict"])
        http.close()
