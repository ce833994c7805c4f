# SPDX-License-Identifier: Apache-2.0
"""Tables whose history others wrote: types that were widened, partitions of every type, schemas that grew, times."""
import datetime
import json
import time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import write_deltalake

from lake_fixture import duckdb_with_delta, lake, rows_of  # noqa: F401 (a fixture)

UTC = datetime.timezone.utc


def apus_rows(lake, table, *arguments):  # noqa: F811
    return [json.loads(line) for line in lake.apus("rows", table, *arguments).splitlines()]


WIDENED = {
    # column: type in the old file, its Delta type there, type in the new file, its Delta type, values, what is read
    "i": (pa.int8(), "byte", pa.int64(), "long", [1, -5], [1, 2**40]),
    "s": (pa.int16(), "short", pa.float64(), "double", [300, 1.5], [300.0, 1.5]),
    "f": (pa.float32(), "float", pa.float64(), "double", [0.5, 0.1], [0.5, 0.1]),
    "d": (pa.decimal128(5, 2), "decimal(5,2)", pa.decimal128(20, 4), "decimal(20,4)",
          [Decimal("1.25"), Decimal("123456789.0001")], [Decimal("1.25"), Decimal("123456789.0001")]),
    "n": (pa.int32(), "integer", pa.decimal128(12, 1), "decimal(12,1)", [7, Decimal("0.5")], [Decimal("7"), Decimal("0.5")]),
    "t": (pa.date32(), "date", pa.timestamp("us"), "timestamp_ntz",
          [datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5)],
          [datetime.datetime(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5)]),
}
WIDENED["i"] = (*WIDENED["i"][:4], [1, 2**40], [1, 2**40])


@pytest.mark.parametrize("feature", ["typeWidening", "typeWidening-preview"])
def test_types_that_were_widened(lake, feature):  # noqa: F811
    """No writer on PyPI widens types; the files and the log are as the protocol says ("Type Widening")."""
    folder = lake.folder / "w"
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    fields = []
    for name, (_, before, _, after, _, _) in WIDENED.items():
        fields.append({"name": name, "type": after, "nullable": True, "metadata": {
            "delta.typeChanges": [{"fromType": before, "toType": after}]}})
    fields.append({"name": "st", "nullable": True, "metadata": {}, "type": {"type": "struct", "fields": [
        {"name": "a", "type": "long", "nullable": True, "metadata": {
            "delta.typeChanges": [{"fromType": "integer", "toType": "long"}]}}]}})
    adds = []
    for index, place in enumerate((0, 2)):
        columns = {name: pa.array([row[4][index]], row[place]) for name, row in WIDENED.items()}
        columns["st"] = pa.array([{"a": 2**33 if index else 3}], pa.struct([("a", pa.int64() if index else pa.int32())]))
        pa.parquet.write_table(pa.table(columns), folder / f"{index}.parquet")
        adds.append({"add": {"path": f"{index}.parquet", "partitionValues": {}, "size": (folder / f"{index}.parquet").stat().st_size,
                             "modificationTime": 1, "dataChange": True}})
    both = [feature, "timestampNtz"]
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": both, "writerFeatures": both}},
        {"metaData": {"id": "w", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [], "createdTime": 1,
                      "configuration": {"delta.enableTypeWidening": "true"},
                      "schemaString": json.dumps({"type": "struct", "fields": fields})}}, *adds]
    (log / f"{0:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))
    rows = duckdb_with_delta().execute(f"SELECT * FROM delta_scan('{folder}') ORDER BY i").to_arrow_table().to_pylist()
    for name, row in WIDENED.items():
        assert [value[name] for value in rows] == row[5], name
    ours = sorted(apus_rows(lake, "w"), key=lambda row: row["i"])
    assert [row["i"] for row in ours] == [1, 2**40] and [row["s"] for row in ours] == [300, 1.5]
    assert [row["st"] for row in ours] == [{"a": 3}, {"a": 2**33}]
    assert [Decimal(str(row["d"])) for row in ours] == WIDENED["d"][5]
    assert [Decimal(str(row["n"])) for row in ours] == WIDENED["n"][5]
    assert [datetime.datetime.fromisoformat(row["t"].replace(" ", "T")) for row in ours] == WIDENED["t"][5]
    assert len(apus_rows(lake, "w", "--where", "t = TIMESTAMP '2026-01-02' AND s = 300")) == 1
    refused = lake.apus("append", "w", "--query", "SELECT 1::BIGINT AS i", check=False)
    assert refused.returncode == 1 and feature in refused.stderr


def test_partitions_of_every_type_that_deltalake_writes(lake):  # noqa: F811
    columns = {
        "i": pa.array([-1, None, 2**40], pa.int64()), "s": pa.array(["a/b=c d%", None, "ü \"quoted\" 'x'"]),
        "d": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2026, 2, 28)]), "b": pa.array([True, None, False]),
        "f": pa.array([0.1, None, -1e30], pa.float64()), "n": pa.array([Decimal("1.50"), None, Decimal("0.01")], pa.decimal128(9, 2)),
        "z": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), None, datetime.datetime(1970, 1, 1, tzinfo=UTC)],
                      pa.timestamp("us", "UTC")),
    }
    write_deltalake(lake.path("p"), pa.table({"id": pa.array([0, 1, 2], pa.int64()), **columns}), partition_by=list(columns))
    ours = sorted(apus_rows(lake, "p"), key=lambda row: row["id"])
    assert [row["s"] for row in ours] == ["a/b=c d%", None, "ü \"quoted\" 'x'"]
    assert [row["i"] for row in ours] == [-1, None, 2**40] and [row["b"] for row in ours] == [True, None, False]
    assert [row["f"] for row in ours] == [0.1, None, -1e30]
    conditions = {
        0: ["i = -1", "s = 'a/b=c d%'", "d = DATE '1969-12-31'", "b", "f = 0.1", "n = 1.5",
            "z = TIMESTAMPTZ '2026-01-02 03:04:05.678901+00'", "i < 0", "d < '1970-01-01'"],
        1: ["i IS NULL", "s IS NULL", "d IS NULL", "b IS NULL", "f IS NULL", "n IS NULL", "z IS NULL"],
        2: ["i > 0", "s LIKE 'ü%'", "d >= DATE '2026-02-28'", "NOT b", "f < 0", "n < 1", "z = TIMESTAMPTZ '1970-01-01 00:00:00+00'",
            "i IN (5, 1099511627776)", "i BETWEEN 3 AND 1099511627776"],
    }
    for id, texts in conditions.items():
        for text in texts:
            assert [row["id"] for row in apus_rows(lake, "p", "--where", text)] == [id], text
    # What we write into these partitions, deltalake reads.
    lake.apus("update", "p", "--set", "id=id + 10")
    expected = sorted(({**row, "id": row["id"] + 10} for row in pa.table({"id": [0, 1, 2], **columns}).to_pylist()), key=lambda row: row["id"])
    assert sorted(lake.deltalake("p").to_pyarrow_table().select(["id", *columns]).to_pylist(), key=lambda row: row["id"]) == expected


