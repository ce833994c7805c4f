-- The rating that counts: a user's latest of each movie, by its place in the log of events.
SELECT user_id, movie_id, rating, rated_at, sequence
FROM (
    SELECT user_id, movie_id, rating, rated_at, sequence,
           ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
    FROM ratings
) numbered
WHERE place = 1
ORDER BY user_id, movie_id
