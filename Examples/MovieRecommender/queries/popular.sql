-- The hundred movies to show to whom nothing is known of: liked by many, most of all lately (half of the weight is that
-- of the last 90 days).
WITH moment AS (SELECT MAX(rated_at) AS newest FROM ratings),
likes AS (
    SELECT movie_id, rated_at
    FROM (
        SELECT movie_id, rating, rated_at,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1 AND rating >= 4
),
counts AS (
    SELECT movie_id, COUNT(*) AS likes, COUNT(CASE WHEN rated_at > newest - INTERVAL '90' DAY THEN 1 END) AS lately
    FROM likes CROSS JOIN moment
    GROUP BY movie_id
),
totals AS (
    SELECT CAST(SUM(likes) AS BIGINT) AS likes, CAST(SUM(lately) AS BIGINT) AS lately FROM counts
),
scored AS (
    SELECT c.movie_id, c.likes, c.lately,
           CAST(c.likes AS DOUBLE) / t.likes
               + CASE WHEN t.lately > 0 THEN CAST(c.lately AS DOUBLE) / t.lately ELSE CAST(0 AS DOUBLE) END AS score
    FROM counts c CROSS JOIN totals t
),
ranked AS (SELECT movie_id, likes, lately, score, ROW_NUMBER() OVER (ORDER BY score DESC, movie_id) AS place FROM scored)
SELECT CAST(r.place AS BIGINT) AS place, r.movie_id, m.title, r.likes, r.lately, r.score
FROM ranked r LEFT JOIN movies m ON m.movie_id = r.movie_id
WHERE r.place <= 100
ORDER BY place
