# SPDX-License-Identifier: Apache-2.0
"""Experiments, runs, metrics, params, tags, inputs and gc: mlflow's fluent and client API over both databases, with the
server killed and started again in the middle."""
import json
import math
import subprocess
import time

import mlflow
import pandas
import pytest
from mlflow import MlflowException
from mlflow.entities import Metric, Param, RunStatus, RunTag

from conftest import APUS
from tracking_fixture import mlflow_at, with_tracking


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def tracking(request):
    yield from with_tracking(request, request.param)


@pytest.fixture
def client(tracking, monkeypatch):
    # A refusal is final, and a server that is down is not waited for.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with mlflow_at(tracking.url):
        yield tracking.client()
        while mlflow.active_run():
            mlflow.end_run()


def refused(code, text):
    """A refusal of the server with this code, whose message has the text."""
    return pytest.raises(MlflowException, match=text, check=lambda error: error.error_code == code)


def test_fluent(client, tracking):
    experiment = mlflow.set_experiment(f"fluent {tracking.port}")
    assert experiment.artifact_location == f"mlflow-artifacts:/{experiment.experiment_id}"
    mlflow.set_experiment_tag("team", "movies")
    with mlflow.start_run(description="first") as run:
        mlflow.log_params({"depth": 3, "rate": 0.1})
        mlflow.log_param("depth", 3)
        with pytest.raises(MlflowException, match="Changing param values is not allowed"):
            mlflow.log_param("depth", 4)
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.5, "bad": math.nan, "up": math.inf, "down": -math.inf}, step=7)
        mlflow.set_tags({"a": "1", "b": "2"})
        mlflow.delete_tag("b")
        frame = pandas.DataFrame({"x": [1, 2], "y": [0.5, 1.5]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="ratings"), context="training")
        with mlflow.start_run(nested=True, run_name="child") as child:
            mlflow.log_metric("loss", 0)
    found = mlflow.get_run(run.info.run_id)
    assert found.info.status == "FINISHED" and found.info.end_time >= found.info.start_time > 0
    assert found.info.run_name == found.data.tags["mlflow.runName"] and len(found.info.run_name) > 5
    assert found.info.artifact_uri == f"{experiment.artifact_location}/{run.info.run_id}/artifacts"
    assert found.data.params == {"depth": "3", "rate": "0.1"}
    assert found.data.metrics["loss"] == 1 / 20 and math.isnan(found.data.metrics["bad"])
    assert found.data.metrics["up"] == -found.data.metrics["down"] == 1.7976931348623157e308
    assert found.data.tags["a"] == "1" and "b" not in found.data.tags
    assert found.data.tags["mlflow.note.content"] == "first" and found.data.tags["mlflow.user"]
    [dataset] = found.inputs.dataset_inputs
    assert dataset.dataset.name == "ratings" and dataset.tags[0].value == "training"
    assert json.loads(dataset.dataset.schema)["mlflow_colspec"][0]["name"] == "x"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == list(range(20))
    assert mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
    assert client.get_experiment(experiment.experiment_id).tags == {"team": "movies"}


def test_default_experiment(client):
    experiment = client.get_experiment("0")
    assert (experiment.name, experiment.lifecycle_stage) == ("Default", "active")
    assert client.get_experiment_by_name("Default").experiment_id == "0"
    assert client.get_experiment_by_name("nobody") is None


def test_experiments(client, tracking):
    name = f"experiments {tracking.port}"
    first = client.create_experiment(name, tags={"a": "1"})
    with refused("RESOURCE_ALREADY_EXISTS", "already exists"):
        client.create_experiment(name)
    client.set_experiment_tag(first, "b", "2")
    client.delete_experiment_tag(first, "a")
    run = client.create_run(first)
    client.delete_experiment(first)
    assert client.get_experiment(first).lifecycle_stage == "deleted"
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with refused("INVALID_PARAMETER_VALUE", f"The experiment {first} must be in the 'active' state"):
        client.create_run(first)
    client.restore_experiment(first)
    client.rename_experiment(first, name + " renamed")
    found = client.get_experiment(first)
    assert (found.name, found.tags, found.lifecycle_stage) == (name + " renamed", {"b": "2"}, "active")
    assert found.last_update_time >= found.creation_time > 0
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"
    place = client.create_experiment(name + " elsewhere", artifact_location="s3://bucket/path")
    assert client.create_run(place).info.artifact_uri.startswith("s3://bucket/path/")


