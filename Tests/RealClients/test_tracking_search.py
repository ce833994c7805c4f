# SPDX-License-Identifier: Apache-2.0
"""Searches, case by case beside the real `mlflow server`: the same runs are logged to both, the same search is sent to
both, and what they find has to be the same, in the same order."""
import json
import time

import pytest

from tracking_fixture import mlflow_at, with_tracking

# Below /api the real server has it at a path that lacks a slash.
DATASETS = "/ajax-api/2.0/mlflow/experiments/search-datasets"


def runs_to_log():
    """Runs as requests: name, start, end, status, metrics, params, tags, datasets."""
    data = lambda name, digest, context: {
        "dataset": {"name": name, "digest": digest, "source_type": "local", "source": "{}"},
        "tags": [{"key": "mlflow.data.context", "value": context}] if context else []}
    return [
        dict(name="alpha", start=1000, end=2000, status="FINISHED", metrics={"acc": 0.9, "loss": 0.1, "zero": 0},
             params={"lr": "0.1", "model": "Tree"}, tags={"team": "red", "Ünï": "ß", "a b": "spaced"},
             inputs=[data("wine", "d1", "training"), data("beer", "d2", "testing")]),
        dict(name="Beta", start=2000, end=3000, status="FAILED", metrics={"acc": 0.8, "loss": 0.2, "a/b": 2},
             params={"lr": "0.01", "model": "tree"}, tags={"team": "Red", "key": "v"},
             inputs=[data("wine", "d1", "testing")]),
        dict(name="gamma", start=2000, end=None, status="RUNNING", metrics={"acc": "NaN", "loss": 0.3},
             params={"lr": "0.1", "depth": "5"}, tags={"team": "blue"}, inputs=[data("Wine", "d3", None)]),
        dict(name="delta", start=3000, end=3500, status="KILLED", metrics={"acc": "Infinity"},
             params={"lr": "1e-3", "quote": "it's"}, tags={"team": "blue_sky", "percent": "100%"}, inputs=[]),
        dict(name="epsilon", start=500, end=4000, status="FINISHED", metrics={"acc": "-Infinity", "loss": -1.5},
             params={"model": "forest"}, tags={"other": "1"}, inputs=[]),
        dict(name="zeta", start=500, end=None, status="SCHEDULED", metrics={}, params={}, tags={}, inputs=[]),
        dict(name="eta_1", start=4000, end=4100, status="FINISHED", metrics={"acc": 0.8, "loss": 0.2, "zero": 1e-300},
             params={"lr": "0.10", "model": "TREE", "long": "x" * 500}, tags={"team": "red", "back\\slash": "a\\b"},
             inputs=[data("beer", "d2", "training")]),
        dict(name="deleted", start=100, end=200, status="FINISHED", metrics={"acc": 0.7}, params={"lr": "9"},
             tags={"team": "red"}, inputs=[], deleted=True),
        dict(name="twice", start=6000, end=7000, status="FINISHED", metrics={"acc": 0.95}, params={"lr": "0.1"},
             tags={"team": "green"}, inputs=[], more={"acc": 0.2}),
    ]


class Logged:
    """The runs on one server, and how its ids are called in answers."""

    def __init__(self, server):
        self.server, self.names = server, {}
        self.first, self.second = server.experiment(), server.experiment()
        self.names |= {self.first: "FIRST", self.second: "SECOND"}
        for run in runs_to_log():
            self.log(self.first, run)
        self.log(self.second, dict(name="elsewhere", start=2500, end=2600, status="FINISHED", metrics={"acc": 0.85},
                                   params={"lr": "0.1"}, tags={"team": "red"}, inputs=[]))

    def log(self, experiment, run):
        server = self.server
        id = server.run(experiment, start=run["start"], run_name=run["name"], tags=run["tags"], user_id="me")
        self.names[id] = run["name"]
        point = lambda step: lambda item: {"key": item[0], "value": item[1], "timestamp": 1, "step": step}
        server.post("runs/log-batch", {
            "run_id": id, "metrics": list(map(point(0), run["metrics"].items())),
            "params": [{"key": key, "value": value} for key, value in run["params"].items()]})
        if "more" in run:
            server.post("runs/log-batch", {"run_id": id, "metrics": list(map(point(1), run["more"].items()))})
        if run["inputs"]:
            server.post("runs/log-inputs", {"run_id": id, "datasets": run["inputs"]})
        end = {"end_time": run["end"]} if run["end"] else {}
        server.post("runs/update", {"run_id": id, "status": run["status"], **end})
        if run.get("deleted"):
            server.post("runs/delete", {"run_id": id})

    def ids(self, *names):
        return [next(id for id, name in self.names.items() if name == one) for one in names]

    def search(self, filter=None, order=(), **more):
        """What is found, as names; an error as its status and code."""
        body = {"experiment_ids": [self.first], "max_results": 100, **more}
        # `{alpha}` stands for the id of that run.
        fill = lambda text: text.format_map({name: id for id, name in self.names.items()}) if "{" in text else text
        if filter is not None:
            body["filter"] = fill(filter)
        if order:
            body["order_by"] = list(order)
        status, answer = self.server.call("POST", "runs/search", body)
        if status != 200:
            return [status, answer["error_code"]]
        return [self.names[run["info"]["run_id"]] for run in answer.get("runs", [])]


