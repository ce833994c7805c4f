# SPDX-License-Identifier: Apache-2.0
"""What MLflow's web UI asks for: its page and files from the wheel, its GraphQL queries (in words of our own, beside the
real `mlflow server`), and the routes that no client but the UI calls."""
import pathlib
import re

import pytest

from tracking_fixture import with_tracking

RUN = """
query One($data: MlflowGetRunInput!) @component(name: "test") {
  mlflowGetRun(input: $data) {
    __typename
    apiError { code message helpUrl }
    run {
      info { runName status runUuid experimentId artifactUri endTime lifecycleStage startTime userId }
      experiment { experimentId name lifecycleStage tags { key value } }
      data { metrics { key value step } params { key value } tags { key value } }
      inputs { datasetInputs { dataset { name digest sourceType } tags { key value } } modelInputs { modelId } }
      outputs { modelOutputs { modelId step } }
      modelVersions { name version status }
    }
  }
}"""


@pytest.fixture(scope="module")
def folder():
    import mlflow
    return pathlib.Path(mlflow.__file__).parent / "server" / "js" / "build"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request, folder):
    yield from with_tracking(request, request.param, "--mlflow-ui", str(folder))


@pytest.fixture(scope="module")
def both(server, real_mlflow):
    """Both servers with the same runs; and the ids there."""
    ids = {}
    for one in (server, real_mlflow):
        experiment = one.experiment(name=f"ui-{server.url.rpartition(':')[2]}")
        runs = [one.run(experiment, start=1000 + number, run_name=f"r{number}") for number in range(3)]
        for number, run in enumerate(runs):
            one.post("runs/log-batch", {"run_id": run, "params": [{"key": "p", "value": "1"}], "metrics": [
                {"key": "loss", "value": 1 / (step + 1 + number), "timestamp": step, "step": step}
                for step in range(40)] + [{"key": "nan", "value": "NaN", "timestamp": 1, "step": 0}]})
            one.post("runs/log-inputs", {"run_id": run, "datasets": [{
                "dataset": {"name": "d", "digest": "x", "source_type": "local", "source": "{}"},
                "tags": [{"key": "mlflow.data.context", "value": "training"}]}]})
        one.post("runs/update", {"run_id": runs[0], "status": "FINISHED", "end_time": 5000})
        ids[one] = (experiment, runs)
    return ids


def ask(server, query, variables=None, name=None):
    return server.call("POST", "/graphql", {"query": query, "variables": variables or {}, "operationName": name})


def named(answer, ids):
    """With numbers in place of what each server calls otherwise."""
    experiment, runs = ids
    for number, run in enumerate(runs):
        answer = answer.replace(run, f"RUN{number}")
    answer = re.sub(r'"(experimentId|experiment_id)": ?"%s"' % experiment, r'"\1": "EXPERIMENT"', answer)
    return re.sub(r"mlflow-artifacts:/%s\b" % experiment, "mlflow-artifacts:/EXPERIMENT", answer)


def equal(both, make):
    """The same question to both has the same answer."""
    import json
    answers = [json.loads(named(json.dumps(make(server, *ids)), ids)) for server, ids in both.items()]
    assert ordered(answers[0]) == ordered(answers[1])
    return answers[0]


