#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the engine of `apus serve inference` costs and gains: start, idle memory, batches.

- start: from the start of the process to the first answer, with a small ONNX model, beside a Python that imports
  onnxruntime and runs the same model once (no server around it).
- memory: resident bytes of the server with that model after a rest, and again after a load.
- batching: requests a second and p50 of one model with and without `dynamic_batching`, at several concurrencies, in the
  same run and in turns; the ceiling is onnxruntime's own rows a second in this Python, by batches.
- swap: requests that fail, and the longest of them, while a model is loaded again and again under load.

Prints one JSON object; what is going on to standard error. `APUS_BINARIES` names the folder of binaries.

Usage: Benchmarks/serving_engine.py [--short] [--parts start,memory,batching,swap]"""
import argparse
import http.client
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "RealClients"))
AIMS = {"startSeconds": 0.12, "idleMiB": 60}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Server:
    """`apus serve inference` with options; `seconds` is how long it took to the first answer."""

    def __init__(self, *arguments, first=None):
        from conftest import APUS
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-inference-"))
        said = self.folder / "out"
        begin = time.monotonic()
        with open(said, "w") as output, open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(
                [APUS, "serve", "inference", "--http-port", "0", "--grpc-port", "0", *map(str, arguments)],
                stdout=output, stderr=log)
        while not (text := said.read_text()).endswith("\n"):
            if self.process.poll() is not None:
                raise SystemExit((self.folder / "log").read_text()[-2000:])
            time.sleep(0.0005)
        self.ready = time.monotonic() - begin
        self.port = int(text.split()[2].rsplit(":", 1)[1])
        if first:
            ask(http.client.HTTPConnection("127.0.0.1", self.port), *first)
        self.seconds = time.monotonic() - begin

    def resident(self):
        """Bytes of the process itself; shared pages of libraries counted once, as they are its only user."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def body(rows):
    """A request in JSON and binary, as tritonclient makes it, ready to be sent again and again."""
    import numpy
    data = numpy.random.default_rng(0).random((rows, 4), numpy.float32).tobytes()
    head = json.dumps({
        "inputs": [{"name": "X", "shape": [rows, 4], "datatype": "FP32", "parameters": {"binary_data_size": len(data)}}],
        "parameters": {"binary_data_output": True}}).encode()
    return head + data, {"Inference-Header-Content-Length": str(len(head))}


def ask(connection, model, content, headers):
    connection.request("POST", f"/v2/models/{model}/infer", content, headers)
    answer = connection.getresponse()
    got = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {got[:300]!r}")
    return got


def client(port, model, rows, until, results, start):
    """Asks until a time; its latencies in seconds, and its failures."""
    content, headers = body(rows)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times, failures = [], 0
    ask(connection, model, content, headers)
    start.wait()
    end = time.monotonic() + until
    while time.monotonic() < end:
        begin = time.monotonic()
        try:
            ask(connection, model, content, headers)
        except Exception:
            failures += 1
            connection.close()
        times.append(time.monotonic() - begin)
    results.put((times, failures))


