-- What is known of a movie. The damped mean takes five ratings of the average movie along, so that one enthusiast does
-- not make a favourite; popularity goes from 0 (the least rated) to 1.
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
average AS (SELECT AVG(rating) AS mean FROM latest),
sums AS (
    SELECT movie_id,
           COUNT(*) AS n,
           SUM(rating) AS stars,
           COUNT(CASE WHEN rating >= 4 THEN 1 END) AS liked,
           MAX(rated_at) AS last_rated_at,
           COUNT(CASE WHEN rated_at > newest - INTERVAL '7' DAY THEN 1 END) AS ratings_7_days,
           COUNT(CASE WHEN rated_at > newest - INTERVAL '30' DAY THEN 1 END) AS ratings_30_days
    FROM latest CROSS JOIN moment
    GROUP BY movie_id
)
SELECT s.movie_id,
       m.title,
       m.genres,
       s.n AS ratings,
       s.stars / s.n AS mean_rating,
       (s.stars + 5 * a.mean) / (s.n + 5) AS damped_mean,
       CAST(s.liked AS DOUBLE) / s.n AS liked_share,
       PERCENT_RANK() OVER (ORDER BY s.n) AS popularity,
       s.last_rated_at,
       s.ratings_7_days,
       s.ratings_30_days
FROM sums s
CROSS JOIN average a
LEFT JOIN movies m ON m.movie_id = s.movie_id
ORDER BY s.movie_id
