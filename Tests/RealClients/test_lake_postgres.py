# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as an engine of `apus sql`: Debian's server, PyPI's driver of ADBC in a worker process."""
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import time

import pyarrow.ipc
import pytest

from conftest import APUS, wait_for
from postgres_fixture import PASSWORD, Postgres


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    server = Postgres()
    folder = tmp_path_factory.mktemp("drivers")
    library = pathlib.Path(importlib.util.find_spec("adbc_driver_postgresql").origin).with_name(
        "libadbc_driver_postgresql.so")
    (folder / "postgresql.toml").write_text(
        f'manifest_version = 1\nname = "PostgreSQL"\n[Driver.shared]\nlinux_amd64 = "{library}"\n')
    (folder / "warehouse.toml").write_text(
        'profile_version = 1\ndriver = "postgresql"\n[Options]\n'
        f'uri = "postgresql://apus:{{{{ env_var(WAREHOUSE_PASSWORD) }}}}@127.0.0.1:{server.port}/postgres"\n')
    server.environment = {**os.environ, "ADBC_DRIVER_PATH": str(folder), "ADBC_PROFILE_PATH": str(folder),
                          "WAREHOUSE_PASSWORD": PASSWORD}
    yield server
    server.remove()


def sql(postgres, *arguments, engine="profile://warehouse", check=True, text=True):
    done = subprocess.run([APUS, "sql", "--engine", engine, *arguments], capture_output=True, timeout=120,
                          env=postgres.environment)
    if not check:
        return done
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() if text else done.stdout


def test_types_and_rows(postgres):
    query = """
        SELECT i::smallint AS i16, i::int AS i32, i::bigint AS i64, (i / 3.0)::float8 AS f64, i::real AS f32,
          i % 2 = 0 AS even, 'text ' || i AS s, decode('00ff', 'hex') AS bin, DATE '2026-01-01' + i AS day,
          TIMESTAMP '2026-01-01 12:00:00' AS ts, TIMESTAMPTZ '2026-01-01 12:00:00+02' AS tz,
          CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS n, ARRAY[i, NULL] AS l
        FROM generate_series(0, 9999) AS t(i) ORDER BY i"""
    table = pyarrow.ipc.open_stream(sql(postgres, "-c", query, "--format", "arrow", text=False)).read_all()
    table.validate(full=True)
    assert table.num_rows == 10000
    row = table.slice(6, 1).to_pylist()[0]
    assert (row["i16"], row["i64"], row["f64"], row["even"], row["s"]) == (6, 6, 2.0, True, "text 6")
    assert row["bin"] == b"\x00\xff" and row["n"] is None and row["l"] == [6, None]
    assert str(row["day"]) == "2026-01-07" and row["tz"].isoformat() == "2026-01-01T10:00:00+00:00"


def test_tables_are_kept(postgres):
    sql(postgres, "-c", "CREATE TABLE ratings (person int, movie int, rating real, PRIMARY KEY (person, movie))")
    sql(postgres, "-c", "INSERT INTO ratings SELECT i % 100, i / 100, (i % 5) + 1 FROM generate_series(0, 4999) AS t(i)")
    lines = sql(postgres, "--format", "json", "-c",
                "SELECT count(*) AS n, count(DISTINCT person) AS people, sum(rating)::bigint AS stars FROM ratings")
    assert json.loads(lines) == {"n": 5000, "people": 100, "stars": 15000}


@pytest.mark.parametrize("statement, code, state", [
    ("SELECT * FROM nothing_of_the_kind", "notFound", "42P01"),
    ("SELECT nothing FROM pg_class", "notFound", "42703"),
    ("SELEC 1", "syntax", "42601"),
    ("SELECT 1 / 0", "invalidData", "22012"),
    ("SELECT CAST('x' AS int)", "invalidData", "22P02"),
    ("CREATE TABLE pg_temp.t (i int); CREATE TABLE pg_temp.t (i int)", "alreadyExists", "42P07"),
    ("INSERT INTO taken VALUES (1)", "integrity", "23505"),
])
def test_errors_have_our_codes(postgres, statement, code, state):
    sql(postgres, "-c", "CREATE TABLE IF NOT EXISTS taken (i int PRIMARY KEY); INSERT INTO taken VALUES (1) "
        "ON CONFLICT DO NOTHING")
    done = sql(postgres, "-c", statement, check=False)
    assert done.returncode == 1 and f"{code} [{state}]" in done.stderr.decode(), done.stderr


def test_wrong_passwords_and_absent_servers(postgres):
    done = sql(postgres, "-o", "uri=" + postgres.uri(password="wrong"), "-c", "SELECT 1", engine="postgresql", check=False)
    assert done.returncode == 1 and b"password authentication failed" in done.stderr and b"wrong" not in done.stderr
    done = sql(postgres, "-o", "uri=postgresql://apus:x@127.0.0.1:1/postgres", "-c", "SELECT 1", engine="postgresql",
               check=False)
    assert done.returncode == 1 and b"onnection refused" in done.stderr, done.stderr


def test_long_statements_are_cut_off(postgres):
    start = time.monotonic()
    done = sql(postgres, "--time-limit", "0.5", "-c", "SELECT pg_sleep(60)", check=False)
    assert done.returncode == 1 and b"timeout" in done.stderr, done.stderr
    assert time.monotonic() - start < 50


def test_a_server_that_dies_is_an_error(postgres):
    # Another than above, which the server may be at still.
    process = subprocess.Popen([APUS, "sql", "--engine", "profile://warehouse", "-c", "SELECT pg_sleep(600)"],
                               stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=postgres.environment)
    # The driver reads by COPY (statement) TO STDOUT.
    busy = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
    wait_for(lambda: json.loads(sql(postgres, "--format", "json", "-c", busy))["n"] == 1, 20, "the statement")
    postgres.stop(signal.SIGQUIT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1 and said.startswith(b"apus sql: "), said
    postgres.start()
    assert sql(postgres, "--format", "csv", "-c", "SELECT 1 AS one").split() == ["one", "1"]