def load(port, model, concurrency, seconds, rows=1, meanwhile=None):
    """Requests a second and latencies of clients that ask one after the other, each a process."""
    context = multiprocessing.get_context("fork")
    results, start = context.Queue(), context.Barrier(concurrency + 1)
    processes = [context.Process(target=client, args=(port, model, rows, seconds, results, start))
                 for _ in range(concurrency)]
    for process in processes:
        process.start()
    start.wait()
    if meanwhile:
        meanwhile(time.monotonic() + seconds)
    got = [results.get() for _ in processes]
    for process in processes:
        process.join()
    times = sorted(value for values, _ in got for value in values)
    return {
        "requestsPerSecond": round(len(times) / seconds, 1), "failures": sum(failures for _, failures in got),
        "p50Milliseconds": round(times[len(times) // 2] * 1000, 3),
        "p99Milliseconds": round(times[int(len(times) * 0.99)] * 1000, 3), "maxMilliseconds": round(times[-1] * 1000, 3)}


def start_part(options):
    """Process start to first answer."""
    import serving_fixture as fixture
    model = fixture.iris()
    first = ("iris", *body(1))
    ours, ready = [], []
    python, code = [], (
        "import numpy, onnxruntime, sys; s = onnxruntime.InferenceSession(sys.argv[1]); "
        "s.run(None, {'X': numpy.zeros((1, 4), numpy.float32)})")
    for _ in range(5 if options.short else 15):
        server = Server("--model-name", "iris", "--model-uri", f"file://{model}", first=first)
        ours.append(server.seconds)
        ready.append(server.ready)
        server.stop()
        begin = time.monotonic()
        subprocess.run([sys.executable, "-c", code, str(model)], check=True)
        python.append(time.monotonic() - begin)
    return {
        "firstAnswerSeconds": round(statistics.median(ours), 4), "readySeconds": round(statistics.median(ready), 4),
        "minimumSeconds": round(min(ours), 4), "pythonOnnxruntimeSeconds": round(statistics.median(python), 4),
        "ratio": round(statistics.median(python) / statistics.median(ours), 2),
        "isWithinAim": statistics.median(ours) <= AIMS["startSeconds"]}


def memory_part(options):
    """Resident memory at rest."""
    import serving_fixture as fixture
    server = Server("--model-name", "iris", "--model-uri", f"file://{fixture.iris()}")
    time.sleep(4)
    idle = server.resident()
    load(server.port, "iris", 8, 2 if options.short else 10)
    after = server.resident()
    # Free memory is given back once a minute.
    rest = None
    if not options.short:
        time.sleep(65)
        rest = round(server.resident() / 2**20, 1)
    server.stop()
    return {"idleMiB": round(idle / 2**20, 1), "afterLoadMiB": round(after / 2**20, 1), "afterRestMiB": rest,
            "isWithinAim": idle / 2**20 <= AIMS["idleMiB"]}


def batching_part(options):
    """One model with and without batches, in turns."""
    import numpy
    import onnxruntime
    import serving_fixture as fixture
    models = {"quick": fixture.iris(), "medium": wide(), "heavy": fixture.slow(20)}
    configs = {
        "plain": "", "batched": "max_batch_size: 64\ndynamic_batching { }",
        "delayed": "max_batch_size: 64\ndynamic_batching { max_queue_delay_microseconds: 1000 }"}
    with tempfile.TemporaryDirectory() as folder:
        fixture.repository(folder, **{
            f"{name}-{kind}": (path, config) for name, path in models.items() for kind, config in configs.items()})
        server = Server("--model-repository", folder)
        result = {}
        seconds = 1 if options.short else 4
        for name, path in models.items():
            result[name] = {}
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = settings.inter_op_num_threads = 1
            session = onnxruntime.InferenceSession(str(path), settings)
            for rows in (1, 32):
                given = {"X": numpy.random.default_rng(0).random((rows, 4), numpy.float32)}
                runs, begin = 0, time.monotonic()
                while time.monotonic() - begin < 0.3:
                    session.run(None, given)
                    runs += 1
                result[name][f"ceilingRowsPerSecond{rows}"] = round(runs * rows / 0.3)
            for concurrency in ((8,) if options.short else (1, 8, 32)):
                got = {kind: [] for kind in configs}
                for _ in range(1 if options.short else 3):
                    for kind in configs:
                        before = server.cpu()
                        one = load(server.port, f"{name}-{kind}", concurrency, seconds)
                        one["cpuMicroseconds"] = round(
                            (server.cpu() - before) / max(one["requestsPerSecond"] * seconds, 1) * 1e6, 1)
                        got[kind].append(one)
                best = {kind: max(values, key=lambda value: value["requestsPerSecond"]) for kind, values in got.items()}
                for kind in ("batched", "delayed"):
                    best[f"{kind}Gain"] = round(
                        best[kind]["requestsPerSecond"] / best["plain"]["requestsPerSecond"], 2)
                result[name][f"c{concurrency}"] = best
                say(f"{name} at {concurrency}: {best}")
        server.stop()
    return result


def wide(size=256, layers=3):
    """A network of layers of `size` units: X FP32 [-1, 4] to Y [-1, size]. A run of many rows costs little more."""
    import numpy
    import onnx
    from onnx import TensorProto, helper

    import serving_fixture as fixture
    nodes, weights, before, width = [], [], "X", 4
    random = numpy.random.default_rng(0)
    for layer in range(layers):
        weights.append(onnx.numpy_helper.from_array(random.random((width, size), numpy.float32) / size, f"w{layer}"))
        nodes += [helper.make_node("MatMul", [before, f"w{layer}"], [f"m{layer}"]),
                  helper.make_node("Relu", [f"m{layer}"], [f"r{layer}" if layer < layers - 1 else "Y"])]
        before, width = f"r{layer}", size
    return fixture.onnx_file(
        f"wide-{size}-{layers}", nodes, [("X", TensorProto.FLOAT, [None, 4])],
        [("Y", TensorProto.FLOAT, [None, size])], weights)


def swap_part(options):
    """Loads of a model under load."""
    import serving_fixture as fixture
    with tempfile.TemporaryDirectory() as folder:
        fixture.repository(folder, iris=fixture.iris())
        server = Server("--model-repository", folder)
        swaps = []

        def swap(end):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            while time.monotonic() < end - 0.2:
                begin = time.monotonic()
                connection.request("POST", "/v2/repository/models/iris/load", b"{}")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                swaps.append(time.monotonic() - begin)
                time.sleep(0.05)

        result = load(server.port, "iris", 4, 3 if options.short else 20, meanwhile=swap)
        result["swaps"] = len(swaps)
        result["swapMilliseconds"] = round(statistics.median(swaps) * 1000, 1)
        result["residentMiB"] = round(server.resident() / 2**20, 1)
        server.stop()
    return result


PARTS = {"start": start_part, "memory": memory_part, "batching": batching_part, "swap": swap_part}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="all within 90 s")
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    result = {"aims": AIMS}
    for part in options.parts.split(","):
        say(part)
        result[part] = PARTS[part](options)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
