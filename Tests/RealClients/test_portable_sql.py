# SPDX-License-Identifier: Apache-2.0
"""The portable subset of SQL (docs/lake.md): each query gives the same rows on DuckDB in process and on another engine
(Sail, which speaks Spark Connect)."""
import json

import pytest

from test_lake import sail, sql  # noqa: F401 (a fixture)

EVENTS = """WITH events AS (
    SELECT CAST(user_id AS INT) AS user_id, CAST(item AS STRING) AS item, CAST(rating AS DOUBLE) AS rating,
           CAST(ts AS TIMESTAMP) AS ts
    FROM (VALUES (1, 'a', 4.0, '2026-01-01 10:00:00'), (1, 'b', 3.5, '2026-01-01 10:05:00'),
                 (1, 'c', NULL, '2026-01-09 12:00:00'), (2, 'a', 5.0, '2026-01-02 09:00:00'),
                 (2, 'c', 1.0, '2026-01-02 09:40:00'), (2, 'b', 2.5, '2026-01-05 00:00:00'),
                 (3, 'b', 4.5, '2026-01-03 23:59:59'), (3, 'a', 0.5, '2026-01-10 00:00:00'))
         AS v(user_id, item, rating, ts)) """

QUERIES = {
    "rows window": """SELECT user_id, item, SUM(rating) OVER (PARTITION BY user_id ORDER BY ts
        ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM events ORDER BY user_id, ts""",
    "range window of time": """SELECT user_id, item, COUNT(rating) OVER (PARTITION BY user_id ORDER BY ts
        RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW) AS n FROM events ORDER BY user_id, ts""",
    "point in time": """SELECT q.user_id, q.rating FROM (
        SELECT w.user_id, e.rating, ROW_NUMBER() OVER (PARTITION BY w.user_id ORDER BY e.ts DESC) AS place
        FROM (SELECT DISTINCT user_id, CAST('2026-01-03 00:00:00' AS TIMESTAMP) AS at FROM events) w
        LEFT JOIN events e ON e.user_id = w.user_id AND e.ts <= w.at) q
        WHERE q.place = 1 ORDER BY q.user_id""",
    "sessions": """SELECT user_id, item, CAST(SUM(starts) OVER (PARTITION BY user_id ORDER BY ts
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS session
        FROM (SELECT user_id, item, ts, CASE WHEN LAG(ts) OVER (PARTITION BY user_id ORDER BY ts)
            >= ts - INTERVAL '30' MINUTE THEN 0 ELSE 1 END AS starts FROM events) e ORDER BY user_id, ts""",
    "top of each": """SELECT user_id, item FROM (SELECT user_id, item, ROW_NUMBER() OVER (PARTITION BY user_id
        ORDER BY rating DESC NULLS LAST, item) AS place FROM events) e WHERE place <= 2 ORDER BY user_id, place""",
    "split by time": """SELECT COUNT(*) AS n, COUNT(CASE WHEN ts >= latest - INTERVAL '5' DAY THEN 1 END) AS held
        FROM events CROSS JOIN (SELECT MAX(ts) AS latest FROM events) m""",
    "co-occurrence": """SELECT a.item AS one, b.item AS other, COUNT(*) AS users FROM events a JOIN events b
        ON a.user_id = b.user_id AND a.item < b.item GROUP BY a.item, b.item ORDER BY one, other""",
    "aggregates": """SELECT item, COUNT(*) AS n, COUNT(DISTINCT user_id) AS users, AVG(rating) AS mean, MIN(rating) AS low,
        MAX(rating) AS high FROM events GROUP BY item HAVING COUNT(*) > 1 ORDER BY item""",
    "nulls have a place": "SELECT item, rating FROM events ORDER BY rating NULLS FIRST, item",
    "sets": """SELECT item FROM events WHERE rating >= 4 EXCEPT SELECT item FROM events WHERE rating < 1 ORDER BY item""",
    "case, coalesce, like": """SELECT item, COALESCE(rating, CAST(0 AS DOUBLE)) AS r, CASE WHEN item LIKE 'a%' THEN 'first' ELSE 'other'
        END AS kind, UPPER(item) AS u, CAST(LENGTH(item) AS BIGINT) AS l FROM events WHERE user_id BETWEEN 1 AND 2 ORDER BY user_id, ts""",
    "percentile rank": """SELECT user_id, item, ROUND(PERCENT_RANK() OVER (ORDER BY ts), 3) AS p FROM events ORDER BY ts""",
    "dates": """SELECT CAST(EXTRACT(YEAR FROM ts) AS BIGINT) AS y, CAST(EXTRACT(DAY FROM ts) AS BIGINT) AS d, CAST(CAST(ts AS DATE) AS STRING) AS day
        FROM events ORDER BY ts""",
    "exists": """SELECT DISTINCT user_id FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.user_id = e.user_id
        AND o.rating < 1) ORDER BY user_id""",
}


@pytest.mark.parametrize("name", QUERIES)
def test_both_engines_give_the_same_rows(name, sail):  # noqa: F811
    query = EVENTS + QUERIES[name]
    ours = [json.loads(line) for line in sql("--format", "json", "-c", query).splitlines()]
    theirs = [json.loads(line) for line in
              sql("--engine", "profile://sail", "--format", "json", "-c", query, environment=sail).splitlines()]
    assert ours, "a query without rows compares nothing"
    assert ours == theirs


# What means different things without the prelude (`--portable`).
ALIGNED = {
    "null order": "SELECT item, rating FROM events ORDER BY rating, item",
    "null order, descending": "SELECT item, rating FROM events ORDER BY rating DESC, item",
    "null order in windows": """SELECT user_id, item, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY rating, item) AS place
        FROM events ORDER BY user_id, place""",
    "day of week": "SELECT DISTINCT CAST(ts AS DATE) AS day, DAYOFWEEK(ts) AS d, WEEKDAY(ts) AS w FROM events ORDER BY day",
    "logarithms": "SELECT ROUND(LOG(2, user_id + 1), 6) AS b FROM events ORDER BY user_id, ts",
    "replace all": "SELECT REGEXP_REPLACE('a-b-c', '-', '+') AS r, item FROM events ORDER BY user_id, ts",
    "concat of null": """SELECT CONCAT(item, CASE WHEN rating > 2 THEN 'x' END) AS c, CONCAT(item, '-', item) AS d
        FROM events ORDER BY user_id, ts""",
}


@pytest.mark.parametrize("name", ALIGNED)
def test_the_prelude_makes_them_the_same(name, sail):  # noqa: F811
    query = EVENTS + ALIGNED[name]
    ours = [json.loads(line) for line in sql("--portable", "--format", "json", "-c", query).splitlines()]
    theirs = [json.loads(line) for line in
              sql("--portable", "--engine", "profile://sail", "--format", "json", "-c", query, environment=sail).splitlines()]
    assert ours, "a query without rows compares nothing"
    assert ours == theirs


def test_the_prelude_changes_something_and_can_be_printed():
    query = EVENTS + ALIGNED["null order"]
    assert sql("--format", "json", "-c", query) != sql("--portable", "--format", "json", "-c", query)
    printed = sql("--print-prelude", "duckdb")
    assert "default_null_order" in printed
    assert "doubleQuotedIdentifiers" in sql("--print-prelude", "spark")
    assert sql("--print-prelude", "other", check=False).returncode != 0
