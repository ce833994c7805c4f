#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rates and latency of `apus serve inference` over REST and of its peers, with the same models, in one run.

Models: scikit-learn's logistic regression on iris (4 floats), and `wide`: 64×64 floats, doubled. Each server gets the
same bytes from wrk at several concurrencies, in turns; ONNX Runtime has one thread everywhere. The floor is the raw
call: onnxruntime in this Python, and what the server's own statistics say of its runs. Server's own time is its
histogram apus_inference_rest_own_seconds: from the head of a request to its answer, without the model.

Peers: fastapi (with orjson), kserve (its Python server), mlserver, bentoml, triton (tritonserver of nvidia-pytriton,
Python backend). fastapi and kserve are in the tests' environment; --install puts the others into environments of their
own under .cache/bench. Those that are not there are left out, and said. Prints one JSON object; what is going on to
standard error. `APUS_BINARIES` names the folder of binaries. Needs wrk.

Usage: Benchmarks/serving_rest.py [--short] [--peers fastapi,kserve,mlserver,bentoml,triton] [--install] [--seconds S]"""
import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "RealClients"))
CACHE = ROOT / ".cache" / "bench"
PEERS = ["fastapi", "kserve", "mlserver", "bentoml", "triton"]
AIMS = {"ownMicrosecondsP50": 60, "timesPython": 10, "timesTriton": 1}
# Environments of their own: these pin what others pin otherwise.
INSTALLED = {
    "mlserver": (sys.executable, ["mlserver==1.7.1", "onnxruntime"]),
    "bentoml": (sys.executable, ["bentoml==1.4.40", "onnxruntime"]),
    "triton": ("/usr/bin/python3", ["nvidia-pytriton==0.7.0", "numpy<2", "onnxruntime"]),
}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


FASTAPI = """
import sys, numpy, onnxruntime, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
import orjson
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
models = {name: onnxruntime.InferenceSession(f"{sys.argv[2]}/{name}/1/model.onnx", options) for name in ("iris", "wide")}
names = {name: [output.name for output in model.get_outputs()] for name, model in models.items()}
app = FastAPI()
@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request):
    given = orjson.loads(await request.body())["inputs"][0]
    array = numpy.asarray(given["data"], numpy.float32).reshape(given["shape"])
    outputs = models[name].run(None, {"X": array})
    return Response(orjson.dumps({"model_name": name, "outputs": [
        {"name": output, "shape": value.shape, "datatype": "FP32" if value.dtype == numpy.float32 else "INT64",
         "data": value.reshape(-1).tolist()} for output, value in zip(names[name], outputs)]}), media_type="application/json")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
"""

KSERVE = """
import sys, numpy, onnxruntime, logging
import kserve
from kserve import InferOutput, InferResponse
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
class Served(kserve.Model):
    def __init__(self, name):
        super().__init__(name); self.ready = True
        self.session = onnxruntime.InferenceSession(f"{folder}/{name}/1/model.onnx", options)
        self.names = [output.name for output in self.session.get_outputs()]
    def predict(self, payload, headers=None, response_headers=None):
        outputs = []
        for name, value in zip(self.names, self.session.run(None, {"X": payload.inputs[0].as_numpy()})):
            output = InferOutput(name, list(value.shape), "FP32" if value.dtype == numpy.float32 else "INT64")
            output.set_data_from_numpy(value, binary_data=False)
            outputs.append(output)
        return InferResponse(payload.id or "1", self.name, outputs)
port, folder = sys.argv[1:3]
sys.argv = sys.argv[:1]
logging.disable(logging.WARNING)
kserve.ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None).start(
    [Served("iris"), Served("wide")])
"""

MLSERVER = """
import numpy, onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Served(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        self.names = [output.name for output in self.session.get_outputs()]
        return True
    async def predict(self, payload):
        array = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[
            NumpyCodec.encode_output(name, value) for name, value in zip(self.names, self.session.run(None, {"X": array}))])
