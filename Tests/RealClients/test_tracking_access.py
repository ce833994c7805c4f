# SPDX-License-Identifier: Apache-2.0
"""Who may use `apus serve tracking`, with mlflow's own client: tokens of a file, and users and Roles of Kubernetes."""
import base64
import json
import subprocess

import pytest

from conftest import APUS, ROOT, wait_for
from tracking_fixture import Tracking

WRITER, READER = "writer-has-a-long-token", "reader-has-a-long-token"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(scope="module")
def guarded(request, tmp_path_factory):
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"# who\n{WRITER} ann data team\n{READER} bob read\n")
    server = Tracking("--token-file", str(tokens))
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def as_user(monkeypatch, server, token=None, name=None, password=None):
    """mlflow's client with these variables."""
    for variable, value in (("TOKEN", token), ("USERNAME", name), ("PASSWORD", password)):
        if value is None:
            monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}", raising=False)
        else:
            monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", value)
    return server.client()


def test_tokens_and_basic(guarded, monkeypatch, tmp_path):
    from mlflow.exceptions import MlflowException
    for who in ({"token": WRITER}, {"name": "ann", "password": WRITER}):
        client = as_user(monkeypatch, guarded, **who)
        run = client.create_run("0").info.run_id
        client.log_metric(run, "m", 1)
        (tmp_path / "file").write_text("content")
        client.log_artifact(run, str(tmp_path / "file"))
        assert [file.path for file in client.list_artifacts(run)] == ["file"]
    for who in ({}, {"token": "no-token-of-this-server"}, {"name": "bob", "password": WRITER},
                {"name": "ann", "password": "wrong-password-of-ann"}):
        with pytest.raises(MlflowException) as caught:
            as_user(monkeypatch, guarded, **who).get_run(run)
        assert "UNAUTHENTICATED" in str(caught.value) or "authenticated" in str(caught.value)
    reader = as_user(monkeypatch, guarded, token=READER)
    assert reader.get_run(run).data.metrics == {"m": 1}
    assert len(reader.search_runs(["0"])) == 2 and reader.search_experiments()
    for refused in (lambda: reader.log_metric(run, "m", 2), lambda: reader.create_experiment("x"),
                    lambda: reader.delete_run(run), lambda: reader.create_registered_model("x")):
        with pytest.raises(MlflowException) as caught:
            refused()
        assert caught.value.error_code == "PERMISSION_DENIED"


def test_the_answers(guarded):
    run = guarded.call("POST", "runs/create", {"experiment_id": "0"}, bearer(WRITER))[1]["run"]["info"]["run_id"]
    status, headers, content = guarded.raw("GET", "/api/2.0/mlflow/runs/get?run_id=" + run)
    assert status == 401 and headers["WWW-Authenticate"].startswith("Basic ")
    assert json.loads(content)["error_code"] == "UNAUTHENTICATED"
    assert guarded.raw("GET", "/health")[0] == 200
    for path in ("/version", "/api/3.0/mlflow/server-info", f"/get-artifact?run_id={run}&path=x", f"{PROXY}?path=0"):
        assert guarded.raw("GET", path)[0] == 401
    for method in ("PUT", "DELETE"):
        assert guarded.error(method, f"{PROXY}/0/{run}/artifacts/x", b"x", headers=bearer(READER))[:2] == (
            403, "PERMISSION_DENIED")
    assert guarded.error("POST", "/api/2.0/mlflow/apus/gc", {}, headers=bearer(READER))[:2] == (403, "PERMISSION_DENIED")
    wrong = {"Authorization": "Basic %%%"}, {"Authorization": "Digest x"}, basic("ann", ""), bearer("x" * 20_000)
    for headers in wrong:
        assert guarded.error("GET", "experiments/get?experiment_id=0", headers=headers)[:2] == (401, "UNAUTHENTICATED")


def test_it_is_open_on_this_machine_only(tmp_path):
    result = subprocess.run([APUS, "serve", "tracking", "--data-dir", tmp_path, "--listen", "0.0.0.0:0"],
                            capture_output=True, text=True, timeout=30)
    assert result.returncode != 0 and "--token-file" in result.stderr


