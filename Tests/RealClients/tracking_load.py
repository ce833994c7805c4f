# SPDX-License-Identifier: Apache-2.0
"""Processes that log to a tracking server over kept connections, and know what was acknowledged."""
import http.client
import json
import multiprocessing
import time

FORK = multiprocessing.get_context("fork")


class Raw:
    """Requests of MLflow's protocol over one kept connection."""

    def __init__(self, host, port, timeout=30):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def call(self, method, path, body=None):
        """Status and JSON of an answer; ConnectionError and HTTPException where there is none."""
        text = None if body is None else json.dumps(body)
        self.connection.request(method, "/api/2.0/mlflow/" + path, text, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}

    def good(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status == 200, f"{path}: {status} {answer}"
        return answer

    def new_run(self, name, experiment="0"):
        body = {"experiment_id": experiment, "run_name": name, "start_time": 1}
        return self.good("POST", "runs/create", body)["run"]["info"]["run_id"]

    def close(self):
        self.connection.close()


def points(key, first, count):
    """Points that only these steps have."""
    return [{"key": key, "value": step * 0.5, "timestamp": 1_700_000_000_000 + step, "step": step}
            for step in range(first, first + count)]


class Record:
    """What one process sent to one run: what was acknowledged, and what may or may not have been stored."""

    def __init__(self):
        self.run = None
        # Keys to sets of steps.
        self.acknowledged, self.unknown = {}, {}
        self.params, self.unknown_params = {}, {}
        # Names of runs, which are sent once each.
        self.runs, self.unknown_runs = [], []
        self.refusals = []


class Logger:
    """A process that logs until it is told to end. It begins a new run whenever the connection breaks, and hands over a
    Record of the one before."""

    def __init__(self, host, port, name):
        self.host, self.port, self.name = host, port, name
        self.stopped = FORK.Event()
        self.records, theirs = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=self.run, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, records):
        life = 0
        while not self.stopped.is_set():
            life += 1
            record = Record()
            raw = Raw(self.host, self.port)
            try:
                self.log(raw, record, life)
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
            raw.close()
            # What never came to a run has nothing to tell.
            if record.run or record.unknown_runs:
                records.send(record)
        records.send(None)

    def attempt(self, record, raw, path, body, apply):
        """Sends; `apply(True)` where it was acknowledged, `apply(False)` where nobody knows."""
        try:
            status, answer = raw.call("POST", path, body)
        except BaseException:
            apply(False)
            raise
        if status == 200:
            apply(True)
            return answer
        apply(False)
        if status != 503:
            record.refusals.append(f"{path}: {status} {answer}")
        # A database that is away: not in a tight loop.
        time.sleep(0.02)
        return None

    def log(self, raw, record, life):
        number = step = 0
        while not self.stopped.is_set():
            if record.run is None or number % 7 == 0:
                name = f"{self.name}-{life}-{number}"
                answer = self.attempt(
                    record, raw, "runs/create", {"experiment_id": "0", "run_name": name, "start_time": 1},
                    lambda is_there: (record.runs if is_there else record.unknown_runs).append(name))
                if answer is None:
                    number += 1
                    continue
                record.run = record.run or answer["run"]["info"]["run_id"]
            kind = number % 3
            number += 1
            if kind == 0:
                batch = points("a", step, 40) + points("b", step, 3)
                params = {f"p{number}": f"value {number}"}
                body = {"run_id": record.run, "metrics": batch,
                        "params": [{"key": key, "value": value} for key, value in params.items()]}
                path = "runs/log-batch"
            else:
                batch, params = points("ab"[kind - 1], step, 1), {}
                body, path = {"run_id": record.run, **batch[0]}, "runs/log-metric"
            step += 40

            def apply(is_there):
                (record.params if is_there else record.unknown_params).update(params)
                for point in batch:
                    known = record.acknowledged if is_there else record.unknown
                    known.setdefault(point["key"], set()).add(point["step"])

            self.attempt(record, raw, path, body, apply)

    def end(self):
        """The last records."""
        self.stopped.set()
        found = []
        while (record := self.records.recv()) is not None:
            found.append(record)
        self.process.join(30)
        return found


def check(raw, record):
    """That a run has all that was acknowledged, each once, and nothing that was not sent."""
    assert not record.refusals, record.refusals[:3]
    if record.run is None:
        return 0
    run = raw.good("GET", f"runs/get?run_id={record.run}")["run"]
    latest = {metric["key"]: metric for metric in run["data"].get("metrics", [])}
    total = 0
    for key in record.acknowledged.keys() | record.unknown.keys():
        acknowledged, unknown = record.acknowledged.get(key, set()), record.unknown.get(key, set())
        answer = raw.good("GET", f"metrics/get-history?run_id={record.run}&metric_key={key}")
        found = [(point["step"], point["value"], point["timestamp"]) for point in answer.get("metrics", [])]
        steps = {step for step, _, _ in found}
        assert acknowledged <= steps, f"{record.run} {key}: lost {sorted(acknowledged - steps)[:5]}"
        assert len(found) == len(set(found)) == len(steps), f"{record.run} {key}: doubled"
        assert steps <= acknowledged | unknown, f"{record.run} {key}: never sent {sorted(steps - acknowledged - unknown)[:5]}"
        assert all(point == (step, step * 0.5, 1_700_000_000_000 + step) for point in found for step in point[:1])
        if steps:
            assert latest[key]["step"] == max(steps), f"{record.run} {key}: latest is {latest[key]}"
        total += len(acknowledged)
    params = {param["key"]: param["value"] for param in run["data"].get("params", [])}
    assert record.params.items() <= params.items(), f"{record.run}: params lost"
    assert params.items() <= (record.params | record.unknown_params).items(), f"{record.run}: params never sent"
    return total


def run_names(raw):
    """Names of all runs of the default experiment."""
    names, token = [], None
    while True:
        body = {"experiment_ids": ["0"], "max_results": 1000, **({"page_token": token} if token else {})}
        answer = raw.good("POST", "runs/search", body)
        names += [run["info"]["run_name"] for run in answer.get("runs", [])]
        token = answer.get("next_page_token")
        if not token:
            return names
