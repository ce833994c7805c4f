# SPDX-License-Identifier: Apache-2.0
"""The movie recommender, run once by `apus demo movies`, for the tests of a file, and a load of requests."""
import base64
import csv
import io
import json
import pathlib
import re
import subprocess
import threading

import boto3
import deltalake
import pytest
import requests

from conftest import APUS, ROOT, wait_for

RATINGS = ROOT / ".cache" / "movielens-100k"
MANIFESTS = ROOT / "Examples" / "MovieRecommender" / "deploy"
N = ["-n", "movies"]


class Movies:
    """The recommender's services, through their cluster IPs."""

    def __init__(self, cluster):
        self.cluster = cluster

    def url(self, service):
        spec = self.cluster.get("service", service, *N)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def get(self, service, path):
        answer = requests.get(self.url(service) + path, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def rated(self, user):
        return {rating["movie"] for rating in self.get("ingest", f"/v1/ratings?user={user}")["ratings"]}

    def recommended(self, user, count=20):
        """By the user's newest ratings: where ingest was slow, serving does without them for a second."""
        def live():
            answer = self.get("serving", f"/v1/recommend/{user}?n={count}")
            return answer["source"] == "live" and answer

        return [item["movie"] for item in wait_for(live, what="serving to hear from ingest")["items"]]

    def pods(self, app):
        return [pod for pod in self.cluster.get("pods", "-l", f"app={app}", *N)["items"]
                if "deletionTimestamp" not in pod["metadata"]]

    def broker(self):
        """The event log's address, as clients outside of pods reach it."""
        spec = self.cluster.get("service", "events", *N)["spec"]
        return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def events(self, *arguments):
        """`apus events …` against the event log."""
        return subprocess.run([APUS, "events", *arguments, "--bootstrap", self.broker()], text=True, check=True,
                              capture_output=True, timeout=30).stdout

    def committed(self):
        """How many records the tables' group has committed."""
        rows = [line.split() for line in self.events("groups", "describe", "movie-tables").splitlines()]
        return sum(int(row[2]) for row in rows if row[0] == "movie-events" and row[2] != "-")

    def keys(self):
        """The environment that S3's clients understand, for the object server."""
        spec = self.cluster.get("service", "objects", *N)["spec"]
        secret = {name: base64.b64decode(value).decode()
                  for name, value in self.cluster.get("secret", "objects", *N)["data"].items()}
        return {"AWS_ENDPOINT_URL": f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}", "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": secret["access-key"], "AWS_SECRET_ACCESS_KEY": secret["secret-key"]}

    def tracking(self):
        """The environment that MLflow's clients understand, for the tracking server."""
        token = self.cluster.get("secret", "tracking", *N)["data"]["token"]
        return {"MLFLOW_TRACKING_URI": self.url("tracking"), "MLFLOW_TRACKING_TOKEN": base64.b64decode(token).decode()}

    def runs(self, filter="", *order):
        """The runs of trainings, as the tracking server gives them."""
        place = self.tracking()
        headers = {"authorization": "Bearer " + place["MLFLOW_TRACKING_TOKEN"]}
        base = place["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/"
        experiment = requests.get(base + "experiments/get-by-name", params={"experiment_name": "movies"}, headers=headers,
                                  timeout=60).json()["experiment"]["experiment_id"]
        answer = requests.post(base + "runs/search", headers=headers, timeout=60, json={
            "experiment_ids": [experiment], "filter": filter, "order_by": list(order), "max_results": 1000})
        answer.raise_for_status()
        return answer.json().get("runs", [])

    def s3(self):
        keys = self.keys()
        return boto3.client("s3", endpoint_url=keys["AWS_ENDPOINT_URL"], region_name=keys["AWS_REGION"],
                            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"])

    def table(self, name, version=None):
        """A table as PyPI's deltalake reads it."""
        options = {**self.keys(), "AWS_ALLOW_HTTP": "true"}
        return deltalake.DeltaTable(f"s3://lake/{name}", version=version, storage_options=options)

    def rows(self, name):
        return self.table(name).to_pyarrow_table().to_pylist()

    def all_events(self):
        """Every event that ingest has acknowledged, from its own log."""
        events, last = [], 0
        while True:
            text = requests.get(self.url("ingest") + f"/v1/events?after={last}&limit=10000", timeout=30).text
            page = [json.loads(line) for line in text.splitlines()]
            if not page:
                return events
            events += page
            last = page[-1]["sequence"]

    def query(self, name):
        """A query's rows as the features service gives them."""
        answer = requests.get(self.url("features") + f"/v1/queries/{name}.csv", timeout=60)
        answer.raise_for_status()
        return list(csv.DictReader(io.StringIO(answer.text)))

    def metric(self, service, name):
        text = requests.get(self.url(service) + "/metrics", timeout=60).text
        return next(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"\w*{name}[ {{]", line))

    def answers(self, service):
        try:
            return requests.get(self.url(service) + "/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def last_event(self):
        return self.get("ingest", "/v1/events/last")["sequence"]

    def pids(self, app, program=b"movie-recommender"):
        """The processes of the pods of a service, found by the name of their host and their program."""
        names = {pod["metadata"]["name"] for pod in self.pods(app)}
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                command = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            host = next((e[9:].decode() for e in environment if e.startswith(b"HOSTNAME=")), None)
            if host in names and command[0].endswith(program) and b"shim" not in command[:2]:
                found.append(int(process.name))
        return found

    def revisions(self):
        """The ready pods of each revision of serving, by its Deployment's name."""
        found = self.cluster.get("deployments", "-l", "serving.kserve.io/inferenceservice=serving", *N)["items"]
        return {d["metadata"]["name"]: d["status"].get("readyReplicas", 0) for d in found}

    def shares(self):
        """Percent of the traffic of each revision of serving, those without left out."""
        status = self.cluster.get("inferenceservice", "serving", *N).get("status", {})
        traffic = status.get("components", {}).get("predictor", {}).get("traffic", [])
        return {share["revisionName"]: share["percent"] for share in traffic if share["percent"]}

    def change_serving(self, change):
        """Changes the predictor of serving; `change` gets it."""
        service = self.cluster.get("inferenceservice", "serving", *N)
        change(service["spec"]["predictor"])
        self.cluster.kubectl("patch", "inferenceservice", "serving", *N, "--type=merge",
                             "-p", json.dumps({"spec": service["spec"]}))

    def gateway(self):
        """Base address of the gateway, and the headers by which it knows serving."""
        spec = self.cluster.get("service", "gateway", "-n", "kserve")["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}", {"Host": "serving-movies.localhost"}


@pytest.fixture(scope="module")
def movies(cluster):
    """The demo, run once: everything is up and a model is trained."""
    demo = subprocess.run(
        [APUS, "demo", "movies", "--exit", "--data-dir", str(cluster.data), "--manifests", str(MANIFESTS),
         "--ratings", str(RATINGS)], text=True, capture_output=True, timeout=240)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    cluster.demo = demo.stdout
    yield Movies(cluster)
    cluster.kubectl("delete", "namespace", "movies", timeout=120)


class Load:
    """Asks for recommendations over and over, by the gateway, while the test does something; a failed request is tried
    once more."""

    def __init__(self, movies, workers=3):
        base, self.headers = movies.gateway()
        self.url = base + "/v1/recommend/1?n=5"
        self.workers = workers
        self.answered, self.retried, self.failed = 0, 0, []

    def ask(self, session):
        answer = session.get(self.url, headers=self.headers, timeout=30)
        answer.raise_for_status()

    def work(self):
        with requests.Session() as session:
            session.trust_env = False
            while not self.stop.is_set():
                try:
                    self.ask(session)
                except requests.RequestException:
                    self.retried += 1
                    try:
                        with requests.Session() as fresh:
                            self.ask(fresh)
                    except requests.RequestException as error:
                        self.failed.append(repr(error))
                self.answered += 1

    def __enter__(self):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(self.workers)]
        for thread in self.threads:
            thread.start()
        wait_for(lambda: self.answered > 20, what="the load to begin")
        return self

    def __exit__(self, *exception):
        before = self.answered
        wait_for(lambda: self.answered > before + 20, what="the load to go on to the end")
        self.stop.set()
        for thread in self.threads:
            thread.join()
