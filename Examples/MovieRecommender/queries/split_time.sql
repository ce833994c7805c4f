-- Train and test: the latest part of the ratings is held out, as a model that is put to use knows only the past.
WITH parameters AS (SELECT CAST(0.1 AS DOUBLE) AS holdout),
latest AS (
    SELECT user_id, movie_id, rating, rated_at, sequence
    FROM (
        SELECT user_id, movie_id, rating, rated_at, sequence,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1
),
ordered AS (
    SELECT user_id, movie_id, rating, rated_at, holdout,
           COUNT(*) OVER () AS total,
           ROW_NUMBER() OVER (ORDER BY rated_at, sequence) AS place
    FROM latest CROSS JOIN parameters
)
SELECT user_id, movie_id, rating, rated_at, place > total - ROUND(total * holdout) AS is_test
FROM ordered
ORDER BY user_id, movie_id