@pytest.fixture(scope="module")
def real(real_mlflow):
    return Logged(real_mlflow)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def ours(request):
    for server in with_tracking(request, request.param):
        yield Logged(server)


FILTERS = [
    "", "metrics.acc > 0.8", "metrics.acc >= 0.8", "metrics.acc < 0.9", "metrics.acc <= 0.8", "metrics.acc = 0.8",
    "metrics.acc != 0.8", "metrics.acc > -1e400", "metrics.acc = 0", "metrics.acc > 1e308", "metrics.acc < -1e308",
    "metrics.loss = -1.5", "metrics.zero = 0", "metrics.zero > 0", "metrics.`a/b` = 2", "metrics.\"a/b\" = 2.0",
    "metric.acc > .85", "metrics.nothing > 0", "metrics.nothing != 0", "metrics.acc > 0.1 AND metrics.loss < 0.2",
    "metrics.acc > 0.1 and metrics.loss < 0.3 and params.lr = '0.1'", "metrics.acc = 0.2", "metrics.acc = 0.95",
    "params.lr = '0.1'", "params.lr != '0.1'", "param.lr = \"0.01\"", "parameters.model = 'tree'",
    "params.model LIKE 't%'", "params.model LIKE 'T%'", "params.model ILIKE 't%'", "params.model like '%REE'",
    "params.lr LIKE '0._'", "params.lr IS NULL", "params.lr IS NOT NULL", "params.depth is null",
    "params.quote = \"it's\"", "params.long LIKE '%xxx'", "params.long = '" + "x" * 500 + "'",
    "params.long = '" + "x" * 499 + "'", "tags.team = 'red'", "tags.team != 'red'", "tags.team ILIKE 'RED'",
    "tags.team LIKE 'blue%'", "tags.team LIKE 'blue_sky'", "tags.team LIKE 'blue\\_sky'", "tag.other = '1'",
    "tags.`a b` = 'spaced'", "tags.Ünï = 'ß'", "tags.\"back\\slash\" = 'a\\b'", "tags.`back\\slash` LIKE 'a\\b'",
    "tags.percent LIKE '100%'", "tags.percent = '100%'", "tags.key = 'v'", "tags.team IS NULL",
    "tags.team IS NOT NULL AND tags.team != 'red'", "tags.mlflow.runName = 'Beta'", "tags.`mlflow.runName` LIKE '%eta%'",
    "run_name = 'Beta'", "attributes.run_name LIKE '%eta%'", "attr.run_name ILIKE 'B%'", "run_name != 'Beta'",
    "`run name` = 'alpha'", "attributes.`Run Name` = 'gamma'", "status = 'FINISHED'", "attributes.status != 'FINISHED'",
    "status = 'finished'", "status LIKE 'F%'", "status ILIKE 'f%'", "start_time > 1000", "attribute.start_time = 2000",
    "start_time >= 500 AND start_time < 2000", "created <= 1000", "start_time > 1500.5", "end_time > 2500",
    "end_time != 2000", "user_id = 'me'", "run.user_id != 'me'",
    "artifact_uri LIKE '%artifacts'", "artifact_uri = 'no'", "run_id = '{alpha}'", "run_id != '{alpha}'",
    "attributes.run_id IN ('{alpha}', '{Beta}', 'none')", "run_id NOT IN ('{alpha}','{Beta}')", "run_id LIKE '{alpha}%'",
    "run_id IN ('{deleted}')", "datasets.name = 'wine'", "dataset.name != 'wine'", "datasets.name LIKE 'w%'",
    "datasets.name ILIKE 'w%'", "datasets.name IN ('wine', 'beer')", "dataset.name NOT IN ('wine')",
    "datasets.digest = 'd2'", "datasets.context = 'training'", "dataset.context != 'training'",
    "datasets.context IN ('testing')", "datasets.name = 'wine' AND dataset.context = 'training'",
    "datasets.name = 'wine' AND datasets.name = 'beer'", "metrics.acc > 0.1 params.model = 'tree'", "AND",
    "metrics.acc > 0.1 AND", "  ", "metrics.acc > 'a'", "params.lr = 0.1", "params.lr > '0'", "foo = 'a'", "a.b = 'c'",
    "metrics.acc > 0 OR metrics.acc < 0", "(metrics.acc > 0)", "status IN ('FINISHED')", "run_id IN ()",
    "metrics.acc LIKE 'a'", "metrics.acc == 1", "tags.team NOT LIKE 'a'", "metrics.acc > 1;", "metrics.acc IS NULL",
    "start_time = '1000'", "datasets.foo = 'a'", "tags.team = red", "metrics.acc >", "> 1", "metrics.a-b > 1",
]

