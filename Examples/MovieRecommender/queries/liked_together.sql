-- For each movie the ten that most of those like who like it: co-occurrence, as a share of all who like either
-- (Jaccard's index). Movies that fewer than ten users like are left out.
WITH likes AS (
    SELECT user_id, movie_id
    FROM (
        SELECT user_id, movie_id, rating,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1 AND rating >= 4
),
counts AS (SELECT movie_id, COUNT(*) AS users FROM likes GROUP BY movie_id HAVING COUNT(*) >= 10),
known AS (SELECT l.user_id, l.movie_id FROM likes l JOIN counts c ON c.movie_id = l.movie_id),
pairs AS (
    SELECT a.movie_id AS movie_id, b.movie_id AS other_id, COUNT(*) AS together
    FROM known a JOIN known b ON a.user_id = b.user_id AND a.movie_id <> b.movie_id
    GROUP BY a.movie_id, b.movie_id
),
scored AS (
    SELECT p.movie_id, p.other_id, p.together,
           CAST(p.together AS DOUBLE) / (a.users + b.users - p.together) AS share
    FROM pairs p
    JOIN counts a ON a.movie_id = p.movie_id
    JOIN counts b ON b.movie_id = p.other_id
),
ranked AS (
    SELECT movie_id, other_id, together, share,
           ROW_NUMBER() OVER (PARTITION BY movie_id ORDER BY share DESC, other_id) AS place
    FROM scored
)
SELECT movie_id, CAST(place AS BIGINT) AS place, other_id, together, share
FROM ranked
WHERE place <= 10
ORDER BY movie_id, place
