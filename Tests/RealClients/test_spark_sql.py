# SPDX-License-Identifier: Apache-2.0
"""SQL on Apache Spark: the portable subset, types, errors, cancellation, a server that is killed. `make test-spark`."""
import datetime
import decimal
import math
import signal
import time

import pytest

from spark_fixture import run, spark, spark_server, table_of, types  # noqa: F401 (fixtures)
from test_portable_sql import EVENTS, QUERIES

pytestmark = pytest.mark.spark

SLOW = "SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000000) b WHERE a.id % 7 = b.id % 3"


@pytest.mark.parametrize("name", QUERIES)
def test_the_portable_subset_is_the_same_on_spark(name, spark):  # noqa: F811
    ours = spark.duckdb(EVENTS + QUERIES[name])
    theirs = spark.rows(EVENTS + QUERIES[name])
    assert ours.num_rows > 0, "a query without rows compares nothing"
    assert types(ours) == types(theirs)
    assert ours.to_pylist() == theirs.to_pylist()


def test_values_of_every_type(spark):  # noqa: F811
    [row] = spark.rows("""SELECT CAST(-7 AS TINYINT) AS i8, CAST(-300 AS SMALLINT) AS i16, 70000 AS i32,
        9223372036854775807 AS i64, CAST('1.5' AS FLOAT) AS f32, CAST('0.1' AS DOUBLE) AS f64,
        CAST('NaN' AS DOUBLE) AS nan, CAST('-Infinity' AS DOUBLE) AS inf,
        CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS dec, CAST(-1.5 AS DECIMAL(5, 2)) AS small,
        'grün ' || CHR(10) || '🦆' AS s, CAST('' AS STRING) AS empty, X'00FF10' AS bin, true AS yes,
        DATE '1582-10-15' AS early, DATE '9999-12-31' AS late, TIMESTAMP '2026-01-02 03:04:05.123456+02:00' AS ts,
        TIMESTAMP_NTZ '2026-01-02 03:04:05.123456' AS ntz, ARRAY(1, NULL, 3) AS l, ARRAY(ARRAY(1), NULL, ARRAY()) AS ll,
        MAP('a', 1, 'b', NULL) AS m, NAMED_STRUCT('x', 1, 'y', NAMED_STRUCT('z', ARRAY('q'))) AS st,
        CAST(NULL AS BIGINT) AS none, NULL AS nothing""").to_pylist()
    assert math.isnan(row.pop("nan"))
    zone = datetime.timezone.utc
    assert row == {
        "i8": -7, "i16": -300, "i32": 70000, "i64": 2**63 - 1, "f32": 1.5, "f64": 0.1, "inf": -math.inf,
        "dec": decimal.Decimal("12345678901234567890.123456789"), "small": decimal.Decimal("-1.50"),
        "s": "grün \n🦆", "empty": "", "bin": b"\x00\xff\x10", "yes": True, "early": datetime.date(1582, 10, 15),
        "late": datetime.date(9999, 12, 31), "ts": datetime.datetime(2026, 1, 2, 1, 4, 5, 123456, zone),
        "ntz": datetime.datetime(2026, 1, 2, 3, 4, 5, 123456), "l": [1, None, 3], "ll": [[1], None, []],
        "m": [("a", 1), ("b", None)], "st": {"x": 1, "y": {"z": ["q"]}}, "none": None, "nothing": None}


def test_types_are_the_same_on_both_engines(spark):  # noqa: F811
    query = """SELECT CAST(1 AS TINYINT) AS i8, CAST(1 AS SMALLINT) AS i16, CAST(1 AS INT) AS i32, CAST(1 AS BIGINT) AS i64,
        CAST(1 AS FLOAT) AS f32, CAST(1 AS DOUBLE) AS f64, CAST(1 AS DECIMAL(12, 3)) AS dec, CAST('x' AS STRING) AS s,
        CAST('2026-01-02' AS DATE) AS d, 1 = 1 AS b, COUNT(*) AS n, AVG(CAST(2 AS DOUBLE)) AS mean,
        CAST(SUM(CAST(3 AS INT)) AS BIGINT) AS total, MAX(CAST(NULL AS INT)) AS none"""
    ours, theirs = spark.duckdb(query), spark.rows(query)
    assert types(ours) == types(theirs)
    assert ours.to_pylist() == theirs.to_pylist()


