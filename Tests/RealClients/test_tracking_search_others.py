# SPDX-License-Identifier: Apache-2.0
"""Searches of registered models, their versions, logged models and traces, case by case beside the real server."""
import json
import time

import pytest

from tracking_fixture import with_tracking

V3 = "/api/3.0/mlflow/"


def tags(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


class World:
    """The same models and traces on one server; ids are called by names."""

    def __init__(self, server):
        self.server, self.names = server, {}
        self.experiment, self.second = server.experiment(), server.experiment()
        self.runs = [server.run(self.experiment, run_name=f"run{n}") for n in range(2)]
        self.names |= {self.experiment: "EXPERIMENT", self.runs[0]: "run0", self.runs[1]: "run1"}
        self.ids = {"run0": self.runs[0], "run1": self.runs[1]}
        self.registry()
        self.logged_models()
        self.traces()

    def registry(self):
        post = self.server.post
        for name, more in [("s alpha", {"team": "red"}), ("s Beta", {"team": "blue", "n": "1"}), ("s gamma", {}),
                           ("s delta_1", {"team": "RED"})]:
            post("registered-models/create", {"name": name, "tags": tags(**more)})
        post("registered-models/create", {"name": "s prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
        for name, source, run, more in [
                ("s alpha", "s3://b/one", 0, {"k": "1"}), ("s alpha", "s3://b/two", 1, {"k": "2"}), ("s Beta", "s3://c/one", 0, {}),
                ("s alpha", "gs://b/x_y", None, {"k": "1", "l": "z"}), ("s gamma", "S3://b/one", None, {})]:
            post("model-versions/create", {"name": name, "source": source, "tags": tags(**more),
                                           **({"run_id": self.runs[run]} if run is not None else {})})
        post("model-versions/create", {"name": "s prompt", "source": "dummy-source", "tags": [
            {"key": "mlflow.prompt.is_prompt", "value": "true"}]})
        post("registered-models/alias", {"name": "s alpha", "alias": "best", "version": "2"})

    def logged_models(self):
        for name, kind, params, more, run, experiment in [
                ("tree", "sklearn", {"depth": "3", "lr": "0.1"}, {"team": "red"}, 0, self.experiment),
                ("Forest", "sklearn", {"depth": "30"}, {"team": "blue"}, 0, self.experiment),
                ("net", "torch", {"lr": "0.01"}, {}, 1, self.experiment), ("bare", None, {}, {"a b": "c"}, None, self.experiment),
                ("elsewhere", "torch", {"lr": "0.1"}, {"team": "red"}, None, self.second)]:
            body = {"experiment_id": experiment, "name": name, "params": tags(**params), "tags": tags(**more)}
            body |= ({"model_type": kind} if kind else {}) | ({"source_run_id": self.runs[run]} if run is not None else {})
            # None is made in the millisecond of the one before: an order is by creation.
            time.sleep(0.002)
            id = self.server.post("logged-models", body)["model"]["info"]["model_id"]
            self.names[id], self.ids[name] = name, id
        self.server.call("PATCH", "logged-models/" + self.ids["tree"], {"model_id": self.ids["tree"], "status": "LOGGED_MODEL_READY"})
        metric = lambda model, key, value, step=0, name=None, digest=None: {
            "key": key, "value": value, "timestamp": 1 + step, "step": step, "model_id": self.ids[model],
            **({"dataset_name": name, "dataset_digest": digest} if name else {})}
        self.server.post("runs/log-batch", {"run_id": self.runs[0], "metrics": [
            metric("tree", "acc", 0.5), metric("tree", "acc", 0.9, 1), metric("Forest", "acc", 0.7), metric("tree", "loss", 1, 0, "wine", "d1"),
            metric("Forest", "loss", 2, 0, "wine", "d2"), metric("net", "acc", 0.6, 0, "beer", "d1")]})

    def traces(self):
        for n, (name, state, time, took, more, metadata) in enumerate([
                ("ask", "OK", "2026-01-01T00:00:01Z", "1.5s", {"team": "red"}, {"mlflow.sourceRun": self.runs[0], "user": "ada"}),
                ("Answer", "ERROR", "2026-01-01T00:00:02Z", "0.020s", {"team": "blue", "n": "1"}, {"user": "bob"}),
                ("ask", "OK", "2026-01-01T00:00:03Z", "3s", {}, {}),
                ("tool", "IN_PROGRESS", "2026-01-01T00:00:03Z", None, {"team": "RED"}, {"mlflow.trace.session": "s1"}),
                (None, "OK", "2026-01-01T00:00:05Z", "0.5s", {"a b": "c"}, {"mlflow.trace.session": "s2"})]):
            id = f"tr-search-{n}"
            info = {"trace_id": id, "request_time": time, "state": state, "client_request_id": f"client-{n}",
                    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": self.experiment}},
                    "tags": more | ({"mlflow.traceName": name} if name else {}), "trace_metadata": metadata}
            info |= {"execution_duration": took} if took else {}
            self.server.post(V3 + "traces", {"trace": {"trace_info": info}})
            self.names[id] = id
        for n, name, value in [(0, "good", True), (1, "good", False), (0, "score", 0.9), (2, "score", 0.4), (1, "why", "bad"), (3, "why", "fine")]:
            kind = "expectation" if name == "why" else "feedback"
            self.server.post(V3 + f"traces/tr-search-{n}/assessments", {"assessment": {
                "assessment_name": name, "trace_id": f"tr-search-{n}", kind: {"value": value},
                "source": {"source_type": "HUMAN", "source_id": "me"},
                "create_time": "2026-01-01T00:00:09Z", "last_update_time": "2026-01-01T00:00:09Z"}})

    def fill(self, text):
        for name, id in self.ids.items():
            text = text.replace("{" + name + "}", id)
        return text

    def registered(self, filter="", order=(), **more):
        status, answer = self.server.call("GET", "registered-models/search", **{
            "filter": filter, "max_results": 100, **({"order_by": list(order)} if order else {}), **more})
        if status != 200:
            return [status, answer["error_code"] if isinstance(answer, dict) else None]
        return [one["name"] for one in answer.get("registered_models", []) if one["name"].startswith("s ")]

    def versions(self, filter="", order=(), **more):
        status, answer = self.server.call("GET", "model-versions/search", **{
            "filter": self.fill(filter), "max_results": 100, **({"order_by": list(order)} if order else {}), **more})
        if status != 200:
            return [status, answer["error_code"] if isinstance(answer, dict) else None]
        return [one["name"] + " " + one["version"] for one in answer.get("model_versions", []) if one["name"].startswith("s ")]

    def models(self, filter="", order=(), **more):
        body = {"experiment_ids": [self.experiment], "max_results": 40, "filter": self.fill(filter), **more}
        if order:
            body["order_by"] = order
        status, answer = self.server.call("POST", "logged-models/search", body)
        if status != 200:
            return [status, answer["error_code"] if isinstance(answer, dict) else None]
        return [self.names[one["info"]["model_id"]] for one in answer.get("models", [])]

    def found_traces(self, filter="", order=(), **more):
        body = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": self.experiment}}],
                "max_results": 100, "filter": self.fill(filter), **more}
        if order:
            body["order_by"] = list(order)
        status, answer = self.server.call("POST", V3 + "traces/search", body)
        if status != 200:
            return [status, answer["error_code"] if isinstance(answer, dict) else None]
        return [self.names[one["trace_id"]] for one in answer.get("traces", [])]


@pytest.fixture(scope="module")
def real(real_mlflow):
    return World(real_mlflow)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def ours(request):
    for server in with_tracking(request, request.param):
        yield World(server)


def compare(ours, real, call, cases):
    wrong = {}
    for case in cases:
        arguments = case if isinstance(case, tuple) else (case,)
        found, expected = getattr(ours, call)(*arguments), getattr(real, call)(*arguments)
        if expected[:1] == [500] and found[:1] == [400]:
            # A fault of Python's there.
            expected = [400, "INVALID_PARAMETER_VALUE"]
        if found != expected:
            wrong[str(case)] = {"apus": found, "mlflow": expected}
    assert not wrong, json.dumps(wrong, indent=1)


def test_registered_models(ours, real):
    compare(ours, real, "registered", [
        "", "name = 's alpha'", "name != 's alpha'", "name LIKE 's %a'", "name LIKE 's B%'", "name ILIKE 's b%'", "name like 's %'",
        "name IN ('s alpha', 's gamma', 'x')", "name NOT IN ('s alpha')", "name LIKE 's delta\\_1'", "name LIKE 's delta_1'",
        "tags.team = 'red'", "tags.team != 'red'", "tags.team ILIKE 'red'", "tags.team LIKE 'r%'", "tag.n = '1' AND tags.team = 'blue'",
        "tags.team = 'red' AND tags.team != 'blue'", "tags.`mlflow.prompt.is_prompt` = 'true'", "tags.`mlflow.prompt.is_prompt` != 'true'",
        "tags.`mlflow.prompt.is_prompt` = 'false'", "tags.`mlflow.prompt.is_prompt` = 'true' AND name LIKE 's%'",
        "attribute.name = 's Beta'", "foo = 'a'", "name > 'a'", "tags.team > 'a'", "name = 1", "params.a = 'b'", "name IS NULL",
        "name = 'a' OR name = 'b'", "name IN ()", "run_id = 'a'"])
    compare(ours, real, "registered", [("", order) for order in [
        ["name"], ["name DESC"], ["name ASC"], ["timestamp", "name"][1:], ["last_updated_timestamp DESC", "name"], ["foo"], ["tags.x"],
        ["name", "name DESC"], ["version_number"], ["name foo"]] if order[0].startswith(("name", "foo", "tags", "version"))])


def test_pages_of_registered_models(ours, real):
    def pages(world):
        token, found = "", []
        while True:
            answer = world.server.get("registered-models/search", filter="name LIKE 's %'", max_results=2, page_token=token, order_by="name DESC")
            found.append([one["name"] for one in answer.get("registered_models", [])])
            token = answer.get("next_page_token")
            if not token:
                return found
    assert pages(ours) == pages(real)


def test_model_versions(ours, real):
    order = ["name", "version_number"]
    compare(ours, real, "versions", [(text, order) for text in [
        "", "name = 's alpha'", "name != 's alpha'", "name LIKE 's a%'", "name ILIKE 's B%'", "name IN ('s Beta', 's gamma')",
        "run_id = '{run0}'", "run_id IN ('{run0}', '{run1}')", "run_id NOT IN ('{run0}')", "run_id != '{run0}'", "source_path = 's3://b/one'",
        "source_path LIKE 's3://%'", "source_path ILIKE 's3://%'", "source_path LIKE '%x_y'", "version_number = 2", "version_number >= 2",
        "version_number != 1", "version_number = '2'", "name = 's alpha' AND version_number < 3", "tags.k = '1'", "tags.k != '1'", "tag.l LIKE 'z%'",
        "tags.k = '1' AND tags.l = 'z'", "tags.`mlflow.prompt.is_prompt` = 'true'", "name = 's prompt'", "foo = 'a'", "version_number > 1.5",
        "version_number LIKE '1'", "name = 1", "source_path IN ('a')", "name > 'a'", "tags.k > '1'", "creation_timestamp > 1", "metrics.a > 1"]])
    compare(ours, real, "versions", [("", order) for order in [
        ["name DESC", "version_number"], ["version_number DESC", "name"], ["version_number"], ["name"], ["foo"], ["tags.x"], ["run_id"],
        ["name", "name"], ["name foo"]]])


def test_logged_models(ours, real):
    by_name = [{"field_name": "name"}]
    compare(ours, real, "models", [(text, by_name) for text in [
        "", "name = 'tree'", "name != 'tree'", "name LIKE '%e%'", "name ILIKE 'f%'", "name IN ('tree', 'net')", "name NOT IN ('tree')",
        "model_id = '{tree}'", "model_id IN ('{tree}', '{net}')", "model_type = 'sklearn'", "model_type != 'sklearn'", "source_run_id = '{run1}'",
        "params.depth = '3'", "params.lr LIKE '0.%'", "params.lr = 0.1", "tags.team = 'red'", "tags.team ILIKE 'R%'", "tags.`a b` = 'c'",
        "metrics.acc > 0.6", "metrics.acc = 0.5", "metrics.acc != 0.5", "metrics.acc > 0.8 AND params.depth = '3'", "metrics.loss >= 1",
        "creation_time > 0", "creation_timestamp > 0", "last_updated_timestamp < 5", "attributes.name = 'net'", "metric.acc > 1", "foo = 'a'",
        "metrics.acc LIKE 1", "params.lr > 1", "name = 'a' OR name = 'b'", "tags.team IS NULL", "name >"]])
    compare(ours, real, "models", [("", order) for order in [
        by_name, [{"field_name": "name", "ascending": False}], [{"field_name": "metrics.acc"}, *by_name],
        [{"field_name": "metrics.acc", "ascending": False}, *by_name], [{"field_name": "metrics.acc", "dataset_name": "beer"}, *by_name],
        [{"field_name": "metrics.loss", "dataset_name": "wine", "dataset_digest": "d1"}, *by_name], [{"field_name": "metrics.none"}, *by_name],
        [{"field_name": "model_type"}, *by_name], [{"field_name": "creation_timestamp", "ascending": False}], [{"field_name": "foo"}],
        [{"field_name": "params.lr"}]]])
    for more in [{"datasets": [{"dataset_name": "wine", "dataset_digest": "d2"}]}, {"datasets": [{"dataset_digest": "d"}]},
                 {"datasets": [{"dataset_name": "wine", "dataset_digest": "d2"}], "filter": "metrics.loss > 1"},
                 {"datasets": [{"dataset_name": "beer", "dataset_digest": "d1"}], "filter": "metrics.acc > 0.1"},
                 {"datasets": [{"dataset_name": "none"}]}, {"experiment_ids": []}]:
        assert ours.models(order=by_name, **more) == real.models(order=by_name, **more), more
    # The real server takes a digest that is not named for one that is null, and finds nothing.
    assert ours.models("", by_name, datasets=[{"dataset_name": "wine"}]) == ["Forest", "tree"]


def test_pages_of_logged_models(ours, real):
    def pages(world):
        token, found = "", []
        while True:
            body = {"experiment_ids": [world.experiment], "max_results": 3, "order_by": [{"field_name": "name"}]}
            answer = world.server.post("logged-models/search", body | ({"page_token": token} if token else {}))
            found.append([world.names[one["info"]["model_id"]] for one in answer["models"]])
            token = answer.get("next_page_token")
            if not token:
                return found
    assert pages(ours) == pages(real)


def test_traces(ours, real):
    compare(ours, real, "found_traces", [
        "", "status = 'OK'", "status != 'OK'", "trace.status IN ('OK', 'ERROR')", "attributes.status NOT IN ('OK')", "status LIKE 'O%'",
        "timestamp > 1767225602000", "timestamp_ms <= 1767225602000", "attributes.timestamp = 1767225603000", "trace.timestamp_ms >= 1767225603000",
        "execution_time > 1000", "execution_time_ms = 20", "execution_time != 20", "end_time > 1767225602500", "end_time_ms <= 1767225602500",
        "request_id = 'tr-search-1'", "request_id IN ('tr-search-1', 'tr-search-2')", "client_request_id = 'client-3'",
        "client_request_id LIKE 'client-%'", "client_request_id NOT IN ('client-1')", "name = 'ask'", "name != 'ask'", "name LIKE 'a%'",
        "name ILIKE 'A%'", "attributes.name = 'tool'", "run_id = '{run0}'", "run_id = 'none'", "tags.team = 'red'", "tags.team != 'red'",
        "tag.team ILIKE 'red'", "tags.team IS NULL", "tags.team IS NOT NULL", "tags.`a b` = 'c'", "tags.mlflow.traceName = 'ask'",
        "tags.team RLIKE '^r'", "metadata.user = 'ada'", "request_metadata.user != 'ada'", "metadata.user IS NULL", "metadata.user LIKE 'b%'",
        "metadata.`mlflow.trace.session` = 's1'", "metadata.`mlflow.trace.session` IS NOT NULL", "feedback.good = 'true'", "feedback.good = 'false'",
        "feedback.good != 'true'", "feedback.score > 0.5", "feedback.score <= 0.4", "feedback.score >= 0.4 AND status = 'OK'",
        "expectation.why = 'bad'", "expectation.why LIKE '%fine%'", "feedback.good IS NULL", "feedback.score IS NOT NULL", "feedback.none = 'x'",
        "prompt = 'p/1'", "status = 'OK' AND tags.team = 'red' AND execution_time > 5", "status = 'nope'", "timestamp > 1.5",
        "foo = 'a'", "metrics.a > 1", "status > 'a'", "status = 1", "span.foo = 'a'", "span.name like 'a'", "prompt = 'a'", "run_id IN ('a')",
        "feedback.x > 'a'", "feedback.x = 1", "text LIKE 'a'", "tags.team > 'a'", "issue.foo = 'a'", "status = 'OK' OR status = 'ERROR'",
        "run_id = '{run0}' AND status = 'ERROR'", "issue.id = 'none'"])
    compare(ours, real, "found_traces", [("", order) for order in [
        ["timestamp"], ["timestamp DESC"], ["timestamp_ms ASC", "request_id DESC"], ["execution_time DESC"], ["execution_time"],
        ["end_time", "request_id"][1:], ["status", "timestamp DESC"], ["status DESC", "request_id"], ["name", "request_id"],
        ["name DESC", "timestamp"], ["tags.team"], ["tags.team DESC", "timestamp"], ["metadata.user"], ["run_id DESC", "timestamp"],
        ["experiment_id", "request_id DESC"], ["foo"], ["span.name"], ["timestamp foo"], ["feedback.good"],
        ["timestamp", "timestamp DESC"]]])


def test_pages_of_traces(ours, real):
    def pages(world, order):
        token, found = "", []
        while True:
            body = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": world.experiment}}],
                    "max_results": 2, "order_by": order}
            answer = world.server.post(V3 + "traces/search", body | ({"page_token": token} if token else {}))
            found.append([one["trace_id"] for one in answer["traces"]])
            token = answer.get("next_page_token")
            if not token:
                return found
    for order in [[], ["timestamp"], ["tags.team"], ["execution_time DESC"], ["name"]]:
        assert pages(ours, order) == pages(real, order), order
