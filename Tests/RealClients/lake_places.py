# SPDX-License-Identifier: Apache-2.0
"""One Delta table that several engines use at once, in a folder or in a bucket of `apus serve objects`: `apus lake`,
Sail, PyPI deltalake and DuckDB's delta extension."""
import json
import os
import random
import subprocess
import time
import uuid

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import APUS, ROOT
from lake_fixture import duckdb_with_delta
from objects_fixture import ACCESS, REGION, SECRET, Objects
from sail_fixture import running_sail

BUCKET = "lake"


class Refused(Exception):
    """Another commit came first: nothing was changed, and one may try again."""


class Place:
    """Where tables are, and how each engine reaches them."""

    def __init__(self, root, sail, store=None):
        self.root, self.store = root, store
        self.keys = {} if store is None else keys(store)
        self.environment = {**os.environ, "APUS_DUCKDB": os.environ.get("APUS_DUCKDB", str(ROOT / ".cache" / "duckdb")),
                            **sail, **self.keys}

    def table(self):
        return Table(self, f"{self.root}/t-{uuid.uuid4().hex[:8]}")


class Table:
    def __init__(self, place, location):
        self.place, self.location = place, location
        self.options = place.keys or None

    # Apus.

    def apus(self, command, *arguments, check=True):
        done = subprocess.run([APUS, "lake", command, self.location, *arguments], text=True, capture_output=True,
                              timeout=120, env=self.place.environment)
        if check:
            assert done.returncode == 0, done.stderr
            return done.stdout
        return done

    def apus_rows(self, *arguments):
        return [json.loads(line) for line in self.apus("rows", "--limit", "1000000", *arguments).splitlines()]

    # Sail: each call is a session of its own that knows the table as `t`.

    def sail(self, *statements, columns="", more=""):
        statements = [f"CREATE TABLE t {columns} USING delta LOCATION '{self.location}' {more}", *statements]
        done = subprocess.run(
            [APUS, "sql", "--engine", "profile://sail", "--format", "arrow",
             *(part for statement in statements for part in ("-c", statement))],
            capture_output=True, timeout=120, env=self.place.environment)
        said = done.stderr.decode()
        if done.returncode != 0 and said.startswith("apus sql: conflict"):
            raise Refused(said)
        # Sail picks a version and then looks for a checkpoint: one that is written in between, newer than that version,
        # makes it look for commits from the wrong place on (its LogSegmentResolver). It says so and reads nothing.
        if "Missing commit file: expected version 0" in said:
            raise Refused(said)
        assert done.returncode == 0, said
        found, source = None, pa.BufferReader(done.stdout)
        while source.tell() < len(done.stdout):
            with pa.ipc.open_stream(source) as reader:
                found = reader.read_all()
        return found

    def sail_rows(self):
        found = []
        until_done(lambda: found.append(self.sail("SELECT * FROM t")))
        return found[0].to_pylist()

    # deltalake.

    def deltalake(self, version=None):
        return DeltaTable(self.location, version=version, storage_options=self.options)

    def deltalake_rows(self, version=None):
        return self.deltalake(version).to_pyarrow_table().to_pylist()

    def deltalake_write(self, rows, **settings):
        with refusals():
            write_deltalake(self.location, rows, storage_options=self.options, **settings)

    def deltalake_change(self, body):
        with refusals():
            body(self.deltalake())

    # DuckDB.

    def duckdb(self):
        """A connection that has the table as `t`, and can write it."""
        connection = duckdb_with_delta()
        if self.place.store is not None:
            connection.execute(f"LOAD '{ROOT}/.cache/duckdb/httpfs.duckdb_extension'")
            connection.execute(
                f"CREATE SECRET (TYPE s3, KEY_ID '{ACCESS}', SECRET '{SECRET}', REGION '{REGION}', "
                f"ENDPOINT '{self.place.store.address}', USE_SSL false, URL_STYLE 'path')")
        connection.execute(f"ATTACH '{self.location}' AS t (TYPE delta, READ_WRITE)")
        return connection

    def duckdb_insert(self, connection, query):
        try:
            connection.execute("BEGIN")
            connection.execute(f"INSERT INTO t {query}")
            connection.execute("COMMIT")
        except Exception as error:
            if "TransactionContext" not in str(error):
                connection.execute("ROLLBACK")
            if "commit conflict" in str(error):
                raise Refused(str(error)) from None
            raise

    def duckdb_rows(self, connection):
        return connection.execute(f"SELECT * FROM delta_scan('{self.location}')").to_arrow_table().to_pylist()


class refusals:
    """deltalake's error of a commit that lost against another."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and kind.__name__ == "CommitFailedError":
            raise Refused(str(error)) from None


def until_done(body, times=100):
    """Makes a change, again while others come first; how often it was refused."""
    for refused in range(times):
        try:
            body()
            return refused
        except Refused:
            time.sleep(random.uniform(0, 0.1))
    pytest.fail(f"a change was refused {times} times")


def keys(store):
    return {"AWS_ENDPOINT_URL": store.url, "AWS_ENDPOINT": store.url, "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true"}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder and a bucket, with one Sail that reaches both."""
    store = Objects().start()
    try:
        store.client().create_bucket(Bucket=BUCKET)
        with running_sail(tmp_path_factory.mktemp("sail"), keys(store)) as sail:
            yield {"folder": Place(tmp_path_factory.mktemp("lake"), sail),
                   "bucket": Place(f"s3://{BUCKET}", sail, store)}
        store.stop()
    finally:
        store.clean(keep=False)


@pytest.fixture(params=["folder", "bucket"])
def place(places, request):
    return places[request.param]
