# SPDX-License-Identifier: Apache-2.0
"""Autologging of scikit-learn and XGBoost, registering what it logged, and loading it again from every place."""
import json
import logging
import os

import mlflow
import numpy
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tracking_fixture import mlflow_at, with_tracking

FLOWERS = load_iris(as_frame=True)


@pytest.fixture(scope="module")
def tracking(request):
    yield from with_tracking(request, "sqlite")


@pytest.fixture(scope="module", autouse=True)
def client(tracking):
    """The fluent API with this server."""
    with mlflow_at(tracking.url):
        mlflow.set_experiment(experiment_id=tracking.experiment("flowers"))
        # Says at every model which Python packages it guesses.
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        yield MlflowClient()
        mlflow.autolog(disable=True, silent=True)
        os.environ.pop("MLFLOW_RUN_ID", None)


def only_model(client, run):
    models = client.search_logged_models([run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'")
    assert len(models) == 1
    return models[0]


@pytest.fixture(scope="module")
def forest(client):
    """A run of scikit-learn, and the model that autologging wrote."""
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    with mlflow.start_run() as run:
        model = LogisticRegression(C=0.5, max_iter=300).fit(FLOWERS.data, FLOWERS.target)
    mlflow.sklearn.autolog(disable=True, silent=True)
    return client.get_run(run.info.run_id), model


def test_scikit_learn_is_logged_by_itself(client, forest):
    run, model = forest
    assert run.info.status == "FINISHED"
    assert run.data.params["C"] == "0.5" and run.data.params["max_iter"] == "300"
    assert run.data.metrics["training_accuracy_score"] == pytest.approx(model.score(FLOWERS.data, FLOWERS.target))
    assert run.data.tags["estimator_name"] == "LogisticRegression"
    logged = only_model(client, run)
    assert str(logged.status) == "READY" and logged.source_run_id == run.info.run_id
    assert logged.params["C"] == "0.5"
    assert [output.model_id for output in run.outputs.model_outputs] == [logged.model_id]
    assert run.inputs.dataset_inputs, "autologging names the data it trained on"
    metrics = {metric.key: metric.value for metric in logged.metrics}
    assert metrics["training_accuracy_score"] == run.data.metrics["training_accuracy_score"]


def test_a_logged_model_has_signature_and_example(client, forest):
    run, _ = forest
    logged = only_model(client, run)
    info = mlflow.models.get_model_info(f"models:/{logged.model_id}")
    assert [column.name for column in info.signature.inputs] == list(FLOWERS.data.columns)
    example = mlflow.pyfunc.load_model(f"models:/{logged.model_id}").input_example
    assert list(example.columns) == list(FLOWERS.data.columns)


def test_a_registered_model_is_loaded_from_every_place(client, forest):
    run, model = forest
    logged = only_model(client, run)
    version = mlflow.register_model(f"models:/{logged.model_id}", "flowers")
    assert (version.version, version.status, version.run_id) == ("1", "READY", run.info.run_id)
    client.set_registered_model_alias("flowers", "champion", 1)
    client.transition_model_version_stage("flowers", 1, "Production")
    expected = model.predict(FLOWERS.data)
    for uri in [f"models:/{logged.model_id}", "models:/flowers/1", "models:/flowers@champion", "models:/flowers/latest",
                "models:/flowers/Production", f"runs:/{run.info.run_id}/model"]:
        loaded = mlflow.pyfunc.load_model(uri)
        numpy.testing.assert_array_equal(loaded.predict(FLOWERS.data), expected, uri)
    assert mlflow.sklearn.load_model("models:/flowers@champion").C == 0.5
    versions = json.loads(client.get_logged_model(logged.model_id).tags["mlflow.modelVersions"])
    assert {"name": "flowers", "version": 1} in versions


def test_an_alias_moves_to_what_is_better(client):
    """A second version becomes champion; the name stays, the model behind it changes."""
    with mlflow.start_run():
        model = LogisticRegression(C=0.01, max_iter=300).fit(FLOWERS.data, FLOWERS.target)
        info = mlflow.sklearn.log_model(
            model, name="better", signature=mlflow.models.infer_signature(FLOWERS.data, model.predict(FLOWERS.data)),
            input_example=FLOWERS.data.head(2), registered_model_name="flowers")
    assert int(info.registered_model_version) == 2
    before = mlflow.pyfunc.load_model("models:/flowers@champion").predict(FLOWERS.data)
    client.set_registered_model_alias("flowers", "champion", "2")
    after = mlflow.pyfunc.load_model("models:/flowers@champion").predict(FLOWERS.data)
    numpy.testing.assert_array_equal(after, model.predict(FLOWERS.data))
    assert (before != after).any()
    assert client.get_model_version_by_alias("flowers", "champion").version == "2"
    assert client.get_registered_model("flowers").aliases == {"champion": "2"}
    copied = client.copy_model_version("models:/flowers@champion", "served")
    assert copied.version == "1"
    numpy.testing.assert_array_equal(mlflow.pyfunc.load_model("models:/served/1").predict(FLOWERS.data), after)


def test_xgboost_is_logged_by_itself(client):
    import xgboost
    mlflow.xgboost.autolog(silent=True, log_input_examples=True)
    data = xgboost.DMatrix(FLOWERS.data, label=FLOWERS.target)
    with mlflow.start_run() as active:
        booster = xgboost.train(
            {"objective": "multi:softprob", "num_class": 3, "eta": 0.3, "nthread": 1}, data, num_boost_round=5,
            evals=[(data, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True, silent=True)
    run = client.get_run(active.info.run_id)
    assert run.data.params["eta"] == "0.3" and run.data.params["num_boost_round"] == "5"
    history = client.get_metric_history(run.info.run_id, "train-mlogloss")
    assert [point.step for point in history] == list(range(5))
    assert all(one.value > next.value for one, next in zip(history, history[1:]))
    assert "feature_importance_weight.json" in [file.path for file in client.list_artifacts(run.info.run_id)]
    logged = only_model(client, run)
    mlflow.register_model(f"models:/{logged.model_id}", "boosted")
    loaded = mlflow.pyfunc.load_model("models:/boosted/1")
    numpy.testing.assert_allclose(loaded.predict(FLOWERS.data), booster.predict(data), rtol=1e-6)


def test_models_are_found_by_what_was_measured(client, forest):
    run, _ = forest
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string="metrics.training_accuracy_score > 0.5 AND params.C = '0.5'",
        order_by=[{"field_name": "metrics.training_accuracy_score", "ascending": False}])
    assert [model.source_run_id for model in found] == [run.info.run_id]
    assert not client.search_logged_models(
        [run.info.experiment_id], filter_string="metrics.training_accuracy_score > 1.5")


def test_a_model_that_was_deleted_is_not_loaded(client):
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), name="gone")
    client.delete_logged_model(info.model_id)
    with pytest.raises(MlflowException, match="not found"):
        mlflow.pyfunc.load_model(f"models:/{info.model_id}")
    with pytest.raises(MlflowException, match="not found"):
        mlflow.pyfunc.load_model("models:/flowers/99")
    with pytest.raises(MlflowException, match="alias nobody not found"):
        mlflow.pyfunc.load_model("models:/flowers@nobody")
