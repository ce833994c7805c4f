# SPDX-License-Identifier: Apache-2.0
"""DuckDB's delta extension, outside Apus, on our tables."""
import threading

from lake_fixture import duckdb_with_delta, lake  # noqa: F401


def test_duckdb_reads_what_we_write(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 'x' AS p, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS z", "--partition-by", "p")
    lake.append("t", "SELECT range AS id, 'p ' || range % 3 AS p, TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (range) HOURS AS z FROM range(100)")
    lake.apus("delete", "t", "--where", "id < 10")
    lake.apus("update", "t", "--set", "z=NULL", "--where", "id = 50")
    lake.apus("checkpoint", "t")
    lake.append("t", "SELECT 1000::BIGINT AS id, NULL AS p, NULL AS z")
    duck = duckdb_with_delta()
    duck.execute("SET TimeZone = 'UTC'")
    scan = f"delta_scan('{lake.path('t')}')"
    assert duck.execute(f"SELECT count(*), sum(id), count(z), count(p) FROM {scan}").fetchall() == [(91, sum(range(10, 100)) + 1000, 89, 90)]
    # Files are skipped by our statistics, and none that is needed.
    assert duck.execute(f"SELECT id FROM {scan} WHERE id = 77 AND p = 'p 2'").fetchall() == [(77,)]
    at = "TIMESTAMPTZ '2024-01-02 00:00:00+00'"
    assert duck.execute(f"SELECT id FROM {scan} WHERE z = {at}").fetchall() == [(24,)]
    assert duck.execute(f"SELECT count(*) FROM {scan} WHERE p IS NULL").fetchall() == [(1,)]
    old = duck.execute(f"SELECT count(*) FROM delta_scan('{lake.path('t')}', version => 1)").fetchall()
    assert old == [(100,)]


def test_duckdb_appends_beside_us(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 'x' AS who")
    lake.append("t", "SELECT -1::BIGINT AS id, 'apus' AS who")
    failures = []

    def theirs():
        try:
            duck = duckdb_with_delta()
            duck.execute(f"ATTACH '{lake.path('t')}' AS t (TYPE delta)")
            done = 0
            while done < 5:
                try:
                    duck.execute("BEGIN")
                    duck.execute(f"INSERT INTO t SELECT {done}, 'duckdb'")
                    duck.execute("COMMIT")
                    done += 1
                except Exception as error:  # It does not try again by itself when another commit came first.
                    duck.execute("ROLLBACK") if "TransactionContext" not in str(error) else None
                    if "version" not in str(error).lower() and "conflict" not in str(error).lower() and "exist" not in str(error).lower():
                        raise
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=theirs)
    thread.start()
    for number in range(5):
        lake.append("t", f"SELECT {number}::BIGINT AS id, 'apus' AS who")
    thread.join()
    assert not failures, failures
    rows = sorted((row["who"], row["id"]) for row in lake.rows("t"))
    assert rows == [("apus", id) for id in range(-1, 5)] + [("duckdb", id) for id in range(5)]
    assert "Rows:         11" in lake.apus("describe", "t")
