# SPDX-License-Identifier: Apache-2.0
"""Ten writers of one table at once, some of them killed: what was acknowledged is there once, nothing else is seen."""
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from conftest import APUS
from lake_fixture import lake, rows_of  # noqa: F401

WRITERS = 10
BATCHES = 12
ROWS = 3


class Writer(threading.Thread):
    """Appends numbered batches through one `apus lake append`; is killed now and then, and goes on from the number
    after the last that was acknowledged, as a sender would that does not know what became of the one in flight."""

    def __init__(self, path, number, kills, seed):
        super().__init__()
        self.path, self.number, self.kills = path, number, kills
        self.random = random.Random(seed)
        self.acknowledged = set()
        self.errors = []

    def lines(self, batch):
        return "".join(
            f'{{"writer": {self.number}, "batch": {batch}, "row": {row}}}\n' for row in range(ROWS))

    def run(self):
        while len(self.acknowledged) < BATCHES:
            start = len(self.acknowledged)
            process = subprocess.Popen(
                [APUS, "lake", "append", self.path, "--application", f"writer-{self.number}", "--number", str(start),
                 "--batch", str(ROWS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            timer = None
            if self.kills > 0:
                self.kills -= 1
                timer = threading.Timer(self.random.uniform(0.2, 1.5), os.kill, (process.pid, signal.SIGKILL))
                timer.start()
            try:
                process.stdin.write("".join(self.lines(batch) for batch in range(start, BATCHES)))
                process.stdin.close()
            except BrokenPipeError:
                pass
            for line in process.stdout:
                if line.startswith("version "):
                    self.acknowledged.add(len(self.acknowledged))
            said = process.stderr.read()
            if timer:
                timer.cancel()
            if process.wait() not in (0, -signal.SIGKILL):
                self.errors.append(said)
                return


def test_ten_writers_with_kill_9(lake):
    lake.create(
        "t", "SELECT 1::BIGINT AS writer, 1::BIGINT AS batch, 1::BIGINT AS row", "--property", "delta.checkpointInterval=10")
    writers = [Writer(lake.path("t"), number, kills=2 if number % 2 else 0, seed=number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    # deltalake writes and reads meanwhile; every state that it sees has whole batches, each once.
    theirs = 0
    while any(writer.is_alive() for writer in writers):
        seen = {}
        for row in DeltaTable(lake.path("t")).to_pyarrow_table().to_pylist():
            key = (row["writer"], row["batch"])
            seen[key] = seen.get(key, 0) + 1
        assert all(count == ROWS for count in seen.values()), {key: n for key, n in seen.items() if n != ROWS}
        if theirs < 8:
            # Its 15 tries are soon lost against ten others that commit all the time.
            write_deltalake(
                lake.path("t"),
                rows_of(writer=pa.array([-1] * ROWS, pa.int64()), batch=pa.array([theirs] * ROWS, pa.int64()), row=pa.array(range(ROWS), pa.int64())),
                mode="append", commit_properties=CommitProperties(max_commit_retries=10_000))
            theirs += 1
        time.sleep(0.2)
    for writer in writers:
        writer.join()
        assert not writer.errors, writer.errors
    rows = lake.deltalake("t").to_pyarrow_table().to_pylist()
    found = sorted((row["writer"], row["batch"], row["row"]) for row in rows)
    expected = sorted(
        [(number, batch, row) for number in range(WRITERS) for batch in range(BATCHES) for row in range(ROWS)]
        + [(-1, batch, row) for batch in range(theirs) for row in range(ROWS)])
    assert found == expected
    assert f"Rows:         {len(expected)}" in lake.apus("describe", "t")
    # What the killed ones left goes with vacuum, and nothing that is needed.
    time.sleep(0.05)
    lake.apus("vacuum", "t", "--retention", "0", "--force")
    live = {pathlib.Path(uri).name for uri in lake.deltalake("t").file_uris()}
    assert {pathlib.Path(file).name for file in lake.files("t")} == live
    left = [file.name for file in pathlib.Path(lake.path("t")).rglob("*") if ".apus-" in file.name or "_apus_staging/" in str(file)]
    assert left == []
    assert sorted((row["writer"], row["batch"], row["row"]) for row in lake.deltalake("t").to_pyarrow_table().to_pylist()) == expected


def test_updates_and_appends_at_once_lose_nothing(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 0::BIGINT AS hits")
    lake.append("t", "SELECT range AS id, 0::BIGINT AS hits FROM range(20)")
    processes = [
        subprocess.Popen(
            [APUS, "lake", "update", lake.path("t"), "--set", "hits=hits + 1"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ] + [
        subprocess.Popen(
            [APUS, "lake", "append", lake.path("t"), "--query", f"SELECT {100 + number}::BIGINT AS id, 0::BIGINT AS hits"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    hits = {row["id"]: row["hits"] for row in lake.rows("t")}
    assert sorted(hits) == [*range(20), 100, 101, 102, 103]
    assert all(hits[id] == 4 for id in range(20))
    # Each update saw all rows of its moment.
    operations = [(entry["version"], entry["operation"]) for entry in reversed(lake.deltalake("t").history())]
    assert [operation for _, operation in operations].count("UPDATE") == 4
