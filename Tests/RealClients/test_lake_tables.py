# SPDX-License-Identifier: Apache-2.0
"""`apus lake` and PyPI deltalake on the same tables: each reads what the other writes."""
import datetime
import json
import pathlib
import time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import write_deltalake

from lake_fixture import lake, rows_of  # noqa: F401

UTC = datetime.timezone.utc
TYPES = """SELECT 1::BIGINT AS l, 2::INTEGER AS i, 3::SMALLINT AS s, 4::TINYINT AS b, 1.5::FLOAT AS f, 2.5::DOUBLE AS d,
    12345.67::DECIMAL(12, 2) AS c, true AS o, 'text ''ü🙂' AS t, '\\xAA'::BLOB AS y, DATE '2024-02-29' AS a,
    TIMESTAMPTZ '2024-02-29 12:34:56.123456+02' AS z, [1, 2] AS r, {'x': 1, 'y': 'q'} AS u, MAP {'k': 7} AS m"""


def test_types_are_read_by_deltalake(lake):
    lake.create("types", TYPES)
    lake.append("types", TYPES)
    lake.append("types", "SELECT NULL::BIGINT AS l")
    full, empty = [row for row in lake.rows("types") if row["l"]], [row for row in lake.rows("types") if not row["l"]]
    assert len(full) == len(empty) == 1 and all(value is None for value in empty[0].values())
    assert full[0] == {
        "l": 1, "i": 2, "s": 3, "b": 4, "f": 1.5, "d": 2.5, "c": Decimal("12345.67"), "o": True, "t": "text 'ü🙂",
        "y": b"\xaa", "a": datetime.date(2024, 2, 29),
        "z": datetime.datetime(2024, 2, 29, 10, 34, 56, 123456, tzinfo=UTC), "r": [1, 2], "u": {"x": 1, "y": "q"},
        "m": [("k", 7)],
    }
    # Statistics are those that a client skips files by.
    added = [action["add"] for action in lake.log("types")[1] if "add" in action]
    statistics = json.loads(added[0]["stats"])
    assert statistics["numRecords"] == 1 and statistics["nullCount"]["l"] == 0
    assert statistics["minValues"]["u"] == {"x": 1, "y": "q"} and statistics["minValues"]["a"] == "2024-02-29"
    assert statistics["minValues"]["z"] == "2024-02-29T10:34:56.123Z"
    assert statistics["maxValues"]["z"] == "2024-02-29T10:34:56.124Z"
    table = lake.deltalake("types")
    for filters in ([("z", ">=", full[0]["z"])], [("c", "=", Decimal("12345.67"))], [("t", "=", full[0]["t"])]):
        assert table.to_pyarrow_table(filters=filters).num_rows == 1, filters
    assert table.protocol().min_reader_version == 1 and table.protocol().min_writer_version == 2


