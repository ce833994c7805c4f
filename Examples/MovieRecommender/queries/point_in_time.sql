-- Features of each rating as they were a second before it: nothing that came later, and not the rating itself, can leak
-- into what a model learns from. The week is in seconds because Spark wants both ends of a range in one unit.
SELECT user_id, movie_id, rating, rated_at,
       COUNT(*) OVER user_before AS user_ratings_before,
       AVG(rating) OVER user_before AS user_mean_before,
       COUNT(*) OVER (
           PARTITION BY user_id ORDER BY rated_at
           RANGE BETWEEN INTERVAL '604800' SECOND PRECEDING AND INTERVAL '1' SECOND PRECEDING
       ) AS user_ratings_7_days,
       COUNT(*) OVER movie_before AS movie_ratings_before,
       AVG(rating) OVER movie_before AS movie_mean_before,
       COUNT(*) OVER (
           PARTITION BY movie_id ORDER BY rated_at
           RANGE BETWEEN INTERVAL '604800' SECOND PRECEDING AND INTERVAL '1' SECOND PRECEDING
       ) AS movie_ratings_7_days
FROM ratings
WINDOW user_before AS (
           PARTITION BY user_id ORDER BY rated_at
           RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '1' SECOND PRECEDING
       ),
       movie_before AS (
           PARTITION BY movie_id ORDER BY rated_at
           RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '1' SECOND PRECEDING
       )
ORDER BY sequence
