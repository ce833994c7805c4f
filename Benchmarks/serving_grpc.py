#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC inference of `apus serve inference` beside Triton and KServe's Python server, in one run.

All get the same bytes (a ModelInferRequest) from the same client, Debian's h2load, over 1, 8 and 32 connections with a
call at a time each: requests a second, p50 and p99, and the CPU that the server (with all its processes) used a request.
Models: `small` is X FP32 [1, 4] to 2 * X, `large` the same with [1, 4096] (16 KB). Apus and KServe run it by ONNX
Runtime with one thread, Triton by its Python backend (PyPI's has no other). Servers take turns within each round; the
median of the rounds counts. Each answer of each server is checked once before. Prints one JSON object; what is going on
to standard error.

Usage: Benchmarks/serving_grpc.py [--short] [--servers apus,triton,kserve]
Needs h2load (Debian: nghttp2-client) and .venv; `apus` from APUS_BINARIES, else .build/release. Triton comes into
.cache/bench-triton by Debian's /usr/bin/python3 (as pyenv's standard library breaks its Python backend)."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv/bin/python"
BINARIES = pathlib.Path(os.environ.get("APUS_BINARIES", ROOT / ".build/release"))
TRITON = pathlib.Path(os.environ.get("APUS_BENCH_TRITON", ROOT / ".cache/bench-triton"))
WIDTHS = {"small": 4, "large": 4096}
# Ours ÷ the peer's.
AIMS = {"rate": {"triton": 1, "kserve": 10}, "cpu": {"triton": 1}}

