-- How much and how high a user rates each genre. Genres are one text with `|` between them; some data sets say
-- Children's, others Children.
WITH genres AS (
    SELECT genre
    FROM (VALUES ('Action'), ('Adventure'), ('Animation'), ('Children'), ('Comedy'), ('Crime'), ('Documentary'),
                 ('Drama'), ('Fantasy'), ('Film-Noir'), ('Horror'), ('IMAX'), ('Musical'), ('Mystery'), ('Romance'),
                 ('Sci-Fi'), ('Thriller'), ('War'), ('Western')) AS names (genre)
),
latest AS (
    SELECT user_id, movie_id, rating
    FROM (
        SELECT user_id, movie_id, rating,
               ROW_NUMBER() OVER (PARTITION BY user_id, movie_id ORDER BY sequence DESC) AS place
        FROM ratings
    ) numbered
    WHERE place = 1
),
members AS (
    SELECT m.movie_id, g.genre
    FROM movies m JOIN genres g ON ('|' || m.genres || '|') LIKE ('%|' || g.genre || '%|%')
)
SELECT l.user_id, g.genre, COUNT(*) AS ratings, AVG(l.rating) AS mean_rating
FROM latest l JOIN members g ON g.movie_id = l.movie_id
GROUP BY l.user_id, g.genre
ORDER BY l.user_id, g.genre
