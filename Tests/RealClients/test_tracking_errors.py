# SPDX-License-Identifier: Apache-2.0
"""Wrong requests, sent as they are to Apus and to the real `mlflow server`: the same status, the same error_code, and
the same message where it is no database's or Python's own."""
import json
import re

import pytest

from tracking_fixture import with_tracking

LONG = "k" * 251
V3 = "/api/3.0/mlflow/"
# Below /api the real server has it at a path that lacks a slash.
DATASETS = "/ajax-api/2.0/mlflow/experiments/search-datasets"


class World:
    """What wrong requests speak of, on one server. `{E}` in a case stands for the experiment's id there."""

    def __init__(self, server):
        self.server = server
        experiment, deleted = server.experiment("errors", tags=[{"key": "t", "value": "v"}]), server.experiment("gone")
        run = server.run(experiment, tags={"t": "v"}, run_name="run")
        server.post("runs/log-parameter", {"run_id": run, "key": "p", "value": "1"})
        server.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1})
        lost = server.run(experiment, run_name="lost")
        server.post("runs/delete", {"run_id": lost})
        orphan = server.run(deleted, run_name="orphan")
        server.post("experiments/delete", {"experiment_id": deleted})
        self.ids = {"E": experiment, "D": deleted, "R": run, "X": lost, "O": orphan}
        self.groups = {"core"}
        self.add_registry()
        self.add_models()
        self.add_traces()

    def has(self, method, path, body):
        status, answer = self.server.call(method, path, body)
        return None if status == 404 and "ENDPOINT_NOT_FOUND" in str(answer) else answer

    def add_registry(self):
        if self.has("POST", "registered-models/create", {"name": "err-model", "tags": [{"key": "t", "value": "v"}]}) is None:
            return
        self.server.post("registered-models/create", {"name": "err-other"})
        self.server.post("model-versions/create", {"name": "err-model", "source": "s3://bucket/x"})
        self.server.post("registered-models/alias", {"name": "err-model", "alias": "best", "version": "1"})
        self.groups.add("registry")

    def add_models(self):
        answer = self.has("POST", "logged-models", {"experiment_id": self.ids["E"], "name": "lm"})
        if answer is not None:
            self.ids["L"] = answer["model"]["info"]["model_id"]
            self.groups.add("models")

    def add_traces(self):
        trace = {"trace": {"trace_info": {
            "trace_id": "tr-1", "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {
                "experiment_id": self.ids["E"]}},
            "request_time": "2026-01-01T00:00:00Z", "state": "OK", "tags": {"t": "v"}}}}
        if self.has("POST", V3 + "traces", trace) is not None:
            self.groups.add("traces")

    def fill(self, value):
        if isinstance(value, str):
            for name, id in self.ids.items():
                value = value.replace("{" + name + "}", id)
            return value
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        return value

    def ask(self, method, path, body):
        status, headers, content = self.server.raw(
            method, self.fill(path) if path.startswith("/") else "/api/2.0/mlflow/" + self.fill(path), self.fill(body))
        try:
            answer = json.loads(content)
        except ValueError:
            return status, None, content.decode(errors="replace")[:300]
        if not isinstance(answer, dict) or "error_code" not in answer:
            return status, None, json.dumps(answer)[:300]
        return status, answer["error_code"], self.plain(answer.get("message", ""))

    def plain(self, message):
        """A message with its ids called as in the cases, and without what is Python's secret."""
        for name, id in sorted(self.ids.items(), key=lambda item: -len(item[1])):
            if len(id) > 5:
                message = message.replace(id, "{" + name + "}")
            else:
                message = re.sub(rf"(id=|id |xperiment ){id}\b", rf"\1{{{name}}}", message)
        # Sets, whose order changes from start to start.
        return re.sub(r"\{'[^{}]*'\}?", "{…}", message)


class Loose:
    """A case whose message is a database's, Python's or protobuf's, so that only status and code are compared."""

    def __init__(self, *case):
        self.case = case


def batch(**more):
    return {"run_id": "{R}", **more}


def metric(**more):
    return {"run_id": "{R}", "key": "m", "value": 1, "timestamp": 1, **more}


