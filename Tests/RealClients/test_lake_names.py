# SPDX-License-Identifier: Apache-2.0
"""Tables by name: `apus sql --lake` reads tables that PyPI deltalake wrote, in a folder and in a bucket."""
import json
import os
import shutil
import subprocess

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import APUS
from lake_fixture import Lake, rows_of
from objects_fixture import ACCESS, REGION, SECRET, Objects


def sql(root, *statements, check=True, environment=None, options=()):
    done = subprocess.run(
        [APUS, "sql", "--lake", str(root), "--format", "json", *options,
         *[part for statement in statements for part in ("-c", statement)]],
        capture_output=True, text=True, timeout=120, env={**os.environ, **(environment or {})})
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ids(*values):
    return pa.array(values, pa.int64())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("lake")
    write_deltalake(str(root / "ratings"), rows_of(id=ids(1, 2, 3), movie=ids(10, 10, 20), stars=[4.0, None, 1.5]))
    write_deltalake(str(root / "ratings"), rows_of(id=ids(4), movie=ids(20), stars=[5.0]), mode="append")
    write_deltalake(str(root / "movies"), rows_of(movie=ids(10, 20), title=["Heat", "Ran"], year=["1995", "1985"]),
                    partition_by=["year"])
    write_deltalake(str(root / "sales" / "orders"), rows_of(id=ids(7), what=["tea"]))
    write_deltalake(str(root / "Odd Name"), rows_of(id=ids(8)))
    (root / "no-table").mkdir()
    (root / "no-table" / "secret.csv").write_text("a\n1\n")
    return root


def test_names(folder):
    assert sql(folder, "SELECT count(*) AS n, sum(stars) AS s FROM ratings") == [{"n": 4, "s": 10.5}]
    assert sql(folder, """WITH best AS (SELECT movie, max(stars) AS stars FROM ratings GROUP BY movie)
        SELECT title, year, stars FROM best JOIN movies USING (movie) ORDER BY title""") == [
        {"title": "Heat", "year": "1995", "stars": 4.0}, {"title": "Ran", "year": "1985", "stars": 5.0}]
    assert sql(folder, "SELECT what FROM sales.orders o WHERE o.id = 7") == [{"what": "tea"}]
    assert sql(folder, "SELECT (SELECT max(id) FROM RATINGS) AS a, id FROM \"Odd Name\"") == [{"a": 4, "id": 8}]
    # The name of a WITH that is also the table's, and a table that only has a name in a text.
    assert sql(folder, "WITH ratings AS (SELECT * FROM ratings LIMIT 2) SELECT count(*) AS n FROM ratings") == [{"n": 2}]
    assert [row["column_name"] for row in sql(folder, "DESCRIBE movies")] == ["movie", "title", "year"]
    unknown = sql(folder, "SELECT * FROM nothing", check=False)
    assert unknown.returncode == 1 and "notFound" in unknown.stderr and "nothing" in unknown.stderr
    assert sql(folder, "SELECT 'no table: missing' AS x") == [{"x": "no table: missing"}]


def test_versions(folder):
    assert sql(folder, 'SELECT count(*) AS n FROM "ratings@v0"') == [{"n": 3}]
    assert sql(folder, """SELECT id FROM ratings EXCEPT SELECT id FROM "ratings@v0" """) == [{"id": 4}]
    early = sql(folder, 'SELECT * FROM "ratings@2000-01-01T00:00:00Z"', check=False)
    assert early.returncode == 1 and "the table ratings@2000-01-01T00:00:00Z" in early.stderr
    assert sql(folder, 'SELECT count(*) AS n FROM "ratings@2100-01-01T00:00:00Z"') == [{"n": 4}]
    none = sql(folder, 'SELECT * FROM "ratings@v9"', check=False)
    assert none.returncode == 1 and "version 9" in none.stderr