# What means different things without the preludes (docs/lake.md).
WITH_PRELUDE = {
    "nulls have their place": "SELECT r FROM (VALUES (2), (NULL), (1)) AS v(r) ORDER BY r",
    "and from the other end": "SELECT r FROM (VALUES (2), (NULL), (1)) AS v(r) ORDER BY r DESC",
    "names in quotes": 'SELECT "a b" + 1 AS "c d" FROM (SELECT 1 AS "a b") AS t',
    "backslashes in texts": r"SELECT 'a\nb' AS s, '\d' AS t, CAST(LENGTH('a\nb') AS BIGINT) AS n",
    "days of the week": "SELECT DAYOFWEEK(DATE '2026-11-26') AS a, WEEKDAY(DATE '2026-11-26') AS b, DAYOFWEEK(DATE '2026-11-29') AS c",
    "logarithms": "SELECT LOG(CAST(1 AS DOUBLE)) AS a, LOG(CAST(2 AS DOUBLE), CAST(8 AS DOUBLE)) AS b",
    "texts with NULL": """SELECT CONCAT(a, b) AS two, CONCAT(a, 'and', b) AS three
        FROM (SELECT 'x' AS a, CAST(s AS STRING) AS b FROM (VALUES ('y'), (NULL)) AS v(s)) AS t ORDER BY b""",
    "all that match": r"SELECT REGEXP_REPLACE('a1b22', '\d', 'x') AS s",
    "lists": "SELECT COLLECT_LIST(r) AS l FROM (SELECT * FROM (VALUES (1), (NULL), (2)) AS v(r)) AS t",
}


@pytest.mark.parametrize("name", WITH_PRELUDE)
def test_preludes_make_both_mean_the_same(name, spark):  # noqa: F811
    ours = table_of(run(["--portable", "--format", "arrow"], [WITH_PRELUDE[name]], spark.environment, True).stdout)
    theirs = table_of(spark.sql(WITH_PRELUDE[name], arguments=["--portable", "--format", "arrow"]).stdout)
    assert types(ours) == types(theirs)
    assert ours.to_pylist() == theirs.to_pylist() and ours.num_rows > 0


def test_many_rows_come_through(spark):  # noqa: F811
    table = spark.rows("SELECT id, CAST(id AS STRING) AS s, CASE WHEN id % 3 = 0 THEN NULL ELSE id END AS n FROM range(200000)")
    assert table.num_rows == 200000
    assert sorted(table["id"].to_pylist()) == list(range(200000))
    assert table["n"].null_count == 66667
    assert all(row["s"] == str(row["id"]) for row in table.slice(0, 1000).to_pylist())


@pytest.mark.parametrize("statement, code, state", [
    ("SELEC 1", "syntax", "42601"),
    ("SELECT * FROM no_such_table", "notFound", "42P01"),
    ("SELECT nothing FROM range(1)", "notFound", "42703"),
    ("SELECT no_such_function(1)", "notFound", "42883"),
    ("SELECT 1 / 0", "invalidData", "22012"),
    ("SELECT id / (id - id) FROM range(10)", "invalidData", "22012"),
    ("SELECT CAST('x' AS INT)", "invalidData", "22018"),
    ("SELECT CAST(2147483647 AS INT) + CAST(1 AS INT)", "invalidData", "22003"),
    ("SELECT a, COUNT(*) FROM (SELECT 1 AS a, 2 AS b) GROUP BY b", "syntax", "42803"),
    ("SELECT * FROM parquet.`/no/such/file.parquet`", "notFound", "42K03"),
    ("CREATE DATABASE default", "alreadyExists", "42P06"),
    ("SELECT raise_error('mine')", "invalidData", "P0001"),
    ("SELECT (SELECT id FROM range(3)) AS one", "invalidData", "21000"),
    ("SELECT * FROM parquet.`/etc/hostname`", "io", "58030"),
])
def test_errors_have_our_codes_and_their_states(statement, code, state, spark):  # noqa: F811
    done = spark.sql(statement, check=False)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said.startswith(f"apus sql: {code} [{state}]: "), said


def test_a_statement_that_takes_too_long_is_cut_off_and_the_server_goes_on(spark):  # noqa: F811
    start = time.monotonic()
    done = spark.sql(SLOW, arguments=["--time-limit", "1.5"], check=False)
    assert done.returncode == 1 and done.stderr.startswith(b"apus sql: timeout"), done.stderr
    assert time.monotonic() - start < 20
    # Its two threads are free again.
    assert spark.rows("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM range(10)").to_pylist() == [{"n": 10}]


def test_a_statement_that_is_cancelled(spark):  # noqa: F811
    process = spark.popen(SLOW)
    time.sleep(2.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert spark.rows("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM range(10)").to_pylist() == [{"n": 10}]


def test_a_server_that_is_killed_or_missing_is_an_error(spark):  # noqa: F811
    process = spark.popen(SLOW)
    time.sleep(2.5)
    assert process.poll() is None
    spark.kill()
    start = time.monotonic()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and said.startswith("apus sql: io"), said
    assert time.monotonic() - start < 60
    done = spark.sql("SELECT 1", check=False)
    assert done.returncode == 1 and done.stderr.startswith(b"apus sql: io"), done.stderr