CORE = [
    # Bodies that are none.
    Loose("POST", "experiments/create", "{"), Loose("POST", "experiments/create", "[1]"),
    Loose("POST", "experiments/create", "nope"), Loose("POST", "runs/create", "\"text\""), Loose("POST", "runs/create", "12"),
    ("POST", "experiments/create", None), ("POST", "experiments/create", {}), ("POST", "runs/search", "null"),
    # Routes that are none.
    ("GET", "nope", None), ("POST", "experiments/nope", {}), ("GET", "/api/2.0/nope", None), ("GET", "/api/9.0/mlflow", None),
    ("GET", "/ajax-api/2.0/mlflow/nope", None), ("DELETE", "experiments/create", None), ("GET", "experiments/create", None),
    ("PUT", "runs/create", {}), ("POST", "runs/get", {}), ("POST", "experiments/get", {}), ("GET", "runs/log-metric", None),
    # Experiments.
    ("POST", "experiments/create", {"name": ""}), ("POST", "experiments/create", {"name": None}),
    ("POST", "experiments/create", {"name": 5}), ("POST", "experiments/create", {"name": ["a"]}),
    ("POST", "experiments/create", {"name": {"a": 1}}), Loose("POST", "experiments/create", {"name": "errors"}),
    Loose("POST", "experiments/create", {"name": "gone"}), ("POST", "experiments/create", {"name": "n" * 501}),
    ("POST", "experiments/create", {"name": "a1", "artifact_location": 5}),
    ("POST", "experiments/create", {"name": "a2", "artifact_location": "s3://b/x?y#z"}),
    ("POST", "experiments/create", {"name": "a3", "artifact_location": "x" * 3000}),
    ("POST", "experiments/create", {"name": "a4", "tags": "x"}), ("POST", "experiments/create", {"name": "a5", "tags": {}}),
    ("POST", "experiments/create", {"name": "a6", "tags": [{"key": "", "value": "x"}]}),
    ("POST", "experiments/create", {"name": "a7", "tags": [{"key": LONG, "value": "x"}]}),
    ("POST", "experiments/create", {"name": "a8", "tags": [{"key": "k", "value": "x" * 5001}]}),
    Loose("POST", "experiments/create", {"name": "a9", "tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}),
    ("POST", "experiments/create", {"name": "a10", "tags": [{"key": "/x", "value": "1"}]}),
    ("POST", "experiments/create", {"name": "a11", "tags": [{"key": "a:b", "value": "1"}]}),
    ("GET", "experiments/get", None), ("GET", "experiments/get?experiment_id=", None),
    ("GET", "experiments/get?experiment_id=987654", None), ("GET", "experiments/get?experiment_id=abc", None),
    ("GET", "experiments/get?experiment_id=-5", None), ("GET", "experiments/get?experiment_id=1.5", None),
    ("GET", "experiments/get?experiment_id=" + "9" * 30, None), ("GET", "experiments/get?other=1", None),
    ("GET", "experiments/get-by-name", None), ("GET", "experiments/get-by-name?experiment_name=", None),
    ("GET", "experiments/get-by-name?experiment_name=unknown", None),
    ("POST", "experiments/delete", {}), ("POST", "experiments/delete", {"experiment_id": "987654"}),
    ("POST", "experiments/delete", {"experiment_id": "x"}), ("POST", "experiments/delete", {"experiment_id": "{D}"}),
    ("POST", "experiments/delete", {"experiment_id": 5}), ("POST", "experiments/delete", {"experiment_id": ""}),
    ("POST", "experiments/restore", {}), ("POST", "experiments/restore", {"experiment_id": "{E}"}),
    ("POST", "experiments/restore", {"experiment_id": "987654"}), ("POST", "experiments/restore", {"experiment_id": None}),
    ("POST", "experiments/update", {}), ("POST", "experiments/update", {"experiment_id": "{E}"}),
    ("POST", "experiments/update", {"experiment_id": "{E}", "new_name": ""}),
    ("POST", "experiments/update", {"experiment_id": "{E}", "new_name": 5}),
    Loose("POST", "experiments/update", {"experiment_id": "{E}", "new_name": "gone"}),
    ("POST", "experiments/update", {"experiment_id": "{D}", "new_name": "free"}),
    ("POST", "experiments/update", {"experiment_id": "987654", "new_name": "free"}),
    ("POST", "experiments/update", {"experiment_id": "{E}", "new_name": "n" * 501}),
    ("POST", "experiments/set-experiment-tag", {}), ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}", "key": ""}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}", "key": LONG, "value": "x"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}", "key": "k", "value": "x" * 5001}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}", "key": "k", "value": 5}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{E}", "key": "../k", "value": "5"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "{D}", "key": "k", "value": "x"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "987654", "key": "k", "value": "x"}),
    ("POST", "experiments/delete-experiment-tag", {"experiment_id": "{E}", "key": "none"}),
    ("POST", "experiments/delete-experiment-tag", {"experiment_id": "{D}", "key": "t"}),
    ("POST", "experiments/delete-experiment-tag", {"experiment_id": "{E}"}), ("POST", "experiments/delete-experiment-tag", {}),
    # Runs.
    ("POST", "runs/create", {"experiment_id": "987654"}), ("POST", "runs/create", {"experiment_id": "x"}),
    ("POST", "runs/create", {"experiment_id": "{D}"}), ("POST", "runs/create", {"experiment_id": 5}),
    ("POST", "runs/create", {"experiment_id": "{E}", "start_time": "x"}),
    ("POST", "runs/create", {"experiment_id": "{E}", "run_name": 5}),
    ("POST", "runs/create", {"experiment_id": "{E}", "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]}),
    Loose("POST", "runs/create", {"experiment_id": "{E}", "tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}),
    ("GET", "runs/get", None), ("GET", "runs/get?run_id=", None), ("GET", "runs/get?run_id=none", None),
    ("GET", "runs/get?run_uuid=none", None), ("GET", "runs/get?run_id=" + "0" * 32, None),
    ("POST", "runs/update", {}), ("POST", "runs/update", {"run_id": "none"}), ("POST", "runs/update", {"run_id": "{X}"}),
    ("POST", "runs/update", {"run_id": "{R}", "status": "DONE"}), ("POST", "runs/update", {"run_id": "{R}", "end_time": "x"}),
    ("POST", "runs/update", {"run_id": "{R}", "status": 99}), ("POST", "runs/update", {"run_id": "{R}", "run_name": ["a"]}),
    ("POST", "runs/update", {"run_id": ["a"]}), ("POST", "runs/delete", {}), ("POST", "runs/delete", {"run_id": "none"}),
    ("POST", "runs/restore", {}), ("POST", "runs/restore", {"run_id": "none"}), ("POST", "runs/delete", {"run_id": 7}),
    # Metrics.
    ("POST", "runs/log-metric", {}), ("POST", "runs/log-metric", {"run_id": "{R}"}),
    ("POST", "runs/log-metric", {"run_id": "{R}", "key": "m"}), ("POST", "runs/log-metric", {"run_id": "{R}", "key": "m", "value": 1}),
    ("POST", "runs/log-metric", metric(run_id="none")), ("POST", "runs/log-metric", metric(run_id="{X}")),
    ("POST", "runs/log-metric", metric(run_id="{O}")), ("POST", "runs/log-metric", metric(key="")),
    ("POST", "runs/log-metric", metric(key=LONG)), ("POST", "runs/log-metric", metric(key="/m")),
    ("POST", "runs/log-metric", metric(key="../m")), ("POST", "runs/log-metric", metric(key="a/../m")),
    ("POST", "runs/log-metric", metric(key="a:b")), ("POST", "runs/log-metric", metric(key="a\"b")),
    ("POST", "runs/log-metric", metric(key="a//b")), ("POST", "runs/log-metric", metric(key=5)),
    ("POST", "runs/log-metric", metric(value="x")), ("POST", "runs/log-metric", metric(value=None)),
    ("POST", "runs/log-metric", metric(timestamp="x")), ("POST", "runs/log-metric", metric(step="x")),
    ("POST", "runs/log-metric", metric(step=[1])),
    # Params.
    ("POST", "runs/log-parameter", {}), ("POST", "runs/log-parameter", {"run_id": "{R}", "value": "1"}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": "p", "value": "2"}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": "", "value": "2"}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": "q", "value": 2}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": LONG, "value": "2"}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": "q", "value": "x" * 6001}),
    ("POST", "runs/log-parameter", {"run_id": "{R}", "key": "q;", "value": "2"}),
    ("POST", "runs/log-parameter", {"run_id": "none", "key": "q", "value": "2"}),
    ("POST", "runs/log-parameter", {"run_id": "{X}", "key": "q", "value": "2"}),
    ("POST", "runs/log-parameter", {"key": "q", "value": "2"}),
    # Tags.
    ("POST", "runs/set-tag", {}), ("POST", "runs/set-tag", {"run_id": "{R}", "value": "x"}),
    ("POST", "runs/set-tag", {"run_id": "{R}", "key": LONG, "value": "x"}),
    ("POST", "runs/set-tag", {"run_id": "{R}", "key": "k", "value": "x" * 8001}),
    ("POST", "runs/set-tag", {"run_id": "{R}", "key": "k", "value": {"a": 1}}),
    ("POST", "runs/set-tag", {"run_id": "none", "key": "k", "value": "x"}),
    ("POST", "runs/set-tag", {"run_id": "{X}", "key": "k", "value": "x"}),
    ("POST", "runs/set-tag", {"run_id": "{R}", "key": "a\nb", "value": "x"}),
    ("POST", "runs/delete-tag", {}), ("POST", "runs/delete-tag", {"run_id": "{R}", "key": "none"}),
    ("POST", "runs/delete-tag", {"run_id": "none", "key": "t"}), ("POST", "runs/delete-tag", {"run_id": "{X}", "key": "t"}),
    # Batches.
    ("POST", "runs/log-batch", {}), ("POST", "runs/log-batch", batch(run_id="none")), ("POST", "runs/log-batch", batch(run_id="")),
    ("POST", "runs/log-batch", batch(run_id="{X}", metrics=[{"key": "m", "value": 1, "timestamp": 1}])),
    ("POST", "runs/log-batch", batch(metrics="x")), ("POST", "runs/log-batch", batch(metrics=[1])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "value": "x", "timestamp": 1}])),
    ("POST", "runs/log-batch", batch(metrics=[{"value": 1, "timestamp": 1}])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "timestamp": 1}])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "value": 1}])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": LONG, "value": 1, "timestamp": 1}])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "value": 1, "timestamp": "x"}])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "value": 1, "timestamp": 1}] * 1001)),
    ("POST", "runs/log-batch", batch(params=[{"key": f"k{n}", "value": "1"} for n in range(101)])),
    ("POST", "runs/log-batch", batch(tags=[{"key": f"k{n}", "value": "1"} for n in range(101)])),
    ("POST", "runs/log-batch", batch(metrics=[{"key": "m", "value": 1, "timestamp": 1}] * 950,
                                     params=[{"key": f"k{n}", "value": "1"} for n in range(60)])),
    ("POST", "runs/log-batch", batch(params=[{"key": "p", "value": "2"}])),
    ("POST", "runs/log-batch", batch(params=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}])),
    ("POST", "runs/log-batch", batch(params=[{"key": LONG, "value": "1"}])),
    ("POST", "runs/log-batch", batch(params=[{"key": "a", "value": "x" * 6001}])),
    ("POST", "runs/log-batch", batch(params=[{"value": "x"}])), ("POST", "runs/log-batch", batch(params="x")),
    ("POST", "runs/log-batch", batch(tags=[{"key": LONG, "value": "1"}])), ("POST", "runs/log-batch", batch(tags=[{"value": "1"}])),
    ("POST", "runs/log-batch", batch(tags=[{"key": "a", "value": "x" * 8001}])), ("POST", "runs/log-batch", batch(tags=5)),
    # Inputs, outputs, models.
    ("POST", "runs/log-inputs", {}), ("POST", "runs/log-inputs", {"run_id": "none"}), ("POST", "runs/log-inputs", batch(datasets="x")),
    ("POST", "runs/log-inputs", batch(datasets=[{"dataset": {"name": "d"}}])),
    ("POST", "runs/log-inputs", batch(datasets=[{"tags": []}])),
    ("POST", "runs/log-inputs", batch(run_id="{X}", datasets=[])),
    ("POST", "runs/log-inputs", batch(datasets=[
        {"dataset": {"name": "n" * 501, "digest": "d", "source_type": "s", "source": "s"}}])),
    ("POST", "runs/log-inputs", batch(datasets=[
        {"dataset": {"name": "n", "digest": "d" * 37, "source_type": "s", "source": "s"}}])),
    ("POST", "runs/log-inputs", batch(datasets=[
        {"dataset": {"name": "n", "digest": "d", "source_type": "s", "source": "s"}, "tags": [{"key": "k" * 256, "value": "v"}]}])),
    ("POST", "runs/outputs", {}), ("POST", "runs/outputs", {"run_id": "none", "models": []}),
    ("POST", "runs/log-model", {}), ("POST", "runs/log-model", {"run_id": "{R}"}),
    Loose("POST", "runs/log-model", {"run_id": "{R}", "model_json": "{"}), Loose("POST", "runs/log-model", {"run_id": "{R}", "model_json": "{}"}),
    # Histories.
    ("GET", "metrics/get-history", None), ("GET", "metrics/get-history?run_id={R}", None),
    ("GET", "metrics/get-history?run_id={R}&metric_key=", None), ("GET", "metrics/get-history?metric_key=m", None),
    ("GET", "metrics/get-history?run_id=none&metric_key=m", None),
    ("GET", "metrics/get-history?run_id={R}&metric_key=m&page_token=x&max_results=1", None),
    ("GET", "metrics/get-history?run_id={R}&metric_key=m&max_results=x", None),
    ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", None),
    ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={R}", None),
    ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=m", None),
    ("GET", "metrics/get-history-bulk-interval?metric_key=m", None), ("GET", "metrics/get-history-bulk-interval?run_ids={R}", None),
    ("GET", "metrics/get-history-bulk-interval?run_ids={R}&metric_key=m&start_step=5&end_step=1", None),
    ("GET", "metrics/get-history-bulk-interval?run_ids={R}&metric_key=m&start_step=5", None),
    ("GET", "metrics/get-history-bulk-interval?run_ids={R}&metric_key=m&max_results=0", None),
    ("GET", "metrics/get-history-bulk-interval?run_ids={R}&metric_key=m&max_results=2501", None),
    # Artifacts.
    ("GET", "artifacts/list?run_id=none", None), ("GET", "artifacts/list", None), ("GET", "artifacts/list?run_id={R}&path=../x", None),
    ("GET", "artifacts/list?run_id={R}&path=/etc", None), ("GET", "/api/2.0/mlflow-artifacts/artifacts?path=../x", None),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts/../../x", None), ("GET", "/get-artifact?run_uuid=none&path=x", None),
    # Searches.
    ("POST", "runs/search", {"experiment_ids": "x"}), ("POST", "runs/search", {"experiment_ids": ["x"]}),
    ("POST", "runs/search", {"experiment_ids": [5]}), ("POST", "runs/search", {"experiment_ids": ["{E}"], "filter": 5}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "max_results": 0}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "max_results": -1}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "max_results": 50001}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "max_results": "x"}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "max_results": [1]}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "order_by": "x"}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "order_by": [5]}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "run_view_type": "SOME"}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "run_view_type": 17}),
    Loose("POST", "runs/search", {"experiment_ids": ["{E}"], "page_token": "x"}),
    Loose("POST", "runs/search", {"experiment_ids": ["{E}"], "page_token": "e30="}),
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "page_token": 5}),
    *[("POST", "runs/search", {"experiment_ids": ["{E}"], "filter": text}) for text in [
        "metrics.m > 'a'", "params.p = 1", "params.p > '1'", "tags.t = 1", "foo = 'a'", "a.b = 'c'", "status IN ('a')",
        "run_id IN ()", "run_id IN (1)", "run_id IN ('a'", "metrics.m LIKE 'a'", "metrics.m == 1", "metrics.m > 1;",
        "metrics.m > 1; metrics.m > 2", "metrics.m IS NULL", "start_time = '1'", "datasets.foo = 'a'", "tags.t = red", "  ",
        "metrics.m > 1 OR metrics.m < 0", "(metrics.m > 1)", "3 > metrics.m", "metrics.a-b > 1", "tags.t NOT LIKE 'a'",
        "not tags.t = 'a'", "run_name IN ('a')", "start_time LIKE 1", "tags.t > 'a'", "tags.t = null", "timestamp > 1"]],
    *[("POST", "runs/search", {"experiment_ids": ["{E}"], "order_by": [text]}) for text in [
        "metrics.m foo", "foo", "a.b", "", " metrics.m", "metrics.m desc desc", "datasets.name", "metrics.m, run_id",
        "metrics.m ASC NULLS LAST", "timestamp", "name"]],
    ("POST", "runs/search", {"experiment_ids": ["{E}"], "order_by": ["metrics.m", "metrics.m DESC"]}),
    ("POST", "experiments/search", {}), ("GET", "experiments/search", None), ("POST", "experiments/search", {"max_results": 0}),
    ("POST", "experiments/search", {"max_results": 50001}), ("POST", "experiments/search", {"max_results": "x"}),
    ("POST", "experiments/search", {"max_results": 5, "order_by": "name"}), ("POST", "experiments/search", {"max_results": 5, "filter": 5}),
    ("POST", "experiments/search", {"max_results": 5, "view_type": "SOME"}),
    Loose("POST", "experiments/search", {"max_results": 5, "page_token": "x"}),
    ("POST", "experiments/search", {"max_results": 5, "page_token": 5}),
    *[("POST", "experiments/search", {"max_results": 5, "filter": text}) for text in [
        "metrics.a > 1", "foo = 'a'", "name > 'a'", "name = 1", "name IN ('a')", "name like 'a'", "creation_time > 'a'",
        "creation_time = 1.5", "experiment_id = 'x'", "experiment_id > '1'", "tags.t > 'a'", "name IS NULL", "name = 'a' OR name = 'b'",
        "name ="]],
    *[("POST", "experiments/search", {"max_results": 5, "order_by": [text]}) for text in ["foo", "tags.t", "name foo", ""]],
    ("POST", DATASETS, {}), ("POST", DATASETS, {"experiment_ids": ["1"] * 21}),
    ("POST", DATASETS, {"experiment_ids": ["x"]}), ("POST", DATASETS, {"experiment_ids": "x"}),
]

