# SPDX-License-Identifier: Apache-2.0
"""The movie recommender on MovieLens 100K, end to end (must hold 2), and what it survives (must hold 3 and 4): events in a
topic, tables in buckets, features by SQL, runs and models on a tracking server."""
import csv
import datetime
import io
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import threading

import pytest
import requests

from conftest import APUS, wait_for
from movies_fixture import MANIFESTS, N, Load, movies  # noqa: F401


def test_quality_and_output_of_the_demo(movies, cluster):
    rmse = float(re.search(r"rmse ([\d.]+)", cluster.demo).group(1))
    assert rmse <= 0.91
    assert re.search(r"recall@10 0\.\d+", cluster.demo)
    assert len(re.findall(r"^Training \[[# ]+\] \d+/\d+ loss", cluster.demo, re.M)) >= 10
    assert len(re.findall(r"^  \d\. .+ \(\d{4}\)   \d\.\d\d stars$", cluster.demo, re.M)) == 5
    assert "http://127.0.0.1:" in cluster.demo


def test_services_of_their_own(movies, cluster):
    deployments = {d["metadata"]["name"] for d in cluster.get("deployments", *N)["items"]}
    jobs = {j["metadata"]["name"] for j in cluster.get("jobs", *N)["items"]}
    assert deployments == {"ingest", "tables", "features", "serving-predictor-00001", "web"} and jobs == {"train"}
    assert {s["metadata"]["name"] for s in cluster.get("statefulsets", *N)["items"]} == {
        "events", "objects", "tracking"}
    assert len(movies.pods("serving")) == 3
    wait_for(lambda: cluster.kubectl("get", "inferenceservice", *N).splitlines()[1].split()[:4] == [
        "serving", "http://serving-movies.localhost", "True", "100"], what="serving to be ready")
    assert [i["metadata"]["name"] for i in cluster.get("inferenceservice", *N)["items"]] == ["serving"]


def test_never_recommends_what_is_rated(movies):
    for user in [1, 7, 196, 500, 943]:
        recommended = movies.recommended(user, 50)
        assert len(recommended) == 50
        assert not set(recommended) & movies.rated(user)


def test_new_rating_changes_recommendations(movies):
    before = movies.recommended(943)
    for movie in before[:3]:
        answer = requests.post(movies.url("ingest") + "/v1/ratings", timeout=60,
                               json={"user": 943, "movie": movie, "rating": 1})
        assert answer.status_code == 201
    after = movies.recommended(943)
    assert not set(after) & set(before[:3]) and after != before


