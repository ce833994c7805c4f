# SPDX-License-Identifier: Apache-2.0
"""The model registry and logged models: every call of MLflow's own client, and the same requests sent to the real
server, whose answers have to be the same."""
import json
import re
import time

import pytest

from tracking_fixture import with_tracking

TIMES = {"creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms", "last_updated_timestamp_ms"}
NAMES = {r"\bm-[0-9a-f]{32}": "m-ID", r"mlflow-artifacts:/\d+/": "mlflow-artifacts:/E/", r"experiment \d+": "experiment E"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def tracking(request):
    yield from with_tracking(request, request.param)


def plain(value, names):
    """An answer without what differs between two servers: times, and ids, which become their names."""
    if isinstance(value, dict):
        return {key: "time" if key in TIMES and isinstance(member, int) and member > 10**12
                else "E" if key == "experiment_id" else plain(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member, names) for member in value]
    if isinstance(value, str):
        for text, name in names.items():
            value = value.replace(text, name)
        for pattern, name in NAMES.items():
            value = re.sub(pattern, name, value)
        # Python's sets have no order.
        value = re.sub(r"\{('\w+'(?:, '\w+')*)\}", lambda match: str(sorted(match[1].split(", "))), value)
    return value


class Scenario:
    """Requests to one server; `{x}` in them stands for what was learned, and answers are told without it."""

    def __init__(self, server):
        self.server, self.known, self.told = server, {}, []

    def filled(self, value):
        if isinstance(value, dict):
            return {key: self.filled(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self.filled(member) for member in value]
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda match: self.known.get(match[1], match[0]), value)
        return value

    def learn(self, name, value):
        self.known[name] = value

    def call(self, method, path, body=None, **query):
        status, answer = self.server.call(method, self.filled(path), self.filled(body), **self.filled(query))
        names = {text: "{" + name + "}" for name, text in self.known.items() if len(text) > 3}
        told = plain(answer, names)
        if status >= 400 and isinstance(told, dict):
            # What the database said is the database's own.
            told = {key: told[key].split(" Error: (")[0] for key in ("error_code", "message")}
        self.told.append(((method, path, json.dumps(body), json.dumps(query)), status, sort(told)))
        return answer


def sort(value):
    """Tags and aliases have no order."""
    if isinstance(value, dict):
        return {key: sorted(map(sort, member), key=json.dumps) if key in {"tags", "aliases", "params"} else sort(member)
                for key, member in value.items()}
    if isinstance(value, list):
        return [sort(member) for member in value]
    return value


def same(ours, theirs, scenario):
    """Both servers answer a scenario's requests alike."""
    told = []
    for server in ours, theirs:
        one = Scenario(server)
        scenario(one)
        told.append(one.told)
    assert len(told[0]) == len(told[1])
    wrong = [f"{mine[0]}\n  apus  {mine[1:]}\n  mlflow {other[1:]}" for mine, other in zip(*told) if mine != other]
    assert not wrong, "\n".join(wrong)
    return len(told[0])


def models(s):
    """Registered models."""
    s.call("POST", "registered-models/create", {"name": "one", "description": "d", "tags": [
        {"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b", "value": "3"}]})
    s.call("POST", "registered-models/create", {"name": "one"})
    s.call("POST", "registered-models/create", {"name": "two"})
    s.call("POST", "registered-models/create", {"name": "one", "tags": [
        {"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    for name in ["", " ", "a/b", "a:b", "..", ".", "a/../b", 7, None, ["x"]]:
        s.call("POST", "registered-models/create", {"name": name})
    s.call("POST", "registered-models/create", {"name": "tagged", "tags": [{"key": "a?", "value": ""}]})
    s.call("POST", "registered-models/create", {"name": "tagged", "tags": [{"key": "k" * 251, "value": ""}]})
    s.call("POST", "registered-models/create", {"name": "tagged", "tags": [{"key": "k", "value": "v" * 100_001}]})
    s.call("POST", "registered-models/create", {"name": "tagged", "tags": "a"})
    s.call("POST", "registered-models/create", {})
    for name in ["one", "nobody", "", "a/b"]:
        s.call("GET", "registered-models/get", name=name)
    s.call("GET", "registered-models/get")
    s.call("PATCH", "registered-models/update", {"name": "one", "description": "new"})
    s.call("PATCH", "registered-models/update", {"name": "one"})
    s.call("PATCH", "registered-models/update", {"name": "nobody", "description": "new"})
    s.call("PATCH", "registered-models/update", {"name": "one", "description": 3})
    for body in [{"name": "one", "new_name": "two"}, {"name": "one", "new_name": "three"}, {"name": "one"},
                 {"name": "nobody", "new_name": "x"}, {"name": "three", "new_name": " "},
                 {"name": "three", "new_name": "a/b"}, {"name": "three", "new_name": "three"},
                 {"name": "three", "new_name": "one"}]:
        s.call("POST", "registered-models/rename", body)
    for body in [{"name": "one", "key": "t", "value": "1"}, {"name": "one", "key": "t", "value": "2"},
                 {"name": "one", "key": "e"}, {"name": "nobody", "key": "t", "value": ""}, {"name": "one", "value": ""},
                 {"name": "one", "key": "../x", "value": ""}, {"key": "t", "value": ""},
                 {"name": "one", "key": "t", "value": "v" * 100_001}]:
        s.call("POST", "registered-models/set-tag", body)
    for body in [{"name": "one", "key": "t"}, {"name": "one", "key": "t"}, {"name": "nobody", "key": "t"},
                 {"name": "one"}, {"name": "one", "key": "a?"}]:
        s.call("DELETE", "registered-models/delete-tag", body)
    s.call("GET", "registered-models/get", name="one")
    for name in ["two", "two", "nobody", ""]:
        s.call("DELETE", "registered-models/delete", {"name": name})
    s.call("DELETE", "registered-models/delete", {"name": "one"})
    s.call("GET", "registered-models/get", name="one")


def versions(s):
    """Versions, stages, aliases."""
    s.learn("run", s.server.run())
    s.learn("other", s.server.run())
    s.call("POST", "registered-models/create", {"name": "m"})
    for body in [{"name": "m", "source": "s3://bucket/a", "description": "first", "run_link": "http://x", "tags": [
            {"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
                 {"name": "m", "source": "s3://bucket/b", "run_id": "{run}"},
                 {"name": "m", "source": "runs:/{run}/model", "run_id": "{run}"},
                 {"name": "nobody", "source": "s3://bucket/a"}, {"name": "m"}, {"source": "s3://bucket/a"},
                 {"name": "a/b", "source": "s3://bucket/a"}, {"name": "m", "source": ""}, {"name": "m", "source": 1},
                 {"name": "m", "source": "s3://bucket/a", "tags": [{"key": "a?", "value": "1"}]}]:
        s.call("POST", "model-versions/create", body)
    for version in ["1", "2", "3", "4", "0", "-1", "a", "1.5", "", " 1 ", "99999999999"]:
        s.call("GET", "model-versions/get", name="m", version=version)
        s.call("GET", "model-versions/get-download-uri", name="m", version=version)
    s.call("GET", "model-versions/get", name="m")
    s.call("GET", "model-versions/get", version="1")
    s.call("GET", "model-versions/get", name="nobody", version="1")
    s.call("GET", "model-versions/get-download-uri", name="nobody", version="1")
    for body in [{"name": "m", "version": "1", "description": "changed"}, {"name": "m", "version": "1"},
                 {"name": "m", "version": "9", "description": "x"}, {"name": "m", "version": "x"}, {"name": "m"},
                 {"name": "m", "version": 2, "description": "x"}]:
        s.call("PATCH", "model-versions/update", body)
    for body in [{"name": "m", "version": "1", "key": "k", "value": "v"}, {"name": "m", "version": "1", "key": "k"},
                 {"name": "m", "version": "9", "key": "k", "value": "v"}, {"name": "m", "version": "1", "value": "v"},
                 {"name": "m", "version": "x", "key": "k", "value": "v"}, {"name": "no", "version": "1", "key": "k"},
                 {"name": "m", "version": "1", "key": "mlflow.prompt.text", "value": "v" * 100_001},
                 {"name": "m", "version": "1", "key": "k", "value": "v" * 100_001},
                 {"name": "m", "version": "1", "key": "a//b", "value": "v"}]:
        s.call("POST", "model-versions/set-tag", body)
    for body in [{"name": "m", "version": "1", "key": "k"}, {"name": "m", "version": "1", "key": "k"},
                 {"name": "m", "version": "9", "key": "k"}, {"name": "m", "version": "1"}]:
        s.call("DELETE", "model-versions/delete-tag", body)
    for version, stage, archive in [
            ("1", "Staging", False), ("2", "staging", True), ("3", "Production", False), ("2", "Archived", False),
            ("1", "None", True), ("1", "nowhere", False), ("9", "Staging", False), ("1", "", False),
            ("x", "Staging", False), ("3", "Production", True), ("1", "PRODUCTION", True)]:
        s.call("POST", "model-versions/transition-stage", {
            "name": "m", "version": version, "stage": stage, "archive_existing_versions": archive})
    s.call("POST", "model-versions/transition-stage", {"name": "m", "version": "1", "stage": "None",
                                                       "archive_existing_versions": "yes"})
    for stages in [[], ["Production"], ["none", "ARCHIVED"], ["bad"]]:
        s.call("POST", "registered-models/get-latest-versions", {"name": "m", "stages": stages})
        s.call("GET", "registered-models/get-latest-versions", name="m", stages=stages)
    s.call("POST", "registered-models/get-latest-versions", {"name": "nobody"})
    s.call("POST", "registered-models/get-latest-versions", {"stages": []})
    s.call("POST", "registered-models/get-latest-versions", {"name": "m", "stages": "Production"})
    for alias, version in [("champion", "1"), ("champion", "2"), ("second", "2"), ("latest", "1"), ("Latest", "1"),
                           ("v1", "1"), ("V22", "1"), ("", "1"), ("a b", "1"), ("a.b", "1"), ("x" * 256, "1"),
                           ("x" * 255, "1"), ("champion", "9"), ("champion", "x"), ("v1a", "3")]:
        s.call("POST", "registered-models/alias", {"name": "m", "alias": alias, "version": version})
    s.call("POST", "registered-models/alias", {"name": "nobody", "alias": "a", "version": "1"})
    s.call("POST", "registered-models/alias", {"name": "m", "alias": "a"})
    for alias in ["champion", "second", "latest", "LATEST", "nothing", "v1", "a b", "", "Champion"]:
        s.call("GET", "registered-models/alias", name="m", alias=alias)
    s.call("GET", "registered-models/alias", name="nobody", alias="champion")
    s.call("GET", "registered-models/alias", name="nobody", alias="latest")
    s.call("GET", "registered-models/get", name="m")
    s.call("GET", "model-versions/get", name="m", version="2")
    for alias in ["second", "second", "latest", ""]:
        s.call("DELETE", "registered-models/alias", {"name": "m", "alias": alias})
    s.call("DELETE", "registered-models/alias", {"name": "nobody", "alias": "x"})
    for version in ["2", "2", "x", "9", ""]:
        s.call("DELETE", "model-versions/delete", {"name": "m", "version": version})
    s.call("GET", "registered-models/alias", name="m", alias="champion")
    s.call("GET", "model-versions/get", name="m", version="2")
    s.call("POST", "model-versions/create", {"name": "m", "source": "s3://bucket/c"})
    s.call("DELETE", "model-versions/delete", {"name": "m", "version": "4"})
    s.call("POST", "model-versions/create", {"name": "m", "source": "s3://bucket/d"})
    s.call("POST", "registered-models/rename", {"name": "m", "new_name": "renamed"})
    s.call("GET", "model-versions/get", name="renamed", version="3")
    s.call("GET", "model-versions/get", name="m", version="3")
    s.call("DELETE", "registered-models/delete", {"name": "renamed"})
    s.call("GET", "model-versions/get", name="renamed", version="3")
    s.call("POST", "registered-models/create", {"name": "renamed"})
    s.call("POST", "model-versions/create", {"name": "renamed", "source": "s3://bucket/e"})
    s.call("DELETE", "registered-models/delete", {"name": "renamed"})


def sources(s):
    """What may be the source of a version."""
    s.learn("run", s.server.run())
    s.learn("other", s.server.run())
    made = s.call("POST", "logged-models", {"experiment_id": "0", "name": "logged", "source_run_id": "{run}"})
    s.learn("model", made["model"]["info"]["model_id"])
    s.learn("place", made["model"]["info"]["artifact_uri"])
    s.call("POST", "registered-models/create", {"name": "src"})
    s.call("POST", "registered-models/create", {"name": "base"})
    s.call("POST", "model-versions/create", {"name": "base", "source": "s3://bucket/base", "run_id": "{run}"})
    s.call("POST", "registered-models/alias", {"name": "base", "alias": "best", "version": "1"})
    s.call("POST", "registered-models/create", {"name": "words", "tags": [
        {"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}, {"key": "mlflow.prompt.text", "value": "hi"}]
    s.call("POST", "model-versions/create", {"name": "words", "source": "dummy-source", "tags": prompt})
    for source, run, model in [
            ("models:/{model}", None, "{model}"), ("models:/{model}", None, None), ("models:/{model}", "{run}", None),
            ("models:/{model}", None, "m-other"), ("models:/m-nothing", None, "m-nothing"),
            ("models:/base/1", None, None), ("models:/base@best", None, None), ("models:/base/latest", None, None),
            ("models:/base/None", None, None), ("models:/base/Production", None, None), ("models:/base/9", None, None),
            ("models:/base@nobody", None, None), ("models:/nobody/1", None, None), ("models:/base/1", "{run}", None),
            ("models:/base/1", "{other}", None), ("models:/base/1", "", None), ("models:/base/1", None, "{model}"),
            ("models:/words/1", None, None), ("models:/a/b/c", None, None), ("models://host/base/1", None, None),
            ("models:/", None, None), ("models:/base/nowhere", None, None),
            ("runs:/{run}/model", "{run}", None), ("runs:/{run}/model", "{other}", None),
            ("runs:/{run}/model", None, None), ("runs:/{run}/model", None, "{model}"), ("runs:/{run}", "{run}", None),
            ("runs:/", "{run}", None), ("runs://host/{run}/model", "{run}", None), ("runs:/nobody/model", "nobody", None),
            ("mlflow-artifacts:/0/{run}/artifacts/model", "{run}", None), ("mlflow-artifacts:/0/{run}/artifacts", "{run}", None),
            ("mlflow-artifacts:/0/{other}/artifacts/model", "{run}", None),
            ("mlflow-artifacts:/0/{run}/artifacts/model", None, None),
            ("mlflow-artifacts:/0/{run}/artifacts/model", "nobody", None),
            ("mlflow-artifacts:/0/{run}/artifacts/../../{other}", "{run}", None),
            ("mlflow-artifacts:/0/{run}/artifacts/%2e%2e/x", "{run}", None),
            ("{place}", None, "{model}"), ("{place}/MLmodel", None, "{model}"), ("{place}", "{run}", None),
            ("/etc/passwd", None, None), ("/etc/passwd", "{run}", None), ("/etc/passwd", "nobody", None),
            ("/etc/passwd", None, "{model}"), ("file:///etc/passwd", "{run}", None), ("relative/path", None, None),
            ("file://elsewhere/x", None, None), ("../x", None, None), ("dummy-source", None, None),
            ("http://host/model", None, None), ("https://host/model", "{run}", None), ("ftp://host/x", None, None),
            ("mlflow-artifacts://host/0/x", "{run}", None), ("hdfs://host/x", None, None),
            ("s3://bucket/a/../b", None, None), ("s3://bucket/%2e%2e/b", None, None), ("s3://bucket", None, None),
            ("s3://bucket/", None, None), ("s3://bucket/a/./b", None, None), ("s3://bucket/a//b", None, None),
            ("gs://bucket/x", "{run}", None), ("dbfs:/x", None, None), ("wasbs://c@a.blob.core.windows.net/x", None, None),
            ("databricks", None, None)]:
        body = {"name": "src", "source": source}
        if run is not None:
            body["run_id"] = run
        if model is not None:
            body["model_id"] = model
        answer = s.call("POST", "model-versions/create", body)
        if "model_version" in answer:
            version = answer["model_version"]["version"]
            s.call("GET", "model-versions/get-download-uri", name="src", version=version)
    for source in ["dummy-source", "prompt-template", "s3://bucket/x", "other", "/etc/passwd"]:
        s.call("POST", "model-versions/create", {"name": "words", "source": source, "tags": prompt})
    s.call("GET", "logged-models/{model}")
    for name in ["src", "base", "words"]:
        s.call("DELETE", "registered-models/delete", {"name": name})


def logged(s):
    """Logged models."""
    s.learn("experiment", s.server.experiment())
    s.learn("run", s.server.run(s.known["experiment"]))
    made = s.call("POST", "logged-models", {
        "experiment_id": "{experiment}", "name": "forest", "model_type": "sklearn", "source_run_id": "{run}",
        "params": [{"key": "depth", "value": "3"}], "tags": [{"key": "t", "value": "1"}, {"key": "u", "value": "2"}]})
    s.learn("model", made["model"]["info"]["model_id"])
    for body in [{}, {"experiment_id": "999999"}, {"experiment_id": "x"}, {"experiment_id": ""},
                 {"experiment_id": "{experiment}", "name": "a/b"}, {"experiment_id": "{experiment}", "name": "a.b"},
                 {"experiment_id": "{experiment}", "name": "it's"}, {"experiment_id": "{experiment}", "name": 3},
                 {"experiment_id": "{experiment}", "tags": "x"}]:
        s.call("POST", "logged-models", body)
    s.call("GET", "logged-models/{model}")
    s.call("GET", "logged-models/m-nobody")
    for status in ["LOGGED_MODEL_READY", 2, "READY", "", None, 9]:
        s.call("PATCH", "logged-models/{model}", {"model_id": "{model}", "status": status})
    s.call("PATCH", "logged-models/m-nobody", {"model_id": "m-nobody", "status": "LOGGED_MODEL_READY"})
    s.call("PATCH", "logged-models/{model}", {"model_id": "{model}", "status": "LOGGED_MODEL_UPLOAD_FAILED"})
    s.call("PATCH", "logged-models/{model}/tags", {"tags": [{"key": "t", "value": "3"}, {"key": "v", "value": "4"},
                                                            {"key": "v", "value": "5"}]})
    s.call("PATCH", "logged-models/m-nobody/tags", {"tags": [{"key": "t", "value": "3"}]})
    s.call("DELETE", "logged-models/{model}/tags/u")
    s.call("DELETE", "logged-models/{model}/tags/u")
    s.call("DELETE", "logged-models/m-nobody/tags/u")
    s.call("POST", "logged-models/{model}/params", {"model_id": "{model}", "params": [{"key": "p", "value": "1"}]})
    s.call("POST", "logged-models/m-nobody/params", {"model_id": "m-nobody", "params": [{"key": "p", "value": "1"}]})
    s.call("GET", "logged-models/{model}")
    for metric in [("accuracy", 0.5, 10, 1, None), ("accuracy", 0.5, 10, 1, None), ("accuracy", 0.75, 20, 2, None),
                   ("loss", 1.5, 10, 0, "train"), ("loss", "NaN", 11, 0, "train"), ("loss", "Infinity", 12, 0, "test")]:
        key, value, time, step, dataset = metric
        body = {"run_id": "{run}", "key": key, "value": value, "timestamp": time, "step": step, "model_id": "{model}"}
        if dataset:
            body |= {"dataset_name": dataset, "dataset_digest": "d"}
        s.call("POST", "runs/log-metric", body)
    s.call("POST", "runs/log-batch", {"run_id": "{run}", "metrics": [
        {"key": "batch", "value": 1, "timestamp": 5, "step": 1, "model_id": "{model}"},
        {"key": "batch", "value": 2, "timestamp": 6, "step": 2, "model_id": "{model}"},
        {"key": "plain", "value": 2, "timestamp": 6, "step": 2}]})
    found = s.call("GET", "logged-models/{model}")
    assert len(found["model"]["data"]["metrics"]) == 7
    s.call("POST", "runs/outputs", {"run_id": "{run}", "models": [{"model_id": "{model}", "step": 7}]})
    s.call("POST", "runs/log-inputs", {"run_id": "{run}", "models": [{"model_id": "{model}"}]})
    run = s.server.get("runs/get", run_id=s.known["run"])["run"]
    s.told.append(("run", 200, plain([run.get("outputs"), run.get("inputs")], {s.known["model"]: "{model}"})))
    s.call("DELETE", "logged-models/{model}")
    s.call("GET", "logged-models/{model}")
    s.call("GET", "logged-models/{model}", allow_deleted="true")
    s.call("DELETE", "logged-models/m-nobody")
    s.server.post("experiments/delete", {"experiment_id": s.known["experiment"]})
    s.call("POST", "logged-models", {"experiment_id": "{experiment}"})


@pytest.mark.parametrize("scenario", [models, versions, sources, logged], ids=lambda scenario: scenario.__name__)
def test_answers_are_those_of_the_real_server(tracking, real_mlflow, scenario):
    assert same(tracking, real_mlflow, scenario) > 20


def searches(s):
    """Searches of models, versions and logged models, by pages and with every wrong filter."""
    for name, tone in [("find-a", "kind"), ("find-b", "rude"), ("find-C", "kind"), ("find-d", None)]:
        tags = [{"key": "tone", "value": tone}, {"key": "odd key", "value": "1"}] if tone else []
        s.call("POST", "registered-models/create", {"name": name, "tags": tags})
        for source in "xyz"[:1 + len(tags)]:
            time.sleep(0.002)
            s.call("POST", "model-versions/create", {
                "name": name, "source": f"s3://bucket/{name}/{source}", "run_id": f"run-{name}-{source}", "tags": tags})
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}, {"key": "tone", "value": "kind"}]
    s.call("POST", "registered-models/create", {"name": "find-p", "tags": prompt})
    s.call("POST", "model-versions/create", {"name": "find-p", "source": "dummy-source", "tags": prompt})
    # Which makes that model the one that was changed last, as the clock tells it.
    time.sleep(0.002)
    s.call("DELETE", "model-versions/delete", {"name": "find-b", "version": "2"})
    is_prompt = "tags.`mlflow.prompt.is_prompt`"
    for filter_string in [
            "", "name = 'find-a'", "name != 'find-a'", "name LIKE 'find-%'", "name LIKE '%C'", "name LIKE '%c'",
            "name ILIKE '%c'", "name ILIKE 'FIND-_'", "name IN ('find-a', 'find-C')", "name NOT IN ('find-a')",
            "tags.tone = 'kind'", "tags.tone != 'kind'", "tags.tone LIKE 'k%'", "tags.tone ILIKE 'K%'",
            "tag.tone = 'kind'", "tags.`odd key` = '1'", 'tags."odd key" = "1"', "tags.tone = 'kind' AND name LIKE '%a'",
            "tags.tone = 'kind' and tags.`odd key` = '1'", "attribute.name = 'find-a'", "name = \"find-a\"",
            f"{is_prompt} = 'true'", f"{is_prompt} != 'true'", f"{is_prompt} = 'false'", f"{is_prompt} != 'false'",
            f"{is_prompt} = 'true' AND tags.tone = 'kind'", f"{is_prompt} = 'TRUE'", "tags.nothing = 'x'",
            "name = 'it''s'", "name", "name =", "name = find-a", "name = 3", "name > 'a'", "tags.tone > 'a'",
            "tags.tone IN ('kind')", "colour = 'x'", "metrics.x = 1", "params.x = 'y'", "name = 'a' OR name = 'b'",
            "name = 'a'; name = 'b'", "name LIKE", "name IN ()", "name IN ('a', 3)", "(name = 'a')",
            "creation_timestamp > 0", "last_updated_timestamp > 0", "   "]:
        s.call("GET", "registered-models/search", filter=filter_string)
    for order in [["name"], ["name DESC"], ["name ASC"], ["timestamp"], ["last_updated_timestamp DESC"],
                  ["last_updated_timestamp ASC", "name DESC"], ["creation_timestamp"], ["colour"], ["name SIDEWAYS"],
                  ["name", "name DESC"], ["name ASC DESC"], [""], ["tags.tone"]]:
        s.call("GET", "registered-models/search", filter="name LIKE 'find%'", order_by=order)
    for results in ["1", "2", "1000", "1001", "x", "1.5"]:
        status = s.server.call("GET", "registered-models/search", filter="name LIKE 'find%'", max_results=results)
        s.told.append((f"max_results={results}", status[0], len(status[1].get("registered_models", []))))
    status, code, _ = s.server.error("GET", "registered-models/search", page_token="nonsense!")
    s.told.append(("page_token", status, code))
    for filter_string in [
            "", "name = 'find-a'", "name LIKE 'find-%' AND version_number = 1", "version_number > 1",
            "version_number >= 2 AND name = 'find-a'", "version_number != 1", "version_number < 2", "run_id = 'run-find-a-x'",
            "run_id IN ('run-find-a-x', 'run-find-b-x')", "run_id NOT IN ('run-find-a-x')", "run_id LIKE '%-x'",
            "source_path = 's3://bucket/find-a/x'", "source_path LIKE '%/y'", "source_path ILIKE '%/Y'",
            "tags.tone = 'kind'", "tags.tone != 'kind'", f"{is_prompt} = 'true'", f"{is_prompt} != 'true'",
            "name = 'find-p'", f"name = 'find-p' AND {is_prompt} = 'true'", "name IN ('find-a', 'find-d')",
            "version_number = '1'", "version_number = 'x'", "version_number = 1.5", "version_number LIKE '1'",
            "version_number IN ('1')", "source_path IN ('x')", "run_id = 3", "colour = 1", "metrics.x > 1",
            "creation_timestamp > 0", "name = 'a' OR name = 'b'", "run_id > 'a'", "tags.tone IN ('a')", "name = 5"]:
        s.call("GET", "model-versions/search", filter=filter_string,
               order_by=["name ASC", "version_number ASC"])
    for order in [[], ["version_number DESC"], ["version_number ASC", "name DESC"], ["creation_timestamp"],
                  ["last_updated_timestamp ASC"], ["name", "version_number DESC"], ["colour"], ["run_id"], ["tags.tone"],
                  ["name", "name"], ["name UP"], ["attribute.name DESC"]]:
        s.call("GET", "model-versions/search", filter="name LIKE 'find%'", order_by=order)
    for results in ["1", "200000", "200001", "0", "-1", "x"]:
        status = s.server.call("GET", "model-versions/search", filter="name LIKE 'find%'", max_results=results)
        s.told.append((f"max_results={results}", status[0], status[1].get("message"),
                       len(status[1].get("model_versions", []))))
    for name in ["find-a", "find-b", "find-C", "find-d", "find-p"]:
        s.call("DELETE", "registered-models/delete", {"name": name})


def logged_searches(s):
    """Searches of logged models."""
    s.learn("experiment", s.server.experiment())
    s.learn("run", s.server.run(s.known["experiment"]))
    for name, loss, dataset in [("la", 3.0, "train"), ("lb", 1.0, "train"), ("lC", 2.0, "test"), ("ld", None, None)]:
        time.sleep(0.002)
        made = s.call("POST", "logged-models", {
            "experiment_id": "{experiment}", "name": name, "source_run_id": "{run}", "model_type": name.upper(),
            "params": [{"key": "depth", "value": name[-1]}, {"key": "odd key", "value": "1"}],
            "tags": [{"key": "t", "value": name}]})
        s.learn("model_" + name, made["model"]["info"]["model_id"])
        for step, value in [(0, 9.0), (1, loss)] if loss else []:
            s.server.post("runs/log-metric", {
                "run_id": s.known["run"], "key": "loss", "value": value, "timestamp": step, "step": step,
                "model_id": made["model"]["info"]["model_id"], "dataset_name": dataset, "dataset_digest": "d"})
    def found(**body):
        body = {"experiment_ids": ["{experiment}"], **body}
        status, answer = s.server.call("POST", "logged-models/search", s.filled(body))
        s.told.append((json.dumps(body), status, answer.get("error_code"), answer.get("message"),
                       [model["info"]["name"] for model in answer.get("models", [])]))
    for filter_string in [
            "", "name = 'la'", "name != 'la'", "name LIKE 'l%'", "name ILIKE '%c'", "name LIKE '%c'",
            "name IN ('la', 'ld')", "name NOT IN ('la', 'ld')", "metrics.loss < 2.5", "metrics.loss > 8",
            "metrics.loss = 1", "metrics.loss != 9", "metrics.loss >= 3 AND metrics.loss <= 9", "metrics.nothing > 0",
            "params.depth = 'a'", "params.depth != 'a'", "params.depth LIKE '%'", "params.`odd key` = '1'",
            "tags.t = 'lb'", "tags.t != 'lb'", "tags.t IN ('la', 'lb')", "params.depth = 'a' AND tags.t = 'la'",
            "model_id = '{model_la}'", "source_run_id = '{run}'", "model_type = 'LA'", "attributes.name = 'la'",
            "creation_timestamp > 0", "creation_time > 0 AND name = 'lb'", "last_updated_timestamp < 0", "status = '1'",
            "experiment_id = '{experiment}'", "lifecycle_stage = 'active'",
            "metrics.loss LIKE 'x'", "name > 'a'", "params.depth > 'a'", "nothing.x = 1",
            "name = 'la' OR name = 'lb'", "name", "metrics.loss >", "creation_timestamp LIKE 'x'"]:
        found(filter=filter_string, order_by=[{"field_name": "name"}])
    for order in [[], [{"field_name": "name"}], [{"field_name": "name", "ascending": False}],
                  [{"field_name": "creation_timestamp"}], [{"field_name": "creation_time", "ascending": True}],
                  [{"field_name": "metrics.loss"}], [{"field_name": "metrics.loss", "ascending": False}],
                  [{"field_name": "metrics.loss", "dataset_name": "train"}],
                  [{"field_name": "metrics.loss", "dataset_name": "train", "dataset_digest": "d"}],
                  [{"field_name": "metrics.loss", "dataset_name": "train", "dataset_digest": "other"}],
                  [{"field_name": "metrics.nothing"}, {"field_name": "name"}], [{"field_name": "model_type"}],
                  [{"field_name": "last_updated_timestamp"}, {"field_name": "model_id"}],
                  [{"field_name": "params.depth"}], [{"field_name": "nothing"}], [{"field_name": "tags.t"}]]:
        found(order_by=order)
    found(datasets=[{"dataset_name": "train", "dataset_digest": "d"}])
    found(datasets=[{"dataset_name": "train", "dataset_digest": "e"}])
    found(datasets=[{"dataset_name": "train", "dataset_digest": "d"}, {"dataset_name": "test", "dataset_digest": "d"}])
    found(datasets=[{"dataset_name": "test", "dataset_digest": "d"}], filter="metrics.loss < 5")
    found(datasets=[{"dataset_digest": "d"}])
    found(experiment_ids=[])
    found(experiment_ids=["x"])
    found(experiment_ids=["999999"])
    found(experiment_ids="0")
    found(max_results="x")
    body, names = {"experiment_ids": [s.known["experiment"]], "max_results": 3}, []
    while True:
        page = s.server.post("logged-models/search", body)
        names += [model["info"]["name"] for model in page.get("models", [])]
        if not page.get("next_page_token"):
            break
        body["page_token"] = page["next_page_token"]
    s.told.append(("pages", 200, names))


@pytest.mark.parametrize("scenario", [searches, logged_searches], ids=lambda scenario: scenario.__name__)
def test_searches_find_what_the_real_server_finds(tracking, real_mlflow, scenario):
    real_mlflow.forget_models(but=tracking.registered())
    assert same(tracking, real_mlflow, scenario) > 60


@pytest.fixture(params=["sqlite", "postgres"])
def own(request):
    yield from with_tracking(request, request.param)


def test_every_call_of_the_client_and_a_kill_in_the_middle(own):
    """What the client was told is there after the server was killed and started again."""
    client = own.client()
    client.create_registered_model("movies", tags={"team": "films"}, description="what to see")
    run = client.create_run("0").info.run_id
    for _ in range(3):
        client.create_model_version("movies", f"runs:/{run}/model", run_id=run, tags={"a": "1"}, description="one")
    client.set_registered_model_alias("movies", "champion", "2")
    client.update_model_version("movies", "2", description="two")
    client.set_model_version_tag("movies", "2", "b", "2")
    client.set_registered_model_tag("movies", "state", "good")
    client.transition_model_version_stage("movies", "3", "Production")
    logged = client.create_logged_model("0", name="forest", source_run_id=run, params={"depth": "3"}, tags={"t": "u"})
    client.log_metric(run, "loss", 0.5, step=1, model_id=logged.model_id)
    own.kill()
    own.start()
    client = own.client()
    model = client.get_registered_model("movies")
    assert (model.description, model.tags, model.aliases) == (
        "what to see", {"team": "films", "state": "good"}, {"champion": "2"})
    version = client.get_model_version_by_alias("movies", "champion")
    assert (version.version, version.description, version.tags, version.run_id, version.aliases) == (
        "2", "two", {"a": "1", "b": "2"}, run, ["champion"])
    assert client.get_model_version("movies", "3").current_stage == "Production"
    assert [one.version for one in client.get_latest_versions("movies", ["Production"])] == ["3"]
    assert client.get_model_version_download_uri("movies", "1") == f"runs:/{run}/model"
    assert len(client.search_model_versions("name = 'movies'")) == 3
    found = client.get_logged_model(logged.model_id)
    assert (found.params, found.tags, str(found.status)) == ({"depth": "3"}, {"t": "u"}, "PENDING")
    assert [(metric.key, metric.value, metric.run_id) for metric in found.metrics] == [("loss", 0.5, run)]
    client.finalize_logged_model(logged.model_id, "READY")
    client.set_logged_model_tags(logged.model_id, {"v": "w"})
    client.delete_logged_model_tag(logged.model_id, "t")
    assert client.get_logged_model(logged.model_id).tags == {"v": "w"}
    client.delete_model_version_tag("movies", "2", "b")
    client.delete_registered_model_tag("movies", "state")
    client.delete_registered_model_alias("movies", "champion")
    client.rename_registered_model("movies", "films")
    client.update_registered_model("films", description="new")
    client.delete_model_version("films", "3")
    assert client.create_model_version("films", f"runs:/{run}/model", run_id=run).version == "4"
    copied = client.copy_model_version("models:/films/1", "copies")
    assert (copied.name, copied.version, copied.run_id) == ("copies", "1", run)
    assert [model.name for model in client.search_registered_models(order_by=["name DESC"])] == ["films", "copies"]
    client.delete_registered_model("films")
    client.delete_logged_model(logged.model_id)
    assert client.search_logged_models(["0"]) == []
    own.kill()
    own.start()
    assert [model.name for model in own.client().search_registered_models()] == ["copies"]


def test_many_models_are_read_by_pages(own):
    client = own.client()
    for number in range(25):
        client.create_registered_model(f"model-{number:02}")
    names, token = [], None
    while True:
        page = client.search_registered_models(max_results=10, page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            break
    assert names == [f"model-{number:02}" for number in range(25)]
