// SPDX-License-Identifier: Apache-2.0

/// What the interpreter runs. It talks over the socket that is its descriptor 3: a frame is the length of its JSON (4
/// bytes, little-endian), the length of its tensors (8), the JSON, and the tensors as the protocol's binary extension has
/// them. Standard output is for the model's own words and goes where the server's errors go.
enum PythonWorkerScript {
    static let text = #"""
        import json, os, socket, struct, sys, threading, time

        def main():
            parent, limit = os.getppid(), int(sys.argv[1])
            if limit > 0:
                import resource
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            threading.Thread(target=follow, args=(parent,), daemon=True).start()
            channel = socket.socket(fileno=3)
            model = None
            while True:
                frame = receive(channel)
                if frame is None:
                    return
                head, body = frame
                try:
                    if head["do"] == "load":
                        model = Model(head["path"])
                        answer = {"inputs": model.inputs, "outputs": model.outputs}, []
                    else:
                        answer = model.infer(decode(head["inputs"], body), head["outputs"])
                except MemoryError:
                    answer = {"error": "there is not enough memory", "code": "runtime"}, []
                except Refused as error:
                    answer = {"error": str(error), "code": "invalid"}, []
                except BaseException as error:
                    text = f"{type(error).__name__}: {error}"
                    # What scikit-learn and mlflow say of data that does not fit.
                    is_data = isinstance(error, (ValueError, TypeError, KeyError)) or type(error).__name__ == "MlflowException"
                    code = "invalid" if is_data and head["do"] == "infer" else "runtime"
                    answer = {"error": " ".join(text.split())[:2000], "code": code}, []
                send(channel, *answer)

        class Refused(Exception):
            pass

        def follow(parent):
            # A worker whose server is gone ends, even while a model computes.
            while os.getppid() == parent:
                time.sleep(1)
            os._exit(0)

        def exactly(channel, count):
            parts = bytearray()
            while len(parts) < count:
                part = channel.recv(min(count - len(parts), 1 << 20))
                if not part:
                    return None
                parts += part
            return parts

        def receive(channel):
            start = exactly(channel, 12)
            if start is None:
                return None
            head, body = struct.unpack("<IQ", start)
            text = exactly(channel, head)
            rest = exactly(channel, body)
            return None if text is None or rest is None else (json.loads(bytes(text)), rest)

        def send(channel, head, parts):
            text = json.dumps(head).encode()
            channel.sendall(struct.pack("<IQ", len(text), sum(map(len, parts))) + text)
            for part in parts:
                channel.sendall(part)

