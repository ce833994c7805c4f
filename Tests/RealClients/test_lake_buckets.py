# SPDX-License-Identifier: Apache-2.0
"""Tables in a bucket of `apus serve objects`: `apus lake` and PyPI deltalake write them at once."""
import os
import subprocess
import threading

import boto3
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import APUS
from lake_fixture import rows_of
from objects_fixture import ACCESS, REGION, SECRET, Objects


@pytest.fixture(scope="module")
def store():
    server = Objects().start()
    server.client().create_bucket(Bucket="lake")
    yield server
    server.stop()
    server.clean(keep=False)


def options(store):
    return {
        "AWS_ENDPOINT_URL": store.url, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true", "aws_conditional_put": "etag",
    }


def apus(store, command, table, *arguments, check=True):
    environment = {**os.environ, **{name: value for name, value in options(store).items() if name.isupper()}}
    result = subprocess.run(
        [APUS, "lake", command, f"s3://lake/{table}", *arguments], text=True, capture_output=True, env=environment,
        timeout=120)
    if check:
        assert result.returncode == 0, result.stderr
        return result.stdout
    return result


def rows(store, table):
    found = DeltaTable(f"s3://lake/{table}", storage_options=options(store)).to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: (row["who"] or "", row["id"]))


def test_a_table_in_a_bucket(store):
    apus(store, "create", "a/t", "--like", "SELECT 1::BIGINT AS id, 'x' AS who", "--partition-by", "who")
    apus(store, "append", "a/t", "--query", "SELECT range AS id, 'w /' || range % 2 AS who FROM range(10)")
    apus(store, "update", "a/t", "--set", "id=id + 100", "--where", "id = 3")
    apus(store, "delete", "a/t", "--where", "who = 'w /0' AND id > 4")
    apus(store, "checkpoint", "a/t")
    write_deltalake(
        "s3://lake/a/t", rows_of(id=pa.array([7], pa.int64()), who=["deltalake"]), mode="append",
        storage_options=options(store))
    assert [(row["who"], row["id"]) for row in rows(store, "a/t")] == [
        ("deltalake", 7), ("w /0", 0), ("w /0", 2), ("w /0", 4), ("w /1", 1), ("w /1", 5), ("w /1", 7), ("w /1", 9),
        ("w /1", 103)]
    assert apus(store, "rows", "a/t", "--where", "id = 103").strip() == '{"id":103,"who":"w /1"}'
    assert "Rows:         9" in apus(store, "describe", "a/t")
    apus(store, "optimize", "a/t")
    said = apus(store, "vacuum", "a/t", "--retention", "0", "--force")
    assert "files," in said and len(rows(store, "a/t")) == 9
    refused = apus(store, "describe", "none", check=False)
    assert refused.returncode == 1 and "there is no Delta table at s3://lake/none" in refused.stderr


def test_writers_of_a_bucket_at_once(store):
    apus(store, "create", "b", "--like", "SELECT 1::BIGINT AS id, 'x' AS who")
    failures = []

    def ours(number):
        for id in range(4):
            result = apus(store, "append", "b", "--query", f"SELECT {id}::BIGINT AS id, 'apus {number}' AS who", check=False)
            if result.returncode != 0:
                failures.append(result.stderr)

    def theirs():
        try:
            for id in range(4):
                write_deltalake(
                    "s3://lake/b", rows_of(id=pa.array([id], pa.int64()), who=["deltalake"]), mode="append",
                    storage_options=options(store))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ours, args=(number,)) for number in range(4)] + [threading.Thread(target=theirs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    expected = sorted([(f"apus {number}", id) for number in range(4) for id in range(4)] + [("deltalake", id) for id in range(4)])
    assert [(row["who"], row["id"]) for row in rows(store, "b")] == expected


def test_a_large_append_to_a_bucket_becomes_several_files(store):
    query = "SELECT range AS id, md5(range::VARCHAR) AS who FROM range(400000)"
    apus(store, "create", "large", "--like", query, "--property", "delta.targetFileSize=2mb")
    apus(store, "append", "large", "--query", query)
    table = DeltaTable("s3://lake/large", storage_options=options(store))
    assert len(table.file_uris()) > 2
    assert set(table.to_pyarrow_table()["id"].to_pylist()) == set(range(400_000))
    found = boto3.client("s3", endpoint_url=store.url, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET,
                         region_name=REGION).list_objects_v2(Bucket="lake", Prefix="large/")["Contents"]
    assert {entry["Key"].split("/")[-1] for entry in found if entry["Key"].endswith(".parquet")} == {
        uri.split("/")[-1] for uri in table.file_uris()}
    apus(store, "delete", "large", "--where", "id = 7")
    assert table.version() + 1 == DeltaTable("s3://lake/large", storage_options=options(store)).version()
