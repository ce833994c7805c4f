# SPDX-License-Identifier: Apache-2.0
"""Features of MovieLens from Delta tables, on DuckDB and on Apache Spark: the same rows and values. Tables that Spark
makes come back. `make test-spark`."""
import pathlib
import struct

import pyarrow as pa
import pyarrow.parquet
import pytest

from conftest import ROOT
from lake_fixture import Lake
from spark_fixture import spark, spark_server, types, views_of  # noqa: F401 (fixtures)

pytestmark = pytest.mark.spark

MOVIELENS = ROOT / ".cache" / "movielens-100k"
QUERIES = ROOT / "Examples" / "MovieRecommender" / "queries"

# Beside the recommender's own. Over `ratings` (user_id, movie_id, rating, rated_at, sequence), `movies` (movie_id,
# title, genres) and `users`.
FEATURES = {
    "user statistics": """SELECT user_id, COUNT(*) AS n, AVG(rating) AS mean, MIN(rating) AS low, MAX(rating) AS high,
        COUNT(DISTINCT movie_id) AS movies, MIN(rated_at) AS since, MAX(rated_at) AS latest,
        CAST(SUM(CASE WHEN rating >= 4 THEN 1 ELSE 0 END) AS BIGINT) AS liked FROM ratings GROUP BY user_id ORDER BY user_id""",
    "movie statistics": """SELECT m.movie_id, m.title, COUNT(r.user_id) AS n, COALESCE(AVG(r.rating), CAST(0 AS DOUBLE)) AS mean
        FROM movies m LEFT JOIN ratings r ON r.movie_id = m.movie_id GROUP BY m.movie_id, m.title ORDER BY m.movie_id""",
    "mean of the week before": """SELECT user_id, movie_id, rated_at, AVG(rating) OVER (PARTITION BY user_id ORDER BY rated_at
        RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW) AS mean, COUNT(*) OVER (PARTITION BY user_id ORDER BY rated_at
        RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW) AS n FROM ratings ORDER BY user_id, rated_at, movie_id""",
    "sessions": """SELECT user_id, movie_id, session, COUNT(*) OVER (PARTITION BY user_id, session) AS length FROM (
        SELECT user_id, movie_id, CAST(SUM(starts) OVER (PARTITION BY user_id ORDER BY rated_at, movie_id
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS session
        FROM (SELECT user_id, movie_id, rated_at, CASE WHEN LAG(rated_at) OVER (PARTITION BY user_id ORDER BY rated_at, movie_id)
          >= rated_at - INTERVAL '30' MINUTE THEN 0 ELSE 1 END AS starts FROM ratings) e) s ORDER BY user_id, session, movie_id""",
    "point in time": """WITH wanted AS (SELECT user_id, MAX(rated_at) AS moment FROM ratings GROUP BY user_id),
        placed AS (SELECT w.user_id, w.moment, r.movie_id, r.rating, ROW_NUMBER() OVER (PARTITION BY w.user_id
          ORDER BY r.rated_at DESC NULLS LAST, r.movie_id) AS place
        FROM wanted w LEFT JOIN ratings r ON r.user_id = w.user_id AND r.rated_at <= w.moment - INTERVAL '1' DAY)
        SELECT user_id, moment, movie_id, rating FROM placed WHERE place = 1 ORDER BY user_id""",
    "the top of each user": """SELECT user_id, movie_id, rating FROM (SELECT user_id, movie_id, rating, ROW_NUMBER() OVER (
        PARTITION BY user_id ORDER BY rating DESC, rated_at DESC, movie_id) AS place FROM ratings) p WHERE place <= 3
        ORDER BY user_id, place""",
    "liked together": """SELECT one, other, users FROM (SELECT a.movie_id AS one, b.movie_id AS other, COUNT(*) AS users
        FROM ratings a JOIN ratings b ON a.user_id = b.user_id AND a.movie_id < b.movie_id
        WHERE a.rating >= 5 AND b.rating >= 5 AND a.user_id <= 100 AND b.user_id <= 100
        GROUP BY a.movie_id, b.movie_id) c WHERE users >= 5 ORDER BY users DESC, one, other""",
    "split by time": """SELECT CASE WHEN rank < 0.8 THEN 'train' ELSE 'test' END AS part, COUNT(*) AS n, AVG(rating) AS mean,
        MIN(rated_at) AS first, MAX(rated_at) AS last FROM (SELECT rating, rated_at, PERCENT_RANK() OVER (ORDER BY rated_at) AS rank FROM ratings) r
        GROUP BY CASE WHEN rank < 0.8 THEN 'train' ELSE 'test' END ORDER BY part""",
    "genres": """SELECT u.occupation, COUNT(*) AS n, AVG(r.rating) AS mean,
        AVG(CAST(EXTRACT(YEAR FROM r.rated_at) AS DOUBLE)) AS year FROM ratings r JOIN users u ON u.user_id = r.user_id
        JOIN movies m ON m.movie_id = r.movie_id WHERE m.genres LIKE '%Comedy%' AND u.age BETWEEN 20 AND 40
        GROUP BY u.occupation HAVING COUNT(*) > 100 ORDER BY u.occupation""",
    "who saw none of the best": """SELECT u.user_id FROM users u WHERE NOT EXISTS (SELECT 1 FROM ratings r JOIN
        (SELECT movie_id FROM ratings GROUP BY movie_id ORDER BY COUNT(*) DESC, movie_id LIMIT 5) t ON t.movie_id = r.movie_id
        WHERE r.user_id = u.user_id) ORDER BY u.user_id""",
    "similarity": """SELECT a.user_id AS one, b.user_id AS other, COUNT(*) AS n,
        SUM(a.rating * b.rating) / (SQRT(SUM(a.rating * a.rating)) * SQRT(SUM(b.rating * b.rating))) AS cosine
        FROM ratings a JOIN ratings b ON a.movie_id = b.movie_id AND a.user_id < b.user_id
        WHERE a.user_id <= 60 AND b.user_id <= 60 GROUP BY a.user_id, b.user_id HAVING COUNT(*) >= 20 ORDER BY one, other""",
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """MovieLens as Delta tables that `apus lake` wrote in several commits, one of them partitioned."""
    lake = Lake(tmp_path_factory.mktemp("features"))
    allow = ["--allow", str(MOVIELENS)]
    ratings = f"""SELECT userId::INTEGER AS user_id, movieId::INTEGER AS movie_id, rating::DOUBLE AS rating,
        to_timestamp("timestamp") AS rated_at, row_number() OVER () AS sequence
        FROM read_csv('{MOVIELENS}/ratings.csv')"""
    # Some rate a movie again, a day later.
    again = f"""SELECT user_id, movie_id, 6 - rating AS rating, rated_at + INTERVAL 1 DAY AS rated_at,
        sequence + 1000000 AS sequence FROM ({ratings}) WHERE user_id < 40"""
    movies = f"""SELECT movieId::INTEGER AS movie_id, title, genres FROM read_csv('{MOVIELENS}/movies.csv',
        quote = '"', types = {{'title': 'VARCHAR'}})"""
    users = f"""SELECT userId::INTEGER AS user_id, age::INTEGER AS age, gender, occupation, zipCode::VARCHAR AS zip
        FROM read_csv('{MOVIELENS}/users.csv', types = {{'zipCode': 'VARCHAR'}})"""
    lake.create("ratings", ratings, *allow)
    for part in range(4):
        lake.append("ratings", f"SELECT * FROM ({ratings}) WHERE user_id % 4 = {part}", *allow)
    lake.append("ratings", again, *allow)
    lake.create("movies", movies, *allow)
    lake.append("movies", movies, *allow)
    lake.create("users", users, "--partition-by", "gender", *allow)
    lake.append("users", users, *allow)
    return lake


def views(lake):
    spark, duck = zip(*(views_of(name, lake.path(name)) for name in ("ratings", "movies", "users")))
    return spark, duck


def bits(value):
    return struct.unpack("<q", struct.pack("<d", value))[0]


def assert_same(ours, theirs, ulps=0):
    """The same names, types, rows and values. Doubles are the same bits, but for `ulps` steps where the query adds
    numbers whose sums are rounded: the order of adding is the engine's."""
    assert types(ours) == types(theirs)
    assert ours.num_rows == theirs.num_rows > 0
    for name in ours.column_names:
        one, other = ours[name].to_pylist(), theirs[name].to_pylist()
        if one == other:
            continue
        for row, (a, b) in enumerate(zip(one, other)):
            near = isinstance(a, float) and isinstance(b, float) and a * b > 0 and abs(bits(a) - bits(b)) <= ulps
            assert a == b or near, f"column {name}, row {row}: {a!r} on DuckDB, {b!r} on Spark"


# Ratings are whole numbers, so their sums are exact and every order of adding gives the same bits.
@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_the_same_on_both(name, tables, spark):  # noqa: F811
    on_spark, on_duckdb = views(tables)
    ours = spark.duckdb(*on_duckdb, FEATURES[name], allow=[tables.folder])
    assert_same(ours, spark.rows(*on_spark, FEATURES[name]))


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.sql")))
def test_a_query_of_the_recommender_is_the_same_on_both(name, tables, spark):  # noqa: F811
    on_spark, on_duckdb = views(tables)
    query = (QUERIES / f"{name}.sql").read_text()
    ours = spark.duckdb(*on_duckdb, query, allow=[tables.folder])
    assert_same(ours, spark.rows(*on_spark, query))


def test_a_version_of_before_is_the_same_on_both(tables, spark):  # noqa: F811
    query = "SELECT user_id, COUNT(*) AS n FROM ratings GROUP BY user_id ORDER BY user_id"
    on_spark, on_duckdb = views_of("ratings", tables.path("ratings"), version=2)
    ours, theirs = spark.duckdb(on_duckdb, query, allow=[tables.folder]), spark.rows(on_spark, query)
    assert_same(ours, theirs)
    assert {user % 4 for user in theirs["user_id"].to_pylist()} == {0, 1}


def test_rows_that_spark_makes_go_into_a_table(tables, spark, tmp_path):  # noqa: F811
    """CREATE TABLE AS and INSERT on Spark write Parquet; `apus lake` appends and merges it."""
    on_spark, _ = views(tables)
    made = tmp_path / "made"
    spark.sql(*on_spark, f"""INSERT OVERWRITE DIRECTORY '{made}' USING parquet SELECT user_id, COUNT(*) AS n,
        AVG(rating) AS mean, MAX(rated_at) AS latest, NAMED_STRUCT('low', MIN(rating), 'high', MAX(rating)) AS span,
        CAST(AVG(rating) AS DECIMAL(6, 3)) AS rounded, SORT_ARRAY(COLLECT_SET(CAST(rating AS INT))) AS seen
        FROM ratings GROUP BY user_id""")
    files = f"read_parquet('{made}/*.parquet')"
    lake = Lake(tmp_path / "lake")
    allow = ["--allow", str(tmp_path)]
    lake.create("features", f"SELECT * FROM {files}", *allow)
    lake.append("features", f"SELECT * FROM {files} WHERE user_id <= 500", *allow)
    lake.apus("merge", "features", "--source", f"SELECT * FROM {files}", "--on", "target.user_id = source.user_id",
              "--update-all", "--insert-all", *allow)
    mine, _ = views_of("features", lake.path("features"))
    back = spark.rows(mine, "SELECT * FROM features ORDER BY user_id")
    direct = pa.concat_tables(pyarrow.parquet.read_table(file) for file in sorted(pathlib.Path(made).glob("*.parquet")))
    expected = direct.sort_by("user_id")
    assert back.num_rows == 943
    assert back.to_pylist() == expected.to_pylist()
