# SPDX-License-Identifier: Apache-2.0
"""DuckDB outside Apus, with its iceberg extension, on `apus serve catalog`; beside pyiceberg on the same tables."""
import importlib
import pathlib
import threading

import duckdb
import pyarrow as pa
import pytest

from catalog_fixture import catalog, catalog_that_vends  # noqa: F401


def duckdb_with_iceberg():
    """DuckDB with the extensions of PyPI's packages `duckdb-extension-*`."""
    connection = duckdb.connect()
    for name in ("httpfs", "avro", "iceberg"):
        folder = pathlib.Path(importlib.import_module(f"duckdb_extension_{name}").__file__).parent
        connection.execute(f"LOAD '{folder}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    return connection


def attached(catalog, own_keys=True, options="AUTHORIZATION_TYPE 'none'"):
    connection = duckdb_with_iceberg()
    if own_keys:
        objects = catalog.objects
        connection.execute(
            f"CREATE SECRET s (TYPE s3, KEY_ID '{objects.access}', SECRET '{objects.secret}', "
            f"ENDPOINT '{objects.address}', URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')")
    connection.execute(f"ATTACH 'apus' AS lake (TYPE iceberg, ENDPOINT '{catalog.url}', {options})")
    return connection


@pytest.fixture
def duck(catalog):
    return attached(catalog)


def all_of(connection, query):
    return connection.execute(query).fetchall()


def test_statements_of_one_table(duck, catalog):
    duck.execute("CREATE SCHEMA lake.one")
    duck.execute("CREATE TABLE lake.one.t (id BIGINT, name VARCHAR)")
    duck.execute("INSERT INTO lake.one.t SELECT range, 'r' || range FROM range(10)")
    duck.execute("UPDATE lake.one.t SET name = 'x' WHERE id < 3")
    duck.execute("DELETE FROM lake.one.t WHERE id = 9")
    assert all_of(duck, "SELECT count(*), sum(id), count(*) FILTER (name = 'x') FROM lake.one.t") == [(9, 36, 3)]
    duck.execute("ALTER TABLE lake.one.t ADD COLUMN z DOUBLE")
    duck.execute("CREATE TABLE lake.one.made AS SELECT 1 AS a, DATE '2024-01-01' AS b")
    assert all_of(attached(catalog), "SELECT a, b::VARCHAR FROM lake.one.made") == [(1, "2024-01-01")]
    # pyiceberg reads what DuckDB wrote, delete files too.
    found = catalog.pyiceberg().load_table("one.t").scan().to_arrow().sort_by("id").to_pylist()
    assert [(row["id"], row["name"], row["z"]) for row in found] == [
        (id, "x" if id < 3 else f"r{id}", None) for id in range(9)]
    duck.execute("DROP TABLE lake.one.made")
    duck.execute("DROP TABLE lake.one.t")
    duck.execute("DROP SCHEMA lake.one")
    assert ("one",) not in catalog.pyiceberg().list_namespaces()


def test_transactions_over_two_tables(duck, catalog):
    duck.execute("CREATE SCHEMA lake.two")
    duck.execute("CREATE TABLE lake.two.a (id BIGINT)")
    duck.execute("CREATE TABLE lake.two.b (id BIGINT)")
    other = attached(catalog)
    duck.execute("BEGIN")
    duck.execute("INSERT INTO lake.two.a VALUES (1)")
    duck.execute("INSERT INTO lake.two.b VALUES (1)")
    assert all_of(other, "SELECT (SELECT count(*) FROM lake.two.a), (SELECT count(*) FROM lake.two.b)") == [(0, 0)]
    duck.execute("COMMIT")
    assert all_of(other, "SELECT (SELECT count(*) FROM lake.two.a), (SELECT count(*) FROM lake.two.b)") == [(1, 1)]
    duck.execute("BEGIN")
    duck.execute("INSERT INTO lake.two.a VALUES (2)")
    duck.execute("ROLLBACK")
    # One of the two tables was changed by another: the transaction fails as a whole.
    duck.execute("BEGIN")
    duck.execute("INSERT INTO lake.two.a VALUES (3)")
    duck.execute("INSERT INTO lake.two.b VALUES (3)")
    other.execute("INSERT INTO lake.two.b VALUES (4)")
    with pytest.raises(duckdb.Error, match="expected to be|409|Conflict"):
        duck.execute("COMMIT")
    fresh = attached(catalog)
    assert all_of(fresh, "SELECT id FROM lake.two.a") == [(1,)]
    assert all_of(fresh, "SELECT id FROM lake.two.b ORDER BY id") == [(1,), (4,)]


def test_what_pyiceberg_wrote(duck, catalog):
    iceberg = catalog.pyiceberg()
    iceberg.create_namespace("three")
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.transforms import IdentityTransform
    from pyiceberg.types import LongType, NestedField, StringType
    table = iceberg.create_table(
        "three.t", Schema(NestedField(1, "id", LongType()), NestedField(2, "p", StringType())),
        partition_spec=PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "p")))
    table.append(pa.table({"id": [1, 2, 3], "p": ["a", "b", "a"]}))
    table.append(pa.table({"id": [4], "p": ["c"]}))
    assert all_of(duck, "SELECT p, sum(id)::BIGINT FROM lake.three.t GROUP BY p ORDER BY p") == [
        ("a", 4), ("b", 2), ("c", 4)]
    first = iceberg.load_table("three.t").metadata.snapshots[0].snapshot_id
    assert all_of(duck, f"SELECT count(*) FROM lake.three.t AT (VERSION => {first})") == [(3,)]


