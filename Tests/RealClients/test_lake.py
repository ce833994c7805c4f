# SPDX-License-Identifier: Apache-2.0
"""`apus sql` as others read it: Arrow streams by pyarrow, files by DuckDB outside Apus, and another engine (Sail, by
the Spark driver of ADBC, in a worker process)."""
import contextlib
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time

import pyarrow as pa
import pyarrow.ipc
import pytest

from conftest import APUS, ROOT, wait_for
from sail_fixture import sail  # noqa: F401 (a fixture)

ENVIRONMENT = {**os.environ, "APUS_DUCKDB": os.environ.get("APUS_DUCKDB", str(ROOT / ".cache" / "duckdb"))}
# Long, and of no memory: they must not end before they are cut off, nor take what the machine has until then.
SLOW = "SELECT count(*) FROM range(1000000000000) WHERE hash(range) % 7 = 3"
SLOW_ON_SAIL = "SELECT count(*) FROM range(1000000000000) WHERE id % 7 = 3"


def sql(*arguments, check=True, text=True, environment=None, stdin=None):
    done = subprocess.run([APUS, "sql", *arguments], capture_output=True, timeout=120, input=stdin,
                          env={**ENVIRONMENT, **(environment or {})})
    if check:
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode() if text else done.stdout
    return done


def test_pyarrow_reads_our_streams_of_every_type():
    query = """
        SELECT i::TINYINT AS i8, i AS i64, i::UBIGINT AS u64, i / 3.0 AS f64, i::FLOAT AS f32,
          (i * 1.25)::DECIMAL(20, 4) AS dec, 'text ' || i AS s, encode('b' || i) AS bin, i % 2 = 0 AS b,
          DATE '2026-01-01' + i::INTEGER AS day, TIMESTAMP '2026-01-01' + to_seconds(i) AS ts,
          TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i) AS tz, TIME '01:02:03' AS t,
          to_days(i::INTEGER) AS iv, [i, NULL] AS l, {'a': i, 'b': 'x' || i} AS st, MAP {'k' || i: i} AS m,
          (CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END)::ENUM('even', 'odd') AS e,
          CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS n, NULL AS nothing
        FROM range(100) t(i)"""
    # Over 2,048 rows there are several batches.
    query = query.replace("range(100)", "(SELECT unnest(range(5000)) % 100)")
    ours = pa.ipc.open_stream(sql("-c", query, "--format", "arrow", text=False)).read_all()
    ours.validate(full=True)
    assert ours.num_rows == 5000

    import duckdb
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    theirs = connection.execute(query).to_arrow_table() if hasattr(connection, "to_arrow_table") \
        else connection.execute(query).fetch_arrow_table()
    assert ours.column_names == theirs.column_names
    for name in ours.column_names:
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name


def test_forms_of_output():
    script = b"CREATE TABLE t AS SELECT 1 AS a, NULL AS b; -- a comment; with a semicolon\nSELECT * FROM t"
    assert sql("--format", "csv", stdin=script).endswith("a,b\r\n1,\r\n")
    assert json.loads(sql("--format", "json", stdin=script).splitlines()[-1]) == {"a": 1, "b": None}
    table = sql(stdin=script)
    assert "│ a │    b │" in table and "│ 1 │ NULL │" in table and "(1 row," in table


def test_files_are_shared_with_duckdb_outside_and_others_are_refused(tmp_path):
    target = tmp_path / "numbers.parquet"
    sql("--allow", str(tmp_path), "-c", f"COPY (SELECT i FROM range(1000) t(i)) TO '{target}' (FORMAT parquet)")
    import duckdb
    assert duckdb.sql(f"SELECT count(*), sum(i) FROM '{target}'").fetchall() == [(1000, 499500)]
    for statement in ["SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
                      f"SELECT * FROM '{target}'"]:
        done = sql("-c", statement, check=False)
        assert done.returncode == 1 and b"unauthorized" in done.stderr, (statement, done.stderr)
    done = sql("--time-limit", "0.3", "-c", SLOW, check=False)
    assert done.returncode == 1 and b"timeout" in done.stderr