def test_similar_predict_and_bad_input(movies):
    assert len(movies.get("serving", "/v1/similar/50?n=5")["items"]) == 5
    assert 1 <= movies.get("serving", "/v1/predict?user=1&movie=50")["score"] <= 5
    count = len(movies.rated(5))
    for body in ['{"user":5}', "garbage", '{"user":5,"movie":1,"rating":99}', "[" * 1000]:
        answer = requests.post(movies.url("ingest") + "/v1/ratings", data=body, timeout=60,
                               headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500 and "error" in answer.json()
    assert len(movies.rated(5)) == count


def test_pages(movies):
    web = movies.url("web")
    home = requests.get(web + "/", timeout=60)
    assert home.status_code == 200 and "text/html" in home.headers["content-type"]
    found = requests.get(web + "/", params={"q": "star wars"}, timeout=60).text
    assert "Star Wars (1977)" in found
    movie = requests.get(web + "/movies/50", timeout=30).text
    assert "Who likes this also likes" in movie and "Return of the Jedi (1983)" in movie.split("Who likes this")[1]
    assert "<script>alert" not in requests.get(web + "/", params={"q": "<script>alert(1)</script>"},
                                               timeout=60).text


def test_killed_serving_pod_is_replaced_and_nobody_notices(movies):
    with Load(movies) as load:
        victim = movies.pids("serving")[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: victim not in movies.pids("serving") and len(movies.pids("serving")) == 3,
                 what="the container to be started again")
        wait_for(lambda: sum(movies.revisions().values()) == 3, what="three ready pods")
    assert load.failed == [] and load.answered > 40


def test_killed_training_restarts_and_serving_goes_on(movies, cluster):
    cluster.kubectl("delete", "job", "train", *N)
    manifest = json.loads(cluster.kubectl("create", "--dry-run=client", "-o", "json", "-f",
                                          str(MANIFESTS / "train.yaml")))
    manifest["spec"]["template"]["spec"]["containers"][0]["args"] += ["--iterations=1000", "--factors=200"]
    with Load(movies) as load:
        cluster.apply(json.dumps(manifest))
        wait_for(lambda: "iteration 5/" in cluster.kubectl("logs", "job/train", *N, check=False).stdout,
                 what="the training to be in its middle")
        os.kill(movies.pids("train")[0], signal.SIGKILL)
        wait_for(lambda: movies.pods("train")[0]["status"]["containerStatuses"][0]["restartCount"] == 1,
                 what="the training to be restarted")
        wait_for(lambda: "iteration 5/" in cluster.kubectl("logs", "job/train", *N, check=False).stdout,
                 what="the training to run again")
    assert load.failed == [] and load.retried == 0
    # The run of the process that was killed is over, that of the one in its place goes on.
    wait_for(lambda: [run["info"]["status"] for run in movies.runs("", "attributes.start_time DESC")[:2]] == [
        "RUNNING", "KILLED"], what="the run of the killed process to be ended")
    assert movies.get("serving", "/v1/model")["version"] == "1"
    cluster.kubectl("delete", "job", "train", *N)
    wait_for(lambda: [run["info"]["status"] for run in movies.runs("", "attributes.start_time DESC")[:2]] == [
        "KILLED", "KILLED"], what="the run of the deleted job to be ended")


def version_of(number):
    return f"serving-predictor-{number:05}"


def test_rolling_update_under_load_loses_nothing(movies, cluster):
    def second(predictor):
        predictor["containers"][0]["env"].append({"name": "VERSION", "value": "2"})

    with Load(movies) as load:
        movies.change_serving(second)
        wait_for(lambda: movies.shares() == {version_of(2): 100}, what="the second version to have the traffic")
        wait_for(lambda: movies.revisions() == {version_of(2): 3}, what="the first version to be gone")
    assert (load.failed, load.retried) == ([], 0) and load.answered > 40
    wait_for(lambda: len(movies.pods("serving")) == 3, what="the first version's pods to be gone")


def test_version_that_never_gets_ready_gets_no_traffic_and_is_undone(movies, cluster):
    good = {pod["metadata"]["name"] for pod in movies.pods("serving")}

    def bad(predictor):
        predictor["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/never"

    def undone(predictor):
        predictor["containers"][0]["readinessProbe"]["httpGet"]["path"] = "/readyz"

    with Load(movies) as load:
        movies.change_serving(bad)
        wait_for(lambda: len(movies.pods("serving")) > 3, what="the third version's pods")
        answered = load.answered
        wait_for(lambda: load.answered > answered + 20, what="the load to go on")
        assert movies.shares() == {version_of(2): 100} and movies.revisions()[version_of(3)] == 0
        movies.change_serving(undone)
        wait_for(lambda: movies.revisions() == {version_of(2): 3}, what="the third version to be gone")
    assert (load.failed, load.retried) == ([], 0)
    wait_for(lambda: {p["metadata"]["name"] for p in movies.pods("serving")} == good, what="the good pods alone")


def test_a_canary_has_its_share(movies, cluster):
    """Ten percent of the traffic for another version, then all of it for the one before."""
    def canary(predictor):
        predictor["canaryTrafficPercent"] = 10
        predictor["containers"][0]["env"].append({"name": "VERSION", "value": "4"})

    def undone(predictor):
        predictor["canaryTrafficPercent"] = None
        predictor["containers"][0]["env"].pop()

    with Load(movies) as load:
        movies.change_serving(canary)
        shares = wait_for(lambda: (s := movies.shares()) and len(s) == 2 and s, what="the canary's share")
        assert sorted(shares.values()) == [10, 90] and shares[version_of(2)] == 90
        movies.change_serving(undone)
        wait_for(lambda: movies.shares() == {version_of(2): 100}, what="the traffic to be back")
    assert (load.failed, load.retried) == ([], 0)


def test_serving_scales_alone(movies, cluster):
    movies.change_serving(lambda predictor: predictor.update(minReplicas=6))
    # The canary of the test before may still have pods.
    wait_for(lambda: movies.revisions().get(version_of(2)) == 6, what="six ready pods")
    assert len(movies.pods("features")) == 1
    movies.change_serving(lambda predictor: predictor.update(minReplicas=3))


def restarts(movies, app):
    return movies.pods(app)[0]["status"]["containerStatuses"][0]["restartCount"]


def is_back(movies, app, before):
    """Whether the service answers after more restarts than before, and the cluster knows: news of the end that come
    late would take it out of its Service once more."""
    status = movies.pods(app)[0]["status"]["containerStatuses"][0]
    return status["restartCount"] > before and status["ready"] and movies.answers(app)


def test_ingest_loses_no_acknowledged_rating(movies):
    url = movies.url("ingest") + "/v1/ratings"
    acknowledged = []
    victim, before = movies.pids("ingest")[0], restarts(movies, "ingest")
    for number in range(60):
        if number == 30:
            os.kill(victim, signal.SIGKILL)
        try:
            answer = requests.post(url, json={"user": 900_001, "movie": 1 + number, "rating": 3},
                                   timeout=60 if number < 30 else 5)
        except requests.RequestException:
            continue
        if answer.status_code == 201:
            acknowledged.append(1 + number)
    assert len(acknowledged) >= 30
    wait_for(lambda: is_back(movies, "ingest", before), what="ingest to be back")
    assert set(acknowledged) <= movies.rated(900_001)


def posted(movies, user, numbers, seconds=60):
    """Rates the movies; those that were acknowledged."""
    acknowledged = []
    for number in numbers:
        try:
            answer = requests.post(movies.url("ingest") + "/v1/ratings", timeout=seconds,
                                   json={"user": user, "movie": number, "rating": 4})
        except requests.RequestException:
            continue
        if answer.status_code == 201:
            acknowledged.append(number)
    return acknowledged


def read_topic(movies):
    """All records of the topic as (partition, key, event), by kcat."""
    out = subprocess.run(
        [shutil.which("kcat"), "-b", movies.broker(), "-C", "-t", "movie-events", "-o", "beginning", "-e", "-q",
         "-f", "%p\t%k\t%s\n"], text=True, check=True, capture_output=True, timeout=60).stdout
    return [(int(p), k, json.loads(v)) for p, k, v in (line.split("\t", 2) for line in out.splitlines())]


def all_in_features(movies, seconds=60):
    """Waits until the tables, and with them the features, have every event."""
    # The last one is asked for each time: one that its sender gave up may come yet.
    wait_for(lambda: movies.metric("features", "events") == movies.last_event(), seconds,
             f"the features to have all of {movies.last_event()} events")


def place(event):
    """What an event and its row have in common."""
    return (event["sequence"], event["user"], event["movie"], event.get("rating"), event["timestamp"])


def rows_are_events(movies):
    """The rows of the tables are the events that were acknowledged: none is missing, none is there twice."""
    all_in_features(movies)
    events = movies.all_events()
    rated, viewed = movies.rows("ratings"), movies.rows("views")
    found = [(row["sequence"], row["user_id"], row["movie_id"], row.get("rating"),
              int((row.get("rated_at") or row["viewed_at"]).timestamp())) for row in rated + viewed]
    assert sorted(found) == sorted(place(event) for event in events)
    places = [(row["topic_partition"], row["topic_offset"]) for row in rated + viewed]
    assert len(places) == len(set(places))
    return rated


def test_events_go_through_a_topic_keyed_by_user(movies):
    all_in_features(movies)
    records = read_topic(movies)
    assert {event["sequence"] for _, _, event in records} == set(range(1, movies.last_event() + 1))
    assert {partition for partition, _, _ in records} == {0, 1, 2, 3}
    assert all(key == str(event["user"]) for _, key, event in records)
    homes = {}
    for partition, key, _ in records:
        homes.setdefault(key, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in homes.values())
    wait_for(lambda: movies.committed() == len(records), what="all offsets to be committed")


def test_killed_broker_loses_and_doubles_nothing(movies):
    user = 900_002
    victim = movies.pids("events", b"apus")[0]
    acknowledged = posted(movies, user, range(1, 21))
    os.kill(victim, signal.SIGKILL)
    # Taken in while no broker is there, too.
    acknowledged += posted(movies, user, range(21, 61))
    assert acknowledged == list(range(1, 61))
    wait_for(lambda: movies.pids("events", b"apus") not in ([], [victim]), what="the broker to be back")
    all_in_features(movies)
    records = read_topic(movies)
    rated = [event["movie"] for _, key, event in records if key == str(user)]
    assert rated == acknowledged, "each event once and in order: the producer is idempotent"
    rows = rows_are_events(movies)
    dataset = movies.get("features", "/v1/datasets/latest?split=random")
    assert dataset["train"] + dataset["test"] == len({(row["user_id"], row["movie_id"]) for row in rows})
    # More than there are events, where an ingest that was killed before had sent one that it did not know of.
    wait_for(lambda: movies.committed() == len(records), what="all offsets to be committed")


def test_killed_features_come_back_with_everything(movies):
    user, ratings = 900_003, movies.metric("features", "ratings")
    before = restarts(movies, "features")
    os.kill(movies.pids("features")[0], signal.SIGKILL)
    assert len(posted(movies, user, range(1, 31))) == 30
    wait_for(lambda: is_back(movies, "features", before), what="the features to be back")
    all_in_features(movies)
    assert movies.metric("features", "ratings") == ratings + 30


def test_killed_ingest_sends_what_the_topic_lacks(movies):
    before = movies.last_event()
    acknowledged = posted(movies, 900_004, range(1, 16))
    old = set(kill(movies, "ingest"))

    def back():
        """In a new pod: the container of the old one may be started again before its pod has to go."""
        there = {pod["metadata"]["name"] for pod in movies.cluster.get("pods", "-l", "app=ingest", *N)["items"]}
        return not there & old and movies.answers("ingest")

    wait_for(back, what="ingest to be back")
    all_in_features(movies)
    assert movies.last_event() >= before + len(acknowledged)
    sent = {event["movie"] for _, key, event in read_topic(movies) if key == "900004"}
    assert sent == set(acknowledged)
    rows_are_events(movies)


def kill(movies, app):
    """kill -9 of a service, then another pod in its place, which is not made to wait as a restarted container is."""
    pods = [pod["metadata"]["name"] for pod in movies.pods(app)]
    for victim in movies.pids(app, PROGRAMS.get(app, b"movie-recommender")):
        os.kill(victim, signal.SIGKILL)
    movies.cluster.kubectl("delete", "pod", *pods, *N, "--wait=false")
    return pods


PROGRAMS = {"events": b"apus", "objects": b"apus"}


def test_rows_are_the_acknowledged_events_whoever_is_killed(movies):
    """Ratings come in while the writer of the tables, the broker and the bucket's server are killed over and over."""
    stop, acknowledged = threading.Event(), []

    def rate():
        number = 0
        while not stop.is_set():
            number += 1
            if posted(movies, 900_100 + number % 7, [1 + number % 1600]):
                acknowledged.append(number)

    rater = threading.Thread(target=rate)
    rater.start()
    try:
        for app in ["tables", "objects", "tables", "events", "tables", "objects", "tables"]:
            kill(movies, app)
            counted = len(acknowledged)
            wait_for(lambda: movies.pids(app, PROGRAMS.get(app, b"movie-recommender")), what=f"{app} to be back")
            wait_for(lambda: len(acknowledged) >= counted + 20, what="ratings to be taken in")
    finally:
        stop.set()
        rater.join()
    assert len(acknowledged) >= 140
    assert len(acknowledged) <= len([row for row in rows_are_events(movies) if 900_100 <= row["user_id"] < 900_107])
    commits = [entry for entry in movies.table("ratings").history() if entry.get("operation") == "WRITE"]
    assert len(commits) >= 7, "rows came in batches, between the kills"


def test_views_and_the_catalogue_are_tables(movies):
    before = len(movies.rows("views"))
    answer = requests.post(movies.url("ingest") + "/v1/views", timeout=60,
                           json=[{"user": 900_200, "movie": 50}, {"user": 900_200, "movie": 51}])
    assert answer.status_code == 201
    rows_are_events(movies)
    assert len(movies.rows("views")) == before + 2
    catalogue = movies.get("ingest", "/v1/movies?limit=100000")["movies"]
    assert sorted((m["id"], m["title"], "|".join(m["genres"])) for m in catalogue) == sorted(
        (row["movie_id"], row["title"], row["genres"]) for row in movies.rows("movies"))


def test_tables_are_of_the_plain_kind(movies):
    """Other clients need no feature of Delta to read and write them, times are in UTC, and there are checkpoints."""
    table = movies.table("ratings")
    versions = table.protocol()
    assert (versions.min_reader_version, versions.min_writer_version) == (1, 2)
    fields = {field.name: (field.type.type, field.nullable) for field in table.schema().fields}
    assert fields == {
        "user_id": ("long", False), "movie_id": ("long", False), "rating": ("double", False),
        "rated_at": ("timestamp", False), "sequence": ("long", False), "topic_partition": ("integer", False),
        "topic_offset": ("long", False)}

    def has_checkpoint():
        log = movies.s3().list_objects_v2(Bucket="lake", Prefix="ratings/_delta_log/")["Contents"]
        if any(entry["Key"].endswith(".checkpoint.parquet") for entry in log):
            return True
        # Every tenth commit makes one, unless its process is killed before it has.
        posted(movies, 900_250, [1])
        return False

    wait_for(has_checkpoint, what="a checkpoint")
    assert movies.table("ratings", version=1).to_pyarrow_table().num_rows > 0


def test_features_by_sql_are_what_python_computes(movies):
    rows = rows_are_events(movies)
    latest = {}
    for row in sorted(rows, key=lambda row: row["sequence"]):
        latest[row["user_id"], row["movie_id"]] = row
    newest = max(row["rated_at"] for row in rows)
    week = newest - datetime.timedelta(days=7)
    by_user, by_movie, likes = {}, {}, {}
    for (user, movie), row in latest.items():
        by_user.setdefault(user, []).append(row)
        by_movie.setdefault(movie, []).append(row)
        if row["rating"] >= 4:
            likes.setdefault(movie, set()).add(user)
    users = {int(row["user_id"]): row for row in movies.query("user_features")}
    assert set(users) == set(by_user)
    for user in [1, 196, 405, 943, 900_001]:
        stars = [row["rating"] for row in by_user[user]]
        assert int(users[user]["ratings"]) == len(stars)
        assert float(users[user]["mean_rating"]) == pytest.approx(statistics.fmean(stars), abs=1e-12)
        if len(stars) > 1:
            assert float(users[user]["deviation"]) == pytest.approx(statistics.stdev(stars), abs=1e-9)
        assert int(users[user]["ratings_7_days"]) == sum(row["rated_at"] > week for row in by_user[user])
    features = {int(row["movie_id"]): row for row in movies.query("movie_features")}
    average = statistics.fmean(row["rating"] for row in latest.values())
    for movie in [1, 50, 258, 1682]:
        stars = [row["rating"] for row in by_movie[movie]]
        damped = (sum(stars) + 5 * average) / (len(stars) + 5)
        assert float(features[movie]["damped_mean"]) == pytest.approx(damped, abs=1e-9)
        assert float(features[movie]["popularity"]) == pytest.approx(
            sum(len(other) < len(stars) for other in by_movie.values()) / (len(by_movie) - 1), abs=1e-9)
    together = [row for row in movies.query("liked_together") if int(row["movie_id"]) == 50]
    assert [int(row["place"]) for row in together] == list(range(1, 11))
    for row in together:
        other = likes[int(row["other_id"])]
        assert int(row["together"]) == len(likes[50] & other)
        assert float(row["share"]) == pytest.approx(len(likes[50] & other) / len(likes[50] | other), abs=1e-12)
    before = movies.query("point_in_time")
    assert len(before) == len(rows)
    for found, row in list(zip(before, sorted(rows, key=lambda row: row["sequence"])))[::1999]:
        past = [other["rating"] for other in rows
                if other["user_id"] == row["user_id"] and other["rated_at"] < row["rated_at"]]
        assert int(found["user_ratings_before"]) == len(past)
        assert (found["user_mean_before"] == "") == (not past)
        if past:
            assert float(found["user_mean_before"]) == pytest.approx(statistics.fmean(past), abs=1e-12)


def test_data_sets_are_versions_of_the_table(movies):
    def parts(version):
        texts = [requests.get(movies.url("features") + f"/v1/datasets/{version}/{part}.csv", timeout=60).text
                 for part in ("train", "test")]
        return [[tuple(row.values()) for row in csv.DictReader(io.StringIO(text))] for text in texts]

    for split in ("random&seed=7", "time"):
        dataset = movies.get("features", f"/v1/datasets/latest?split={split}&holdout=0.2")
        train, test = parts(dataset["version"])
        assert (len(train), len(test)) == (dataset["train"], dataset["test"])
        assert len(test) == round((len(train) + len(test)) * 0.2)
        assert not {row[:2] for row in train} & {row[:2] for row in test}
        if split == "time":
            assert max(int(row[3]) for row in train) <= min(int(row[3]) for row in test)
        # The same after more has come, and from another process.
        posted(movies, 900_300, [60])
        all_in_features(movies)
        assert movies.get("features", f"/v1/datasets/latest?split={split}&holdout=0.2")["version"] != dataset["version"]
        assert parts(dataset["version"]) == [train, test]
    for path, status in [("v9999999-time-0.1/train.csv", 404), ("v1-time-0.1/other.csv", 404), ("x/train.csv", 404),
                         ("latest?split=other", 400), ("latest?holdout=1", 400)]:
        answer = requests.get(movies.url("features") + "/v1/datasets/" + path, timeout=60)
        assert answer.status_code == status and "error" in answer.json()


def test_features_are_looked_up(movies):
    rows_are_events(movies)
    version = movies.metric("features", "ratings_version")
    wait_for(lambda: movies.metric("features", "lookup_version") >= version, what="the features to be made anew")
    user = movies.get("features", "/v1/users/196")
    listed = next(row for row in movies.query("user_features") if row["user_id"] == "196")
    assert user["features"]["ratings"] == int(listed["ratings"])
    assert {entry["genre"] for entry in user["genres"]} >= {"Drama", "Comedy"}
    movie = movies.get("features", "/v1/movies/50")
    assert movie["features"]["title"] == "Star Wars (1977)" and len(movie["likedTogether"]) == 10
    assert len(movies.get("features", "/v1/popular?n=5")["movies"]) == 5
    assert requests.get(movies.url("features") + "/v1/users/5000000", timeout=60).status_code == 404
    assert requests.get(movies.url("features") + "/v1/queries/other.csv", timeout=60).status_code == 404


def test_the_demo_says_how_to_ask_the_tables(movies, cluster):
    """The printed command, as it is pasted into a shell, and other questions by the same keys."""
    command = next(line.strip() for line in cluster.demo.splitlines() if " sql --lake s3://lake -c " in line)
    answer = subprocess.run(["bash", "-c", command], text=True, capture_output=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert "Star Wars (1977)" in answer.stdout and "(5 rows" in answer.stdout
    rows_are_events(movies)
    sql = "SELECT COUNT(*) AS n, MIN(rated_at) AS first FROM ratings"
    asked = subprocess.run([APUS, "sql", "--lake", "s3://lake", "--format", "json", "-c", sql], text=True, timeout=60,
                           capture_output=True, env={**os.environ, **movies.keys()}, check=True)
    found, rows = json.loads(asked.stdout), movies.rows("ratings")
    assert found["n"] == len(rows)
    assert datetime.datetime.fromisoformat(found["first"]) == min(row["rated_at"] for row in rows)
