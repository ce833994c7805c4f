# SPDX-License-Identifier: Apache-2.0
"""`apus serve sql` with the clients that people have: curl, pyarrow, pandas, DuckDB, clients that are slow, killed or
hostile."""
import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest
from deltalake import write_deltalake

from conftest import APUS, wait_for
from objects_fixture import Objects
from sql_fixture import SQLServer


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    root = tmp_path_factory.mktemp("lake")
    write_deltalake(str(root / "ratings"), pa.table({
        "id": pa.array([1, 2, 3], pa.int64()), "stars": [4.0, None, 1.5], "who": ["a", "b", "ü\t\"x\""]}))
    write_deltalake(str(root / "ratings"), pa.table({
        "id": pa.array([4], pa.int64()), "stars": [5.0], "who": ["d"]}), mode="append")
    write_deltalake(str(root / "sales" / "orders"), pa.table({"id": pa.array([4], pa.int64()), "what": ["tea"]}))
    (root / "secret.csv").write_text("a\nsecret\n")
    return root


@pytest.fixture(scope="module")
def server(lake):
    server = SQLServer("--lake", lake, "--time-limit", "20", "--memory-limit", "256").start()
    yield server
    server.stop()


def curl(server, *arguments):
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, timeout=60).stdout.decode()


# What people type.

def test_curl_as_for_clickhouse(server):
    assert curl(server, server.url + "/", "--data", "SELECT 1") == "1\n"
    assert curl(server, server.url + "/ping") == "Ok.\n" == curl(server, server.url + "/")
    assert curl(server, f"{server.url}/?query=SELECT+1%2B1+AS+x&default_format=JSONEachRow") == '{"x":2}\n'
    assert curl(server, "-G", server.url, "--data-urlencode", "query=SELECT id, who FROM ratings ORDER BY id DESC") == \
        '4\td\n3\tü\\t"x"\n2\tb\n1\ta\n'
    assert curl(server, server.url, "--data", "SELECT id, stars FROM ratings ORDER BY id FORMAT CSVWithNames") == \
        "id,stars\r\n1,4.0\r\n2,\r\n3,1.5\r\n4,5.0\r\n"
    assert curl(server, server.url, "--data", "SELECT NULL, 'a\nb'") == "\\N\ta\\nb\n"
    document = json.loads(curl(server, f"{server.url}/?default_format=JSON", "--data", "SELECT count(*) AS n FROM ratings"))
    assert document["data"] == [{"n": 4}] and document["rows"] == 1 and document["meta"][0]["name"] == "n"
    empty = json.loads(curl(server, f"{server.url}/?default_format=JSON", "--data", "SELECT 1 AS x WHERE false"))
    assert empty["data"] == [] and empty["rows"] == 0
    assert curl(server, f"{server.url}/?param_who=d", "--data", "SELECT id FROM ratings WHERE who = $who") == "4\n"


def test_arrow_streams_and_files(server):
    request = urllib.request.Request(
        server.url + "/v1/sql", headers={"accept": "application/vnd.apache.arrow.stream"},
        data=b"SELECT r.*, [id] AS l, {'a': id} AS s, id::DECIMAL(9, 2) AS d, now() AS t FROM ratings r, range(3000)")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
        batches = [batch for batch in pa.ipc.open_stream(answer)]
    table = pa.Table.from_batches(batches)
    assert table.num_rows == 12000 and len(batches) > 3
    assert table.schema.field("d").type == pa.decimal128(9, 2)
    table.validate(full=True)
    _, _, body = server.post("SELECT id FROM ratings, range(3000) FORMAT Arrow")
    file = pa.ipc.open_file(io.BytesIO(body))
    assert file.num_record_batches > 3 and file.read_all().num_rows == 12000
    _, _, body = server.post("SELECT id FROM ratings WHERE false FORMAT Arrow")
    assert pa.ipc.open_file(io.BytesIO(body)).read_all().num_rows == 0


