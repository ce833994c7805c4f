#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`apus serve tracking` with many runs and a long history: searches, histories and logging on a database of SQLite that
was filled by SQL (its own schema, in the order of its keys), start and memory on it. Prints one JSON object.

Usage: Benchmarks/tracking_scale.py --binary APUS [--runs 100000] [--points 100000000] [--seconds 3] [--folder DIR]
Each run has ten metrics with points/runs/10 steps each, ten params and five tags. The file is deleted at the end."""
import argparse
import json
import pathlib
import shutil
import sqlite3
import statistics
import tempfile
import time

from tracking import API, SEARCHES, Apus, metrics_text, run_of, say
from tracking_load import request


def connect(path):
    database = sqlite3.connect(path)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {setting}")
    return database


def fill_runs(database, runs):
    """Runs with their latest metrics, params and tags."""
    database.execute("INSERT INTO experiments (id, name, artifact_location, deleted, created, updated) "
                     "VALUES (1, 'bench', 'mlflow-artifacts:/1', 0, 0, 0)")
    for key in range(10):
        database.execute("INSERT INTO metric_keys (id, name) VALUES (?, ?)", (key + 1, f"m{key}"))
    for first in range(0, runs, 10_000):
        numbers = [(number, run_of(number)) for number in range(first, min(first + 10_000, runs))]
        database.executemany(
            "INSERT INTO runs (id, uuid, experiment, name, user_id, status, started, deleted, artifact_uri) "
            "VALUES (?, ?, 1, ?, '', 1, ?, 0, ?)",
            [(number + 1, uuid(number), run["name"], run["time"], f"mlflow-artifacts:/1/{uuid(number)}/artifacts")
             for number, run in numbers])
        database.executemany(
            "INSERT INTO latest_metrics (run, key, value, is_nan, step, time) VALUES (?, ?, ?, 0, ?, ?)",
            [(number + 1, key + 1, run["metrics"][f"m{key}"], 1 << 40, run["time"])
             for number, run in numbers for key in range(10)])
        database.executemany("INSERT INTO params (run, key, value) VALUES (?, ?, ?)",
                             [(number + 1, key, value) for number, run in numbers for key, value in run["params"].items()])
        database.executemany(
            "INSERT INTO tags (run, key, value) VALUES (?, ?, ?)",
            [(number + 1, key, value) for number, run in numbers
             for key, value in sorted({**run["tags"], "mlflow.runName": run["name"]}.items())])
    database.commit()


def uuid(number):
    return f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}"


def fill_points(database, first, last, steps):
    """The history of the runs with the numbers from first to last, in the order of the table's key."""
    database.execute(
        "WITH RECURSIVE step(s) AS (SELECT 0 UNION ALL SELECT s + 1 FROM step WHERE s + 1 < ?), "
        "key(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM key WHERE k < 10), "
        "run(r) AS (SELECT ? UNION ALL SELECT r + 1 FROM run WHERE r < ?) "
        "INSERT INTO metrics (run, key, step, time, value) "
        "SELECT r, k, s, 1700000000000 + r * 1000 + s * 10, abs(random()) / 9223372036854775807.0 "
        "FROM run CROSS JOIN key CROSS JOIN step", (steps, first, last))
    database.commit()


def pages(database):
    return database.execute("PRAGMA page_count").fetchone()[0] * database.execute("PRAGMA page_size").fetchone()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/apus")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=100_000_000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--folder")
    options = parser.parse_args()
    options.binary = pathlib.Path(options.binary).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-tracking-scale-", dir=options.folder))
    result = {"runs": options.runs, "points": options.points}
    try:
        Apus(options, folder).end()
        path = folder / "data" / "tracking.sqlite"
        database = connect(path)
        begin = time.monotonic()
        fill_runs(database, options.runs)
        result["bytesPerRunWithoutHistory"] = round(pages(database) / options.runs)
        say(f"{options.runs} runs in {time.monotonic() - begin:.1f} s, {result['bytesPerRunWithoutHistory']} bytes each")
        steps, part = options.points // options.runs // 10, max(1, options.runs // 100)
        before, begin = pages(database), time.monotonic()
        for first in range(1, options.runs + 1, part):
            fill_points(database, first, min(first + part - 1, options.runs), steps)
            if first == 1:
                each = (pages(database) - before) / (part * 10 * steps)
                needed = each * options.points
                say(f"{each:.1f} bytes a point: {needed / 1e9:.1f} GB for all")
                if needed > shutil.disk_usage(folder).free - 4e9:
                    raise SystemExit(f"{needed / 1e9:.1f} GB are needed: use --points or another --folder")
        result["bytesPerPoint"] = round((pages(database) - before) / (options.runs * 10 * steps), 1)
        say(f"{options.points} points in {time.monotonic() - begin:.0f} s, {result['bytesPerPoint']} bytes each")
        database.close()
        result["fileGB"] = round(path.stat().st_size / 1e9, 2)

        server = Apus(options, folder)
        starts = [server.ready_seconds]
        for _ in range(4):
            server.end()
            server.launch()
            starts.append(server.ready_seconds)
        result["startSeconds"] = statistics.median(starts)
        time.sleep(3)
        result["idlePssMiB"] = server.memory_mib()
        measures = {}

        def measure(label, clients, requests, weight=1):
            measures[f"{label} x{clients}"] = figure = server.load(
                clients, requests, options.seconds, warm=0, weight=weight)
            say(f"{label} x{clients}: {figure['perSecond']} a second, {figure['p50Ms']} / {figure['p99Ms']} ms")

        for label, body in SEARCHES.items():
            for clients in (1, 8):
                measure(label, clients, [[request("POST", API + "runs/search", {"experiment_ids": ["1"], **body})]])
        others = {
            "one tag's value": {"filter": "tags.t0 = 'value 7'", "max_results": 100},
            "params, LIKE and order by a tag": {
                "filter": "params.p1 LIKE 'v%' and tags.t1 != 'value 3'", "order_by": ["tags.t2"], "max_results": 100},
            "nothing found": {"filter": "metrics.m3 > 2", "max_results": 100}}
        for label, body in others.items():
            measure(label, 1, [[request("POST", API + "runs/search", {"experiment_ids": ["1"], **body})]])
        spread = [uuid(number * (options.runs // 1000)) for number in range(1000)]
        for clients in (1, 8):
            measure("get-run", clients, [[request("GET", API + f"runs/get?run_id={run}") for run in spread]])
            measure(f"get-history, {steps} points", clients, [[
                request("GET", API + f"metrics/get-history?run_id={run}&metric_key=m5") for run in spread]])
        # To runs all over the table, so that pages all over the file are changed.
        for points in (100, 1000):
            for clients in (1, 8):
                measure(f"log-batch of {points}", clients, [[request("POST", API + "runs/log-batch", (
                    '{"run_id":"%s","metrics":[%s]}' % (run, metrics_text(points))).encode())
                    for run in spread[client::clients]] for client in range(clients)], weight=points)
        result["measures"] = measures
        result["pssAfterLoadMiB"] = server.memory_mib()
        server.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
