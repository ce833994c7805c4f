#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rates, latency, start and memory of `apus serve tracking` and of the real `mlflow server`, in one run.

Both get the same bytes from the same clients (tracking_load.py) and store in SQLite. The real server is measured as it
comes ("mlflow", four workers) and tuned ("mlflow-1": one worker, no jobs); what it acknowledges is in a rollback journal
with SQLite's default synchronous=FULL, what Apus acknowledges is on the disk, too. The servers take turns within each
round. The answers of searches are compared, too: the same runs in the same order. Prints one JSON object; what is going
on to standard error.

Usage: Benchmarks/tracking.py --binary APUS --mlflow MLFLOW [--short] [--parts start,rates,history,artifacts,search]
[--servers apus,mlflow,mlflow-1] [--sizes 1000,10000,100000]; or --table RESULT"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

from tracking_load import Connection, Refused, in_processes, load, processors_of, request

MIB = 1 << 20
API = "/api/2.0/mlflow/"
# Ours ÷ the real server's.
AIMS = {"rate": 20, "memory": 1 / 20, "startSeconds": 0.1}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process with a folder of its own."""

    name = ""

    def __init__(self, options, folder=None):
        self.options = options
        self.folder = folder or pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=options.folder))
        self.prepare()
        self.launch()

    def prepare(self):
        """Before the first start."""

    def launch(self):
        self.port = free_port()
        begin = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()], stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, **self.environment()}, start_new_session=True)
        # The first answer of the protocol itself.
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: {(self.folder / 'log').read_text()[-2000:]}")
            try:
                Connection(self.port).call("GET", API + "experiments/get?experiment_id=0")
                break
            except (OSError, Refused):
                if time.monotonic() - begin > 120:
                    raise SystemExit(f"{self.name} does not answer: {(self.folder / 'log').read_text()[-2000:]}")
                time.sleep(0.001)
        self.ready_seconds = round(time.monotonic() - begin, 4)

    def environment(self):
        return {}

    def pids(self):
        """It and all that it started."""
        parents = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
        family = [self.process.pid]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family

    def memory_mib(self, field="Pss:"):
        total = 0
        for pid in self.pids():
            try:
                lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(field))
        return round(total / 1024, 1)

    def load(self, *arguments, **more):
        pids = self.pids()
        before = processors_of(pids)
        result = load(self.port, *arguments, **more)
        result["serverProcessors"] = round(processors_of(pids) - before, 2)
        return result

    def call(self, method, path, body=None):
        return Connection(self.port).call(method, path if path.startswith("/") else API + path, body)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        # Also what it left behind of its own session.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def remove(self):
        if self.process.poll() is None:
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Apus(Server):
    name = "apus"

    def command(self):
        return [self.options.binary, "serve", "tracking", "--data-dir", self.folder / "data", "--listen",
                f"127.0.0.1:{self.port}", "--log-level", "error"]

    def fill(self, runs):
        """Through its own requests, by four clients."""
        experiment = self.call("POST", "experiments/create", {"name": "bench"})["experiment_id"]

        def work(number):
            connection = Connection(self.port)
            for at in range(number, runs, 4):
                run = run_of(at)
                run_id = connection.call("POST", API + "runs/create", {
                    "experiment_id": experiment, "run_name": run["name"], "start_time": run["time"],
                    "tags": [{"key": key, "value": value} for key, value in run["tags"].items()],
                })["run"]["info"]["run_id"]
                connection.call("POST", API + "runs/log-batch", {
                    "run_id": run_id, "params": [{"key": key, "value": value} for key, value in run["params"].items()],
                    "metrics": [{"key": key, "value": value, "timestamp": run["time"], "step": 1}
                                for key, value in run["metrics"].items()]})

        in_processes(4, work)
        return experiment


class MLflow(Server):
    name, workers = "mlflow", None

    def prepare(self):
        # The tables, made by MLflow itself, so that filling needs no start.
        subprocess.run([self.options.mlflow, "db", "upgrade", self.uri], check=True, capture_output=True, cwd=self.folder)

    @property
    def uri(self):
        return f"sqlite:///{self.folder}/mlflow.db"

    def command(self):
        return [self.options.mlflow, "server", "--host", "127.0.0.1", "--port", self.port, "--backend-store-uri",
                self.uri, "--artifacts-destination", self.folder / "artifacts",
                *(["--workers", self.workers] if self.workers else [])]

    def environment(self):
        return {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

    def fill(self, runs):
        """Into its database: through its requests 100,000 runs would take hours."""
        experiment = self.call("POST", "experiments/create", {"name": "bench"})["experiment_id"]
        database = sqlite3.connect(self.folder / "mlflow.db", timeout=60)
        database.execute("PRAGMA synchronous = OFF")
        for at in range(runs):
            run = run_of(at)
            run_id = hashlib.md5(run["name"].encode()).hexdigest()
            database.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
                "source_version, lifecycle_stage, artifact_uri, experiment_id) VALUES "
                "(?, ?, 'UNKNOWN', '', '', '', 'RUNNING', ?, '', 'active', ?, ?)",
                (run_id, run["name"], run["time"], f"mlflow-artifacts:/{experiment}/{run_id}/artifacts", experiment))
            for table in ("metrics", "latest_metrics"):
                database.executemany(
                    f"INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 1, 0, ?)",
                    [(key, value, run["time"], run_id) for key, value in run["metrics"].items()])
            database.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                                 [(key, value, run_id) for key, value in run["params"].items()])
            database.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
                                 [(key, value, run_id) for key, value in
                                  {**run["tags"], "mlflow.runName": run["name"]}.items()])
        database.commit()
        database.close()
        return experiment


class TunedMLflow(MLflow):
    name, workers = "mlflow-1", 1

    def environment(self):
        return {**super().environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


KINDS = {kind.name: kind for kind in (Apus, MLflow, TunedMLflow)}


def run_of(number):
    """What a run of that number has: always the same."""
    chance = random.Random(number)
    return {"name": f"run-{number}", "time": 1_700_000_000_000 + number * 1000,
            "metrics": {f"m{key}": round(chance.random(), 6) for key in range(10)},
            "params": {f"p{key}": f"v{chance.randrange(4)}" for key in range(10)},
            "tags": {f"t{key}": f"value {chance.randrange(100)}" for key in range(5)}}


def ratios(figures, of="perSecond"):
    """How many times ours each other's is."""
    return {f"apus÷{name}": round(figures["apus"][of] / other[of], 2) for name, other in figures.items()
            if name != "apus" and "apus" in figures and other.get(of)}


