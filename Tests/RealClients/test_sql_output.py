# SPDX-License-Identifier: Apache-2.0
"""Where `apus sql` writes: Parquet as pyarrow reads it, files that are whole or not there, progress on a terminal."""
import io
import os
import pty
import subprocess
import time

import pyarrow.parquet as parquet

from conftest import APUS
from test_lake import sail, sql  # noqa: F401 (a fixture)


def test_parquet_to_standard_output_and_to_a_file(tmp_path):
    query = "SELECT range AS i, 'x' || range AS s, [range] AS l, range::DECIMAL(9, 2) AS d, now() AS t FROM range(100000) -- all"
    table = parquet.read_table(io.BytesIO(sql("--format", "parquet", "-c", query, text=False)))
    assert table.num_rows == 100000 and table.schema.names == ["i", "s", "l", "d", "t"]
    file = tmp_path / "out.parquet"
    sql("--format", "parquet", "--output", str(file), "-c", "CREATE TABLE t AS SELECT 7 AS x", "-c", "FROM t")
    assert parquet.read_table(file).to_pylist() == [{"x": 7}]
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_whole_or_not_there(tmp_path):
    query = "SELECT CASE WHEN range < 900000 THEN range ELSE error('boo') END AS i FROM range(1000000)"
    for form in ("parquet", "csv", "arrow", "json"):
        for _ in range(10):
            failed = sql("--format", form, "--output", str(tmp_path / "out"), "-c", query, check=False)
            assert failed.returncode == 1
            if b"DuckDB lost the reason" not in failed.stderr:  # which it may, more than once
                break
        assert b"boo" in failed.stderr
    two = sql("--format", "parquet", "--output", str(tmp_path / "out"), "-c", "SELECT 1", "-c", "SELECT 2", check=False)
    assert two.returncode == 1 and b"one result" in two.stderr
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").write_text("old")
    sql("--format", "csv", "--output", str(tmp_path / "out"), "-c", "SELECT 1 AS x")
    assert (tmp_path / "out").read_bytes() == b"x\r\n1\r\n"
    gone = sql("--output", str(tmp_path / "no" / "out"), "-c", "SELECT 1", check=False)
    assert gone.returncode == 1 and b"No such file" in gone.stderr


def test_parquet_of_another_engine(sail):  # noqa: F811
    query = "SELECT id, CAST(id AS STRING) AS s, CASE WHEN id % 3 = 0 THEN NULL ELSE id END AS n FROM range(3000) ORDER BY id"
    table = parquet.read_table(io.BytesIO(
        sql("--engine", "profile://sail", "--format", "parquet", "-c", query, text=False, environment=sail)))
    assert table.num_rows == 3000 and table["n"].to_pylist()[:4] == [None, 1, 2, None]


def test_progress_is_for_terminals():
    # One step after the other, as many as take a second or more on this machine.
    said, steps = b"", 20_000
    while b"rows, " not in said:
        assert steps < 50_000_000, said
        query = (f"WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < {steps}) "
                 "SELECT max(x) AS x FROM r")
        ours, theirs = pty.openpty()
        started = time.monotonic()
        done = subprocess.run([APUS, "sql", "--format", "csv", "-c", query], stdout=subprocess.PIPE, stderr=theirs, timeout=300)
        took = time.monotonic() - started
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:
            pass
        os.close(ours)
        assert done.stdout == b"x\r\n%d\r\n" % steps
        assert said or took < 30, "a statement of 30 s and no progress"
        steps *= 4
    assert said.endswith(b"\x1b[K")
    quiet = sql("--format", "csv", "-c", query, check=False)
    assert quiet.stderr == b"" and quiet.returncode == 0
