# SPDX-License-Identifier: Apache-2.0
"""The movie recommender's runs and models as the real mlflow sees them, and serving that follows the alias."""
import json
import os
import signal
import subprocess

import mlflow
import mlflow.models
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient

from conftest import APUS, BINARIES, wait_for
from movies_fixture import N, Load, movies  # noqa: F401
from tracking_fixture import mlflow_at

ITERATIONS = 15


@pytest.fixture(scope="module")
def client(movies):  # noqa: F811
    """mlflow's own client of the demo's tracking server, and mlflow's functions set to it."""
    before = dict(os.environ)
    os.environ.update(movies.tracking())
    with mlflow_at(movies.tracking()["MLFLOW_TRACKING_URI"]):
        yield MlflowClient()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def first(movies, client):  # noqa: F811
    """The run of the demo."""
    experiment = client.get_experiment_by_name("movies")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    return client.get_run(runs[0].info.run_id)


def train(movies, *arguments, place=None):  # noqa: F811
    """Trains here, not in a pod; what it said."""
    answer = subprocess.run(
        [str(BINARIES / "movie-recommender"), "train", "--features", movies.url("features"), "--seed=2", "--json",
         *arguments], text=True, capture_output=True, timeout=120, env={**os.environ, **(place or movies.tracking())})
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def served(movies):  # noqa: F811
    return movies.get("serving", "/v1/model")


def all_serve(movies, version):  # noqa: F811
    """Whether each pod has taken up the version: they look at the alias at times of their own."""
    return {requests.get(f"http://{pod['status']['podIP']}:7003/v1/model", timeout=60).json()["version"]
            for pod in movies.pods("serving")} == {version}


def test_the_run_has_params_metrics_of_each_iteration_and_the_system(first, client):
    assert first.info.status == "FINISHED" and first.info.end_time > first.info.start_time
    assert {"factors": "50", "iterations": str(ITERATIONS), "seed": "2", "feedback": "explicit"}.items() <= (
        first.data.params.items())
    held_out = client.get_metric_history(first.info.run_id, "rmse")
    assert [point.step for point in held_out if point.step < ITERATIONS] == list(range(1, ITERATIONS))
    assert held_out[-1].value == pytest.approx(first.data.metrics["rmse"]) and first.data.metrics["rmse"] <= 0.91
    trained = client.get_metric_history(first.info.run_id, "train_rmse")
    assert len(trained) == ITERATIONS and trained[-1].value < trained[0].value
    assert 0 < first.data.metrics["recall_at_10"] < 1
    system = {key for key in first.data.metrics if key.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes",
            "system/process_memory_usage_megabytes"} <= system
    assert first.data.metrics["system/process_memory_usage_megabytes"] > 1
    assert first.data.tags["mlflow.user"] and first.data.tags["apus.pod"].startswith("train-")


def test_the_run_says_which_version_of_the_table_it_learnt_from(first, movies):  # noqa: F811
    inputs = {i.dataset.name: i for i in first.inputs.dataset_inputs}
    ratings = inputs["ratings"]
    assert ratings.dataset.source_type == "delta_table"
    source = json.loads(ratings.dataset.source)
    version = source["delta_table_version"]
    assert ratings.dataset.digest == f"v{version}" and source["path"] == "s3://lake/ratings"
    assert [tag.value for tag in ratings.tags if tag.key == "mlflow.data.context"] == ["training"]
    rows = json.loads(ratings.dataset.profile)["num_rows"], json.loads(inputs["ratings-held-out"].dataset.profile)["num_rows"]
    assert sum(rows) == movies.table("ratings", version=version).to_pyarrow_table().num_rows
    assert mlflow.data.get_source(ratings.dataset).to_dict()["delta_table_version"] == version