def test_runs(client):
    run = client.create_run("0", start_time=5, tags={"mlflow.user": "ada"}, run_name="named").info
    assert (run.status, run.start_time, run.run_name, run.end_time) == ("RUNNING", 5, "named", None)
    client.update_run(run.run_id, status="SCHEDULED", name="other")
    client.set_terminated(run.run_id, status="FAILED", end_time=9)
    found = client.get_run(run.run_id)
    assert (found.info.status, found.info.end_time, found.info.run_name) == ("FAILED", 9, "other")
    assert found.data.tags == {"mlflow.user": "ada", "mlflow.runName": "other"}
    client.delete_run(run.run_id)
    for change in [
            lambda: client.log_metric(run.run_id, "m", 1), lambda: client.log_param(run.run_id, "p", 1),
            lambda: client.set_tag(run.run_id, "t", 1),
            lambda: client.log_batch(run.run_id, metrics=[Metric("m", 1, 1, 1)])]:
        with refused("INVALID_PARAMETER_VALUE", "must be in the 'active' state. Current state is deleted"):
            change()
    client.restore_run(run.run_id)
    client.log_metric(run.run_id, "m", 1)
    with refused("RESOURCE_DOES_NOT_EXIST", "Run with id=0{32} not found"):
        client.get_run("0" * 32)
    assert RunStatus.from_string(client.get_run(run.run_id).info.status) == RunStatus.FAILED