        TYPES = {"BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
                 "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}

        def decode(inputs, body):
            import numpy
            arrays, place = {}, 0
            for given in inputs:
                part = memoryview(body)[place:place + given["size"]]
                place += given["size"]
                if given["datatype"] == "BYTES":
                    texts, at = [], 0
                    while at < len(part):
                        length, = struct.unpack_from("<I", part, at)
                        texts.append(bytes(part[at + 4:at + 4 + length]))
                        at += 4 + length
                    array = numpy.array([text.decode(errors="surrogateescape") for text in texts], dtype=object)
                else:
                    array = numpy.frombuffer(part, TYPES[given["datatype"]])
                arrays[given["name"]] = array.reshape(given["shape"])
            return arrays

        def encode(name, array):
            import numpy
            array = numpy.asarray(array)
            if array.dtype.kind in "OUSMm":
                texts = [text if isinstance(text, bytes) else str(text).encode(errors="surrogateescape") for text in array.ravel()]
                body = b"".join(struct.pack("<I", len(text)) + text for text in texts)
                return {"name": name, "datatype": "BYTES", "shape": list(array.shape), "size": len(body)}, body
            if array.dtype.kind == "c" or array.dtype.itemsize > 8:
                raise Refused(f"the output {name} has the type {array.dtype}, which the protocol does not have")
            array = numpy.ascontiguousarray(array).reshape(array.shape)
            kind = array.dtype.newbyteorder("<")
            datatype = next(key for key, value in TYPES.items() if numpy.dtype(value) == kind)
            body = array.astype(kind, copy=False).tobytes()
            return {"name": name, "datatype": datatype, "shape": list(array.shape), "size": len(body)}, body

        def name_of(dtype):
            import numpy
            dtype = numpy.dtype(dtype)
            if dtype.kind in "OUSMm":
                return "BYTES"
            return next((key for key, value in TYPES.items() if numpy.dtype(value) == dtype.newbyteorder("<")), "BYTES")

        NUMBERS = ["FP32", "FP64", "INT64", "INT32", "INT16", "INT8", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL", "FP16"]
        COLUMNS = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}

        class Model:
            """The model of a folder, its inputs and outputs, and how they become what it takes."""

            def __init__(self, path):
                # Files come first: they may say which modules a model needs.
                self.columns = self.tensors = None
                self.inputs, self.outputs = [], []
                if os.path.isdir(path) and os.path.exists(os.path.join(path, "MLmodel")):
                    self.load_mlflow(path)
                else:
                    self.load_pickle(path)

            def load_mlflow(self, path):
                import logging
                logging.getLogger("mlflow").setLevel(logging.ERROR)
                import mlflow.pyfunc
                self.model = mlflow.pyfunc.load_model(path)
                signature = self.model.metadata.signature
                given = signature.inputs if signature else None
                if given is not None and given.is_tensor_spec():
                    self.tensors = {spec.name or "input-0": spec for spec in given.inputs}
                    for name, spec in self.tensors.items():
                        self.inputs.append(self.field(name, name_of(spec.type), list(spec.shape), NUMBERS))
                elif given is not None and given.inputs:
                    self.columns = {spec.name or str(place): spec for place, spec in enumerate(given.inputs)}
                    for name, spec in self.columns.items():
                        kind = COLUMNS.get(getattr(spec.type, "name", ""), "BYTES")
                        field = self.field(name, kind, [-1], NUMBERS if kind != "BYTES" else [])
                        field["optional"] = not getattr(spec, "required", True)
                        self.inputs.append(field)
                else:
                    self.inputs.append(self.field("input-0", "FP64", [-1, -1], NUMBERS + ["BYTES"]))
                wanted = signature.outputs if signature else None
                if wanted is not None and wanted.is_tensor_spec():
                    for place, spec in enumerate(wanted.inputs):
                        self.outputs.append(self.field(spec.name or "predict", name_of(spec.type), list(spec.shape), []))
                elif wanted is not None and wanted.inputs:
                    for spec in wanted.inputs:
                        kind = COLUMNS.get(getattr(spec.type, "name", ""), "BYTES")
                        self.outputs.append(self.field(spec.name or "predict", kind, [-1], []))
                else:
                    self.outputs.append(self.field("predict", "FP64", [-1], []))

            def load_pickle(self, path):
                if os.path.isdir(path):
                    names = sorted(name for name in os.listdir(path) if name.endswith((".joblib", ".pkl", ".pickle")))
                    preferred = [name for name in names if name.startswith("model.")] or names
                    if not preferred:
                        raise Refused(f"there is no model.joblib or model.pkl in {path}")
                    path = os.path.join(path, preferred[0])
                import joblib
                self.model = joblib.load(path)
                if not hasattr(self.model, "predict"):
                    raise Refused(f"{path} holds a {type(self.model).__name__}, which has no predict")
                count = getattr(self.model, "n_features_in_", -1)
                self.inputs.append(self.field("input-0", "FP64", [-1, int(count)], NUMBERS + ["BYTES"]))
                output = self.field("predict", "FP64", [-1], [])
                if count > 0:
                    import numpy, warnings
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")
                            tried = numpy.asarray(self.model.predict(numpy.zeros((1, count))))
                        output = self.field("predict", name_of(tried.dtype), [-1, *tried.shape[1:]], [])
                    except Exception:
                        pass
                self.outputs.append(output)

            @staticmethod
            def field(name, datatype, shape, alternatives):
                return {"name": str(name), "datatype": datatype, "shape": [int(size) for size in shape],
                        "alternatives": [kind for kind in alternatives if kind != datatype]}

            def infer(self, arrays, wanted):
                import numpy
                if self.columns is not None:
                    import pandas
                    table = {}
                    for name, spec in self.columns.items():
                        if name in arrays:
                            array = arrays[name]
                            if array.ndim > 2 or array.ndim == 2 and array.shape[1] != 1:
                                raise Refused(f"the input {name} has the shape {list(array.shape)}, expected one number a row")
                            kind = getattr(spec.type, "to_numpy", lambda: None)()
                            array = array.reshape(-1)
                            if kind is not None and array.dtype.kind not in "OUS" and numpy.dtype(kind).kind not in "OUSMm":
                                array = array.astype(kind)
                            if getattr(spec.type, "name", "") == "datetime":
                                array = pandas.to_datetime(array)
                            elif getattr(spec.type, "name", "") == "binary":
                                array = [text.encode(errors="surrogateescape") for text in array]
                            table[name] = array
                    lengths = {len(array) for array in table.values()}
                    if len(lengths) > 1:
                        raise Refused("the inputs have different numbers of rows")
                    data = pandas.DataFrame(table)
                elif self.tensors is not None:
                    data = {name: array.astype(self.tensors[name].type, copy=False) for name, array in arrays.items()}
                    if len(self.tensors) == 1 and next(iter(self.tensors.values())).name is None:
                        data = next(iter(data.values()))
                else:
                    data = next(iter(arrays.values()))
                answer = self.model.predict(data)
                return self.answer(answer, wanted)

            def answer(self, answer, wanted):
                named = {}
                if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
                    named = {str(name): answer[name].to_numpy() for name in answer.columns}
                elif isinstance(answer, dict):
                    named = dict(answer)
                else:
                    if hasattr(answer, "to_numpy"):
                        answer = answer.to_numpy()
                    elif hasattr(answer, "toarray"):
                        answer = answer.toarray()
                    named = {self.outputs[0]["name"] if len(self.outputs) == 1 else "predict": answer}
                if len(named) == 1 and len(self.outputs) == 1:
                    named = {self.outputs[0]["name"]: next(iter(named.values()))}
                heads, parts = [], []
                for name in wanted or named:
                    if name not in named:
                        raise Refused(f"the model gave {', '.join(named)}, and no output {name}")
                    head, body = encode(name, named[name])
                    heads.append(head)
                    parts.append(body)
                return {"outputs": heads}, parts

        main()
        """#
}
