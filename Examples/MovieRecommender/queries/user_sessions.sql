-- A user's sittings: ratings with at most half an hour between one and the next.
WITH marked AS (
    SELECT user_id, rated_at, rating, sequence,
           CASE WHEN LAG(rated_at) OVER (PARTITION BY user_id ORDER BY rated_at, sequence)
                     >= rated_at - INTERVAL '30' MINUTE THEN 0 ELSE 1 END AS starts
    FROM ratings
),
numbered AS (
    SELECT user_id, rated_at, rating,
           CAST(SUM(starts) OVER (
               PARTITION BY user_id ORDER BY rated_at, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS BIGINT) AS session
    FROM marked
)
SELECT user_id, session, MIN(rated_at) AS began_at, MAX(rated_at) AS ended_at, COUNT(*) AS ratings,
       AVG(rating) AS mean_rating
FROM numbered
GROUP BY user_id, session
ORDER BY user_id, session