def test_types_of_deltalake_are_read(lake):
    table = rows_of(
        l=pa.array([1, None], pa.int64()), c=pa.array([Decimal("1.50"), None], pa.decimal128(20, 2)),
        z=pa.array([datetime.datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        n=pa.array([datetime.datetime(2024, 1, 1), None], pa.timestamp("us")),
        u=pa.array([{"x": [1, 2]}, None], pa.struct([("x", pa.list_(pa.int32()))])))
    write_deltalake(lake.path("theirs"), table)
    assert lake.deltalake("theirs").protocol().min_reader_version == 3
    described = lake.apus("describe", "theirs")
    assert "Rows:         2" in described and "timestampNtz" in described
    said = lake.append("theirs", "SELECT 2::BIGINT AS l, TIMESTAMP '2025-01-01 00:00:00' AS n")
    assert said.startswith("version 1: 1 rows in 1 files")
    assert lake.deltalake("theirs").to_pyarrow_table().num_rows == 3
    lake.apus("update", "theirs", "--set", "c=c + 1", "--where", "l = 1")
    row = next(row for row in lake.rows("theirs") if row["l"] == 1)
    assert row["c"] == Decimal("2.50") and row["u"] == {"x": [1, 2]} and row["n"] == datetime.datetime(2024, 1, 1)


def test_partitions_with_odd_values(lake):
    values = "SELECT * FROM (VALUES (1, 'a/b'), (2, 'sp ace'), (3, '%25=&?#'), (4, NULL), (5, 'ü🙂'), (6, 'a''b'), (7, ':')) v(n, p)"
    lake.create("parts", values, "--partition-by", "p")
    lake.append("parts", values)
    expected = {1: "a/b", 2: "sp ace", 3: "%25=&?#", 4: None, 5: "ü🙂", 6: "a'b", 7: ":"}
    assert {row["n"]: row["p"] for row in lake.rows("parts")} == expected
    assert lake.deltalake("parts").to_pyarrow_table(filters=[("p", "=", "a/b")]).num_rows == 1
    # The other way round: deltalake adds to the same partitions, and its rows are changed here.
    write_deltalake(
        lake.path("parts"), rows_of(n=pa.array([n + 10 for n in expected], pa.int32()), p=list(expected.values())),
        mode="append")
    lake.apus("update", "parts", "--set", "n=n + 100", "--where", "p = 'a/b' OR p IS NULL")
    changed = {row["n"]: row["p"] for row in lake.rows("parts")}
    assert {n for n, p in changed.items() if p == "a/b"} == {101, 111} and {n for n, p in changed.items() if p is None} == {104, 114}
    assert len(changed) == 14
    lake.apus("delete", "parts", "--where", "p = '%25=&?#'")
    assert len(lake.rows("parts")) == 12
    # Dates and times as partitions.
    times = "SELECT DATE '2024-01-01' AS d, TIMESTAMPTZ '2024-01-01 00:00:00.5+00' AS t, true AS o, 1::BIGINT AS n"
    lake.create("times", times, "--partition-by", "d", "--partition-by", "t", "--partition-by", "o")
    lake.append("times", times)
    assert lake.rows("times") == [{
        "d": datetime.date(2024, 1, 1), "t": datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=UTC), "o": True, "n": 1}]


def test_changes(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 'x' AS v")
    lake.append("t", "SELECT range AS id, 'v' || range AS v FROM range(10)")
    lake.append("t", "SELECT range AS id, 'v' || range AS v FROM range(10, 20)")
    assert "nothing to do" in lake.apus("delete", "t", "--where", "id > 100")
    lake.apus("delete", "t", "--where", "id % 2 = 1 AND id < 10")
    assert [row["id"] for row in sorted(lake.rows("t"), key=lambda row: row["id"])] == [0, 2, 4, 6, 8, *range(10, 20)]
    lake.apus("update", "t", "--set", "v='changed'", "--where", "id = 12")
    assert [row["id"] for row in lake.rows("t") if row["v"] == "changed"] == [12]
    said = lake.apus(
        "merge", "t", "--source", "SELECT range AS id, 'm' AS v FROM range(18, 23)", "--on", "target.id = source.id",
        "--delete-when", "source.id = 18", "--update-all", "--insert-all")
    assert said.startswith("version 5: ")
    merged = {row["id"]: row["v"] for row in lake.rows("t")}
    assert 18 not in merged and merged[19] == "m" and merged[22] == "m" and len(merged) == 17
    # A row that matches two is no clear case.
    refused = lake.apus(
        "merge", "t", "--source", "SELECT 19::BIGINT AS id, 'z' AS v FROM range(2)", "--on", "target.id = source.id",
        "--update-all", check=False)
    assert refused.returncode == 1 and "more than one row" in refused.stderr
    # Replacing a part, and all.
    lake.append("t", "SELECT range AS id, 'new' AS v FROM range(3)", "--overwrite", "--where", "id < 10")
    assert sorted(row["id"] for row in lake.rows("t") if row["id"] < 10) == [0, 1, 2]
    refused = lake.apus(
        "append", "t", "--query", "SELECT 50::BIGINT AS id", "--overwrite", "--where", "id < 10", check=False)
    assert refused.returncode == 1 and "does not hold" in refused.stderr
    lake.append("t", "SELECT 1::BIGINT AS id", "--overwrite")
    assert lake.rows("t") == [{"id": 1, "v": None}]
    # Old versions are what they were.
    assert len(lake.rows("t", version=2)) == 20
    assert "Rows:         20" in lake.apus("describe", "t", "--version", "2")
    operations = [entry["operation"] for entry in lake.deltalake("t").history()]
    assert operations == ["WRITE", "WRITE", "MERGE", "UPDATE", "DELETE", "WRITE", "WRITE", "CREATE TABLE"]
    shown = lake.apus("history", "t")
    assert [line.split()[2] for line in shown.splitlines()[1:]][:3] == ["WRITE", "WRITE", "MERGE"]


def test_schemas_evolve_when_they_may(lake):
    lake.create("t", "SELECT 1::BIGINT AS id")
    lake.append("t", "SELECT 1::BIGINT AS id")
    refused = lake.apus("append", "t", "--query", "SELECT 2::BIGINT AS id, 'x' AS v", check=False)
    assert refused.returncode == 1 and "a column v" in refused.stderr
    lake.append("t", "SELECT 2::BIGINT AS id, 'x' AS v", "--evolve")
    assert lake.rows("t") == [{"id": 1, "v": None}, {"id": 2, "v": "x"}]
    refused = lake.apus("append", "t", "--query", "SELECT 'text' AS id", "--evolve", check=False)
    assert refused.returncode == 1 and "cast" in refused.stderr
    lake.apus("update", "t", "--set", "v='y'", "--where", "v IS NULL")
    assert {row["v"] for row in lake.rows("t")} == {"x", "y"}


def test_checkpoints_of_both(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 'p' AS p", "--partition-by", "p", "--property", "delta.checkpointInterval=5")
    for number in range(7):
        lake.append("t", f"SELECT {number}::BIGINT AS id, 'p{number % 2}' AS p", "--application", "loader", "--number", str(number))
    lake.apus("delete", "t", "--where", "id = 0")
    assert "has it already" in lake.append("t", "SELECT 9::BIGINT AS id", "--application", "loader", "--number", "6")
    log = pathlib.Path(lake.path("t"), "_delta_log")
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 5
    assert pyarrow.parquet.read_table(log / f"{5:020}.checkpoint.parquet").num_rows == 2 + 5 + 1
    # deltalake begins at our checkpoint: what came before is gone.
    for version in range(5):
        (log / f"{version:020}.json").unlink()
    assert [row["id"] for row in lake.rows("t")] == [1, 2, 3, 4, 5, 6]
    table = lake.deltalake("t")
    assert table.transaction_version("loader") == 6
    # We begin at deltalake's.
    table.create_checkpoint()
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 8
    for version in range(5, 9):
        (log / f"{version:020}.json").unlink()
    described = lake.apus("describe", "t")
    assert "Version:      8" in described and "Rows:         6" in described and "loader at 6" in described
    lake.append("t", "SELECT 7::BIGINT AS id, 'p7' AS p")
    assert [row["id"] for row in lake.rows("t")] == [1, 2, 3, 4, 5, 6, 7]
    (log / f"{9:020}.json").rename(log / f"{10:020}.json")
    refused = lake.apus("describe", "t", check=False)
    assert refused.returncode == 1 and "00000000000000000009.json is missing" in refused.stderr


def test_checkpoints_of_other_writers(lake):
    """What a checkpoint's file may look like: columns that are not known, other types of text, values that are null;
    and what it may not."""
    lake.create("t", "SELECT 1::BIGINT AS id, 'p' AS p", "--partition-by", "p")
    lake.append("t", "SELECT range AS id, NULL AS p FROM range(3)")
    lake.append("t", "SELECT 7::BIGINT AS id, 'ü%' AS p")
    log = pathlib.Path(lake.path("t"), "_delta_log")
    actions = [action for version in sorted(lake.log("t")) for action in lake.log("t")[version]]
    kinds = {kind: [action[kind] for action in actions if kind in action] for kind in ("protocol", "metaData", "add")}
    text, number = pa.large_string(), pa.int64()
    texts = pa.map_(text, text)
    types = {
        "protocol": pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", number)]),
        "metaData": pa.struct([
            ("id", text), ("format", pa.struct([("provider", text), ("options", texts)])), ("schemaString", text),
            ("partitionColumns", pa.list_(text)), ("configuration", texts), ("createdTime", number)]),
        "add": pa.struct([
            ("path", text), ("partitionValues", texts), ("partitionValues_parsed", pa.struct([("p", text)])), ("size", number),
            ("modificationTime", number), ("dataChange", pa.bool_()), ("stats", text), ("new", number),
            ("stats_parsed", pa.struct([("numRecords", number), ("minValues", pa.struct([("id", number)]))]))]),
        "later": pa.struct([("what", text)]),
    }

    def write(rows, types):
        columns = {}
        for kind, type in types.items():
            columns[kind] = pa.array([row.get(kind) for row in rows], type)
        pyarrow.parquet.write_table(pa.table(columns), log / f"{3:020}.checkpoint.parquet")
        (log / "_last_checkpoint").write_text(json.dumps({"version": 3, "size": len(rows)}))

    def with_lists(value):
        return {**value, **{name: list(value[name].items()) for name in ("partitionValues", "configuration") if name in value}}

    metadata = {**kinds["metaData"][0], "format": {"provider": "parquet", "options": []}}
    rows = [{"protocol": kinds["protocol"][0]}, {"metaData": with_lists(metadata)}, {"later": {"what": "x"}}, {}]
    rows += [{"add": with_lists({**add, "new": 1})} for add in kinds["add"]]
    (log / f"{3:020}.json").write_text(json.dumps({"commitInfo": {"timestamp": 1}}))
    write(rows, types)
    for version in range(3):
        (log / f"{version:020}.json").unlink()
    described = lake.apus("describe", "t")
    assert "Version:      3" in described and "Rows:         4" in described and "Files:        2" in described
    said = [json.loads(line) for line in lake.apus("rows", "t", "--where", "id > 6 OR p IS NULL").splitlines()]
    assert sorted((row["id"], row["p"]) for row in said if row["p"]) == [(7, "ü%")] and len(said) == 4
    # What no checkpoint has is refused by name.
    add = rows[-1]["add"]
    for wrong, message in [({"add": {**add, "path": None}}, '"add" has no "path"'), ({"add": {**add, "size": None}}, 'no "size"'),
                           ({**rows[-1], "protocol": kinds["protocol"][0]}, "must have one member")]:
        write(rows + [wrong], types)
        refused = lake.apus("describe", "t", check=False)
        assert refused.returncode == 1 and message in refused.stderr and "checkpoint" in refused.stderr, refused.stderr
    fields = {field.name: field.type for field in types["add"]}
    for name, type in [("size", text), ("path", number), ("partitionValues", text), ("dataChange", number)]:
        write(rows[:-2] + [{"add": {**add, name: "x" if type == text else 1}}],
              {**types, "add": pa.struct(list({**fields, name: type}.items()))})
        refused = lake.apus("describe", "t", check=False)
        assert refused.returncode == 1 and f'"{name}" of an action "add" must be' in refused.stderr, refused.stderr
    write([{"add": 1}], {"add": number})
    refused = lake.apus("describe", "t", check=False)
    assert refused.returncode == 1 and "not a structure" in refused.stderr


def test_deltalake_changes_our_table(lake):
    lake.create("t", "SELECT 1::BIGINT AS id, 'x' AS v")
    lake.append("t", "SELECT range AS id, 'v' AS v FROM range(100)")
    table = lake.deltalake("t")
    table.delete("id >= 50")
    table.update(updates={"v": "'w'"}, predicate="id < 10")
    source = rows_of(id=pa.array([5, 500], pa.int64()), v=["m", "m"])
    table.merge(source, "t.id = s.id", source_alias="s", target_alias="t").when_matched_update_all().when_not_matched_insert_all().execute()
    write_deltalake(table, rows_of(id=pa.array([1000], pa.int64()), v=["a"]), mode="append")
    table.optimize.compact()
    expected = lake.rows("t")
    assert len(expected) == 52
    assert "Rows:         52" in lake.apus("describe", "t")
    lake.apus("update", "t", "--set", "v=v || '!'")
    assert lake.rows("t") == sorted(({**row, "v": row["v"] + "!"} for row in expected), key=lambda row: json.dumps(row, sort_keys=True))
    lake.apus("checkpoint", "t")
    assert len(lake.rows("t")) == 52


def test_optimize_and_vacuum(lake):
    lake.create("t", "SELECT 1::BIGINT AS id")
    for number in range(5):
        lake.append("t", f"SELECT {number}::BIGINT AS id")
    said = lake.apus("optimize", "t")
    assert "1 files written" in said and "5 files taken out" in said
    assert len(lake.rows("t")) == 5 and len(lake.files("t")) == 6
    for action in lake.log("t")[6]:
        for kind in ("add", "remove"):
            assert action.get(kind, {}).get("dataChange", False) is False
    (pathlib.Path(lake.path("t")) / "orphan.parquet").write_bytes(b"x")
    assert lake.apus("vacuum", "t").startswith("0 files")
    refused = lake.apus("vacuum", "t", "--retention", "0", check=False)
    assert refused.returncode == 1 and "168 hours" in refused.stderr and len(lake.files("t")) == 7
    time.sleep(0.05)
    assert "6 files" in lake.apus("vacuum", "t", "--retention", "0", "--force", "--dry-run")
    assert "6 files" in lake.apus("vacuum", "t", "--retention", "0", "--force")
    assert len(lake.files("t")) == 1 and len(lake.rows("t")) == 5
    # deltalake's own vacuum knows nothing else to delete: it lists tombstones, whether or not their files are there.
    listed = lake.deltalake("t").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True)
    assert not set(listed) & set(lake.files("t"))


@pytest.mark.parametrize("protocol, named", [
    ({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["variantType"], "writerFeatures": ["variantType"]}, "variantType"),
    ({"minReaderVersion": 9, "minWriterVersion": 2}, "version 9"),
    ({"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}, "rowTracking"),
])
def test_what_is_not_known_is_refused_by_name(lake, protocol, named):
    lake.create("t", "SELECT 1::BIGINT AS id")
    log = pathlib.Path(lake.path("t"), "_delta_log")
    (log / f"{1:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n")
    before = lake.files("t")
    refused = lake.apus("append", "t", "--query", "SELECT 1::BIGINT AS id", check=False)
    assert refused.returncode == 1 and named in refused.stderr
    assert lake.files("t") == before and len(list(log.glob("*.json"))) == 2
    assert lake.apus("describe", "t", check=False).returncode == (1 if protocol["minReaderVersion"] != 1 else 0)


def test_constraints_and_append_only_of_deltalake(lake):
    write_deltalake(lake.path("c"), rows_of(id=pa.array([1], pa.int64())))
    lake.deltalake("c").alter.add_constraint({"positive": "id > 0"})
    refused = lake.apus("append", "c", "--query", "SELECT -1::BIGINT AS id", check=False)
    assert refused.returncode == 1 and "delta.constraints.positive" in refused.stderr
    write_deltalake(lake.path("a"), rows_of(id=pa.array([1], pa.int64())), configuration={"delta.appendOnly": "true"})
    lake.append("a", "SELECT 2::BIGINT AS id")
    refused = lake.apus("delete", "a", "--all", check=False)
    assert refused.returncode == 1 and "append-only" in refused.stderr
    # And ours is append-only to deltalake.
    lake.create("o", "SELECT 1::BIGINT AS id", "--property", "delta.appendOnly=true")
    lake.append("o", "SELECT 2::BIGINT AS id")
    with pytest.raises(Exception, match="(?i)append"):
        lake.deltalake("o").delete()


def test_sql_reaches_nothing_else(lake, tmp_path):
    lake.create("t", "SELECT 1::BIGINT AS id")
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n7\n")
    for query in (f"SELECT * FROM read_csv('{secret}')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM 'http://127.0.0.1:1/x.parquet'"):
        refused = lake.apus("append", "t", "--query", query, check=False)
        assert refused.returncode == 1 and "secret" not in refused.stdout
    assert lake.rows("t") == []
    assert lake.append("t", f"SELECT id FROM read_csv('{secret}')", "--allow", str(tmp_path)).startswith("version 1")


def test_tables(lake):
    lake.create("a/b", "SELECT 1::BIGINT AS id")
    lake.append("a/b", "SELECT 1::BIGINT AS id")
    write_deltalake(lake.path("c"), rows_of(id=pa.array([1, 2], pa.int64()), p=["x", "y"]), partition_by=["p"])
    lines = [line.split() for line in lake.apus("tables", ".").splitlines()]
    assert [(line[0], line[1], line[4], line[5]) for line in lines[1:]] == [("a.b", "1", "1", "-"), ("c", "0", "2", "p")]
    assert lake.apus("describe", "none", check=False).stderr.count("there is no Delta table") == 1
