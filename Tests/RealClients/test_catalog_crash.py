# SPDX-License-Identifier: Apache-2.0
"""`apus serve catalog` under concurrent writers and under kill -9: what was acknowledged is there."""
import os
import pathlib
import subprocess
import sys
import threading
import time

import pyarrow as pa
import requests

from catalog_fixture import catalog, folder_catalog, own_catalog  # noqa: F401
from conftest import wait_for

ROUNDS = int(os.environ.get("APUS_CATALOG_KILL_ROUNDS", 8))
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "type": "long", "required": True}]}


def test_appenders_of_several_processes(catalog):
    iceberg = catalog.pyiceberg()
    iceberg.create_namespace("p")
    iceberg.create_table("p.t", pa.schema([pa.field("who", pa.string()), pa.field("n", pa.int64())]))
    worker = pathlib.Path(__file__).with_name("catalog_worker.py")
    workers = [subprocess.Popen([sys.executable, str(worker), catalog.url, catalog.objects.access,
                                 catalog.objects.secret, "p.t", f"w{number}", "6"]) for number in range(4)]
    assert [worker.wait(180) for worker in workers] == [0] * 4
    table = iceberg.load_table("p.t")
    rows = sorted((row["who"], row["n"]) for row in table.scan().to_arrow().to_pylist())
    assert rows == [(f"w{worker}", n) for worker in range(4) for n in range(6)]
    assert len(table.metadata.snapshots) == 24
    assert [snapshot.sequence_number for snapshot in table.metadata.snapshots] == list(range(1, 25))


class Writers:
    """Threads that commit properties to two tables, now to one, now to both, and note what was acknowledged."""

    def __init__(self, catalog, threads=4):
        self.catalog, self.acknowledged, self.sent = catalog, {"a": set(), "b": set()}, set()
        self.stopped, self.lock = threading.Event(), threading.Lock()
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, writer):
        number = 0
        while not self.stopped.is_set():
            number += 1
            key = f"w{writer}-{number}"
            tables = [["a"], ["b"], ["a", "b"]][number % 3]
            with self.lock:
                self.sent.add((key, tuple(tables)))
            body = {"table-changes": [{
                "identifier": {"namespace": ["n"], "name": table}, "requirements": [],
                "updates": [{"action": "set-properties", "updates": {key: "x"}}]} for table in tables]}
            try:
                answer = requests.post(self.catalog.url + "/v1/transactions/commit", json=body, timeout=10)
            except requests.RequestException:
                time.sleep(0.02)
                continue
            with self.lock:
                if answer.status_code == 204:
                    for table in tables:
                        self.acknowledged[table].add(key)
                else:
                    self.failures.append(answer.text)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def check(catalog, writers):
    found = {}
    for table in "ab":
        status, body = catalog.call("GET", f"/v1/namespaces/n/tables/{table}")
        assert status == 200
        found[table] = set(body["metadata"]["properties"])
        with writers.lock:
            assert writers.acknowledged[table] <= found[table]
    with writers.lock:
        both = {key for key, tables in writers.sent if len(tables) == 2}
    return found, both


def kill_rounds(catalog, rounds):
    catalog.call("POST", "/v1/namespaces", {"namespace": ["n"]})
    for table in "ab":
        assert catalog.call("POST", "/v1/namespaces/n/tables", {"name": table, "schema": SCHEMA})[0] == 200
    writers = Writers(catalog)
    try:
        for round in range(rounds):
            time.sleep(0.15 + 0.05 * (round % 5))
            catalog.kill()
            with writers.lock:
                acknowledged = {table: set(keys) for table, keys in writers.acknowledged.items()}
            catalog.start()
            for table in "ab":
                metadata = catalog.call("GET", f"/v1/namespaces/n/tables/{table}")[1]["metadata"]
                assert acknowledged[table] <= set(metadata["properties"]), f"round {round}: lost"
        wait_for(lambda: min(len(keys) for keys in writers.acknowledged.values()) > rounds, what="enough commits")
    finally:
        writers.stop()
    assert not writers.failures, writers.failures[:3]
    found, both = check(catalog, writers)
    # What was sent to two tables at once is in both or in none, acknowledged or not.
    assert found["a"] & both == found["b"] & both
    return found


def test_kills_under_commits(own_catalog):
    kill_rounds(own_catalog, ROUNDS)
    # Files of commits that were killed go; those that count, and their history, stay.
    def settled():
        for table in "ab":
            body = own_catalog.call("GET", f"/v1/namespaces/n/tables/{table}")[1]
            files = own_catalog.files(body["metadata"]["location"] + "/metadata")
            numbers = [int(file.rsplit("/", 1)[1].split("-")[0]) for file in files]
            current = int(body["metadata-location"].rsplit("/", 1)[1].split("-")[0])
            if numbers != list(range(current + 1)):
                return False
        return True

    wait_for(settled, 60, "orphaned files of metadata to be deleted")


def test_kills_over_a_folder(folder_catalog):
    kill_rounds(folder_catalog, max(2, ROUNDS // 3))
    rows = pa.table({"id": pa.array([1, 2], pa.int64())}, schema=pa.schema([pa.field("id", pa.int64(), nullable=False)]))
    iceberg = folder_catalog.pyiceberg()
    table = iceberg.load_table("n.a")
    table.append(rows)
    table.delete("id = 1")
    folder_catalog.kill()
    folder_catalog.start()
    assert folder_catalog.pyiceberg().load_table("n.a").scan().to_arrow()["id"].to_pylist() == [2]
    iceberg = folder_catalog.pyiceberg()
    location = table.location()
    iceberg.purge_table("n.a")
    # The folders go after the last of their files.
    wait_for(lambda: not pathlib.Path(location.removeprefix("file://")).exists(), 60, "the table's folder to be deleted")


def test_memory_of_many_tables_and_large_metadata(own_catalog):
    """A table with a long history is loaded again and again; what is kept in memory has a bound."""
    catalog = own_catalog
    catalog.call("POST", "/v1/namespaces", {"namespace": ["n"]})
    catalog.call("POST", "/v1/namespaces/n/tables", {"name": "t", "schema": SCHEMA})
    for number in range(12):
        update = {"action": "set-properties", "updates": {f"p{number}": "x" * 1_000_000}}
        assert catalog.call("POST", "/v1/namespaces/n/tables/t", {"requirements": [], "updates": [update]})[0] == 200
    for _ in range(10):
        assert len(requests.get(catalog.url + "/v1/namespaces/n/tables/t", timeout=30).content) > 12_000_000
    resident = next(int(line.split()[1]) for line in
                    pathlib.Path(f"/proc/{catalog.process.pid}/status").read_text().splitlines()
                    if line.startswith("VmRSS:"))
    assert resident < 500_000, f"{resident} KiB"
