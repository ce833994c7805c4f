# SPDX-License-Identifier: Apache-2.0
"""`apus lake`, Sail, deltalake and DuckDB write one table at once, in a folder and in a bucket, while all of them read:
no row is lost or doubled, and each state that a reader sees is one that was committed. APUS_LAKE_ROUNDS for more."""
import collections
import json
import os
import pathlib
import threading
import time

import pyarrow as pa

from lake_fixture import rows_of
from lake_places import place, places, until_done  # noqa: F401 (fixtures)

ROUNDS = int(os.environ.get("APUS_LAKE_ROUNDS", 2))
ROWS = 3
BASE = 8


class Ledger:
    """What the writers were told: batches and updates that began, and those that were acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.began, self.acknowledged = collections.Counter(), collections.Counter()

    def copy(self):
        with self.lock:
            return collections.Counter(self.acknowledged)

    def make(self, key, body):
        with self.lock:
            self.began[key] += 1
        until_done(body)
        with self.lock:
            self.acknowledged[key] += 1


def batch(who, number):
    return rows_of(who=[who] * ROWS, batch=pa.array([number] * ROWS, pa.int64()),
                   line=pa.array(range(ROWS), pa.int64()), hits=pa.array([0] * ROWS, pa.int64()))


def batch_sql(who, number):
    return " UNION ALL ".join(
        f"SELECT '{who}' AS who, CAST({number} AS BIGINT) AS batch, CAST({line} AS BIGINT) AS line, CAST(0 AS BIGINT) AS hits"
        for line in range(ROWS))


UPDATED = "who = 'base'"


def writers(table, ledger):
    """By name: each makes its batches and, where it can, takes its first out again and adds one to all base rows."""

    def apus():
        for number in range(ROUNDS):
            ledger.make(("apus", number), lambda: table.apus("append", "--query", batch_sql("apus", number)))
            ledger.make("hits", lambda: table.apus("update", "--set", "hits=hits + 1", "--where", UPDATED))
        table.apus("delete", "--where", "who = 'apus' AND batch = 0")

    def apus_merge():
        for number in range(ROUNDS):
            ledger.make(("merge", number), lambda: table.apus(
                "merge", "--source", batch_sql("merge", number), "--on",
                "target.who = source.who AND target.batch = source.batch AND target.line = source.line", "--insert-all"))

    def apus_care():
        for _ in range(ROUNDS):
            table.apus("optimize")
            table.apus("checkpoint")

    def sail():
        for number in range(ROUNDS):
            ledger.make(("sail", number), lambda: table.sail(f"INSERT INTO t {batch_sql('sail', number)}"))
            ledger.make("hits", lambda: table.sail(f"UPDATE t SET hits = hits + 1 WHERE {UPDATED}"))
        until_done(lambda: table.sail("DELETE FROM t WHERE who = 'sail' AND batch = 0"))

    def deltalake():
        for number in range(ROUNDS):
            ledger.make(("deltalake", number), lambda: table.deltalake_write(batch("deltalake", number), mode="append"))
            ledger.make("hits", lambda: table.deltalake_change(
                lambda opened: opened.update(updates={"hits": "hits + 1"}, predicate=UPDATED)))
        until_done(lambda: table.deltalake_change(
            lambda opened: opened.delete("who = 'deltalake' AND batch = 0")))

    def duckdb():
        for number in range(ROUNDS):
            connection = table.duckdb()
            ledger.make(("duckdb", number), lambda: table.duckdb_insert(connection, batch_sql("duckdb", number)))

    return {"apus": apus, "apus merge": apus_merge, "apus care": apus_care, "sail": sail, "deltalake": deltalake,
            "duckdb": duckdb}


def check(rows, before, ledger):
    """One state of the table: all that was acknowledged before it was read, each batch whole and once, updates of all
    base rows or none."""
    lines = collections.Counter((row["who"], row["batch"], row["line"]) for row in rows)
    assert not [key for key, times in lines.items() if times > 1]
    whole = collections.Counter((row["who"], row["batch"]) for row in rows if row["who"] != "base")
    assert all(count == ROWS for count in whole.values()), whole
    missing = {key for key in before if isinstance(key, tuple) and key[1] > 0} - set(whole)
    assert not missing, f"acknowledged and not there: {missing}"
    hits = [row["hits"] for row in rows if row["who"] == "base"]
    assert len(hits) == BASE and len(set(hits)) == 1, hits
    assert before["hits"] <= hits[0] <= ledger.began["hits"]


def test_four_engines_write_one_table(place):  # noqa: F811
    table, ledger = place.table(), Ledger()
    table.apus("create", "--like", batch_sql("x", 0), "--property", "delta.checkpointInterval=7")
    table.apus("append", "--query", f"SELECT 'base' AS who, 0::BIGINT AS batch, range AS line, 0::BIGINT AS hits FROM range({BASE})")
    failures, done = [], threading.Event()

    def guarded(name, body):
        def run():
            try:
                body()
            except BaseException as error:  # Also what pytest.fail raises; told by the main thread.
                failures.append((name, error))
        return threading.Thread(target=run, name=name)

    reads = collections.Counter()

    def reader(name, read):
        def loop():
            while not done.is_set():
                before = ledger.copy()
                check(read(), before, ledger)
                reads[name] += 1
                time.sleep(0.05)
        return guarded(f"reader {name}", loop)

    duck = table.duckdb()
    readers = [reader("apus", table.apus_rows), reader("sail", table.sail_rows),
               reader("deltalake", table.deltalake_rows), reader("duckdb", lambda: table.duckdb_rows(duck))]
    threads = [guarded(name, body) for name, body in writers(table, ledger).items()]
    for thread in [*readers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not failures, failures
    assert all(reads[name] > 0 for name in ("apus", "sail", "deltalake", "duckdb")), reads

    # All four read the same in the end, and it is what they were told.
    expected = sorted(
        [(who, number, line, 0) for who in ("apus", "merge", "sail", "deltalake", "duckdb") for number in range(ROUNDS)
         for line in range(ROWS) if number > 0 or who in ("merge", "duckdb")]
        + [("base", 0, line, 3 * ROUNDS) for line in range(BASE)])
    for rows in (table.apus_rows(), table.sail_rows(), table.deltalake_rows(), table.duckdb_rows(table.duckdb())):
        assert sorted((row["who"], row["batch"], row["line"], row["hits"]) for row in rows) == expected
    # Nothing is left but what the table says: vacuum takes what refused commits wrote, and all still read the same.
    table.apus("vacuum", "--retention", "0", "--force")
    assert sorted((row["who"], row["batch"], row["line"], row["hits"]) for row in table.sail_rows()) == expected


def test_overwriting_at_once(place):  # noqa: F811
    """Each overwrites the whole table; a reader sees one of them, never parts of two."""
    table = place.table()
    table.apus("create", "--like", "SELECT 'x' AS who, 1::BIGINT AS round, 1::BIGINT AS line")
    failures, ends = [], {}

    def rows(who, number):
        return " UNION ALL ".join(
            f"SELECT '{who}' AS who, CAST({number} AS BIGINT) AS round, CAST({line} AS BIGINT) AS line" for line in range(5))

    bodies = {
        "apus": lambda number: table.apus("append", "--overwrite", "--query", rows("apus", number)),
        "sail": lambda number: table.sail(f"INSERT OVERWRITE t {rows('sail', number)}"),
        "deltalake": lambda number: table.deltalake_write(
            rows_of(who=["deltalake"] * 5, round=pa.array([number] * 5, pa.int64()), line=pa.array(range(5), pa.int64())),
            mode="overwrite"),
    }

    def write(who):
        try:
            for number in range(ROUNDS):
                until_done(lambda: bodies[who](number))
            ends[who] = table.deltalake().version()
        except BaseException as error:
            failures.append((who, error))

    threads = [threading.Thread(target=write, args=(who,)) for who in bodies]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for seen in (table.deltalake_rows(), table.apus_rows()):
            assert len({(row["who"], row["round"]) for row in seen}) <= 1, seen
            assert sorted(row["line"] for row in seen) in ([], list(range(5)))
    for thread in threads:
        thread.join()
    assert not failures, failures
    # Every version that was committed is one overwrite, and each was committed once.
    versions = table.deltalake().version()
    states = [tuple(sorted({(row["who"], row["round"]) for row in table.deltalake_rows(version)})) for version in range(1, versions + 1)]
    assert sorted(states) == sorted(((who, number),) for who in bodies for number in range(ROUNDS))
    assert sorted(row["line"] for row in table.sail_rows()) == list(range(5))


def test_deletion_vectors_and_rewrites_at_once(places):  # noqa: F811
    """Sail marks rows as deleted in files that we rewrite at the same time: no deleted row comes back, no update is lost."""
    table = places["folder"].table()
    table.sail("INSERT INTO t SELECT id, CAST(0 AS BIGINT) FROM range(100)", columns="(id BIGINT, hits BIGINT)",
               more="TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    failures = []

    def deletes():
        for number in range(min(ROUNDS * 2, 30)):
            until_done(lambda: table.sail(f"DELETE FROM t WHERE id % 50 = {number}"))

    def updates():
        for _ in range(ROUNDS):
            table.apus("update", "--set", "hits=hits + 1", "--where", "id >= 30")

    def rewrites():
        for _ in range(ROUNDS):
            table.apus("append", "--query", "SELECT 1049::BIGINT AS id, 0::BIGINT AS hits")
            table.apus("optimize")

    def guarded(body):
        try:
            body()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in (deletes, updates, rewrites)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    gone = {number + 50 * half for number in range(min(ROUNDS * 2, 30)) for half in (0, 1)}
    for rows in (table.apus_rows(), table.sail_rows(), table.duckdb_rows(table.duckdb())):
        assert sorted(row["id"] for row in rows) == [id for id in range(100) if id not in gone] + [1049] * ROUNDS
        assert all(row["hits"] == (ROUNDS if row["id"] >= 30 else 0) for row in rows if row["id"] < 1000)
    assert any("deletionVector" in line for line in log_lines(table))


def log_lines(table):
    return [line for file in sorted(pathlib.Path(table.location, "_delta_log").glob("*.json"))
            for line in file.read_text().splitlines()]


def test_checkpoints_and_vacuum_while_others_read(places):  # noqa: F811
    """Old files go while the table is written, checkpointed and read; no reader misses one that it needs."""
    table = places["folder"].table()
    folder = pathlib.Path(table.location)
    table.apus("create", "--like", "SELECT 1::BIGINT AS round, 1::BIGINT AS line", "--property", "delta.checkpointInterval=3")
    for number in range(6):
        table.apus("append", "--overwrite", "--query", f"SELECT {-number}::BIGINT AS round, range AS line FROM range(20)")
    # As if it had all been two weeks ago.
    age = 14 * 86_400
    for file in sorted((folder / "_delta_log").glob("*.json")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            if "remove" in line:
                line["remove"]["deletionTimestamp"] -= age * 1000
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for file in (folder / "_delta_log").glob("*checkpoint*"):
        file.unlink()
    for file in folder.glob("*.parquet"):
        os.utime(file, (time.time() - age,) * 2)
    old = {file.name for file in folder.glob("*.parquet")}
    failures, done = [], threading.Event()

    def looping(body):
        def loop():
            try:
                while not done.is_set():
                    body()
            except BaseException as error:
                failures.append(error)
        return threading.Thread(target=loop)

    def read(rows):
        def once():
            seen = rows()
            assert len({row["round"] for row in seen}) == 1 and sorted(row["line"] for row in seen) == list(range(20)), seen
        return once

    duck = table.duckdb()
    threads = [looping(body) for body in (
        read(table.apus_rows), read(table.deltalake_rows), read(lambda: table.duckdb_rows(duck)), read(table.sail_rows),
        lambda: table.apus("vacuum"), lambda: table.apus("checkpoint"))]
    for thread in threads:
        thread.start()
    for number in range(1, ROUNDS * 3):
        table.apus("append", "--overwrite", "--query", f"SELECT {number}::BIGINT AS round, range AS line FROM range(20)")
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    table.apus("vacuum")
    left = {file.name for file in folder.glob("*.parquet")}
    # The one that was in the table when the rounds began went only then.
    assert len(old & left) == 1 and len(left) == ROUNDS * 3