def median(results):
    middle = {name: statistics.median(result[name] for result in results) for name in results[0]}
    middle["rates"] = [result["perSecond"] for result in results]
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in middle.items()}


def in_turns(servers, rounds, work):
    """`work(server)` of each server in each round; each figure's median, and ratios."""
    results = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            results[server.name].append(work(server))
    figures = {name: median(each) for name, each in results.items()}
    say({name: value["perSecond"] for name, value in figures.items()})
    return {"figures": figures, "ratios": ratios(figures)}


def start(options):
    """To the first answer, and idle memory some seconds later; twice: with a new database and with that one."""
    result = {}
    for name in options.servers:
        say(f"start {name}")
        server = KINDS[name](options)
        entry = {"firstSeconds": server.ready_seconds}
        time.sleep(5 if name == "apus" else 15)
        entry |= {"pssMiB": server.memory_mib(), "ownMiB": server.memory_mib("Pss_Anon:"),
                  "processes": len(server.pids())}
        before = processors_of(server.pids())
        time.sleep(5)
        entry["idleProcessorPercent"] = round((processors_of(server.pids()) - before) / 5 * 100, 2)
        seconds = []
        for _ in range(5 if name == "apus" else 1):
            server.end()
            server.launch()
            seconds.append(server.ready_seconds)
        entry["againSeconds"] = statistics.median(seconds)
        server.remove()
        result[name] = entry
        say(entry)
    if "apus" in result:
        result["ratios"] = {f"memory apus÷{name}": round(result["apus"]["pssMiB"] / result[name]["pssMiB"], 4)
                            for name in options.servers if name != "apus"}
    return result