REGISTRY = [
    ("POST", "registered-models/create", {}), ("POST", "registered-models/create", {"name": ""}), ("POST", "registered-models/create", {"name": 5}),
    ("POST", "registered-models/create", {"name": "a/b"}), ("POST", "registered-models/create", {"name": "a:b"}),
    Loose("POST", "registered-models/create", {"name": "err-model"}), ("POST", "registered-models/create", {"name": "n" * 300}),
    ("POST", "registered-models/create", {"name": "t1", "tags": "x"}),
    ("POST", "registered-models/create", {"name": "t2", "tags": [{"key": LONG, "value": "v"}]}),
    ("GET", "registered-models/get", None), ("GET", "registered-models/get?name=none", None), ("GET", "registered-models/get?name=", None),
    ("PATCH", "registered-models/update", {}), ("PATCH", "registered-models/update", {"name": "none", "description": "x"}),
    ("PATCH", "registered-models/update", {"name": "err-model", "description": 5}),
    ("POST", "registered-models/rename", {}), ("POST", "registered-models/rename", {"name": "err-model"}),
    Loose("POST", "registered-models/rename", {"name": "err-model", "new_name": "err-other"}),
    ("POST", "registered-models/rename", {"name": "none", "new_name": "x"}), ("POST", "registered-models/rename", {"name": "err-model", "new_name": ""}),
    ("POST", "registered-models/rename", {"name": "err-model", "new_name": "a/b"}),
    ("DELETE", "registered-models/delete", {}), ("DELETE", "registered-models/delete", {"name": "none"}),
    ("POST", "registered-models/set-tag", {}), ("POST", "registered-models/set-tag", {"name": "err-model"}),
    ("POST", "registered-models/set-tag", {"name": "none", "key": "k", "value": "v"}),
    ("POST", "registered-models/set-tag", {"name": "err-model", "key": LONG, "value": "v"}),
    ("POST", "registered-models/set-tag", {"name": "err-model", "key": "k", "value": "v" * 110000}),
    ("DELETE", "registered-models/delete-tag", {}), ("DELETE", "registered-models/delete-tag", {"name": "none", "key": "k"}),
    ("POST", "registered-models/alias", {}), ("POST", "registered-models/alias", {"name": "err-model", "alias": "x"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": "x", "version": "9"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": "x", "version": "one"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": "v5", "version": "1"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": "latest", "version": "1"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": "a b", "version": "1"}),
    ("POST", "registered-models/alias", {"name": "err-model", "alias": LONG + "k" * 10, "version": "1"}),
    ("POST", "registered-models/alias", {"name": "none", "alias": "x", "version": "1"}),
    ("GET", "registered-models/alias?name=err-model", None), ("GET", "registered-models/alias?name=err-model&alias=none", None),
    ("GET", "registered-models/alias?name=none&alias=best", None), ("DELETE", "registered-models/alias", {"name": "err-model"}),
    ("DELETE", "registered-models/alias", {"name": "none", "alias": "best"}),
    ("POST", "registered-models/get-latest-versions", {}), ("POST", "registered-models/get-latest-versions", {"name": "none"}),
    ("POST", "registered-models/get-latest-versions", {"name": "err-model", "stages": ["Nowhere"]}),
    ("GET", "registered-models/search?max_results=0", None), ("GET", "registered-models/search?max_results=5000", None),
    ("GET", "registered-models/search?max_results=x", None), Loose("GET", "registered-models/search?page_token=x", None),
    *[("GET", "registered-models/search?filter=" + text, None) for text in [
        "foo%3D'a'", "name%3E'a'", "name%3D1", "params.x%3D'a'", "tags.x%20IS%20NULL", "tags.x%3E'a'", "name%3D'a'%20OR%20name%3D'b'"]],
    *[("GET", "registered-models/search?order_by=" + text, None) for text in ["foo", "tags.x", "name%20foo", "version_number"]],
    ("POST", "model-versions/create", {}), ("POST", "model-versions/create", {"name": "err-model"}),
    ("POST", "model-versions/create", {"name": "none", "source": "s3://b/x"}), ("POST", "model-versions/create", {"name": "err-model", "source": 5}),
    ("POST", "model-versions/create", {"name": "err-model", "source": "runs:/none/x"}),
    ("POST", "model-versions/create", {"name": "err-model", "source": "/etc/passwd"}),
    ("POST", "model-versions/create", {"name": "err-model", "source": "file:///etc"}),
    ("POST", "model-versions/create", {"name": "err-model", "source": "s3://b/../x"}),
    ("POST", "model-versions/create", {"name": "err-model", "source": "mlflow-artifacts:/../x"}),
    ("GET", "model-versions/get", None), ("GET", "model-versions/get?name=err-model", None), ("GET", "model-versions/get?name=err-model&version=9", None),
    ("GET", "model-versions/get?name=err-model&version=x", None), ("GET", "model-versions/get?name=none&version=1", None),
    ("PATCH", "model-versions/update", {}), ("PATCH", "model-versions/update", {"name": "err-model"}),
    ("PATCH", "model-versions/update", {"name": "err-model", "version": "9", "description": "x"}),
    ("DELETE", "model-versions/delete", {}), ("DELETE", "model-versions/delete", {"name": "err-model", "version": "9"}),
    ("POST", "model-versions/transition-stage", {}), ("POST", "model-versions/transition-stage", {"name": "err-model", "version": "1"}),
    ("POST", "model-versions/transition-stage", {"name": "err-model", "version": "1", "stage": "Nowhere", "archive_existing_versions": False}),
    ("POST", "model-versions/transition-stage", {"name": "err-model", "version": "9", "stage": "Production", "archive_existing_versions": False}),
    ("POST", "model-versions/transition-stage", {"name": "err-model", "version": "1", "stage": "None", "archive_existing_versions": True}),
    ("POST", "model-versions/set-tag", {}), ("POST", "model-versions/set-tag", {"name": "err-model", "version": "9", "key": "k", "value": "v"}),
    ("POST", "model-versions/set-tag", {"name": "err-model", "version": "x", "key": "k", "value": "v"}),
    ("POST", "model-versions/set-tag", {"name": "err-model", "version": "1", "key": LONG, "value": "v"}),
    ("DELETE", "model-versions/delete-tag", {}), ("DELETE", "model-versions/delete-tag", {"name": "err-model", "version": "9", "key": "k"}),
    ("GET", "model-versions/get-download-uri", None), ("GET", "model-versions/get-download-uri?name=err-model&version=9", None),
    ("GET", "model-versions/search?max_results=0", None), ("GET", "model-versions/search?max_results=500000", None),
    Loose("GET", "model-versions/search?page_token=x", None),
    *[("GET", "model-versions/search?filter=" + text, None) for text in [
        "foo%3D'a'", "name%3E'a'", "name%3D1", "version_number%3D1.5", "version_number%3D'x'", "source_path%20IN%20('a')", "tags.x%3E'a'",
        "metrics.x%3E1"]],
    *[("GET", "model-versions/search?order_by=" + text, None) for text in ["foo", "tags.x", "name%20foo", "run_id"]],
]

MODELS = [
    ("POST", "logged-models", {}), ("POST", "logged-models", {"experiment_id": "987654"}), ("POST", "logged-models", {"experiment_id": "{D}"}),
    ("POST", "logged-models", {"experiment_id": "x"}), ("POST", "logged-models", {"experiment_id": "{E}", "name": "a/b"}),
    ("POST", "logged-models", {"experiment_id": "{E}", "name": "a:b"}), ("POST", "logged-models", {"experiment_id": "{E}", "name": 5}),
    ("GET", "logged-models/m-none", None), ("PATCH", "logged-models/m-none", {"model_id": "m-none", "status": "LOGGED_MODEL_READY"}),
    ("PATCH", "logged-models/{L}", {"status": "NOPE"}), ("DELETE", "logged-models/m-none", None), ("PATCH", "logged-models/m-none/tags", {"tags": []}),
    ("PATCH", "logged-models/{L}/tags", {"tags": "x"}), ("DELETE", "logged-models/m-none/tags/t", None),
    ("DELETE", "logged-models/{L}/tags/none", None), ("POST", "logged-models/m-none/params", {"params": []}),
    ("POST", "logged-models/{L}/params", {"params": [{"key": LONG, "value": "v"}]}),
    ("POST", "logged-models/search", {"experiment_ids": "x"}), ("POST", "logged-models/search", {"experiment_ids": ["x"]}),
    ("POST", "logged-models/search", {"experiment_ids": ["{E}"], "max_results": "x"}),
    Loose("POST", "logged-models/search", {"experiment_ids": ["{E}"], "page_token": "e30="}),
    ("POST", "logged-models/search", {"experiment_ids": ["{E}"], "datasets": [{"dataset_digest": "x"}]}),
    *[("POST", "logged-models/search", {"experiment_ids": ["{E}"], "filter": text}) for text in [
        "metric.x > 1", "metrics.x LIKE 1", "params.x > 1", "name = 'a' OR name = 'b'", "tags.x IS NULL", "name >"]],
    ("POST", "logged-models/search", {"experiment_ids": ["{E}"], "order_by": [{"field_name": "foo"}]}),
    ("POST", "logged-models/search", {"experiment_ids": ["{E}"], "order_by": [{"field_name": "params.x"}]}),
    ("POST", "logged-models/search", {"experiment_ids": ["{E}"], "order_by": [{"field_name": "metrics.x", "dataset_digest": "d"}]}),
]

TRACES = [
    ("POST", V3 + "traces", {}), ("GET", V3 + "traces/none", None), ("GET", V3 + "traces/get?trace_id=none", None), ("GET", V3 + "traces/get", None),
    ("POST", V3 + "traces/search", {}), ("POST", V3 + "traces/search", {"locations": "x"}),
    ("POST", V3 + "traces/delete-traces", {}), ("POST", V3 + "traces/delete-traces", {"experiment_id": "{E}"}),
    ("POST", V3 + "traces/delete-traces", {"experiment_id": "{E}", "request_ids": ["a"], "max_timestamp_millis": 5}),
    Loose("PATCH", V3 + "traces/none/tags", {"key": "k", "value": "v"}), ("PATCH", V3 + "traces/tr-1/tags", {"key": LONG, "value": "v"}),
    ("PATCH", V3 + "traces/tr-1/tags", {}), ("DELETE", V3 + "traces/tr-1/tags", {"key": "none"}), ("DELETE", V3 + "traces/none/tags", {"key": "t"}),
    ("POST", V3 + "traces/tr-1/assessments", {}), ("GET", V3 + "traces/tr-1/assessments/a-none", None),
    ("DELETE", V3 + "traces/tr-1/assessments/a-none", None),
    *[("POST", V3 + "traces/search", {"filter": text, "locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{E}"}}]}) for text in [
            "foo = 'a'", "metrics.x > 1", "status > 'a'", "status = 1", "span.foo = 'a'", "span.name like 'a'", "prompt = 'a'",
            "prompt LIKE 'a/1'", "run_id IN ('a')", "feedback.x > 'a'", "feedback.x = 1", "issue.foo = 'a'", "text LIKE 'a'", "tags.x > 'a'"]],
    *[("POST", V3 + "traces/search", {"order_by": [text], "locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{E}"}}]}) for text in ["foo", "span.name", "timestamp foo"]],
    # A token of the message is Python's.
    Loose("POST", V3 + "traces/search", {"filter": "timestamp > 1.5", "locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{E}"}}]}),
    ("POST", V3 + "traces/search", {"max_results": 0, "locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{E}"}}]}),
    ("POST", V3 + "traces/search", {"max_results": 501, "locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{E}"}}]}),
]