def ordered(value):
    """Keys and values in one order."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((ordered(one) for one in value), key=str)
    return float(value) if type(value) is int else value


def test_page_and_files(server, folder):
    status, headers, page = server.raw("GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert page == (folder / "index.html").read_bytes()
    names = re.findall(r'(static-files/static/[^"]+)"', page.decode())
    assert len(names) >= 2
    for name in names:
        status, headers, content = server.raw("GET", "/" + name)
        assert status == 200 and content == (folder / name.removeprefix("static-files/")).read_bytes()
        assert "max-age" in headers["Cache-Control"]
        assert headers["Content-Type"].split(";")[0] in ("text/javascript", "text/css")
        assert server.raw("GET", "/" + name, headers={"If-None-Match": headers["ETag"]})[0] == 304


@pytest.mark.parametrize("path", [
    "/static-files/../index.html", "/static-files/%2e%2e/%2e%2e/__init__.py", "/static-files/..%2f..%2fhandlers.py",
    "/static-files//etc/passwd", "/static-files/static", "/static-files/", "/static-files/none.js"])
def test_other_files_are_not_there(server, path):
    assert server.raw("GET", path)[0] == 404


def test_a_folder_without_a_page_is_refused(tmp_path):
    from tracking_fixture import Tracking
    server = Tracking("--mlflow-ui", str(tmp_path))
    try:
        with pytest.raises(pytest.fail.Exception, match="has no index.html"):
            server.start(timeout=10)
    finally:
        server.clean(keep=False)


def test_probes(server):
    assert server.raw("GET", "/health")[2] == b"OK"
    assert server.raw("GET", "/version")[2].startswith(b"3.")
    for prefix in ("api", "ajax-api"):
        info = server.get(f"/{prefix}/3.0/mlflow/server-info")
        assert info["store_type"] == "SqlStore" and info["workspaces_enabled"] is False


def test_experiment(both):
    answer = equal(both, lambda server, experiment, runs: ask(server, """
        query Get($input: MlflowGetExperimentInput!) { mlflowGetExperiment(input: $input) {
          apiError { code message }
          experiment { artifactLocation experimentId lifecycleStage tags { key value } } } }""",
        {"input": {"experimentId": experiment}}, "Get"))
    assert answer[1]["data"]["mlflowGetExperiment"]["experiment"]["lifecycleStage"] == "active"


def test_run(both):
    answer = equal(both, lambda server, experiment, runs: strip(ask(server, RUN, {"data": {"runId": runs[0]}}, "One")))
    run = answer[1]["data"]["mlflowGetRun"]["run"]
    assert run["info"]["runName"] == "r0" and run["info"]["startTime"] == "1000"
    assert {metric["key"] for metric in run["data"]["metrics"]} == {"loss", "nan"}


def strip(answer):
    """Without what a server writes on its own."""
    run = answer[1]["data"]["mlflowGetRun"]["run"]
    run["data"]["tags"] = [tag for tag in run["data"]["tags"] if not tag["key"].startswith("mlflow.user")]
    return answer


def test_runs(both):
    answer = equal(both, lambda server, experiment, runs: ask(server, """
        query Find($data: MlflowSearchRunsInput!) { found: mlflowSearchRuns(input: $data) {
          runs { info { runName status } experiment { name } data { metrics { key value } params { key value } } } } }""",
        {"data": {"experimentIds": [experiment], "filter": "params.p = '1'", "maxResults": 10}}))
    assert len(answer[1]["data"]["found"]["runs"]) == 3


def test_histories(both):
    query = """
        query Points($data: MlflowGetMetricHistoryBulkIntervalInput!) { mlflowGetMetricHistoryBulkInterval(input: $data) {
          __typename metrics { timestamp step runId key value } apiError { code message } } }"""
    answer = equal(both, lambda server, experiment, runs: ask(
        server, query, {"data": {"runIds": runs, "metricKey": "loss"}}))
    assert len(answer[1]["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"]) == 120
    # The real server does not heed these in GraphQL; its REST route does, and gives the same as this.
    server = next(iter(both))
    sampled = ask(server, query, {"data": {
        "runIds": both[server][1], "metricKey": "loss", "maxResults": 10, "startStep": 5, "endStep": 30}})
    steps = [int(one["step"]) for one in sampled[1]["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"]]
    assert len(steps) == 30 and min(steps) == 5 and max(steps) == 30


def test_what_is_not_there(both):
    equal(both, lambda server, experiment, runs: ask(server, RUN, {"data": {"runId": "0" * 32}}, "One"))


@pytest.mark.parametrize("query", [
    "{ nothing }", "{ mlflowGetExperiment(input: {experimentId: \"0\"}) { experiment { secret } } }", "{", "query A { a } query B { b }",
    "{ a " * 50 + "}" * 50])
def test_other_queries_are_refused(server, query):
    status, answer = ask(server, query)
    assert status == 200 and answer["errors"] and answer["data"] is None


def test_routes_of_the_ui(both):
    from urllib.parse import urlencode
    def requests(experiment, runs):
        many = urlencode({"run_ids": runs, "metric_key": "loss", "max_results": 10}, doseq=True)
        return [
            ("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?{many}", None),
            ("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [experiment]}),
            ("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", None),
            ("GET", "/ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-none", None),
            ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api/2.0/endpoints/", None),
        ]
    for number in range(5):
        def answer(server, experiment, runs):
            status, body = server.call(*requests(experiment, runs)[number])
            return status, {key: value for key, value in body.items() if key not in ("sqlstate", "error_class")}
        equal(both, answer)


@pytest.mark.parametrize("path", [
    "/ajax-api/2.0/mlflow/users/current", "/ajax-api/3.0/mlflow/ui-telemetry"])
def test_what_is_not_offered(server, path):
    """Pages do without it, where it is an error of MLflow's form."""
    status, code, _ = server.error("GET", path)
    assert (status, code) == (404, "ENDPOINT_NOT_FOUND")