def test_the_model_is_in_mlflows_format(first, client):
    model = mlflow.models.Model.load("models:/movies@champion")
    assert set(model.flavors) == {"apus_als", "python_function"}
    flavor = model.flavors["apus_als"]
    assert flavor["factors"] == 50 and flavor["rmse"] == pytest.approx(first.data.metrics["rmse"])
    assert model.signature.inputs.input_names() == ["user", "movie"]
    assert model.signature.outputs.input_names() == ["score"]
    assert model.run_id == first.info.run_id
    folder = mlflow.artifacts.download_artifacts("models:/movies@champion")
    example = model.load_input_example(folder)
    assert list(example.columns) == ["user", "movie"] and len(example) == 1
    content = open(os.path.join(folder, flavor["data"]), "rb").read()
    assert content.startswith(b"APUSALS\n") and len(content) == model.model_size_bytes
    logged = client.get_logged_model(model.model_id)
    assert logged.status.value == "READY" and logged.source_run_id == first.info.run_id
    assert {metric.key: metric.value for metric in logged.metrics}["rmse"] == pytest.approx(first.data.metrics["rmse"])
    assert [output.model_id for output in first.outputs.model_outputs] == [model.model_id]
    assert {file.path for file in mlflow.artifacts.list_artifacts(f"models:/{model.model_id}")} == {
        "MLmodel", "input_example.json", "serving_input_example.json", "requirements.txt", "python_env.yaml", "code",
        flavor["data"]}


def test_mlflow_predicts_what_serving_does(client, movies):  # noqa: F811
    model = mlflow.pyfunc.load_model("models:/movies@champion")
    pairs = [(user, movie) for user in (1, 196, 943) for movie in (1, 50, 1682)]
    stars = model.predict(pd.DataFrame(pairs, columns=["user", "movie"]))["score"].tolist()
    # With ratings that came after the training, serving knows more; it says what the model says while ingest is away.
    with subprocess.Popen(
            [str(BINARIES / "movie-recommender"), "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
            env={**os.environ, **movies.tracking()}) as serving:
        try:
            address = serving.stdout.readline().split()[-1]
            wait_for(lambda: requests.get(address + "/readyz", timeout=60).status_code == 200, 15, "the model")
            for (user, movie), score in zip(pairs, stars):
                answer = requests.get(address + "/v1/predict", params={"user": user, "movie": movie}, timeout=60).json()
                assert answer["source"] == "model" and answer["score"] == pytest.approx(score, abs=1e-4)
        finally:
            serving.terminate()
    assert pd.isna(model.predict(pd.DataFrame({"user": [1], "movie": [10**9]}))["score"][0])
    unknown = model.predict(pd.DataFrame({"user": [10**9], "movie": [50]}))["score"][0]
    assert 1 <= unknown <= 5


def test_the_version_is_registered_and_served(first, client, movies):  # noqa: F811
    version = client.get_model_version_by_alias("movies", "champion")
    assert version.version == "1" and version.run_id == first.info.run_id and version.status == "READY"
    answer = served(movies)
    assert (answer["name"], answer["version"], answer["run"]) == ("movies", "1", first.info.run_id)
    assert movies.get("serving", "/v1/recommend/1?n=1")["model"] == "movies/1"


def test_one_command_serves_the_champion(client, cluster, movies):  # noqa: F811
    """`apus models serve`: the factors in the model server, behind the gateway, say what mlflow's pyfunc says."""
    served = subprocess.run(
        [APUS, "models", "serve", "models:/movies@champion", "--name", "champion", *N, "--kubeconfig",
         str(cluster.kubeconfig)], text=True, capture_output=True, timeout=120,
        env={**os.environ, **movies.tracking()})
    assert served.returncode == 0 and "curl " in served.stdout, served.stderr
    pairs = [(user, movie) for user in (1, 196, 943) for movie in (1, 50, 1682)]
    stars = mlflow.pyfunc.load_model("models:/movies@champion").predict(
        pd.DataFrame(pairs, columns=["user", "movie"]))["score"].tolist()
    gateway = cluster.get("service", "gateway", "-n", "kserve")["spec"]
    answer = requests.post(
        f"http://{gateway['clusterIP']}:{gateway['ports'][0]['port']}/v2/models/champion/infer",
        headers={"Host": "champion-movies.localhost"}, timeout=30,
        json={"inputs": [{"name": name, "datatype": "INT64", "shape": [len(pairs)], "data": [pair[place] for pair in pairs]}
                         for place, name in enumerate(["user", "item"])]})
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["items"] == [movie for _, movie in pairs]
    assert outputs["scores"] == pytest.approx(stars, abs=1e-4)
    cluster.kubectl("delete", "isvc", "champion", *N)


def test_no_better_training_changes_nothing(client, movies):  # noqa: F811
    """The same again is as good, and a small model is worse: both are registered, neither serves."""
    same = train(movies)
    assert same["promoted"] is False and same["champion"]["version"] == "1"
    assert same["champion"]["measure"] == pytest.approx(same["rmse"], abs=1e-9)
    worse = train(movies, "--factors=1", "--iterations=1")
    assert worse["promoted"] is False and worse["rmse"] > worse["champion"]["measure"]
    assert client.get_model_version_by_alias("movies", "champion").version == "1"
    run = client.get_run(client.get_model_version("movies", worse["model"].rsplit("/", 1)[1]).run_id)
    assert run.data.tags["model.promoted"] == "false" and run.data.tags["champion.version"] == "1"
    assert run.data.metrics["champion_rmse"] == pytest.approx(worse["champion"]["measure"])


def test_serving_follows_the_alias_without_a_failed_request(client, movies):  # noqa: F811
    """To a worse version by hand, and by a training to a better one than that."""
    versions = {int(v.version): v for v in client.search_model_versions("name = 'movies'")}
    worse = max(versions)
    with Load(movies) as load:
        said = subprocess.run([APUS, "models", "promote", "movies", str(worse), "--alias", "champion"], text=True,
                              capture_output=True, timeout=30, env={**os.environ, **movies.tracking()})
        assert said.returncode == 0 and "(before: version 1)" in said.stdout, said.stderr
        wait_for(lambda: all_serve(movies, str(worse)), 15, "the worse version")
        better = train(movies)
        assert better["promoted"] is True and better["champion"]["version"] == str(worse)
        version = better["model"].rsplit("/", 1)[1]
        wait_for(lambda: all_serve(movies, version), 15, "the better version")
    assert (load.failed, load.retried) == ([], 0) and load.answered > 40
    assert client.get_model_version_by_alias("movies", "champion").version == version


def failures(movies):  # noqa: F811
    """How often a model could not be loaded, by one of the pods that serve."""
    text = requests.get(movies.url("serving") + "/metrics", timeout=60).text
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith("movies_serve_model_load_failures_total "))