def test_rows_with_numbers(duck, catalog):
    """Version 3 of the format: row lineage and deletion vectors."""
    duck.execute("CREATE SCHEMA lake.four")
    duck.execute("CREATE TABLE lake.four.t (id BIGINT) WITH ('format-version'='3')")
    duck.execute("INSERT INTO lake.four.t SELECT range FROM range(10)")
    duck.execute("DELETE FROM lake.four.t WHERE id < 4")
    duck.execute("INSERT INTO lake.four.t VALUES (100)")
    assert all_of(attached(catalog), "SELECT count(*), sum(id) FROM lake.four.t") == [(7, 139)]
    status, body = catalog.call("GET", "/v1/namespaces/four/tables/t")
    assert status == 200 and body["metadata"]["format-version"] == 3 and body["metadata"]["next-row-id"] >= 11


def test_both_append_at_the_same_time(duck, catalog):
    duck.execute("CREATE SCHEMA lake.five")
    duck.execute("CREATE TABLE lake.five.t (who VARCHAR, n BIGINT)")
    failures = []

    def theirs():
        try:
            mine, done = attached(catalog), 0
            while done < 6:
                try:
                    mine.execute(f"INSERT INTO lake.five.t VALUES ('duckdb', {done})")
                    done += 1
                except duckdb.Error as error:  # It does not try again by itself.
                    if "expected to be" not in str(error):
                        raise
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=theirs)
    thread.start()
    table = catalog.pyiceberg().load_table("five.t")
    for number in range(6):
        append_until_done(table, pa.table({"who": ["pyiceberg"], "n": pa.array([number], pa.int64())}))
    thread.join(120)
    assert not failures, failures
    rows = all_of(attached(catalog), "SELECT who, n FROM lake.five.t ORDER BY who, n")
    assert rows == [(who, n) for who in ("duckdb", "pyiceberg") for n in range(6)]


def append_until_done(table, rows):
    from pyiceberg.exceptions import CommitFailedException
    while True:
        try:
            table.append(rows)
            return
        except CommitFailedException:
            table.refresh()


def test_keys_from_the_catalog(catalog_that_vends):
    """DuckDB and pyiceberg with a token of the catalog and no keys of the bucket."""
    catalog = catalog_that_vends
    duck = duckdb_with_iceberg()
    duck.execute(f"CREATE SECRET c (TYPE iceberg, CLIENT_ID 'alice', CLIENT_SECRET '{catalog.token}', "
                 f"OAUTH2_SERVER_URI '{catalog.url}/v1/oauth/tokens')")
    duck.execute(f"ATTACH 'apus' AS lake (TYPE iceberg, ENDPOINT '{catalog.url}', SECRET c)")
    duck.execute("CREATE SCHEMA lake.n")
    duck.execute("CREATE TABLE lake.n.t AS SELECT 7 AS id")
    from pyiceberg.catalog import load_catalog
    for settings in ({"token": catalog.token}, {"credential": f"alice:{catalog.token}"}):
        iceberg = load_catalog("apus", type="rest", uri=catalog.url, **settings)
        assert iceberg.load_table("n.t").scan().to_arrow().to_pylist() == [{"id": 7}]
    status, body = catalog.call("GET", "/v1/namespaces/n/tables/t/credentials",
                                headers={"Authorization": f"Bearer {catalog.token}"})
    assert body["storage-credentials"][0]["config"]["s3.access-key-id"] == catalog.objects.access
    # Who does not ask for keys gets none; who has no token gets nothing.
    status, body = catalog.call("GET", "/v1/namespaces/n/tables/t",
                                headers={"Authorization": f"Bearer {catalog.token}"})
    assert status == 200 and "storage-credentials" not in body and "s3.secret-access-key" not in body["config"]
    assert catalog.call("GET", "/v1/namespaces/n/tables/t")[0] == 401