"""

BENTOML = """
from __future__ import annotations
import bentoml, numpy, onnxruntime, os
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
@bentoml.service(workers=1, traffic={"timeout": 60})
class Served:
    def __init__(self):
        self.models = {name: onnxruntime.InferenceSession(f"{os.environ['BENCH_MODELS']}/{name}/1/model.onnx", options)
                       for name in ("iris", "wide")}
    @bentoml.api(route="/iris")
    def iris(self, inputs: list) -> dict:
        return self.run("iris", inputs)
    @bentoml.api(route="/wide")
    def wide(self, inputs: list) -> dict:
        return self.run("wide", inputs)
    def run(self, name, inputs):
        array = numpy.asarray(inputs[0]["data"], numpy.float32).reshape(inputs[0]["shape"])
        return {"outputs": [value.reshape(-1).tolist() for value in self.models[name].run(None, {"X": array})]}
"""

TRITON = """
import sys, time, numpy, onnxruntime
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
folder, port = sys.argv[2], int(sys.argv[1])
sessions = {name: onnxruntime.InferenceSession(f"{folder}/{name}/1/model.onnx", options) for name in ("iris", "wide")}
def iris(X):
    label, probabilities = sessions["iris"].run(None, {"X": X})
    return {"label": label.reshape(-1, 1), "probabilities": probabilities}
def wide(X): return {"Y": sessions["wide"].run(None, {"X": X})[0]}
config = TritonConfig(http_address="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, log_verbose=0)
with Triton(config=config) as triton:
    settings = ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=0))
    triton.bind("iris", batch(iris), inputs=[Tensor(name="X", dtype=numpy.float32, shape=(4,))], config=settings,
                outputs=[Tensor(name="label", dtype=numpy.int64, shape=(1,)), Tensor(name="probabilities", dtype=numpy.float32, shape=(3,))])
    triton.bind("wide", batch(wide), inputs=[Tensor(name="X", dtype=numpy.float32, shape=(64, 64))], config=settings,
                outputs=[Tensor(name="Y", dtype=numpy.float32, shape=(64, 64))])
    triton.run()
    time.sleep(100000)