def damaged(client, movies, change):  # noqa: F811
    """A version whose model's file is changed by `change`."""
    good = client.get_model_version_by_alias("movies", "champion")
    folder = mlflow.artifacts.download_artifacts("models:/movies@champion")
    with mlflow.start_run(experiment_id=client.get_experiment_by_name("movies").experiment_id) as run:
        path = os.path.join(folder, "model.als")
        with open(path, "r+b") as file:
            content = change(file.read())
            file.seek(0)
            file.truncate()
            file.write(content)
        client.log_artifacts(run.info.run_id, folder, "model")
    made = client.create_model_version("movies", f"{run.info.artifact_uri}/model", run.info.run_id)
    return good.version, made.version


def test_a_damaged_champion_does_not_serve(client, movies):  # noqa: F811
    good, bad = damaged(client, movies, lambda content: content[:-1000])
    with Load(movies) as load:
        client.set_registered_model_alias("movies", "champion", bad)
        wait_for(lambda: failures(movies) > 0, 15, "the damaged model to be looked at")
        assert served(movies)["version"] == good
        # A training does not compare with what cannot be read.
        better = train(movies)
        assert better["promoted"] is True and "champion" not in better
        version = better["model"].rsplit("/", 1)[1]
        wait_for(lambda: all_serve(movies, version), 15, "the whole model")
    assert (load.failed, load.retried) == ([], 0)


