-- Train and test: a part of the ratings, chosen by a hash, is held out. The same seed holds out the same ratings.
WITH parameters AS (SELECT CAST(0.1 AS DOUBLE) AS holdout, CAST(42 AS BIGINT) AS seed),
latest AS (
    SELECT user_id, movie_id, rating, rated_at
    FROM (
        SELECT user_id, movie_id, rating, rated_at,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1
),
ordered AS (
    SELECT user_id, movie_id, rating, rated_at, holdout,
           COUNT(*) OVER () AS total,
           ROW_NUMBER() OVER (
               ORDER BY MD5(CAST(user_id AS STRING) || '/' || CAST(movie_id AS STRING) || '/' || CAST(seed AS STRING)),
                        user_id, movie_id
           ) AS place
    FROM latest CROSS JOIN parameters
)
SELECT user_id, movie_id, rating, rated_at, place <= ROUND(total * holdout) AS is_test
FROM ordered
ORDER BY user_id, movie_id
