# SPDX-License-Identifier: Apache-2.0
"""`apus runs` and `apus models`, against `apus serve tracking` and against the real mlflow server."""
import json
import os
import subprocess

import pytest

from conftest import APUS
from tracking_fixture import with_tracking


@pytest.fixture(scope="module")
def apus_tracking(request):
    yield from with_tracking(request)


@pytest.fixture(scope="module", params=["apus", "mlflow"])
def place(request):
    """A server with three runs in an experiment and a model with two versions."""
    server = request.getfixturevalue("apus_tracking" if request.param == "apus" else "real_mlflow")
    experiment = server.experiment("trees")
    other = server.experiment("empty")
    runs = {}
    for number, (name, metrics, params) in enumerate([
            ("oak", {"rmse": 0.9, "system/cpu": 1}, {"depth": "3", "seed": "7"}),
            ("elm", {"rmse": 0.7, "mae": 0.5}, {"depth": "5", "seed": "7"}),
            ("ash", {"rmse": "NaN"}, {"depth": "9", "seed": "7", "extra": "yes"})]):
        run = runs[name] = server.run(experiment, start=1_700_000_000_000 + 1000 * number, run_name=name,
                                      tags={"mlflow.user": "gardener"})
        server.post("runs/log-batch", {
            "run_id": run, "params": [{"key": key, "value": value} for key, value in params.items()],
            "metrics": [{"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in metrics.items()]})
    server.post("runs/update", {"run_id": runs["oak"], "status": "FINISHED", "end_time": 1_700_000_065_000})
    server.post("registered-models/create", {"name": "trees", "description": "Grows."})
    for name in ("oak", "elm"):
        server.post("model-versions/create", {
            "name": "trees", "source": f"mlflow-artifacts:/{experiment}/{runs[name]}/artifacts/model",
            "run_id": runs[name], "description": f"of {name}"})
    return server, runs, other


def apus(server, *arguments, rc=0):
    """What `apus` says on standard output, and on standard error where it fails."""
    answer = subprocess.run([APUS, *arguments, "--tracking", server.url], text=True, capture_output=True, timeout=60,
                            env={**os.environ, "MLFLOW_TRACKING_TOKEN": ""})
    assert answer.returncode == rc, answer.stdout + answer.stderr
    return answer.stdout if rc == 0 else answer.stderr


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_runs_are_listed_the_latest_first(place):
    server, runs, _ = place
    head, *found = rows(apus(server, "runs", "ls", "-e", "trees"))
    assert head == ["RUN", "NAME", "STATUS", "STARTED", "TOOK", "METRICS"]
    assert [row[:3] for row in found] == [
        [runs["ash"], "ash", "RUNNING"], [runs["elm"], "elm", "RUNNING"], [runs["oak"], "oak", "FINISHED"]]
    assert found[2][3:] == ["2023-11-14T22:13:20Z", "1m05s", "rmse=0.9"]
    assert found[1][5:] == ["mae=0.5", "rmse=0.7"]


def test_filters_orders_and_columns(place):
    server, runs, _ = place
    listed = rows(apus(server, "runs", "ls", "-e", "trees", "--filter", "metrics.rmse < 1 and params.seed = '7'",
                       "--order", "metrics.rmse ASC", "--metric", "rmse", "--param", "depth"))
    assert listed[0][-2:] == ["depth", "rmse"]
    assert [(row[1], row[-2], row[-1]) for row in listed[1:]] == [("elm", "5", "0.7"), ("oak", "3", "0.9")]
    assert len(rows(apus(server, "runs", "ls", "-e", "trees", "-n", "2"))) == 3
    objects = [json.loads(line) for line in apus(server, "runs", "ls", "-e", "trees", "--format", "json").splitlines()]
    assert [o["info"]["run_id"] for o in objects] == [runs["ash"], runs["elm"], runs["oak"]]
    assert len(rows(apus(server, "runs", "ls", "-e", "empty", "-e", "trees"))) == 4
    assert apus(server, "runs", "ls", "-e", "empty") == ""


def test_the_best_run(place):
    server, runs, _ = place
    least = rows(apus(server, "runs", "best", "-e", "trees", "--metric", "rmse", "--min", "--param", "depth"))
    assert [(row[0], row[-2], row[-1]) for row in least[1:]] == [(runs["elm"], "5", "0.7")]
    most = rows(apus(server, "runs", "best", "-e", "trees", "--metric", "rmse", "--max", "-n", "5"))
    # NaN is no value to be best with.
    assert [row[1] for row in most[1:]] == ["oak", "elm"]
    assert "no run has the metric 'f1'" in apus(server, "runs", "best", "-e", "trees", "--metric", "f1", "--min", rc=1)
    apus(server, "runs", "best", "--metric", "rmse", rc=64)


def test_runs_are_compared_in_what_differs(place):
    server, runs, _ = place
    table = [line.split("   ") for line in apus(server, "runs", "compare", runs["oak"], "elm", "ash").splitlines()]
    found = {tuple(cell.strip() for cell in row if cell.strip()) for row in table}
    assert ("oak", "elm", "ash") in found and ("param", "depth", "3", "5", "9") in found
    assert ("param", "extra", "-", "-", "yes") in found and ("metric", "rmse", "0.9", "0.7", "nan") in found
    assert not any("seed" in row or "system/cpu" in row for row in found)
    compared = json.loads(apus(server, "runs", "compare", "oak", "elm", "--all", "--format", "json"))
    assert compared["params"] == {"depth": ["3", "5"], "seed": ["7", "7"]}
    assert compared["metrics"] == {"rmse": [0.9, 0.7], "mae": [None, 0.5], "system/cpu": [1, None]}
    assert [run["id"] for run in compared["runs"]] == [runs["oak"], runs["elm"]]
    assert "there is no run 'fir'" in apus(server, "runs", "compare", "oak", "fir", rc=1)


def test_models_their_history_and_promotion(place):
    server, runs, _ = place
    assert rows(apus(server, "models", "ls", "--filter", "name = 'trees'"))[1][:3] == ["trees", "2", "-"]
    assert apus(server, "models", "promote", "trees", "1") == "models:/trees@champion is version 1\n"
    assert apus(server, "models", "promote", "trees", "2", "--alias", "champion") == (
        "models:/trees@champion is version 2 (before: version 1)\n")
    assert apus(server, "models", "promote", "trees", "2") == "models:/trees@champion is version 2 already\n"
    assert server.get("registered-models/alias", name="trees", alias="champion")["model_version"]["version"] == "2"
    assert ["trees", "2", "champion=2"] in [row[:3] for row in rows(apus(server, "models", "ls"))]
    head, newest, oldest = rows(apus(server, "models", "history", "trees"))
    assert head == ["VERSION", "ALIASES", "CREATED", "BY", "RUN", "METRICS", "DESCRIPTION"]
    assert newest[:2] + newest[3:] == ["2", "champion", "gardener", runs["elm"], "mae=0.5", "rmse=0.7", "of", "elm"]
    assert oldest[:2] + oldest[3:] == ["1", "-", "gardener", runs["oak"], "rmse=0.9", "of", "oak"]
    objects = [json.loads(line) for line in apus(server, "models", "history", "trees", "--format", "json").splitlines()]
    assert [o["run"]["info"]["run_name"] for o in objects] == ["elm", "oak"]


def test_faults_are_told_in_the_servers_words(place):
    server, _, _ = place
    assert "(name=trees, version=9) not found (RESOURCE_DOES_NOT_EXIST, 404)" in apus(
        server, "models", "promote", "trees", "9", rc=1)
    assert "INVALID_PARAMETER_VALUE, 400" in apus(server, "runs", "ls", "--filter", "nonsense", rc=1)
    assert "there is no model 'oaks'" in apus(server, "models", "history", "oaks", rc=1)
    assert "there is no experiment 'oaks'" in apus(server, "runs", "ls", "-e", "oaks", rc=1)
    nobody = subprocess.run([APUS, "runs", "ls", "--tracking", "http://127.0.0.1:9"], text=True, capture_output=True,
                            timeout=60)
    assert nobody.returncode == 1 and nobody.stderr == "apus: nobody listens at http://127.0.0.1:9\n"
    wrong = subprocess.run([APUS, "models", "ls", "--tracking", "sqlite:///x"], text=True, capture_output=True, timeout=60)
    assert wrong.returncode == 64 and "expected http://HOST:PORT" in wrong.stderr
