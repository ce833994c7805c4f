-- What is known of a user: how much, how high and how evenly they rate, and how lately. Windows end with the newest
-- rating of all, so that the same table gives the same features at any time.
WITH moment AS (SELECT MAX(rated_at) AS newest FROM ratings),
latest AS (
    SELECT user_id, movie_id, rating, rated_at
    FROM (
        SELECT user_id, movie_id, rating, rated_at,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1
),
sums AS (
    SELECT user_id,
           COUNT(*) AS n,
           SUM(rating) AS stars,
           SUM(rating * rating) AS squares,
           COUNT(CASE WHEN rating >= 4 THEN 1 END) AS liked,
           MIN(rated_at) AS first_rated_at,
           MAX(rated_at) AS last_rated_at,
           COUNT(CASE WHEN rated_at > newest - INTERVAL '7' DAY THEN 1 END) AS ratings_7_days,
           COUNT(CASE WHEN rated_at > newest - INTERVAL '30' DAY THEN 1 END) AS ratings_30_days
    FROM latest CROSS JOIN moment
    GROUP BY user_id
)
SELECT user_id,
       n AS ratings,
       stars / n AS mean_rating,
       CASE WHEN n > 1 THEN SQRT((squares - stars * stars / n) / (n - 1)) END AS deviation,
       CAST(liked AS DOUBLE) / n AS liked_share,
       first_rated_at,
       last_rated_at,
       ratings_7_days,
       ratings_30_days
FROM sums
ORDER BY user_id