def test_schemas_that_deltalake_grew_and_versions_by_time(lake):  # noqa: F811
    write_deltalake(lake.path("s"), rows_of(id=pa.array([1], pa.int64())))
    moments = [datetime.datetime.now(UTC)]
    for version, more in enumerate((
            {"who": pa.array(["b"])}, {"st": pa.array([{"a": 1}], pa.struct([("a", pa.int32())]))},
            {"st": pa.array([{"a": 2, "b": "x"}], pa.struct([("a", pa.int32()), ("b", pa.string())]))}), 2):
        time.sleep(0.02)
        write_deltalake(lake.path("s"), pa.table({"id": pa.array([version], pa.int64()), **more}), mode="append", schema_mode="merge")
        moments.append(datetime.datetime.now(UTC))
    rows = sorted(apus_rows(lake, "s"), key=lambda row: row["id"])
    assert rows == [{"id": 1, "who": None, "st": None}, {"id": 2, "who": "b", "st": None},
                    {"id": 3, "who": None, "st": {"a": 1, "b": None}}, {"id": 4, "who": None, "st": {"a": 2, "b": "x"}}]
    for version, moment in enumerate(moments):
        then = apus_rows(lake, "s", "--time", moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        assert sorted(row["id"] for row in then) == list(range(1, version + 2))
        assert [set(row) for row in then] == [{"id", *(["who"] if version >= 1 else []), *(["st"] if version >= 2 else [])}] * (version + 1)
    lake.apus("checkpoint", "s")
    lake.append("s", "SELECT 5::BIGINT AS id, 'e' AS who, {'a': 3, 'b': NULL} AS st")
    assert lake.deltalake("s").to_pyarrow_table().num_rows == 5


def test_levels_of_isolation(lake):  # noqa: F811
    for level in ("Serializable", "WriteSerializable"):
        lake.create(level, "SELECT 1::BIGINT AS id", "--property", f"delta.isolationLevel={level}")
        lake.append(level, "SELECT 1::BIGINT AS id")
        assert lake.log(level)[1][0]["commitInfo"]["isolationLevel"] == "Serializable"
    refused = lake.apus("create", "odd", "--like", "SELECT 1::BIGINT AS id", "--property", "delta.isolationLevel=Odd", check=False)
    assert refused.returncode == 1 and "delta.isolationLevel = Odd" in refused.stderr


def test_large_appends_become_several_files(lake):  # noqa: F811
    lake.create("big [1]", "SELECT 1::BIGINT AS id, 'x' AS text, 1::BIGINT AS p", "--partition-by", "p", "--property", "delta.targetFileSize=2mb")
    query = "SELECT range AS id, md5(range::VARCHAR) AS text, CASE WHEN range < 1000 THEN 0 ELSE 1 END AS p FROM range({})"
    said = lake.append("big [1]", query.format(1_000_000))
    adds = lake.deltalake("big [1]").get_add_actions(flatten=True).to_struct_array().to_pylist()
    assert f"1000000 rows in {len(adds)} files" in said and len(adds) >= 4
    assert [add["num_records"] for add in adds if add["partition.p"] == 0] == [1000]
    # A file ends with the group of rows that makes it large enough; only the last may be smaller.
    sizes = sorted(add["size_bytes"] for add in adds if add["partition.p"] == 1)
    assert all(size > 2 << 20 for size in sizes[1:])
    rows = lake.deltalake("big [1]").to_pyarrow_table()
    assert rows.num_rows == 1_000_000 and len(set(rows["id"].to_pylist())) == 1_000_000
    assert sorted(lake.files("big [1]")) == sorted(add["path"] for add in adds)
    # Compaction keeps to it, or to what it is told.
    lake.append("big [1]", query.format(10))
    lake.apus("optimize", "big [1]", "--target-size", str(64 << 20))
    after = lake.deltalake("big [1]").get_add_actions(flatten=True).to_struct_array().to_pylist()
    assert sorted((add["partition.p"], add["num_records"]) for add in after) == [(0, 1010), (1, 999_000)]