def test_parquet_files(server):
    def parquet(sql, **settings):
        status, headers, body = server.post(sql, **settings)
        assert status == 200 and headers["Content-Type"] == "application/vnd.apache.parquet", body
        return pyarrow.parquet.ParquetFile(io.BytesIO(body))

    accept = {"accept": "application/vnd.apache.parquet"}
    file = parquet(
        "SELECT r.*, [id] AS l, {'a': id} AS s, id::DECIMAL(9, 2) AS d, now() AS t FROM ratings r, range(100000) "
        "ORDER BY id DESC;", headers=accept)
    table = file.read()
    assert file.num_row_groups > 1 and table.num_rows == 400_000
    assert table.column("id").to_pylist() == sorted(table.column("id").to_pylist(), reverse=True)
    assert table.schema.field("d").type == pa.decimal128(9, 2) and table.column("l")[0].as_py() == [4]
    table.validate(full=True)
    assert parquet("SELECT id, who FROM ratings WHERE id > 2 ORDER BY id FORMAT Parquet").read().to_pylist() == [
        {"id": 3, "who": 'ü\t"x"'}, {"id": 4, "who": "d"}]
    assert parquet({"sql": "SELECT $a AS a, ? AS b -- ends".replace("?", "$b"), "parameters": {"b": "x' --", "a": 1},
                    "format": "parquet"}).read().to_pylist() == [{"a": 1, "b": "x' --"}]
    assert parquet("SELECT id FROM ratings WHERE false FORMAT Parquet").read().to_pydict() == {"id": []}
    assert parquet("SHOW TABLES", headers=accept).read().to_pydict() == {"name": ["ratings", "sales.orders"]}
    assert parquet("DESCRIBE ratings", headers=accept).read().column("column_name").to_pylist() == ["id", "stars", "who"]
    got = subprocess.run(["curl", "-sS", server.url, "--data", "FROM range(7) FORMAT Parquet"], capture_output=True, timeout=60)
    assert pyarrow.parquet.read_table(io.BytesIO(got.stdout)).num_rows == 7
    # Mistakes have their status, also those that show while the statement runs.
    for sql, status, code in [
            ("SELECT error('boo')", 400, "invalidArgument"), ("SELECT * FROM nothing", 404, "notFound"), ("SELEC 1", 400, "syntax"),
            ("FROM '{lake}/secret.csv'", 404, "notFound"), ("SELECT 1) TO '/tmp/x' --", 400, "syntax"),
            ("COPY (SELECT 1) TO '/tmp/apus-out.parquet'", 403, "unauthorized")]:
        found, error = server.fault(sql, headers=accept)
        assert (found, error["code"]) == (status, code), (sql, error)
    # One that shows later, or too many rows or bytes, leaves the body without its end, and the server as it was.
    many = "SELECT CASE WHEN range < 900000 THEN range ELSE error('boo') END AS i FROM range(1000000)"
    for request in [{"sql": many}, {"sql": "FROM range(9000000)", "limits": {"bytes": 1 << 20}},
                    {"sql": "FROM range(9000000)", "limits": {"rows": 1000000}}]:
        with pytest.raises(http.client.IncompleteRead):
            server.post({**request, "format": "parquet"})
    assert server.fault({"sql": "FROM range(20)", "limits": {"rows": 10}, "format": "parquet"})[0] == 413
    # A client that goes away ends the statement.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/sql", "SELECT random() AS r FROM range(2000000000) FORMAT Parquet")
    connection.getresponse().read(1 << 16)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    wait_for(lambda: server.metrics()["apus_sql_statements_running"] == 0, 15, "the statement goes on")
    assert server.rows("SELECT 1 AS x") == [{"x": 1}]
    owners = set()
    for folder in pathlib.Path(server.environment.get("TMPDIR", "/tmp")).iterdir():
        if folder.name.startswith("apus-sql-"):
            # What belongs to statements that are ending goes meanwhile.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for name in os.listdir(folder):
                    with contextlib.suppress(FileNotFoundError):
                        owners |= {(folder / name).stat().st_uid} if name.endswith(".parquet") else set()
    assert owners <= {os.getuid()}


def test_pandas_pyarrow_and_duckdb_read_the_rows(server, tmp_path):
    pandas = pytest.importorskip("pandas")
    _, headers, body = server.post("SELECT id, stars, who FROM ratings ORDER BY id")
    assert headers["Content-Type"] == "application/x-ndjson"
    frame = pandas.read_json(io.BytesIO(body), lines=True)
    assert list(frame.id) == [1, 2, 3, 4] and frame.stars.isna().sum() == 1
    rows = tmp_path / "rows.json"
    rows.write_bytes(body)
    assert duckdb.sql(f"SELECT sum(id), max(who) FROM read_json('{rows}')").fetchall() == [(10, 'ü\t"x"')]
    _, _, body = server.post("SELECT * FROM ratings ORDER BY id", headers={"accept": "text/csv"})
    assert pyarrow.csv.read_csv(io.BytesIO(body)).column("who").to_pylist() == ["a", "b", 'ü\t"x"', "d"]