def test_a_version_that_mlflow_registered_is_served(client, movies):  # noqa: F811
    """Files that mlflow's own client uploaded to a run, untouched."""
    _, copy = damaged(client, movies, lambda content: content)
    client.set_registered_model_alias("movies", "champion", copy)
    wait_for(lambda: all_serve(movies, copy), 15, "the copy")


class Training:
    """A training in the background, with as many iterations as it takes to do something meanwhile."""

    def __init__(self, movies, iterations):  # noqa: F811
        self.iterations = iterations
        self.process = subprocess.Popen(
            [str(BINARIES / "movie-recommender"), "train", "--features", movies.url("features"), "--seed=2", "--json",
             f"--iterations={iterations}", "--factors=60"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **movies.tracking()})

    def until(self, iteration):
        for line in self.process.stdout:
            if json.loads(line).get("iteration") == iteration:
                return

    def run(self, client):
        """The run, when it is over."""
        out, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors
        version = json.loads(out.splitlines()[-1])["model"].rsplit("/", 1)[1]
        return client.get_run(client.get_model_version("movies", version).run_id)

    def is_whole(self, client):
        run = self.run(client)
        points = client.get_metric_history(run.info.run_id, "train_rmse")
        return run.info.status == "FINISHED" and sorted(p.step for p in points) == list(range(1, self.iterations + 1))


def test_a_killed_tracking_server_disturbs_neither_serving_nor_training(client, movies):  # noqa: F811
    """What training logs meanwhile arrives when the server is back: each point once."""
    def back():
        try:
            return requests.get(movies.url("tracking") + "/health", timeout=60).status_code == 200
        except requests.RequestException:
            return False

    # Looked up before: the training may be fast.
    victim = movies.pids("tracking", b"apus")[0]
    with Load(movies) as load:
        training = Training(movies, 100)
        training.until(5)
        os.kill(victim, signal.SIGKILL)
        # A fast one would be at its end before the server is back, for which a request is not repeated long enough.
        training.until(60)
        os.kill(training.process.pid, signal.SIGSTOP)
        try:
            wait_for(back, what="the tracking server to be back")
        finally:
            os.kill(training.process.pid, signal.SIGCONT)
        assert training.is_whole(client)
    assert (load.failed, load.retried) == ([], 0)
    assert movies.pids("tracking", b"apus") not in ([], [victim])


def test_a_tracking_server_that_hangs_does_not_slow_training(client, movies):  # noqa: F811
    # Looked up before: the training may be fast.
    server = movies.pids("tracking", b"apus")[0]
    training = Training(movies, 60)
    training.until(3)
    os.kill(server, signal.SIGSTOP)
    try:
        training.until(60)
        assert training.process.poll() is None
    finally:
        os.kill(server, signal.SIGCONT)
    assert training.is_whole(client)


def test_the_demo_says_how_to_ask_the_runs(movies, cluster):  # noqa: F811
    """The printed commands, as they are pasted into a shell."""
    lines = [line.strip() for line in cluster.demo.splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith("export MLFLOW_TRACKING_URI="))
    answer = subprocess.run(["bash", "-c", "\n".join(lines[begin:begin + 2])], text=True, capture_output=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert "rmse" in answer.stdout and "champion" in answer.stdout
    assert movies.url("tracking") in lines[begin]


def test_the_real_server_does_as_well(movies, real_mlflow):  # noqa: F811
    """Training against mlflow's own server: run, metrics, model and alias are there."""
    place = {"MLFLOW_TRACKING_URI": real_mlflow.url, "MLFLOW_TRACKING_TOKEN": ""}
    one = train(movies, "--iterations=3", "--factors=5", place=place)
    two = train(movies, place=place)
    assert one["promoted"] and two["promoted"] and two["champion"]["version"] == "1"
    client = real_mlflow.client()
    version = client.get_model_version_by_alias("movies", "champion")
    assert version.version == "2"
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED" and run.data.metrics["rmse"] == pytest.approx(two["rmse"])
    assert {point.step for point in client.get_metric_history(version.run_id, "train_rmse")} == set(range(1, 16))
    assert {i.dataset.name for i in run.inputs.dataset_inputs} == {"ratings", "ratings-held-out"}