"""


class Server:
    """A server of the models; None where it cannot be started here."""

    def __init__(self, name, models):
        self.name, self.port = name, free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-rest-{name}-"))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "BENCH_MODELS": str(models)}
        command = self.command(models, environment)
        begin = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, cwd=self.folder, env=environment,
                start_new_session=True)
        while True:
            if self.process.poll() is not None or time.monotonic() - begin > 120:
                text = (self.folder / "log").read_text(errors="replace")[-1500:]
                self.stop()
                raise RuntimeError(f"{name} does not answer: {text}")
            try:
                if self.ask("iris")[0] == 200 and self.ask("wide")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.01)
        self.ready = round(time.monotonic() - begin, 3)

    def command(self, models, environment):
        script = self.folder / "server.py"
        if self.name == "apus":
            from conftest import APUS
            return [APUS, "serve", "inference", "--model-repository", models, "--http-port", self.port, "--grpc-port", "none"]
        if self.name == "fastapi":
            script.write_text(FASTAPI)
            return [sys.executable, script, self.port, models]
        if self.name == "kserve":
            script.write_text(KSERVE)
            return [sys.executable, script, self.port, models]
        python = CACHE / self.name / "bin" / "python"
        if not python.exists():
            raise RuntimeError(f"{self.name} is not installed: --install")
        if self.name == "triton":
            script.write_text(TRITON)
            library = next((CACHE / self.name / "lib").glob("python*/site-packages/nvidia_pytriton.libs"))
            environment["LD_LIBRARY_PATH"] = str(library)
            return [python, script, self.port, models]
        if self.name == "bentoml":
            (self.folder / "served.py").write_text(BENTOML)
            environment["BENTOML_DO_NOT_TRACK"] = "true"
            environment["BENTOML_HOME"] = str(self.folder)
            return [python.parent / "bentoml", "serve", "served:Served", "--host", "127.0.0.1", "--port", self.port]
        (self.folder / "served.py").write_text(MLSERVER)
        (self.folder / "settings.json").write_text(json.dumps({
            "http_port": self.port, "grpc_port": self.port + 1, "metrics_port": self.port + 2, "host": "127.0.0.1",
            "parallel_workers": 0, "debug": False}))
        for name in ("iris", "wide"):
            (self.folder / name).mkdir()
            (self.folder / name / "model-settings.json").write_text(json.dumps({
                "name": name, "implementation": "served.Served",
                "parameters": {"uri": str(models / name / "1" / "model.onnx")}}))
        environment["PYTHONPATH"] = str(self.folder)
        return [python.parent / "mlserver", "start", self.folder]

    def path(self, model):
        return f"/{model}" if self.name == "bentoml" else f"/v2/models/{model}/infer"

    def ask(self, model, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", self.path(model), body or BODIES[model], {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        content = connection.getresponse().read().decode()
        connection.close()
        return content

    def pids(self):
        """Its processes, those that they started, and so on, with the ticks of the processor that each took."""
        parents, ticks = {}, {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            parents.setdefault(int(words[1]), []).append(int(entry.name))
            ticks[int(entry.name)] = int(words[11]) + int(words[12])
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            if pid in ticks:
                found.append((pid, ticks[pid]))
                left += parents.get(pid, [])
        return found

    def cpu(self):
        """Seconds of the processor that all its processes took."""
        return sum(ticks for _, ticks in self.pids()) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """MiB, shared pages by their share."""
        total = 0
        for pid, _ in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
            except (OSError, TypeError):
                continue
        return round(total / 1024, 1)

    def stop(self):
        started = [pid for pid, _ in self.pids()]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in started[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


def make_models(folder):
    import numpy
    import onnx
    import serving_fixture
    from onnx import TensorProto, helper
    wide = serving_fixture.onnx_file(
        "wide", [helper.make_node("Mul", ["X", "F"], ["Y"])], [("X", TensorProto.FLOAT, [None, 64, 64])],
        [("Y", TensorProto.FLOAT, [None, 64, 64])], [onnx.numpy_helper.from_array(numpy.float32(2), "F")])
    serving_fixture.repository(folder, iris=serving_fixture.iris(), wide=wide)
    numbers = numpy.random.default_rng(1).random((1, 64, 64), dtype=numpy.float32)
    BODIES["iris"] = json.dumps({"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}).encode()
    BODIES["wide"] = json.dumps({"inputs": [{"name": "X", "shape": [1, 64, 64], "datatype": "FP32",
                                             "data": [round(float(value), 7) for value in numbers.flatten()]}]}).encode()
    head = json.dumps({"inputs": [{"name": "X", "shape": [1, 64, 64], "datatype": "FP32", "parameters": {
        "binary_data_size": numbers.nbytes}}], "parameters": {"binary_data_output": True}}).encode()
    BODIES["wide-binary"] = head + numbers.tobytes()
    LENGTHS["wide-binary"] = len(head)
    raw = {}
    for name, array in (("iris", numpy.array([[5.1, 3.5, 1.4, 0.2]], numpy.float32)), ("wide", numbers)):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / name / "1" / "model.onnx"), options)
        times = []
        for _ in range(3000):
            begin = time.perf_counter_ns()
            session.run(None, {"X": array})
            times.append(time.perf_counter_ns() - begin)
        raw[name] = round(statistics.median(times) / 1000, 2)
    return raw


BODIES, LENGTHS = {}, {}


def wrk(server, model, concurrency, seconds):
    """One load: requests a second, p50 and p99 in µs, processor time a request in µs, answers that were no success."""
    base = model.removesuffix("-binary")
    script = server.folder / f"{model}.lua"
    (server.folder / f"{model}.body").write_bytes(BODIES[model])
    header = f'wrk.headers["Inference-Header-Content-Length"] = "{LENGTHS[model]}"' if model in LENGTHS else \
        'wrk.headers["Content-Type"] = "application/json"'
    script.write_text(f"""