def test_batches(client, tracking):
    run = client.create_run("0").info.run_id
    metrics = [Metric(f"m{number % 10}", number, number, number // 10) for number in range(800)]
    params = [Param(f"p{number}", "v" * 100) for number in range(100)]
    tags = [RunTag(f"t{number}", "ü" * 8000) for number in range(100)]
    # The client sends more than one request; the same again changes nothing.
    for _ in range(2):
        client.log_batch(run, metrics=metrics, params=params, tags=tags)
    found = client.get_run(run)
    assert found.data.metrics == {f"m{number}": 790 + number for number in range(10)}
    assert len(found.data.params) == 100 and found.data.tags["t99"] == "ü" * 8000
    history = client.get_metric_history(run, "m3")
    assert [(point.value, point.timestamp, point.step) for point in history] == [
        (number, number, number // 10) for number in range(3, 800, 10)]
    # Pages of the protocol.
    points, token = [], {}
    while token is not None:
        answer = tracking.get("metrics/get-history", run_id=run, metric_key="m3", max_results=7, **token)
        points += answer["metrics"]
        token = {"page_token": answer["next_page_token"]} if "next_page_token" in answer else None
    assert [point["value"] for point in points] == [point.value for point in history]
    # What the UI asks for.
    bulk = tracking.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id=[run, "none"], metric_key="m3")
    assert [point["step"] for point in bulk["metrics"]] == list(range(80)) and bulk["metrics"][0]["run_id"] == run
    sample = tracking.get(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", run_ids=[run], metric_key="m3", max_results=10,
        start_step=10, end_step=59)
    assert [point["step"] for point in sample["metrics"]] == [10, 15, 20, 25, 30, 35, 40, 45, 50, 59]


def test_samples_are_mlflows(client, tracking, real_mlflow):
    """get-history and get-history-bulk-interval of both servers, over points that share steps and times."""
    answers = []
    for server in [tracking, real_mlflow]:
        run = server.run()
        points = [{"key": "m", "value": (number * 37) % 11 if number % 13 else "NaN", "timestamp": 1000 - number % 7,
                   "step": number // 3} for number in range(100)]
        server.post("runs/log-batch", {"run_id": run, "metrics": points})
        # NaN of get-history-bulk is no JSON in MLflow's answer, and a text in ours.
        answers.append([[(str(float(point["value"])), point["timestamp"], point["step"], point.get("run_id") in [run, None])
                         for point in answer["metrics"]] for answer in [
            server.get("metrics/get-history", run_id=run, metric_key="m"),
            server.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id=run, metric_key="m", max_results=20),
            *(server.get("metrics/get-history-bulk-interval", run_ids=run, metric_key="m", **settings)
              for settings in [{}, {"max_results": 1}, {"max_results": 7}, {"max_results": 99}, {"max_results": 100},
                               {"max_results": 5, "start_step": 3, "end_step": 20}])]])
    assert answers[0] == answers[1]


def test_restart(client, tracking):
    """What was acknowledged is there after a kill, and the server goes on."""
    run = client.create_run("0").info.run_id
    for step in range(50):
        client.log_metric(run, "m", step, step=step, timestamp=step)
    client.log_param(run, "p", "v")
    tracking.kill()
    tracking.start()
    found = client.get_run(run)
    assert found.data.metrics == {"m": 49} and found.data.params == {"p": "v"}
    assert len(client.get_metric_history(run, "m")) == 50
    client.log_metric(run, "m", 50, step=50)
    client.log_metric(run, "another", 1)
    assert client.get_run(run).data.metrics == {"m": 50, "another": 1}


def test_gc(client, tracking, tmp_path):
    """`apus tracking gc` erases what was deleted, with artifacts, and nothing else."""
    def gc(*arguments):
        done = subprocess.run(
            [APUS, "tracking", "gc", "--tracking", tracking.url, "--format", "json", *arguments], check=True,
            capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)

    gc()
    experiment = client.create_experiment(f"gc {tracking.port}")
    runs = [client.create_run(experiment).info.run_id for _ in range(3)]
    path = tmp_path / "model.txt"
    path.write_text("weights")
    for run in runs:
        client.log_artifact(run, str(path))
        client.log_metric(run, "m", 1)
    client.delete_run(runs[0])
    assert gc("--older-than", "1h") == {"experiments": 0, "failed": 0, "kept_artifacts": [], "models": 0, "runs": 0}
    assert client.get_run(runs[0]).info.lifecycle_stage == "deleted"
    time.sleep(0.01)
    assert gc()["runs"] == 1
    with refused("RESOURCE_DOES_NOT_EXIST", "not found"):
        client.get_run(runs[0])
    folder = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}"
    assert tracking.call("GET", f"{folder}/{runs[0]}/artifacts/model.txt")[0] == 404
    assert tracking.call("GET", f"{folder}/{runs[1]}/artifacts/model.txt")[1] == "weights"
    failed = subprocess.run(
        [APUS, "tracking", "gc", "--tracking", tracking.url, "--run-ids", runs[1]], capture_output=True, text=True)
    assert failed.returncode != 0 and "is not in `deleted` lifecycle stage" in failed.stderr
    client.delete_experiment(experiment)
    assert gc("--experiment-ids", experiment) == {
        "experiments": 1, "failed": 0, "kept_artifacts": [], "models": 0, "runs": 2}
    assert tracking.call("GET", f"{folder}/{runs[1]}/artifacts/model.txt")[0] == 404
    with refused("RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={experiment} exists"):
        client.get_experiment(experiment)
    elsewhere = client.create_experiment(f"gc {tracking.port} elsewhere", artifact_location="s3://bucket/path")
    run = client.create_run(elsewhere).info
    client.delete_run(run.run_id)
    assert gc("--run-ids", run.run_id) == {
        "experiments": 0, "failed": 0, "kept_artifacts": [run.artifact_uri], "models": 0, "runs": 1}


def test_wrong_ids(client, tracking):
    with refused("INVALID_PARAMETER_VALUE", "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."):
        client.get_experiment("abc")
    status, code, text = tracking.error("POST", "runs/log-batch", {"run_id": "../x"})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert text == 'Invalid value "../x" for parameter \'run_id\' supplied.'
