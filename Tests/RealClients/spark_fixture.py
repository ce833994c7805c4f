# SPDX-License-Identifier: Apache-2.0
"""Starts Apache Spark's Connect server for the tests: two threads, a gigabyte, loopback, no web page. Spark comes by
scripts/bootstrap spark. `apus sql` reaches it by the profile `spark`, with PyPI's adbc-driver-spark in a worker."""
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import deltalake
import pyarrow as pa
import pyarrow.ipc
import pytest

from conftest import APUS, ROOT, wait_for

HOME = ROOT / ".cache" / "spark"
SETTINGS = {
    "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": "0",
    "spark.sql.session.timeZone": "UTC", "spark.sql.catalogImplementation": "in-memory",
    # Few rows need few tasks.
    "spark.sql.shuffle.partitions": "2", "spark.sql.ui.retainedExecutions": "1", "spark.ui.retainedJobs": "1",
}


class Spark:
    """One server, which can be killed and started again."""

    def __init__(self):
        if not (HOME / "jars").is_dir():
            pytest.fail("Apache Spark is not there: run scripts/bootstrap spark")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-spark-"))
        package = importlib.util.find_spec("adbc_driver_spark")
        library = pathlib.Path(package.origin).parent / "libadbc_driver_spark.so"
        (self.folder / "spark-driver.toml").write_text(
            f'manifest_version = 1\nname = "Spark"\n[Driver.shared]\nlinux_amd64 = "{library}"\n')
        self.process = self.port = None

    def ensure(self):
        """Starts it where it is not running."""
        if self.process and self.process.poll() is None:
            return self
        said = self.folder / "spark.log"
        command = [str(HOME / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1g", "--class",
                   "org.apache.spark.sql.connect.service.SparkConnectServer"]
        own = {"spark.local.dir": str(self.folder / "local"), "spark.sql.warehouse.dir": str(self.folder / "warehouse")}
        for name, value in {**SETTINGS, **own}.items():
            command += ["--conf", f"{name}={value}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
        with open(said, "wb") as log:
            self.process = subprocess.Popen(
                [*command, "spark-internal"], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**environment, "SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1"})

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"Spark ended with {self.process.returncode}: {said.read_text()[-3000:]}")
            return re.search(r"Spark Connect server started at: \S*?:(\d+)", said.read_text(errors="replace"))

        self.port = int(wait_for(ready, 120, "Spark's Connect server")[1])
        (self.folder / "spark.toml").write_text(
            f'profile_version = 1\ndriver = "spark-driver"\n[Options]\nuri = "sc://127.0.0.1:{self.port}"\n')
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self):
        return {**os.environ, "ADBC_DRIVER_PATH": str(self.folder), "ADBC_PROFILE_PATH": str(self.folder),
                "APUS_DUCKDB": os.environ.get("APUS_DUCKDB", str(ROOT / ".cache" / "duckdb"))}

    def sql(self, *statements, arguments=(), check=True):
        """The bytes of the last statement's rows as an Arrow stream, on Spark."""
        return run(["--engine", "profile://spark", *arguments], statements, self.environment, check)

    def popen(self, *statements):
        return subprocess.Popen(
            [APUS, "sql", "--engine", "profile://spark", *dashes(statements)], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def rows(self, *statements):
        return table_of(self.sql(*statements, arguments=["--format", "arrow"]).stdout)

    def duckdb(self, *statements, allow=()):
        """The same on DuckDB in the process of `apus sql`."""
        folders = [part for folder in allow for part in ("--allow", str(folder))]
        return table_of(run(["--format", "arrow", *folders], statements, self.environment, True).stdout)


def dashes(statements):
    return [part for statement in statements for part in ("-c", statement)]


def run(arguments, statements, environment, check):
    done = subprocess.run([APUS, "sql", *arguments, *dashes(statements)], env=environment, capture_output=True,
                          timeout=180)
    if check:
        assert done.returncode == 0, done.stderr.decode()
    return done


def table_of(streams):
    """The last of several Arrow streams."""
    table, source = None, pa.BufferReader(streams)
    while source.tell() < len(streams):
        with pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
    table.validate(full=True)
    return table


def plain(type):
    """A type without what does not change a value: 64-bit offsets, names inside lists, nullability."""
    if pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return pa.string()
    if pa.types.is_large_binary(type) or pa.types.is_binary_view(type):
        return pa.binary()
    if pa.types.is_timestamp(type) and type.tz is not None:
        return pa.timestamp(type.unit, "UTC")
    if pa.types.is_list(type) or pa.types.is_large_list(type):
        return pa.list_(plain(type.value_type))
    if pa.types.is_map(type):
        return pa.map_(plain(type.key_type), plain(type.item_type))
    if pa.types.is_struct(type):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in type])
    return type


def types(table):
    return [(field.name, str(plain(field.type))) for field in table.schema]


def spark_type(type):
    """Spark's name of a Delta primitive type."""
    name = json.loads(type.to_json())
    return {"long": "BIGINT", "integer": "INT", "short": "SMALLINT", "byte": "TINYINT", "float": "FLOAT"}.get(name, name)


def views_of(name, path, version=None):
    """One version of a Delta table as a view for Spark and one for DuckDB. Neither has a reader of Delta here (Spark's
    is a jar that PyPI has not, DuckDB's is outside Apus), so both read the version's live Parquet files; the values of
    partitions come from the log."""
    table = deltalake.DeltaTable(path, version=version)
    adds = pa.table(table.get_add_actions()).to_pylist()
    assert not any(add.get("deletion_vector") for add in adds)
    spark, duck = [], []
    for add in adds:
        file = str(pathlib.Path(path) / add["path"])
        constants_spark, constants_duck = "", ""
        for column, value in (add.get("partition") or {}).items():
            field = next(field for field in table.schema().fields if field.name == column)
            text = "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
            constants_spark += f", CAST({text} AS {spark_type(field.type)}) AS {column}"
            constants_duck += f", CAST({text} AS {spark_type(field.type)}) AS {column}"
        spark.append(f"SELECT *{constants_spark} FROM parquet.`{file}`")
        quoted = file.replace("'", "''")
        duck.append(f"SELECT *{constants_duck} FROM read_parquet('{quoted}', hive_partitioning = false)")
    return (f"CREATE OR REPLACE TEMPORARY VIEW {name} AS " + " UNION ALL ".join(spark),
            f"CREATE OR REPLACE VIEW {name} AS " + " UNION ALL ".join(duck))


@pytest.fixture(scope="session")
def spark_server():
    server = Spark()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def spark(spark_server):
    return spark_server.ensure()