ORDERS = [
    ["metrics.acc"], ["metrics.acc DESC"], ["metrics.acc ASC"], ["metrics.loss", "metrics.acc DESC"],
    ["metrics.loss DESC", "start_time ASC"], ["metrics.nothing"], ["metrics.`a/b` DESC"], ["params.lr"],
    ["params.lr DESC"], ["params.model"], ["params.model DESC", "run_name"], ["params.long DESC"], ["tags.team"],
    ["tags.team DESC"], ["tags.`a b`"], ["tag.team ASC", "metric.acc"], ["start_time"], ["start_time DESC"],
    ["attributes.start_time ASC", "run_name DESC"], ["created"], ["Created DESC", "run_name"], ["end_time", "run_name"],
    ["end_time DESC", "run_name"], ["run_name"], ["run_name DESC"], ["status", "run_name"],
    ["attribute.status DESC", "run_name"], ["user_id", "run_name"], ["artifact_uri", "run_name"][1:], ["metrics.zero DESC"],
    ["metrics.acc", "params.lr DESC", "tags.team", "run_name"],
]

BAD_ORDERS = [
    ["metrics.acc foo"], ["foo"], ["a.b"], [""], [" metrics.acc"], ["metrics.acc desc desc"], ["datasets.name"],
    ["metrics.acc, run_name"], ["metrics.acc", "metric.acc DESC"], ["metrics.acc ASC NULLS LAST"], ["timestamp"],
]


def test_filters_of_runs(ours, real):
    # By name, since runs that start together are ordered by ids, which differ.
    wrong = {}
    for text in FILTERS:
        order = ["run_name"]
        found, expected = ours.search(text, order), real.search(text, order)
        if found != expected:
            wrong[text] = {"apus": found, "mlflow": expected}
    assert not wrong, json.dumps(wrong, indent=1)
    assert len(FILTERS) >= 60


def test_orders_of_runs(ours, real):
    wrong = {}
    for order in ORDERS + BAD_ORDERS:
        # Ids are random: where only they decide, the runs' names do here.
        order = order if order in BAD_ORDERS or "run_name" in " ".join(order) else order + ["run_name"]
        found, expected = ours.search(None, order), real.search(None, order)
        if found != expected:
            wrong[str(order)] = {"apus": found, "mlflow": expected}
    assert not wrong, json.dumps(wrong, indent=1)


def test_runs_that_start_together_are_ordered_by_id(ours):
    found = ours.server.post("runs/search", {"experiment_ids": [ours.first], "max_results": 100})["runs"]
    keys = [(-run["info"]["start_time"], run["info"]["run_id"]) for run in found]
    assert keys == sorted(keys) and len(keys) == 8


def test_views_and_experiments(ours, real):
    for view in ["ACTIVE_ONLY", "DELETED_ONLY", "ALL", 1, 2, 3]:
        for side in ["first", "second", "both", "none", "unknown"]:
            def found(logged):
                experiments = {"first": [logged.first], "second": [logged.second], "none": [], "unknown": ["98765"],
                               "both": [logged.first, logged.second, logged.first]}[side]
                return logged.search("", ["run_name"], run_view_type=view, experiment_ids=experiments)
            assert found(ours) == found(real), (view, side)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("order", [
    ["run_name"], ["metrics.acc DESC", "run_name"], ["metrics.loss", "run_name DESC"], ["tags.team DESC", "run_name"],
    ["end_time DESC", "run_name"], ["params.lr", "start_time", "run_name"]])
def test_pages_of_runs(ours, real, size, order):
    def pages(logged):
        token, found = None, []
        while True:
            body = {"experiment_ids": [logged.first], "max_results": size, "order_by": order}
            answer = logged.server.post("runs/search", body | ({"page_token": token} if token else {}))
            found.append([logged.names[run["info"]["run_id"]] for run in answer.get("runs", [])])
            token = answer.get("next_page_token")
            if not token:
                return found
    assert pages(ours) == pages(real)


