# SPDX-License-Identifier: Apache-2.0
"""Files that statistics or partition values rule out are not read, and no file that is needed is left out."""
import datetime
import json
import os
import pathlib
import random

import duckdb
import pytest
from deltalake import write_deltalake

from lake_fixture import duckdb_with_delta, lake  # noqa: F401 (a fixture)

ROWS = """SELECT range AS id, 'name ' || lpad(range::VARCHAR, 4, '0') AS name, DATE '2026-01-01' + (range // 10)::INTEGER AS day,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (range) HOURS + INTERVAL (range) MICROSECONDS AS moment,
    range / 8 AS score, CASE WHEN range % 100 < 50 THEN range END AS n, range % 3 AS p FROM range({}, {})"""


@pytest.fixture
def table(lake):  # noqa: F811
    lake.create("t", ROWS.format(0, 0), "--partition-by", "p")
    for start in range(0, 400, 50):
        lake.append("t", ROWS.format(start, start + 50))
    return lake


def hide(lake, keep, partition=None):  # noqa: F811
    """Takes away all files but those whose statistics, and partition where it is known, have one of the rows."""
    hidden = []
    for add in lake.deltalake("t").get_add_actions(flatten=True).to_struct_array().to_pylist():
        if not any(add["min.id"] <= id <= add["max.id"] for id in keep) or partition not in (None, int(add["partition.p"])):
            path = pathlib.Path(lake.path("t"), add["path"])
            path.rename(path.with_suffix(".away"))
            hidden.append(path)
    return hidden


def bring_back(hidden):
    for path in hidden:
        path.with_suffix(".away").rename(path)


@pytest.mark.parametrize("condition, ids", [
    ("id = 60", [60]), ("60 = id", [60]), ("id IN (60, 361)", [60, 361]), ("id BETWEEN 60 AND 61 AND p = 0", [60]),
    ("id >= 399", [399]), ("id < 1 AND p = 0", [0]), ("id = 60 OR id = 361", [60, 361]), ("p = 2 AND name = 'name 0101'", [101]),
    ("day = DATE '2026-01-07' AND p = 1", [61, 64, 67]), ("day >= '2026-02-09' AND p = 0", [390, 393, 396, 399]),
    ("moment = TIMESTAMPTZ '2026-01-03 12:00:00.000060+00' AND p = 0", [60]), ("id = 60 AND length(name) > 3 AND score < 1e9", [60]),
    ("p = 0 AND n IS NULL AND id BETWEEN 351 AND 356", [351, 354]), ("p IS NULL", []), ("id = -1", []),
])
def test_files_that_have_no_such_row_are_not_read(table, condition, ids):
    partition = next((number for number in range(3) if f"p = {number}" in condition), None)
    hidden = hide(table, ids, partition)
    assert len(hidden) >= 24 - 6
    rows = [json.loads(line) for line in table.apus("rows", "t", "--where", condition).splitlines()]
    assert sorted(row["id"] for row in rows) == ids
    table.apus("update", "t", "--set", "name='changed'", "--where", condition)
    bring_back(hidden)
    changed = {row["id"] for row in table.rows("t") if row["name"] == "changed"}
    assert changed == set(ids) and table.deltalake("t").to_pyarrow_table().num_rows == 400


def test_deletes_and_merges_read_what_they_need(table):
    hidden = hide(table, [60, 361])
    assert "2 rows changed or taken out" in table.apus("delete", "t", "--where", "id IN (60, 361)")
    bring_back(hidden)
    hidden = hide(table, [120, 121])
    table.apus("merge", "t", "--source", "SELECT * REPLACE ('merged' AS name) FROM (" + ROWS.format(120, 122) + ")", "--on",
               "target.id = source.id", "--update-all", "--insert-all")
    bring_back(hidden)
    # New rows are inserted without a look at files that cannot have them.
    hidden = hide(table, [])
    table.apus("merge", "t", "--source", ROWS.format(1000, 1002), "--on", "source.id = target.id AND target.p = source.p",
               "--update-all", "--insert-all")
    table.apus("merge", "t", "--source", "SELECT NULL::BIGINT AS id, 'x' AS name", "--on", "target.id = source.id", "--update-all")
    bring_back(hidden)
    rows = {row["id"]: row["name"] for row in table.rows("t")}
    assert len(rows) == 400 and 60 not in rows and 361 not in rows and {1000, 1001} <= set(rows)
    assert [id for id, name in rows.items() if name == "merged"] == [120, 121] or {120, 121} == {
        id for id, name in rows.items() if name == "merged"}


