# SPDX-License-Identifier: Apache-2.0
"""Sail, a Spark Connect server, with `apus serve catalog` as its Iceberg catalog."""
import json
import os
import subprocess

import pyarrow as pa
import pytest

from catalog_fixture import catalog  # noqa: F401
from conftest import APUS, ROOT
from objects_fixture import REGION
from sail_fixture import running_sail


@pytest.fixture(scope="module")
def spark(catalog, tmp_path_factory):
    """Runs statements in a session; the rows of the last one."""
    settings = f'[{{name="lake", type="iceberg-rest", uri="{catalog.url}"}}]'
    environment = {"SAIL_CATALOG__LIST": settings, "SAIL_CATALOG__DEFAULT_CATALOG": "lake",
                   "AWS_ENDPOINT_URL": catalog.objects.url, "AWS_ACCESS_KEY_ID": catalog.objects.access,
                   "AWS_SECRET_ACCESS_KEY": catalog.objects.secret, "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true"}
    with running_sail(tmp_path_factory.mktemp("sail"), environment) as profile:
        def run(*statements):
            done = subprocess.run(
                [APUS, "sql", "--engine", "profile://sail", "--format", "json",
                 *(part for statement in statements for part in ("-c", statement))],
                capture_output=True, text=True, timeout=120,
                env={**os.environ, "APUS_DUCKDB": os.environ.get("APUS_DUCKDB", str(ROOT / ".cache" / "duckdb")), **profile})
            assert done.returncode == 0, done.stderr
            return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        yield run


def test_sail_reads_and_writes(spark, catalog):
    iceberg = catalog.pyiceberg()
    iceberg.create_namespace("s")
    table = iceberg.create_table("s.t", pa.schema([pa.field("id", pa.int64()), pa.field("name", pa.string())]))
    table.append(pa.table({"id": [1, 2], "name": ["a", "b"]}))
    assert spark("SELECT id, name FROM lake.s.t ORDER BY id") == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    spark("INSERT INTO lake.s.t VALUES (3, 'c')")
    rows = iceberg.load_table("s.t").scan().to_arrow().sort_by("id").to_pylist()
    assert rows == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]