class Terminal:
    """`apus sql` at a terminal of 200 columns."""

    def __init__(self, home):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execve(APUS, [APUS, "sql"], {**ENVIRONMENT, "HOME": str(home)})
        self.seen = b""

    def send(self, keys):
        os.write(self.terminal, keys)

    def expect(self, text, seconds=60):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                pytest.fail(f"no {text!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.terminal, 65536)
            except OSError:
                pytest.fail(f"ended without {text!r}: {self.seen!r}")
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def end(self):
        status = os.waitpid(self.process, 0)[1]
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def test_the_prompt_has_history_and_cancels(tmp_path):
    terminal = Terminal(tmp_path)
    terminal.expect(b"sql> ")
    terminal.send(b"SELECT 40\r")
    terminal.expect(b"  -> ")
    terminal.send(b"+ 3\x7f2 AS answer;\r")
    terminal.expect("│     42 │".encode())
    terminal.expect(b"sql> ")
    # A mistake is told, and the prompt goes on.
    terminal.send(b"SELECT * FROM nothing;\r")
    terminal.expect(b"notFound")
    terminal.expect(b"sql> ")
    # Up, up: the statement of before, changed at its front.
    terminal.send(b"\x1b[A\x1b[A\x01\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C 100 +\r")
    terminal.expect("│    142 │".encode())
    terminal.expect(b"sql> ")
    terminal.send(SLOW.encode() + b";\r")
    terminal.expect(b"= 3;\r\n")
    # It says how far it is once it runs.
    terminal.expect(b" rows, ")
    terminal.send(b"\x03")
    terminal.expect(b"cancelled")
    terminal.expect(b"sql> ")
    terminal.send(b"\x04")
    assert terminal.end() == 0
    history = tmp_path / ".apus" / "sql-history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.read_text().splitlines()[0] == "SELECT 40 + 2 AS answer;"

    again = Terminal(tmp_path)
    again.expect(b"sql> ")
    again.send(b"\x1b[A\x1b[A\r")
    again.expect("│    142 │".encode())
    # Keys that come before the prompt does are lost.
    again.expect(b"sql> ")
    again.send(b"\x04")
    assert again.end() == 0


def test_another_engine_runs_in_a_worker(sail):  # noqa: F811
    query = """SELECT id, CAST(id AS STRING) AS s, CAST(id AS DECIMAL(10, 2)) AS d, id % 2 = 0 AS b, array(id, NULL) AS l,
        CASE WHEN id % 3 = 0 THEN NULL ELSE id END AS n, timestamp '2026-01-02 03:04:05' AS ts FROM range(3000) ORDER BY id"""
    bytes_ = sql("--engine", "profile://sail", "-c", query, "--format", "arrow", text=False, environment=sail)
    table = pa.ipc.open_stream(bytes_).read_all()
    table.validate(full=True)
    assert table.num_rows == 3000
    assert table["id"].to_pylist() == list(range(3000))
    assert table["s"].to_pylist() == [str(i) for i in range(3000)]
    assert table["n"].to_pylist()[:4] == [None, 1, 2, None]
    assert table["l"].to_pylist()[5] == [5, None]
    named = sql("--engine", "spark", "-o", f"uri=sc://127.0.0.1:{sail['SAIL_PORT']}", "--format", "csv",
                "-c", "SELECT 1 + 1 AS two", environment=sail)
    assert named == "two\r\n2\r\n"


def test_errors_of_another_engine_have_our_codes(sail):  # noqa: F811
    for statement, code in [("SELECT * FROM no_such_table", b"notFound"), ("SELEC 1", b"syntax")]:
        done = sql("--engine", "profile://sail", "-c", statement, check=False, environment=sail)
        assert done.returncode == 1
        assert done.stderr.startswith(b"apus sql: " + code), done.stderr


def test_a_statement_of_another_engine_is_cut_off(sail):  # noqa: F811
    start = time.monotonic()
    done = sql("--engine", "profile://sail", "--time-limit", "1", "-c", SLOW_ON_SAIL, check=False, environment=sail)
    assert done.returncode == 1 and done.stderr.startswith(b"apus sql: timeout"), done.stderr
    assert time.monotonic() - start < 60


def test_a_worker_that_is_killed_is_an_error(sail):  # noqa: F811
    process = subprocess.Popen([APUS, "sql", "--engine", "profile://sail", "-c", SLOW_ON_SAIL], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={**ENVIRONMENT, **sail})

    def worker():
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
            # A thread may end meanwhile.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if found := (task / "children").read_text().split():
                    return int(found[0])
        return None

    pid = wait_for(worker, 30, "the worker")
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"driver" in errors and b"signal 9" in errors, errors


def test_what_is_not_there_is_said():
    done = sql("--engine", "nothing-of-the-kind", "-c", "SELECT 1", check=False)
    assert done.returncode == 1 and b"no driver manifest nothing-of-the-kind.toml" in done.stderr