def test_names_versions_and_parameters(server):
    assert server.rows("SHOW TABLES") == [{"name": "ratings"}, {"name": "sales.orders"}]
    assert server.rows("SELECT what, stars FROM ratings JOIN sales.orders USING (id)") == [{"what": "tea", "stars": 5}]
    assert server.rows('SELECT count(*) AS n FROM "ratings@v0"') == [{"n": 3}]
    assert server.rows({"sql": "SELECT ? AS a, ? AS b, ? AS c, ? AS d", "parameters": ["x' --", None, True, 1.5]}) == [
        {"a": "x' --", "b": None, "c": True, "d": 1.5}]
    assert server.rows({"sql": "SELECT id FROM ratings WHERE id > $low AND who < $high ORDER BY id",
                        "parameters": {"high": "c", "low": 1}, "limits": {"seconds": 20}}) == [{"id": 2}]
    for parameters in ([], [1, 2], {"b": 1}, None):
        status, error = server.fault({"sql": "SELECT $a", "parameters": parameters})
        assert (status, error["code"]) == (400, "invalidArgument")


def test_errors_have_a_form(server):
    for sql, status, code in [
            ("SELEC 1", 400, "syntax"), ("SELECT nothing FROM ratings", 400, "notFound"), ("SELECT * FROM nothing", 404, "notFound"),
            ("SELECT 'x'::INT", 400, "invalidData"), ("SELECT error('boo')", 400, "invalidArgument"), ("", 400, "invalidArgument"),
            ("SELECT 1; SELECT 2", 400, "syntax"), ('FROM "ratings@v9"', 404, "notFound"),
            ({"sql": "SELECT 1", "engine": "spark"}, 404, "notFound"), ({"sql": "SELECT 1", "wrong": 1}, 400, "invalidArgument")]:
        found, error = server.fault(sql)
        assert (found, error["code"]) == (status, code), (sql, error)
        assert error["message"]
    assert server.fault("SELECT 1 +\nFROM x")[1]["position"] == 11
    assert server.fault("SELECT 1", path="/v2")[0] == 404
    assert server.fault("SELECT '" + "x" * 300_000 + "'")[0] == 413
    assert server.fault("SELECT 1", headers={"accept": "image/png"})[0] == 406
    # An answer that has begun: the last line says it, and the body has no end.
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        sql = b"SELECT CASE WHEN range < 500000 THEN range ELSE error('boo') END AS i FROM range(1000000)"
        raw.sendall(b"POST /v1/sql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(sql), sql))
        got = b""
        while part := raw.recv(65536):
            got += part
    # DuckDB sometimes tells of the thread that it stopped because of the error, and not of the error.
    assert b'"error"' in got[-400:] and (b"boo" in got[-400:] or b"lost the reason" in got[-400:])
    assert b"200 OK" in got.split(b"\r\n")[0] and not got.endswith(b"\r\n0\r\n\r\n")


# What it does not do.

@pytest.mark.parametrize("sql", [
    "COPY (SELECT 1) TO '/tmp/apus-out.csv'", "CREATE TABLE t AS SELECT 1", "CREATE TEMP VIEW v AS SELECT 1", "DROP VIEW ratings",
    "INSERT INTO ratings VALUES (1)", "DELETE FROM ratings", "SET memory_limit = '10GB'", "PRAGMA database_list", "ATTACH '/tmp/x.db'",
    "INSTALL httpfs", "LOAD '/tmp/x.duckdb_extension'", "EXPORT DATABASE '/tmp/x'", "SELECT * FROM read_csv('{lake}/secret.csv')",
    "FROM '{lake}/secret.csv'", "FROM read_text('/etc/passwd')", "FROM glob('/*')", "FROM read_parquet('{lake}/ratings/*.parquet')",
    "SELECT (SELECT content FROM read_text('{lake}/secret.csv'))", "FROM query('FROM read_text(''{lake}/secret.csv'')')",
    "FROM 'http://127.0.0.1:1/x.parquet'", "FROM duckdb_settings()", "SELECT current_setting('allowed_directories')",
    "WITH \"{lake}/secret.csv\" AS (SELECT 1 AS a) SELECT * FROM \"{lake}/secret.csv\"", "CALL duckdb_settings()",
    "SELECT json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))", "CHECKPOINT", "USE temp"])
def test_hostile_statements_are_refused(server, lake, sql):
    status, _, body = server.post(sql.replace("{lake}", str(lake)))
    assert status in (403, 404) or (status == 200 and "WITH" in sql), body
    assert b"secret\n" not in body and b"root:" not in body
    assert server.rows("SELECT count(*) AS n FROM ratings") == [{"n": 4}]


@pytest.mark.parametrize("sql", [
    "SELECT repeat('x', 2000000000) AS s", "SELECT range(400000000) AS l", "SELECT list(i) FROM range(1000000000) t(i)",
    "SELECT i, count(*) FROM range(200000000) t(i) GROUP BY i ORDER BY 2", "SELECT repeat('x', 10000000) AS s FROM range(3000)",
    "SELECT list_transform(range(50000000), lambda x: repeat('a', 20)) AS l", "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)"])
def test_memory_is_bounded(server, sql):
    status, _, body = server.post({"sql": f"SELECT length(CAST(t AS VARCHAR)) AS n FROM ({sql}) t", "limits": {"seconds": 3}})
    assert status in (507, 504, 413), body[:300]
    assert json.loads(body)["error"]["code"] in ("memory", "timeout", "limit")
    assert server.memory() < 700 << 20
    assert server.rows("SELECT 1 AS x") == [{"x": 1}]


def test_runaway_statements_are_cut_off(server):
    for sql in ("SELECT count(*) FROM range(10000000000) a WHERE range % 7 = 3 AND sqrt(range) > 0",
                "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
                "SELECT max(length(regexp_replace(range::VARCHAR, '1', '22', 'g'))) FROM range(10000000000)"):
        start = time.monotonic()
        status, error = server.fault({"sql": sql, "limits": {"seconds": 1}})
        assert (status, error["code"]) == (504, "timeout"), error
        assert time.monotonic() - start < 30
    # Endless rows: the rows before the limit are there, and the last line is the error.
    def endless(limits):
        """What came of an answer that was cut off; where it took its time to begin, it gets more."""
        request = urllib.request.Request(
            server.url + "/v1/sql", headers={"content-type": "application/json"},
            data=json.dumps({"sql": "SELECT * FROM range(1000000000000)", "limits": limits}).encode())
        try:
            with pytest.raises(http.client.IncompleteRead) as cut, urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            assert error.code == 504 and limits.get("seconds", 20) < 20, error.read()
            return endless({"seconds": min(20, limits["seconds"] * 2)})
        return cut.value.partial

    for limits, code in (({"rows": 5000}, "limit"), ({"bytes": 100_000}, "limit"), ({"seconds": 1}, "timeout")):
        lines = endless(limits).splitlines()
        assert json.loads(lines[-1])["error"]["code"] == code
        assert json.loads(lines[0]) == {"range": 0}


# Clients that misbehave.

def running(server):
    return server.metrics()["apus_sql_statements_running"]


def cancelled(server):
    return server.metrics()['apus_sql_statements_total{outcome="cancelled"}']


def test_a_slow_reader_fills_no_memory(server):
    before, count = server.memory(), cancelled(server)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        sql = b"SELECT range, repeat('x', 1000) AS s FROM range(1000000000)"
        raw.sendall(b"POST /v1/sql HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(sql), sql))
        raw.recv(1024)
        time.sleep(2)
        assert server.memory() < before + (100 << 20)
        assert running(server) == 1
    wait_for(lambda: running(server) == 0 and cancelled(server) == count + 1,
             what="the statement of the reader that left to end")


def test_a_client_that_goes_away_cancels_its_statement(server):
    before = cancelled(server)
    clients = [subprocess.Popen(
        ["curl", "-sS", server.url, "--data", "SELECT count(*) FROM range(100000000000) a WHERE sqrt(range) > 7"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]
    wait_for(lambda: running(server) == 3, 10, "three statements to run")
    for client in clients:
        client.kill()
        client.wait()
    wait_for(lambda: running(server) == 0 and cancelled(server) == before + 3,
             what="the statements of killed clients to end")


def test_a_hundred_at_once(server):
    def one(number):
        return server.rows({"sql": "SELECT count(*) + $n AS n FROM ratings, range(1000)", "parameters": {"n": number}})

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert list(pool.map(one, range(100))) == [[{"n": 4000 + number}] for number in range(100)]
    assert running(server) == 0
    # Those of statements that were cancelled before take a while to go.
    wait_for(lambda: 0 < len(server.workers()) <= 4, what="no more workers than there may be")


def test_a_full_queue_turns_away(lake):
    server = SQLServer("--concurrency", "1", "--queue", "1", "--time-limit", "10").start()
    try:
        clients = [subprocess.Popen(["curl", "-sS", server.url, "--data", "SELECT count(*) FROM range(100000000000) a WHERE sqrt(range) > 7"],
                                    stdout=subprocess.DEVNULL) for _ in range(2)]
        wait_for(lambda: server.metrics()["apus_sql_statements_waiting"] == 1, 10, "one to wait")
        status, headers, body = server.post("SELECT 1")
        assert status == 503 and headers["Retry-After"] == "1" and json.loads(body)["error"]["code"] == "busy"
        for client in clients:
            client.kill()
            client.wait()
        wait_for(lambda: server.metrics()["apus_sql_statements_running"] == 0, 10, "the place to be free")
        assert server.rows("SELECT 1 AS x") == [{"x": 1}]
    finally:
        server.stop()


def busy(worker):
    """Hundredths of a second that a process has had a processor."""
    try:
        return sum(map(int, pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    except OSError:
        return 0


def has_ended(worker):
    """Whether no thread of a process is left, though nobody may have waited for it."""
    try:
        state = pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state == "Z" and len(os.listdir(f"/proc/{worker}/task")) == 1
    except OSError:
        return True


def test_a_killed_worker_is_told_and_replaced(server):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.fault, "SELECT count(*) FROM range(100000000000) a WHERE sqrt(range) > 7")
        wait_for(lambda: running(server) == 1, 10, "the statement to run")
        before = {worker: busy(worker) for worker in server.workers()}
        wait_for(lambda: any(busy(worker) > before.get(worker, 0) + 20 for worker in server.workers()), what="a worker to be at it")
        killed = server.workers()
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        status, error = answer.result(timeout=60)
    # One that is still dying would be taken for the next statement.
    wait_for(lambda: all(map(has_ended, killed)), what="the workers to be gone")
    assert (status, error["code"]) == (507, "memory") and "process is gone" in error["message"]
    assert server.rows("SELECT 1 AS x") == [{"x": 1}]


# Access and end.

def test_tokens_and_tls(tmp_path):
    keys = Objects(tls=True)
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdef reader\n")
    server = SQLServer("--token-file", tokens, "--tls-certificate", keys.certificate, "--tls-key",
                       keys.folder / "tls.key").start()
    try:
        url = f"https://{server.address}"
        trust = ["--cacert", str(keys.certificate)]
        assert json.loads(curl(server, *trust, url, "--data", "SELECT 1"))["error"]["code"] == "unauthenticated"
        assert curl(server, *trust, "-H", "Authorization: Bearer 0123456789abcdef", url, "--data", "SELECT 1") == "1\n"
        assert curl(server, *trust, url + "/healthz") == "ok\n"
        assert "unauthenticated" in curl(server, *trust, url + "/metrics")
    finally:
        server.stop()
        keys.clean(keep=False)
    open_to_all = subprocess.run(
        [APUS, "serve", "sql", "--listen", "0.0.0.0:0"], capture_output=True, text=True, timeout=30)
    assert open_to_all.returncode == 1 and "--token-file" in open_to_all.stderr


def test_sigterm_lets_statements_end(lake):
    server = SQLServer("--lake", lake).start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
            # More than fits between the two: it runs until somebody reads.
            sql = b"SELECT range, repeat('x', 1000) AS s FROM range(100000)"
            raw.sendall(b"POST /v1/sql HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(sql), sql))
            wait_for(lambda: running(server) == 1, what="the statement to run")
            workers = wait_for(server.workers, what="a worker")
            server.process.send_signal(signal.SIGTERM)
            end, size = b"", 0
            while not end.endswith(b"\r\n0\r\n\r\n"):
                part = raw.recv(1 << 20)
                assert part, (size, end)
                end, size = (end + part)[-7:], size + len(part)
            assert size > 100_000 * 1000
        assert server.process.wait(server.patience) == 0, server.logged()[-2000:]
    finally:
        server.stop()
    wait_for(lambda: not any(pathlib.Path(f"/proc/{worker}").exists() for worker in workers), 5, "the workers to be gone")

