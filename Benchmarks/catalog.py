#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Iceberg catalog over a folder: commits and loads by HTTP at 1 and 8 clients, tables with short and long
histories, memory; the disk's own time for the two synced writes of a commit beside them. Prints one JSON object.

Usage: Benchmarks/catalog.py --binary APUS [--short]"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import requests

SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "type": "long", "required": True}]}


def figures(seconds, wall=None):
    ordered = sorted(seconds)
    result = {"p50Ms": round(statistics.median(ordered) * 1000, 3),
              "p99Ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3), "rounds": len(ordered)}
    return result if wall is None else {**result, "perSecond": round(len(ordered) / wall, 1)}


def synced_writes(folder):
    """A file of 4 KiB synced under its name in its folder, and another synced: what a durable commit needs at least."""
    seconds = []
    for number in range(50):
        begin = time.monotonic()
        for name in (".file", ".log"):
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)
            os.close(descriptor)
        os.rename(folder / ".file", folder / ".named")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        seconds.append(time.monotonic() - begin)
    return figures(seconds)


def timed(work, rounds, clients):
    """The time of each call, from as many clients; and of all together."""
    def client(number):
        session, seconds = requests.Session(), []
        for round in range(rounds):
            begin = time.monotonic()
            work(session, number, round)
            seconds.append(time.monotonic() - begin)
        return seconds

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        seconds = [second for each in pool.map(client, range(clients)) for second in each]
    return figures(seconds, time.monotonic() - begin)


def resident(pid):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith("VmRSS:"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    rounds = 40 if options.short else 300
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-bench-catalog-"))
    server = subprocess.Popen([options.binary, "serve", "catalog", "--data-dir", folder / "data", "--listen", "127.0.0.1:0",
                               "--warehouse", f"file://{folder}/warehouse", "--log-level", "error"],
                              stdout=subprocess.PIPE, text=True)
    try:
        url = "http://" + server.stdout.readline().split()[-1] + "/v1"
        result = {"idleKiB": resident(server.pid)}
        requests.post(url + "/namespaces", json={"namespace": ["n"]}).raise_for_status()
        for number in range(8):
            requests.post(url + "/namespaces/n/tables", json={"name": f"t{number}", "schema": SCHEMA}).raise_for_status()

        def commit(session, client, round):
            now = int(time.time() * 1000)
            snapshot = {"snapshot-id": client * 1_000_000 + round + commit.base, "timestamp-ms": now,
                        "sequence-number": round + commit.base, "manifest-list": "file:///x",
                        "summary": {"operation": "append"}}
            updates = [{"action": "add-snapshot", "snapshot": snapshot},
                       {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
                        "snapshot-id": snapshot["snapshot-id"]}]
            session.post(f"{url}/namespaces/n/tables/t{client}", json={"requirements": [], "updates": updates}).raise_for_status()

        def load(session, client, round):
            session.get(f"{url}/namespaces/n/tables/t{client}").raise_for_status()

        result["disk"] = synced_writes(folder)
        commit.base = 1
        result["commit1"] = timed(commit, rounds, 1)
        commit.base += rounds
        result["commit8"] = timed(commit, rounds, 8)
        result["load1"], result["load8"] = timed(load, rounds, 1), timed(load, rounds, 8)
        result["snapshots"] = len(requests.get(url + "/namespaces/n/tables/t0").json()["metadata"]["snapshots"])
        result["afterKiB"] = resident(server.pid)
        print(json.dumps(result, indent=1))
    finally:
        server.terminate()
        server.wait(40)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