def test_a_page_goes_on_where_it_ended_though_runs_come(ours):
    server = ours.server
    experiment = server.experiment()
    first = [server.run(experiment, start=start) for start in range(10, 20)]
    body = {"experiment_ids": [experiment], "max_results": 4}
    seen, token = [], None
    while True:
        answer = server.post("runs/search", body | ({"page_token": token} if token else {}))
        seen += [run["info"]["run_id"] for run in answer["runs"]]
        server.run(experiment, start=1000 + len(seen))
        token = answer.get("next_page_token")
        if not token:
            break
    assert seen == first[::-1]


def test_a_token_is_of_one_search(ours):
    server = ours.server
    body = {"experiment_ids": [ours.first], "max_results": 2}
    token = server.post("runs/search", body)["next_page_token"]
    changed = [{"filter": "metrics.acc > 0"}, {"order_by": ["run_name"]}, {"run_view_type": "ALL"},
               {"experiment_ids": [ours.second]}]
    for change in changed:
        status, code, _ = server.error("POST", "runs/search", body | {"page_token": token} | change)
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    for forged in ["x", "!!!", "e30=", token[:-4], token[4:], token[:9] + "A" + token[10:], "eyJvZmZzZXQiOiAyfQ=="]:
        status, code, _ = server.error("POST", "runs/search", body | {"page_token": forged})
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE"), forged
    assert len(server.post("runs/search", body | {"page_token": token, "max_results": 5})["runs"]) == 5


def test_long_searches(ours):
    alpha = ours.ids("alpha")
    many = ", ".join(f"'{n:032x}'" for n in range(9_990)) + f", '{alpha[0]}'"
    experiments = [ours.first] + [str(100_000 + n) for n in range(9_000)]
    assert ours.search(f"run_id IN ({many})", experiment_ids=experiments) == ["alpha"]
    assert ours.search(" AND ".join(f"tags.`k{n}` IS NULL" for n in range(100)), ["run_name"], max_results=1) == ["Beta"]
    for text in [f"run_id IN ({many}, {many})", " AND ".join(["metrics.acc > 0"] * 101), "tags.x = '" + "x" * (1 << 20) + "'",
                 "tags.x LIKE '" + "%" * 30_000 + "'", "(" * 100_000, "'" * 99_999]:
        assert ours.search(text) == [400, "INVALID_PARAMETER_VALUE"], text[:50]
    assert ours.search("", experiment_ids=["1"] * 10_001) == [400, "INVALID_PARAMETER_VALUE"]


def test_whole_runs_are_found(ours, real):
    def whole(logged):
        answer = logged.server.post("runs/search", {"experiment_ids": [logged.first], "order_by": ["run_name"]})
        text = json.dumps([run | {"info": {key: value for key, value in run["info"].items() if key != "artifact_uri"}}
                           for run in answer["runs"]])
        for id, name in sorted(logged.names.items(), key=lambda item: -len(item[0])):
            if len(id) > 5:
                text = text.replace(id, name)
        runs = json.loads(text)
        for run in runs:
            assert logged.names[run["info"].pop("experiment_id")] == "FIRST"
            for kind in ("metrics", "params", "tags"):
                run["data"].get(kind, []).sort(key=lambda item: item["key"])
            run["inputs"].get("dataset_inputs", []).sort(key=lambda item: item["dataset"]["name"])
        return runs
    assert whole(ours) == whole(real)


def test_search_runs_of_the_fluent_client(ours, real):
    """`mlflow.search_runs`: the same table from both."""
    def table(logged):
        with mlflow_at(logged.server.url) as mlflow:
            frame = mlflow.search_runs([logged.first], "metrics.acc > 0.1", order_by=["metrics.acc DESC", "run_name"])
        columns = sorted(set(frame.columns) - {"run_id", "experiment_id", "artifact_uri"})
        return columns, frame[columns].fillna("none").to_dict("records")
    assert table(ours) == table(real)


def test_datasets(ours, real):
    def summaries(logged):
        answer = logged.server.post(DATASETS, {"experiment_ids": [logged.first, logged.second]})
        found = answer["dataset_summaries"]
        assert {one.pop("experiment_id") for one in found} == {logged.first}
        return sorted(found, key=lambda one: sorted(one.items()))
    assert summaries(ours) == summaries(real)
    assert len(summaries(ours)) == 5
    for body in [{}, {"experiment_ids": []}, {"experiment_ids": ["1"] * 21}, {"experiment_ids": ["x"]}]:
        assert ours.server.error("POST", DATASETS, body) == real.server.error("POST", DATASETS, body)