def condition(source):
    """A random condition, simple or not."""
    number = lambda: source.choice([source.randrange(-5, 405), 50 * source.randrange(9), 50 * source.randrange(9) - 1])
    day = lambda: datetime.date(2026, 1, 1) + datetime.timedelta(days=source.randrange(-2, 45))
    moment = lambda: f"2026-01-{source.randrange(1, 20):02d} {source.randrange(24):02d}:00:00"
    compare = lambda: source.choice(["=", "<", "<=", ">", ">=", "<>"])
    leaf = lambda: source.choice([
        lambda: f"id {compare()} {number()}", lambda: f"{number()} {compare()} id", lambda: f"n {compare()} {number()}",
        lambda: f"name {compare()} 'name {max(number(), 0):04d}{source.choice(['', 'x', '!'])}'", lambda: f"p {compare()} {source.randrange(4)}",
        lambda: f"day {compare()} DATE '{day()}'", lambda: f"day {compare()} '{day()}'", lambda: f"moment {compare()} TIMESTAMPTZ '{moment()}+00'",
        lambda: f"moment {compare()} TIMESTAMP '{moment()}'", lambda: f"moment {compare()} DATE '{day()}'", lambda: f"moment {compare()} '{moment()}'",
        lambda: f"day {compare()} TIMESTAMP '{moment()}'", lambda: f"score {compare()} {number() / 8}", lambda: f"id {compare()} {number()}.5",
        lambda: f"id {compare()} '{number()}'", lambda: f"id BETWEEN {number()} AND {number()}", lambda: f"n IN ({number()}, {number()}, NULL)",
        lambda: f"id NOT IN ({number()}, {number()})", lambda: "n IS NULL", lambda: "n IS NOT NULL", lambda: f"id::VARCHAR < '{number()}'",
        lambda: f"id + 1 = {number()}", lambda: f"n IS DISTINCT FROM {number()}", lambda: f"coalesce(n, {number()}) = {number()}",
        lambda: "NULL = id", lambda: f"id = CAST({number()} AS BIGINT)", lambda: f"CASE WHEN p = 1 THEN id > {number()} END",
    ])()
    tree = lambda depth: leaf() if depth == 0 or source.random() < 0.3 else source.choice([
        lambda: f"({tree(depth - 1)} AND {tree(depth - 1)})", lambda: f"({tree(depth - 1)} OR {tree(depth - 1)})",
        lambda: f"NOT ({tree(depth - 1)})"])()
    return tree(3)


def test_random_conditions_find_what_duckdb_finds(table):
    """APUS_LAKE_CONDITIONS for more than 60."""
    # Others' statistics, deletions and a column that came later are part of it.
    write_deltalake(table.path("t"), table.deltalake("t").to_pyarrow_table().slice(0, 40), mode="append")
    table.append("t", "SELECT 500::BIGINT AS id, 'late' AS name, 1 AS p")
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    rows = duckdb_with_delta().execute(f"SELECT * FROM delta_scan('{table.path('t')}')").to_arrow_table()
    duck.register("rows", rows)
    source = random.Random(20260726)
    conditions = [condition(source) for _ in range(int(os.environ.get("APUS_LAKE_CONDITIONS", 60)))]
    found = 0
    for text in conditions:
        expected = sorted(row[0] for row in duck.execute(f"SELECT id FROM rows WHERE ({text})").fetchall())
        ours = [json.loads(line)["id"] for line in table.apus("rows", "t", "--where", text).splitlines()]
        assert sorted(ours) == expected, text
        found += bool(expected)
    assert len(conditions) / 3 < found < len(conditions)
