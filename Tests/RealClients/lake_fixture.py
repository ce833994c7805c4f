# SPDX-License-Identifier: Apache-2.0
"""Delta tables of the tests: `apus lake` on one side, PyPI deltalake and DuckDB's delta extension on the other."""
import json
import pathlib
import subprocess

import deltalake
import duckdb
import duckdb_extension_delta
import pyarrow as pa
import pytest

from conftest import APUS


class Lake:
    """A folder of tables."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def path(self, table):
        return str(self.folder / table)

    def apus(self, command, table, *arguments, input=None, check=True):
        result = subprocess.run(
            [APUS, "lake", command, self.path(table), *arguments], text=True, capture_output=True, input=input,
            timeout=120)
        if check:
            assert result.returncode == 0, result.stderr
            return result.stdout
        return result

    def create(self, table, like, *arguments):
        return self.apus("create", table, "--like", like, *arguments)

    def append(self, table, query, *arguments):
        return self.apus("append", table, "--query", query, *arguments)

    def deltalake(self, table, version=None):
        return deltalake.DeltaTable(self.path(table), version=version)

    def rows(self, table, version=None):
        """All rows as deltalake reads them, sorted."""
        found = self.deltalake(table, version).to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str))

    def log(self, table):
        """All actions, by version."""
        folder = self.folder / table / "_delta_log"
        return {
            int(file.stem): [json.loads(line) for line in file.read_text().splitlines()]
            for file in sorted(folder.glob("*.json")) if file.stem.isdigit()
        }

    def files(self, table):
        root = self.folder / table
        return sorted(str(file.relative_to(root)) for file in root.rglob("*.parquet") if "_delta_log" not in str(file))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def duckdb_with_delta():
    """DuckDB with the extension of PyPI's package `duckdb-extension-delta`."""
    connection = duckdb.connect()
    folder = pathlib.Path(duckdb_extension_delta.__file__).parent
    connection.execute(f"LOAD '{folder}/extensions/v{duckdb.__version__}/delta.duckdb_extension'")
    return connection


def rows_of(**columns):
    return pa.table(columns)