# Experiments.

class Experiments:
    def __init__(self, server):
        self.server, self.names = server, {}
        for name, tags in [("exp one", {"kind": "a"}), ("Exp Two", {"kind": "b", "n": "1"}), ("third_3", {}),
                           ("gone", {"kind": "a"}), ("last%", {"kind": "A"})]:
            listed = [{"key": key, "value": value} for key, value in tags.items()]
            # None is made in the millisecond of the one before: the latest comes first.
            time.sleep(0.002)
            self.names[server.experiment("s:" + name, tags=listed)] = name
        self.deleted = next(id for id, name in self.names.items() if name == "gone")
        server.post("experiments/delete", {"experiment_id": self.deleted})

    def search(self, filter, order=(), **more):
        fill = lambda text: text.format_map({name: id for id, name in self.names.items()}) if "{" in text else text
        body = {"max_results": 1000, "filter": fill(filter), **({"order_by": list(order)} if order else {}), **more}
        status, answer = self.server.call("POST", "experiments/search", body)
        if status != 200:
            return [status, answer["error_code"]]
        return [self.names[one["experiment_id"]] for one in answer.get("experiments", [])
                if one["experiment_id"] in self.names]


@pytest.fixture(scope="module")
def real_experiments(real):
    return Experiments(real.server)


@pytest.fixture(scope="module")
def our_experiments(ours):
    return Experiments(ours.server)


EXPERIMENT_FILTERS = [
    "name = 's:exp one'", "name != 's:exp one'", "name LIKE 's:%'", "name LIKE 's:E%'", "name ILIKE 's:e%'",
    "name like 's:%'", "attribute.name = 's:third_3'", "name LIKE 's:third__'", "tags.kind = 'a'", "tags.kind != 'a'",
    "tag.kind ILIKE 'a'", "tags.kind LIKE 'A'", "tags.kind IS NULL AND name LIKE 's:%'",
    "tags.kind IS NOT NULL AND tags.n = '1'", "creation_time > 0", "creation_time < 5", "last_update_time >= 0",
    "creation_time = 1.5", "creation_time > 'a'", "experiment_id = '{exp one}'", "experiment_id != '{exp one}'",
    "experiment_id IN ('{exp one}', '{third_3}')", "experiment_id NOT IN ('{exp one}')", "experiment_id = 'x'",
    "experiment_id > '1'", "experiment_id LIKE '1'", "experiment_id in ('1')", "name IN ('a')", "name > 'a'",
    "metrics.a > 1", "attributes.name = 'a'", "tags.kind > 'a'", "foo = 'a'", "name = 1", "name IS NULL", "name =",
    "tags.`kind` = 'a' AND name LIKE 's:%one'", "name LIKE 's:%\\%'", "name LIKE 's:last%'",
]


def test_filters_of_experiments(our_experiments, real_experiments):
    wrong = {}
    for view in ["ACTIVE_ONLY", "ALL", "DELETED_ONLY"]:
        for text in EXPERIMENT_FILTERS:
            found = our_experiments.search(text, ["name"], view_type=view)
            expected = real_experiments.search(text, ["name"], view_type=view)
            if found != expected:
                wrong[text] = {"apus": found, "mlflow": expected, "view": view}
    assert not wrong, json.dumps(wrong, indent=1)


def test_orders_of_experiments(our_experiments, real_experiments):
    for order in [[], ["name"], ["name DESC"], ["experiment_id"], ["experiment_id DESC"], ["attribute.name ASC"],
                  ["creation_time", "experiment_id"], ["last_update_time DESC", "name"], ["name", "name DESC"],
                  ["tags.kind"], ["foo"], ["name foo"], [""]]:
        search = lambda side: side.search("name LIKE 's:%'", order, view_type="ALL")
        if order and "time" in order[0]:
            assert sorted(search(our_experiments)) == sorted(search(real_experiments)), order
        else:
            assert search(our_experiments) == search(real_experiments), order


def test_pages_of_experiments(our_experiments, real_experiments):
    def pages(side):
        token, found = "", []
        while True:
            answer = side.server.post("experiments/search", {
                "max_results": 2, "filter": "name LIKE 's:%'", "order_by": ["name DESC"], "page_token": token})
            found.append([side.names[one["experiment_id"]] for one in answer["experiments"]])
            token = answer.get("next_page_token")
            if not token:
                return found
    assert pages(our_experiments) == pages(real_experiments)
    ids = [one["experiment_id"] for one in our_experiments.server.get("experiments/search", max_results=2)["experiments"]]
    assert len(ids) == 2