def test_other_statements_open_tables_too(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    rows = sql(
        folder, "CREATE TABLE mine AS SELECT movie, count(*) AS n FROM ratings GROUP BY ALL",
        "CREATE TEMP VIEW pair AS SELECT * FROM mine JOIN movies USING (movie)",
        f"COPY (SELECT * FROM pair) TO '{out}/pair.parquet'",
        "SELECT sum(n)::BIGINT AS n FROM pair", options=["--allow", str(out)])
    assert rows[-1] == {"n": 4}
    import pyarrow.parquet as parquet
    assert parquet.read_table(out / "pair.parquet").num_rows == 2
    # What the connection has itself comes first.
    assert sql(folder, "CREATE TABLE ratings AS SELECT 1 AS one", "SELECT * FROM ratings")[-1] == {"one": 1}
    # A view that was rolled back is made again.
    assert sql(folder, "BEGIN", "SELECT count(*) AS n FROM ratings", "ROLLBACK",
               "SELECT count(*) AS m FROM ratings")[-1] == {"m": 4}


def test_each_statement_sees_the_newest_version(tmp_path):
    lake = Lake(tmp_path)
    write_deltalake(lake.path("t"), rows_of(id=ids(1)))
    write_deltalake(lake.path("t"), rows_of(id=ids(2)), mode="append")
    DeltaTable(lake.path("t")).delete("id = 1")
    assert sql(tmp_path, "SELECT id FROM t") == [{"id": 2}]
    # Made again, with as many versions: nothing of the old one is there.
    shutil.rmtree(lake.path("t"))
    write_deltalake(lake.path("t"), rows_of(name=["new"]))
    assert sql(tmp_path, "SELECT * FROM t") == [{"name": "new"}]


def test_broken_tables_say_so(folder, tmp_path):
    (tmp_path / "bad" / "_delta_log").mkdir(parents=True)
    (tmp_path / "bad" / "_delta_log" / f"{0:020}.json").write_text("{]\n")
    broken = sql(tmp_path, "SELECT * FROM bad", check=False)
    assert broken.returncode == 1 and "the table bad" in broken.stderr
    listed = subprocess.run([APUS, "lake", "tables", str(folder)], capture_output=True, text=True, timeout=60)
    assert [line.split("  ")[0] for line in listed.stdout.splitlines()[1:]] == [
        "Odd Name", "movies", "ratings", "sales.orders"]


# In a bucket.

@pytest.fixture(scope="module")
def store():
    server = Objects().start()
    server.client().create_bucket(Bucket="lake")
    yield server
    server.stop()
    server.clean(keep=False)


def access(store):
    return {"AWS_ENDPOINT_URL": store.url, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION}


def write(store, table, data, **settings):
    write_deltalake(f"s3://lake/{table}", data, storage_options={
        **access(store), "AWS_ALLOW_HTTP": "true", "aws_conditional_put": "etag"}, **settings)


def test_a_bucket(store, tmp_path):
    environment = {**access(store), "TMPDIR": str(tmp_path)}
    write(store, "root/ratings", rows_of(id=ids(1, 2), stars=[4.0, 2.0]))
    write(store, "root/ratings", rows_of(id=ids(3), stars=[3.0]), mode="append")
    write(store, "root/sales/orders", rows_of(id=ids(1), what=["tea"]))
    root = "s3://lake/root"
    assert sql(root, "SELECT what, stars FROM ratings JOIN sales.orders USING (id)", environment=environment) == [
        {"what": "tea", "stars": 4.0}]
    assert sql(root, 'SELECT count(*) AS n FROM "ratings@v0"', environment=environment) == [{"n": 2}]
    listed = subprocess.run([APUS, "lake", "tables", root], capture_output=True, text=True, timeout=60,
                            env={**os.environ, **environment})
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["ratings", "sales.orders"]
    # Too little room says so, and no copy is left behind by any of these.
    full = sql(root, "SELECT * FROM ratings", check=False, environment=environment, options=["--cache-size", "900"])
    assert full.returncode == 1 and "does not fit the cache of 900 bytes" in full.stderr
    assert list(tmp_path.iterdir()) == []