ROLES = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: %(name)s, namespace: %(namespace)s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %(name)s, namespace: %(namespace)s}
rules: %(rules)s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %(name)s, namespace: %(namespace)s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %(name)s}
subjects: [{kind: ServiceAccount, name: %(name)s, namespace: %(namespace)s}]
"""


def rule(resources, verbs, *names):
    found = {"apiGroups": ["mlflow.apus.dev"], "resources": resources, "verbs": verbs}
    return {**found, "resourceNames": list(names)} if names else found


@pytest.fixture
def on_kubernetes(request, cluster, namespace):
    server = Tracking("--kubernetes-access", namespace, "--kubeconfig", cluster.kubeconfig)
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def test_rights_of_kubernetes(on_kubernetes, cluster, namespace, monkeypatch):
    from mlflow.exceptions import MlflowException
    server = on_kubernetes

    def account(name, *rules):
        cluster.apply(ROLES % {"name": name, "namespace": namespace, "rules": json.dumps(rules)})
        return cluster.kubectl("-n", namespace, "create", "token", name).strip()

    everything = account("boss", rule(["experiments", "registeredmodels"], ["*"]))
    team = account("team", rule(["experiments"], ["get", "update"], "own"), rule(["experiments"], ["get"], "shared"),
                   rule(["registeredmodels"], ["get", "create", "update"], "movies"))
    nobody = account("nobody", rule(["pods"], ["get"]))
    boss = as_user(monkeypatch, server, token=everything)
    ids = {name: boss.create_experiment(name) for name in ("own", "shared", "secret")}
    runs = {name: boss.create_run(id).info.run_id for name, id in ids.items()}
    for name in ("movies", "other"):
        boss.create_registered_model(name)
    boss.log_text(runs["secret"], "secret", "file.txt")
    model = boss.create_logged_model(ids["secret"], "m")

    client = as_user(monkeypatch, server, token=team)
    assert {experiment.name for experiment in client.search_experiments()} == {"own", "shared"}
    assert [found.name for found in client.search_registered_models()] == ["movies"]
    client.log_metric(runs["own"], "m", 1)
    client.log_text(runs["own"], "text", "file.txt")
    assert client.get_run(runs["shared"]) and client.get_experiment_by_name("own")
    assert len(client.search_runs([ids["own"], ids["shared"]])) == 2
    client.create_model_version("movies", f"mlflow-artifacts:/{ids['own']}/{runs['own']}/artifacts", runs["own"])
    secret = f"mlflow-artifacts:/{ids['secret']}/{runs['secret']}/artifacts"
    for refused in (
            lambda: client.get_run(runs["secret"]), lambda: client.log_metric(runs["shared"], "m", 1),
            lambda: client.delete_run(runs["own"]), lambda: client.search_runs([ids["own"], ids["secret"]]),
            lambda: client.get_experiment(ids["secret"]), lambda: client.get_experiment_by_name("secret"),
            lambda: client.create_experiment("new"), lambda: client.rename_experiment(ids["own"], "secret2"),
            lambda: client.get_metric_history(runs["secret"], "m"), lambda: client.get_logged_model(model.model_id),
            lambda: client.list_artifacts(runs["secret"]), lambda: client.get_registered_model("other"),
            lambda: client.create_model_version("movies", secret, runs["secret"]), lambda: client.delete_registered_model("movies"),
            lambda: client.rename_registered_model("movies", "films"), lambda: client.restore_run(runs["secret"]),
            lambda: client.set_experiment_tag(ids["shared"], "a", "b")):
        with pytest.raises(MlflowException) as caught:
            refused()
        assert caught.value.error_code == "PERMISSION_DENIED", caught.value
    # Camel case and numbers are names of the same fields.
    for body in ({"runId": runs["secret"]}, {"runUuid": runs["secret"]}):
        body |= {"key": "m", "value": 1, "timestamp": 1}
        assert server.error("POST", "runs/log-metric", body, headers=bearer(team))[:2] == (403, "PERMISSION_DENIED")
    for path in (f"{PROXY}/{ids['secret']}/{runs['secret']}/artifacts/file.txt", f"{PROXY}?path={ids['secret']}", PROXY,
                 f"{PROXY}/{ids['own']}/%2e/..%2f{ids['secret']}/x", f"{PROXY}/elsewhere/x",
                 f"/get-artifact?run_id={runs['secret']}&path=file.txt",
                 f"/api/2.0/mlflow/artifacts/list?run_id={runs['secret']}",
                 f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={runs['own']}&run_id={runs['secret']}"
                 "&metric_key=m"):
        assert server.call("GET", path, headers=bearer(team))[0] in (400, 403), path
    query = 'query { mlflowGetRun(input: {runId: "%s"}) { run { info { runId } } } }' % runs["secret"]
    answer = server.call("POST", "/graphql", {"query": query}, bearer(team))[1]
    assert "Permission denied" in json.dumps(answer) and runs["secret"] not in json.dumps(answer.get("data"))

    # Basic: a name, whole or as it is called in its namespace, and the token as password.
    for name in (f"system:serviceaccount:{namespace}:team", "team"):
        assert as_user(monkeypatch, server, name=name, password=team).get_run(runs["own"])
    with pytest.raises(MlflowException):
        as_user(monkeypatch, server, name="boss", password=team).get_run(runs["own"])
    with pytest.raises(MlflowException) as caught:
        as_user(monkeypatch, server, token=nobody).get_run(runs["own"])
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert as_user(monkeypatch, server, token=nobody).search_experiments() == []
    with pytest.raises(MlflowException) as caught:
        as_user(monkeypatch, server, token=team + "x").get_run(runs["own"])
    # What is taken away works for some seconds at most.
    cluster.kubectl("-n", namespace, "delete", "rolebinding", "team")
    wait_for(lambda: server.call("GET", f"runs/get?run_id={runs['own']}", headers=bearer(team))[0] == 403, 30,
             "the right to be gone")


def test_deployed(cluster, monkeypatch):
    """deploy/tracking on a platform, and the account of its example."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    cluster.kubectl("apply", "-k", str(ROOT / "deploy" / "tracking"))
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "tracking" / "example.yaml"))
    cluster.kubectl("-n", "tracking", "rollout", "status", "deployment/tracking", "--timeout=60s")
    address = cluster.get("service", "tracking", "-n", "tracking")["spec"]["clusterIP"]
    token = cluster.kubectl("-n", "tracking", "create", "token", "trainer").strip()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    client = MlflowClient(f"http://{address}:5000", f"http://{address}:5000")
    run = client.create_run(client.create_experiment("movies")).info.run_id
    client.log_text(run, "kept", "file.txt")
    client.create_registered_model("movies")
    with pytest.raises(MlflowException):
        client.create_experiment("others")
    # All is in the claim.
    cluster.kubectl("-n", "tracking", "delete", "pod", "-l", "app=tracking")
    cluster.kubectl("-n", "tracking", "rollout", "status", "deployment/tracking", "--timeout=60s")
    from mlflow.artifacts import load_text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{address}:5000")
    wait_for(lambda: client.get_experiment_by_name("movies"), 30, "the experiment")
    assert load_text(client.get_run(run).info.artifact_uri + "/file.txt") == "kept"


def test_metrics(request):
    import re
    from prometheus_client.parser import text_string_to_metric_families
    from tracking_fixture import OPENER
    server = Tracking("--metrics-listen", "127.0.0.1:0")
    try:
        server.start()
        run = server.run()
        assert server.error("GET", "runs/get?run_id=none")[0] == 404
        place = wait_for(lambda: re.search(r"http://[0-9.:]+/metrics", server.logged()), 10, "the metrics' address")[0]
        text = OPENER.open(place, timeout=60).read().decode()
        samples = {(sample.name, sample.labels.get("route"), sample.labels.get("status")): sample.value
                   for family in text_string_to_metric_families(text) for sample in family.samples}
        assert run and samples["apus_tracking_requests_total", "createRun", "200"] == 1
        assert samples["apus_tracking_requests_total", "getRun", "404"] == 1
        assert samples["apus_tracking_request_seconds_count", "createRun", None] == 1
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)
