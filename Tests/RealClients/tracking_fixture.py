# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve tracking` for the tests, on SQLite or on PostgreSQL, and the real `mlflow server` beside it.

`with_tracking(request, "sqlite")` gives one out for a fixture; `real_mlflow` of conftest.py is the real one, started
once a session. Both have `call`, so that one request can be sent to either.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from conftest import wait_for
from gateway_fixture import free_port
from postgres_fixture import Postgres
from service_fixture import Service

# Of no use on loopback, and both servers answer at once.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Calls:
    """Requests as they are to a server at `self.url`."""

    url = ""

    def call(self, method, path, body=None, headers=None, timeout=60, **query):
        """Status and JSON of an answer (its text where it is no JSON).

        A path that begins with no slash is one of MLflow's, below /api/2.0/mlflow/. A body of bytes or text is sent as
        it is; a query's value may be a list.
        """
        if not path.startswith("/"):
            path = "/api/2.0/mlflow/" + path
        status, _, content = self.raw(method, path, body, headers, timeout, **query)
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content.decode(errors="replace")

    def raw(self, method, path, body=None, headers=None, timeout=60, **query):
        """Status, headers and bytes of an answer."""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        if isinstance(body, str):
            body = body.encode()
        elif body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        kind = {"content-type": "application/json"} if body is not None else {}
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers={**kind, **(headers or {})})
        try:
            with OPENER.open(request, timeout=timeout) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def post(self, path, body=None, **settings):
        """The JSON of an answer, which has to be good; a GET is `get`."""
        return self.good("POST", path, {} if body is None else body, **settings)

    def get(self, path, **query):
        return self.good("GET", path, **query)

    def good(self, method, path, body=None, **settings):
        status, answer = self.call(method, path, body, **settings)
        assert status == 200, f"{method} {path} gave {status}: {answer}"
        return answer

    def error(self, method, path, body=None, **settings):
        """Status, error_code and message of an answer, which has to be an error."""
        status, answer = self.call(method, path, body, **settings)
        assert status >= 400, f"{method} {path} gave {status}: {answer}"
        assert isinstance(answer, dict), f"{method} {path} gave {status} and no JSON: {answer[:500]}"
        return status, answer.get("error_code"), answer.get("message")

    def experiment(self, name=None, **more):
        """The id of a new experiment."""
        name = name or f"experiment-{uuid.uuid4().hex[:12]}"
        return self.post("experiments/create", {"name": name, **more})["experiment_id"]

    def run(self, experiment="0", start=1000, tags=(), **more):
        """The id of a new run."""
        body = {"experiment_id": experiment, "start_time": start, "tags": [
            {"key": key, "value": value} for key, value in dict(tags).items()], **more}
        return self.post("runs/create", body)["run"]["info"]["run_id"]

    def client(self):
        """mlflow's own client of this server."""
        from mlflow import MlflowClient
        return MlflowClient(tracking_uri=self.url, registry_uri=self.url)

    def registered(self):
        """The names of all registered models and prompts."""
        client = self.client()
        return {model.name for kind in ("", "tags.`mlflow.prompt.is_prompt` = 'true'")
                for model in client.search_registered_models(filter_string=kind, max_results=1000)}

    def forget_models(self, but):
        """Deletes all but these: other tests used the server before, and searches see what they left."""
        for name in self.registered() - but:
            # The client's own call refuses prompts.
            self.good("DELETE", "registered-models/delete", {"name": name})


class Tracking(Calls, Service):
    """One `apus serve tracking`, on a SQLite database in its folder or on `database`. A restart keeps folder and port.

    `arguments` are further options.
    """

    role = "tracking"

    def __init__(self, *arguments, database=None, environment=None):
        super().__init__(environment)
        self.arguments = list(arguments)
        if database:
            self.arguments += ["--database", database]

    @property
    def url(self):
        return ("https" if "--tls-key" in self.arguments else "http") + "://" + self.address

    def start(self, timeout=30):
        return self.launch("--data-dir", self.folder / "data", *self.arguments, timeout=timeout)

    def memory(self):
        """Resident bytes of the server."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


@contextlib.contextmanager
def mlflow_at(url):
    """mlflow's functions, which know of this server and, afterwards, of none: what is set is the whole process's."""
    import mlflow
    mlflow.set_tracking_uri(url)
    # Another test's experiment, of another server, may be set.
    mlflow.set_experiment(experiment_id="0")
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(None)


def with_tracking(request, kind="sqlite", *arguments, **settings):
    """For a fixture: a running server on "sqlite" or on a "postgres" of its own; its folder stays when tests failed."""
    postgres = Postgres() if kind == "postgres" else None
    server = Tracking(*arguments, database=postgres.uri() if postgres else None, **settings)
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)
        if postgres:
            postgres.remove()


class RealMLflow(Calls):
    """The real `mlflow server` of the tests' environment: one worker, SQLite, artifacts through the server."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="real-mlflow-"))
        self.port = free_port()
        self.url, self.process = f"http://127.0.0.1:{self.port}", None

    def start(self, timeout=120):
        settings = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
                    "DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1",
                    # The tests' webhooks are on this machine, and told at once.
                    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
                    "MLFLOW_WEBHOOK_CACHE_TTL": "0"}
        settings.pop("MLFLOW_TRACKING_URI", None)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                 "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                 "--artifacts-destination", str(self.folder / "artifacts")],
                stdout=log, stderr=log, cwd=self.folder, env=settings, start_new_session=True)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"mlflow server ended: {(self.folder / 'log').read_text()[-2000:]}")
            try:
                return self.raw("GET", "/health", timeout=5)[0] == 200
            except OSError:
                return False

        wait_for(ready, timeout, "mlflow server to be ready")
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            # Its workers are of its own process group.
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