local file = io.open("{server.folder}/{model}.body", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
{header}
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect))
end
""")
    before = server.cpu()
    text = subprocess.run(
        ["wrk", "--threads", "1", "--connections", str(concurrency), "--duration", f"{seconds}s", "--timeout", "30s",
         "--script", str(script), f"http://127.0.0.1:{server.port}{server.path(base)}"],
        capture_output=True, text=True, check=True).stdout
    count, duration, p50, p99, errors = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", text).groups()
    count = int(count)
    return {"perSecond": round(count / (int(duration) / 1e6), 1), "p50": round(float(p50), 1), "p99": round(float(p99), 1),
            "cpuMicroseconds": round((server.cpu() - before) * 1e6 / max(count, 1), 1), "errors": int(errors)}


def own_time(server):
    """Median of the server's own time by its histogram, in µs, interpolated within its bucket."""
    buckets = [(float(bound), int(count)) for bound, count in re.findall(
        r'apus_inference_rest_own_seconds_bucket\{le="([\d.e+-]+)"\} (\d+)', server.get("/metrics"))]
    total = buckets[-1][1] if buckets else 0
    low, below = 0.0, 0
    for bound, count in buckets:
        if total and count >= total / 2:
            return round((low + (bound - low) * (total / 2 - below) / max(count - below, 1)) * 1e6, 1)
        low, below = bound, count
    return None


def in_model(server, model):
    """What the server says that one run took, in µs."""
    stats = json.loads(server.get(f"/v2/models/{model}/stats"))["model_stats"][0]["inference_stats"]["compute_infer"]
    return round(stats["ns"] / max(stats["count"], 1) / 1000, 2)


def install(names):
    for name in names:
        python, packages = INSTALLED[name]
        folder = CACHE / name
        if (folder / "installed").exists():
            continue
        say(f"installing {name}")
        subprocess.run([python, "-m", "venv", folder], check=True)
        done = subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], capture_output=True, text=True)
        if done.returncode:
            say(f"{name}: {done.stderr[-500:]}")
        else:
            (folder / "installed").touch()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="all within 90 s")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--install", action="store_true", help="install the peers that have environments of their own")
    parser.add_argument("--seconds", type=int, help="of each load")
    options = parser.parse_args()
    names = ["apus"] + [name for name in options.peers.split(",") if name]
    if options.install:
        install([name for name in names if name in INSTALLED])
    seconds = options.seconds or (1 if options.short else 5)
    rounds = 1 if options.short else 3
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-rest-models-"))
    servers, result = [], {"aims": AIMS, "leftOut": {}}
    try:
        result["rawPythonMicroseconds"] = make_models(folder)
        for name in names:
            say(f"starting {name}")
            try:
                servers.append(Server(name, folder))
            except (RuntimeError, OSError, StopIteration) as fault:
                say(f"left out: {fault}")
                result["leftOut"][name] = str(fault).splitlines()[0]
        result["readySeconds"] = {server.name: server.ready for server in servers}
        result["idleMiB"] = {server.name: server.memory() for server in servers}
        for server in servers:
            for model in ("iris", "wide"):
                wrk(server, model, 2, 1)
        loads = [("iris", 1), ("iris", 8), ("iris", 32), ("wide", 1), ("wide", 8), ("wide", 32),
                 ("wide-binary", 1), ("wide-binary", 8)]
        if options.short:
            loads = [("iris", 1), ("iris", 32), ("wide", 8), ("wide-binary", 8)]
        found = {}
        own = {}
        for _ in range(rounds):
            for model, concurrency in loads:
                for server in servers:
                    if model == "wide-binary" and server.name not in ("apus", "triton"):
                        continue
                    say(f"{server.name} {model} c={concurrency}")
                    measured = wrk(server, model, concurrency, seconds)
                    found.setdefault(f"{model} c={concurrency}", {}).setdefault(server.name, []).append(measured)
                    if server.name == "apus" and model == "iris":
                        own[f"c={concurrency}"] = own_time(server)
        result["loads"] = {
            load: {name: {key: statistics.median(round[key] for round in measured) for key in measured[0]}
                   for name, measured in by_server.items()} for load, by_server in found.items()}
        apus = next((server for server in servers if server.name == "apus"), None)
        if apus:
            result["ownMicrosecondsP50"] = own
            result["inModelMicroseconds"] = {model: in_model(apus, model) for model in ("iris", "wide")}
            result["timesPeers"] = {
                load: {name: round(by_server["apus"]["perSecond"] / values["perSecond"], 2)
                       for name, values in by_server.items() if name != "apus"}
                for load, by_server in result["loads"].items() if "apus" in by_server}
            result["overheadMicroseconds"] = round(
                result["loads"]["iris c=1"]["apus"]["p50"] - result["inModelMicroseconds"]["iris"], 1)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