# MLflow takes these, and records something else than what was sent.
REFUSED_HERE = [
    ("POST", "runs/log-metric", metric(value=True)), ("POST", "runs/log-metric", metric(timestamp=1.5)),
    ("POST", "runs/log-metric", metric(timestamp=10**30)),
]

CASES = {"core": CORE, "registry": REGISTRY, "models": MODELS, "traces": TRACES}


@pytest.fixture(scope="module")
def real(real_mlflow):
    return World(real_mlflow)


@pytest.fixture(scope="module")
def ours(request):
    for server in with_tracking(request):
        yield World(server)


def different(ours, real, case):
    """What is wrong with the answer to a case; None where nothing is."""
    is_loose = isinstance(case, Loose)
    method, path, body = case.case if is_loose else case
    found, expected = ours.ask(method, path, body), real.ask(method, path, body)
    if expected[0] == 500 and (expected[1] is None or "Python int too large" in expected[2]):
        # MLflow fails here with a fault of Python's: what is wrong with a request is never the server's fault.
        is_right = found[0] in (400, 404) and found[1] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
        expected = found if is_right else expected
    if expected[1] is None and expected[0] in (404, 405):
        # Flask's own page; clients know that a route is missing by the code.
        expected, is_loose = (404, "ENDPOINT_NOT_FOUND", ""), True
    # What both take may have ids of its own.
    is_loose = is_loose or expected[0] == 200
    same = found[:2] == expected[:2] and (is_loose or found[2] == expected[2])
    return None if same else {"request": f"{method} {path} {json.dumps(body)[:200]}", "apus": found, "mlflow": expected}


@pytest.mark.parametrize("group", CASES)
def test_wrong_requests(ours, real, group):
    if group not in ours.groups:
        pytest.skip(f"no routes of {group}")
    wrong = [fault for fault in (different(ours, real, case) for case in CASES[group]) if fault]
    assert not wrong, f"{len(wrong)} of {len(CASES[group])} differ:\n" + json.dumps(wrong, indent=1, ensure_ascii=False)


def test_there_are_many():
    assert sum(map(len, CASES.values())) >= 120


@pytest.mark.parametrize("case", REFUSED_HERE, ids=lambda case: str(case[2])[:60])
def test_values_that_mlflow_changes_are_refused(ours, real, case):
    assert real.ask(*case)[0] == 200
    assert ours.ask(*case)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_the_run_is_as_before(ours):
    run = ours.server.get("runs/get", run_id=ours.ids["R"])["run"]
    assert {one["key"]: one["value"] for one in run["data"]["params"]}["p"] == "1"
    assert {one["key"]: one["value"] for one in run["data"]["tags"]}["t"] == "v"
    assert run["info"]["status"] == "RUNNING" and run["info"]["lifecycle_stage"] == "active"