def metrics_text(points):
    """Points of ten keys; a step of its own for each request."""
    return ",".join('{"key":"metric-%d","value":0.%d,"timestamp":17COUNTERS000,"step":COUNTERS%d}' %
                    (number % 10, number + 1, number // 10) for number in range(points))


def rates(options):
    result = {}
    servers = [KINDS[name](options) for name in options.servers]
    try:
        runs = {}
        for server in servers:
            experiment = server.call("POST", "experiments/create", {"name": "rates"})["experiment_id"]
            made = [server.call("POST", "runs/create", {
                "experiment_id": experiment, "run_name": f"r{number}",
                "tags": [{"key": "mlflow.user", "value": "bench"}]})["run"]["info"] for number in range(16)]
            runs[server.name] = [run["run_id"] for run in made]
            if "alias".startswith(options.cases):
                server.call("POST", "registered-models/create", {"name": "model"})
                for _ in range(2):
                    server.call("POST", "model-versions/create", {
                        "name": "model", "source": made[0]["artifact_uri"] + "/model", "run_id": made[0]["run_id"]})
            server.experiment = experiment

        def creates(server):
            return [[request("POST", API + "runs/create", {
                "experiment_id": server.experiment, "start_time": 1_700_000_000_000, "run_name": "run",
                "tags": [{"key": "mlflow.user", "value": "bench"}, {"key": "mlflow.source.name", "value": "train.py"}]})]]

        def batches(points):
            return lambda server: [[request("POST", API + "runs/log-batch", (
                '{"run_id":"%s","metrics":[%s]}' % (run, metrics_text(points))).encode())] for run in runs[server.name]]

        def singles(server):
            return [[request("POST", API + "runs/log-metric", (
                '{"run_id":"%s","key":"loss","value":0.5,"timestamp":17COUNTERS000,"step":COUNTERS}' % run).encode())]
                for run in runs[server.name]]

        def gets(server):
            return [[request("GET", API + f"runs/get?run_id={run}")] for run in runs[server.name]]

        def alias_gets(server):
            return [[request("GET", API + "registered-models/alias?name=model&alias=champion")]]

        def alias_sets(server):
            return [[request("POST", API + "registered-models/alias", {
                "name": "model", "alias": "champion", "version": version}) for version in "12"]]

        cases = {"create-run": (creates, 1), "log-metric": (singles, 1), "log-batch of 100": (batches(100), 100),
                 "log-batch of 1,000": (batches(1000), 1000), "get-run": (gets, 1), "alias set": (alias_sets, 1),
                 "alias get": (alias_gets, 1)}
        for label, (requests, weight) in cases.items():
            if not label.startswith(options.cases):
                continue
            for clients in (1, 8):
                say(f"{label}, {clients} clients")
                result[f"{label} x{clients}"] = in_turns(servers, options.rounds, lambda server: server.load(
                    clients, requests(server), options.seconds, weight=weight))
        result["memory"] = {server.name: {"pssAfterLoadMiB": server.memory_mib()} for server in servers}
    finally:
        for server in servers:
            server.remove()
    return result


def history(options):
    """Ten runs with 1,000 points each, in one answer."""
    servers = [KINDS[name](options) for name in options.servers]
    try:
        requests, answers = {}, {}
        for server in servers:
            ids = []
            for _ in range(10):
                run = server.call("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
                server.call("POST", "runs/log-batch", {"run_id": run, "metrics": [
                    {"key": "loss", "value": step / 1000, "timestamp": 1_700_000_000_000 + step, "step": step}
                    for step in range(1000)]})
                ids.append(run)
            query = urllib.parse.urlencode([("run_id", run) for run in ids] + [("metric_key", "loss")])
            requests[server.name] = [[request("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?{query}")]]
            points = Connection(server.port).call("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?{query}")["metrics"]
            answers[server.name] = sorted((point["step"], point["value"], point["timestamp"]) for point in points)
            if len(points) != 10_000 or answers[server.name] != answers[servers[0].name]:
                raise SystemExit(f"{server.name} answers with other points ({len(points)}) than {servers[0].name}")
        return {f"get-history-bulk 10 x 1,000 x{clients}": in_turns(
            servers, options.rounds, lambda server: server.load(clients, requests[server.name], options.seconds))
            for clients in (1, 8)}
    finally:
        for server in servers:
            server.remove()


def artifacts(options):
    servers = [KINDS[name](options) for name in options.servers]
    path = "/api/2.0/mlflow-artifacts/artifacts/bench/"
    try:
        body, result = os.urandom(MIB), {}
        for server in servers:
            connection = Connection(server.port)
            connection.exchange(request("PUT", path + "one", body, "application/octet-stream"))
            if connection.exchange(request("GET", path + "one")) != body:
                raise SystemExit(f"{server.name} gives other bytes back")
        put = request("PUT", path + "COUNTERS", body.replace(b"COUNTERS", b"COUNTER "), "application/octet-stream")
        for label, message in (("artifact PUT 1 MiB", put), ("artifact GET 1 MiB", request("GET", path + "one"))):
            for clients in (1, 8):
                result[f"{label} x{clients}"] = in_turns(servers, options.rounds, lambda server: server.load(
                    clients, [[message]], options.seconds))
        return result
    finally:
        for server in servers:
            server.remove()


SEARCHES = {
    "newest 100": {"max_results": 100},
    "filter and order, page of 100": {
        "filter": "metrics.m0 > 0.5 and params.p0 = 'v3'", "order_by": ["metrics.m1 DESC"], "max_results": 100},
    "filter and order, page of 1,000": {
        "filter": "metrics.m0 > 0.1 and params.p0 != 'v3'", "order_by": ["metrics.m1 DESC"], "max_results": 1000},
}


def search(options):
    result = {}
    for size in options.sizes:
        # The real server with one worker answers as fast for one client; at 100,000 one of them is enough to wait for.
        names = [name for name in options.servers if size <= 10_000 or name != "mlflow-1"]
        servers = []
        try:
            for name in names:
                servers.append(KINDS[name](options))
                begin = time.monotonic()
                servers[-1].experiment = servers[-1].fill(size)
                say(f"{name}: {size} runs filled in {time.monotonic() - begin:.1f} s")
            for label, body in SEARCHES.items():
                pages = {}
                for server in servers:
                    answer = server.call("POST", "runs/search", {"experiment_ids": [server.experiment], **body})
                    pages[server.name] = [run["info"]["run_name"] for run in answer.get("runs", [])]
                    data = [(sorted((each["key"], each["value"]) for each in run["data"]["metrics"]),
                             sorted((each["key"], each["value"]) for each in run["data"]["params"]))
                            for run in answer.get("runs", [])]
                    pages[server.name] = list(zip(pages[server.name], data))
                    if pages[server.name] != pages[servers[0].name]:
                        raise SystemExit(f"{label}: {server.name} finds other runs than {servers[0].name}")
                for clients in (1, 8) if label == "filter and order, page of 100" else (1,):
                    name = f"{label}, of {size:,} x{clients}"
                    say(name)
                    entry = in_turns(servers, options.rounds, lambda server: server.load(
                        clients, [[request("POST", API + "runs/search", {
                            "experiment_ids": [server.experiment], **body})]], options.seconds, warm=0, least=2))
                    entry["runsInAnswer"] = len(pages[servers[0].name])
                    result[name] = entry
            if "apus" in names:
                result[f"memory after, {size:,}"] = {server.name: server.memory_mib() for server in servers}
        finally:
            for server in servers:
                server.remove()
    return result


def misses(result):
    """What is short of the aims, beside the real server as it comes and tuned."""
    found = []
    for part in ("rates", "history", "artifacts", "search"):
        for label, entry in result.get(part, {}).items():
            found += [f"{label}: {name} {value}" for name, value in entry.get("ratios", {}).items() if value < AIMS["rate"]]
    begin = result.get("start", {})
    found += [f"{name} {value}" for name, value in begin.get("ratios", {}).items() if value > AIMS["memory"]]
    if begin.get("apus", {}).get("againSeconds", 0) > AIMS["startSeconds"]:
        found.append(f"start: {begin['apus']['againSeconds']} s")
    return found


def table(result):
    """The tables of docs/benchmarks.md."""
    lines = []
    names = [name for name in KINDS if any(name in entry.get("figures", {}) for part in result.values()
                                           if isinstance(part, dict) for entry in part.values() if isinstance(entry, dict))]
    others = [name for name in names if name != "apus"]
    for part in ("rates", "history", "artifacts", "search"):
        entries = {label: entry for label, entry in result.get(part, {}).items() if "figures" in entry}
        if not entries:
            continue
        lines += ["| a second | Apus | p50 / p99, ms | " + " | ".join(f"{name} | p50 / p99 | Apus ÷ it" for name in others) + " |",
                  "|---|---|---|" + "---|---|---|" * len(others)]
        for label, entry in entries.items():
            cells = []
            for name in names:
                figure = entry["figures"].get(name)
                cells += [f"{figure['perSecond']:,.1f}" if figure["perSecond"] < 100 else f"{figure['perSecond']:,.0f}",
                          f"{figure['p50Ms']:,.1f} / {figure['p99Ms']:,.1f}"] if figure else ["–", "–"]
                if name != "apus":
                    cells.append(str(entry["ratios"].get(f"apus÷{name}", "–")))
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
        lines.append("")
    if "start" in result:
        lines += ["| | first start | later starts | idle (PSS) | of it its own | processes | idle CPU |", "|---|---|---|---|---|---|---|"]
        for name, entry in result["start"].items():
            if name != "ratios":
                lines.append(f"| {name} | {entry['firstSeconds']:.2f} s | {entry['againSeconds']:.3f} s | {entry['pssMiB']} MiB | "
                             f"{entry['ownMiB']} MiB | {entry['processes']} | {entry['idleProcessorPercent']} % |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/apus")
    parser.add_argument("--mlflow", default=str(pathlib.Path(sys.executable).with_name("mlflow")))
    parser.add_argument("--folder", help="where the databases are made, on the disk that is to be measured")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--parts", default="start,rates,history,artifacts,search")
    parser.add_argument("--servers", default="apus,mlflow,mlflow-1")
    parser.add_argument("--sizes", help="runs of the databases that are searched")
    parser.add_argument("--cases", default="", help="only those of the rates whose name begins so: log-batch")
    parser.add_argument("--table", help="print the tables of a result that is in this file, and do nothing else")
    options = parser.parse_args()
    if options.table:
        return print(table(json.loads(pathlib.Path(options.table).read_text())))
    options.seconds = options.seconds or (1 if options.short else 3)
    options.rounds = options.rounds or (1 if options.short else 3)
    options.servers = options.servers.split(",")
    sizes = options.sizes or ("1000,10000" if options.short else "1000,10000,100000")
    options.sizes = [int(size) for size in sizes.split(",")]
    options.binary, options.mlflow = pathlib.Path(options.binary).resolve(), pathlib.Path(options.mlflow).absolute()
    parts = {"start": start, "rates": rates, "history": history, "artifacts": artifacts, "search": search}
    result = {"seconds": options.seconds, "rounds": options.rounds}
    for name in options.parts.split(","):
        if name not in parts:
            raise SystemExit(f"no part {name}: use {', '.join(parts)}")
        result[name] = parts[name](options)
    result["misses"] = misses(result)
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