MODELS = """
import sys, numpy, onnx
from onnx import TensorProto, helper
folder, widths = sys.argv[1], eval(sys.argv[2])
import pathlib
for name, width in widths.items():
    graph = helper.make_graph([helper.make_node("Mul", ["X", "F"], ["Y"])], name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, width])],
        [onnx.numpy_helper.from_array(numpy.float32(2), "F")])
    place = pathlib.Path(folder, name, "1"); place.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), place / "model.onnx")
from tritonclient.grpc import service_pb2
for name, width in widths.items():
    message = service_pb2.ModelInferRequest(model_name=name)
    message.inputs.add(name="X", datatype="FP32", shape=[1, width])
    message.raw_input_contents.append(numpy.arange(width, dtype=numpy.float32).tobytes())
    data = message.SerializeToString()
    pathlib.Path(folder, name + ".grpc").write_bytes(b"\\0" + len(data).to_bytes(4, "big") + data)
"""
CHECK = """
import sys, numpy, tritonclient.grpc as g
address, widths = sys.argv[1], eval(sys.argv[2])
with g.InferenceServerClient(address) as client:
    for name, width in widths.items():
        rows = numpy.arange(width, dtype=numpy.float32).reshape(1, width)
        given = g.InferInput("X", [1, width], "FP32"); given.set_data_from_numpy(rows)
        numpy.testing.assert_array_equal(client.infer(name, [given]).as_numpy("Y"), 2 * rows)
"""
KSERVE = """
import sys, numpy, onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_response
folder, names, port, rest = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])
class Scale(Model):
    def __init__(self, name):
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(f"{folder}/{name}/1/model.onnx", options)
        self.ready = True
    def predict(self, request, headers=None, response_headers=None):
        found = self.session.run(None, {"X": request.inputs[0].as_numpy()})[0]
        output = InferOutput("Y", list(found.shape), "FP32"); output.set_data_from_numpy(found, binary_data=True)
        return InferResponse(request.id, self.name, [output])
sys.argv = [sys.argv[0]]
ModelServer(http_port=rest, grpc_port=port, enable_grpc=True, access_log_format=None).start([Scale(n) for n in names])
"""
PYTRITON = """
import sys, time, numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
widths, port = eval(sys.argv[1]), int(sys.argv[2])
@batch
def scale(X): return {"Y": X * np.float32(2)}
config = TritonConfig(http_address="127.0.0.1", http_port=port + 1, grpc_address="127.0.0.1", grpc_port=port,
                      metrics_port=port + 2, log_verbose=0)
with Triton(config=config) as triton:
    for name, width in widths.items():
        triton.bind(name, scale, inputs=[Tensor(name="X", dtype=np.float32, shape=(width,))],
                    outputs=[Tensor(name="Y", dtype=np.float32, shape=(width,))],
                    config=ModelConfig(max_batch_size=32, batcher=DynamicBatcher(max_queue_delay_microseconds=0)), strict=True)
    triton.run(); print("ready", flush=True); time.sleep(3600)
"""


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def free_ports():
    """The first of three that are free, one behind the other."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            for other in (port, port + 1, port + 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", other))
            return port
        except OSError:
            continue


class Server:
    def __init__(self, name, command, port, environment=None):
        self.name, self.port = name, port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=self.log, stderr=self.log, start_new_session=True,
            env={**os.environ, **(environment or {})})

    def wait(self, seconds=90):
        end = time.monotonic() + seconds
        last = ""
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            done = subprocess.run(
                [PYTHON, "-c", CHECK, f"127.0.0.1:{self.port}", repr(WIDTHS)], capture_output=True, text=True)
            if done.returncode == 0:
                return self
            last = done.stderr[-500:]
            time.sleep(0.5)
        self.log.seek(0)
        sys.exit(f"{self.name} does not answer: {last}\n{self.log.read()[-2000:].decode(errors='replace')}")

    def processes(self):
        """The process and all that it started."""
        children = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                children.setdefault(int(fields[1]), []).append((int(entry.name), fields))
        found, waiting = {}, [self.process.pid]
        try:
            found[self.process.pid] = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            pass
        while waiting:
            for pid, fields in children.get(waiting.pop(), []):
                found[pid] = fields
                waiting.append(pid)
        return found

    def cpu(self):
        """Seconds of CPU so far."""
        return sum(int(f[11]) + int(f[12]) for f in self.processes().values()) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional resident MiB."""
        total = 0
        for pid in self.processes():
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
            except OSError:
                pass
        return round(total / 1024, 1)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def load(server, folder, model, connections, seconds):
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    before = server.cpu()
    command = ["h2load", "-D", str(seconds), "--warm-up-time", "1", "-c", str(connections), "-m", "1", "-t", "1",
               "-d", str(folder / f"{model}.grpc"), "-H", "content-type: application/grpc", "-H", "te: trailers",
               f"--log-file={log}", f"http://127.0.0.1:{server.port}/inference.GRPCInferenceService/ModelInfer"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    used = server.cpu() - before
    times, failed = [], 0
    for line in log.read_text().splitlines():
        _, status, taken = line.split("\t")
        if status == "200":
            times.append(int(taken))
        else:
            failed += 1
    if done.returncode != 0 or not times or failed:
        sys.exit(f"h2load against {server.name}: {failed} failed\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    times.sort()
    # The CPU of the warm-up is in it, its requests are not in the log: the share of time corrects it.
    return {"rate": len(times) / seconds, "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)],
            "cpu": used / (len(times) * (seconds + 1) / seconds) * 1e6}


def triton_python():
    python = TRITON / "bin/python"
    if not python.exists():
        say("making a venv with nvidia-pytriton")
        subprocess.run(["/usr/bin/python3", "-m", "venv", TRITON], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "nvidia-pytriton==0.7.0", "numpy<2"], check=True)
    return python


def start(name, folder):
    port = free_ports()
    if name == "apus":
        return Server(name, [
            BINARIES / "apus", "serve", "inference", "--model-repository", folder, "--http-port", port + 1,
            "--grpc-port", port], port)
    if name == "triton":
        python = triton_python()
        libraries = next((python.parent.parent / "lib").glob("python3*/site-packages/nvidia_pytriton.libs"))
        path = f"{python.parent}:/usr/bin:/bin"
        return Server(name, [python, "-c", PYTRITON, repr(WIDTHS), port], port,
                      {"LD_LIBRARY_PATH": str(libraries), "PATH": path})
    return Server(name, [PYTHON, "-c", KSERVE, folder, ",".join(WIDTHS), port, port + 1], port)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of 2 seconds each")
    parser.add_argument("--servers", default="apus,triton,kserve")
    options = parser.parse_args()
    if shutil.which("h2load") is None:
        sys.exit("h2load is not there: apt-get install nghttp2-client")
    names = options.servers.split(",")
    rounds, seconds = (1, 2) if options.short else (5, 5)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-grpc-"))
    models = folder / "models"
    models.mkdir()
    subprocess.run([PYTHON, "-c", MODELS, models, repr(WIDTHS)], check=True)
    for model in WIDTHS:
        (models / f"{model}.grpc").rename(folder / f"{model}.grpc")
    servers, results, found = [], {}, {}
    try:
        for name in names:
            servers.append(start(name, models))
        for server in servers:
            server.wait()
            say(f"{server.name} answers")
        memory = {server.name: server.memory() for server in servers}
        for turn in range(rounds):
            for model in WIDTHS:
                for connections in (1, 8, 32):
                    for server in servers:
                        result = load(server, folder, model, connections, seconds)
                        results.setdefault((server.name, model, connections), []).append(result)
                        say(f"round {turn + 1} {server.name} {model} c={connections}: "
                            + " ".join(f"{key} {value:.0f}" for key, value in result.items()))
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for (name, model, connections), rows in results.items():
        found.setdefault(name, {}).setdefault(model, {})[f"c{connections}"] = {
            key: round(statistics.median(row[key] for row in rows)) for key in rows[0]}
    ratios = {}
    for peer in names:
        if peer == "apus" or "apus" not in names:
            continue
        for model in WIDTHS:
            for c in ("c1", "c8", "c32"):
                ours, theirs = found["apus"][model][c], found[peer][model][c]
                ratios.setdefault(peer, {}).setdefault(model, {})[c] = {
                    key: round(ours[key] / theirs[key], 3) for key in ("rate", "p50", "cpu")}
    print(json.dumps({"units": {"rate": "requests/s", "p50": "µs", "p99": "µs", "cpu": "µs a request", "memory": "MiB"},
                      "memory": memory, "servers": found, "oursToTheirs": ratios, "aims": AIMS}, indent=1))


if __name__ == "__main__":
    main()
