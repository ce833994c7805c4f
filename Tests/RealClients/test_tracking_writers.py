# SPDX-License-Identifier: Apache-2.0
"""`apus serve tracking` with 64 processes that log at once, with a full disk, and where it cannot start or its database
is away: clear errors, nothing lost."""
import os
import socket
import sqlite3
import subprocess

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from conftest import APUS
from postgres_fixture import PASSWORD, Postgres
from tracking_fixture import Tracking, with_tracking
from tracking_load import FORK, Raw, points

WRITERS, CLIENTS = 64, 3


@pytest.fixture(params=["sqlite", "postgres"])
def tracking(request):
    yield from with_tracking(request, request.param)


def write_raw(server, experiment, name):
    raw = Raw(server.host, server.port, timeout=60)
    run = raw.new_run(name, experiment)
    for number in range(5):
        raw.good("POST", "runs/log-metric", {"run_id": run, **points("single", number, 1)[0]})
        raw.good("POST", "runs/log-parameter", {"run_id": run, "key": f"p{number}", "value": name})
    for number in range(2):
        raw.good("POST", "runs/log-batch", {
            "run_id": run, "metrics": points("many", number * 100, 100),
            "tags": [{"key": f"t{number}", "value": name}], "params": [{"key": f"b{number}", "value": name}]})
        # One row that all of them change.
        raw.good("POST", "experiments/set-experiment-tag", {"experiment_id": experiment, "key": "last", "value": name})
    raw.good("POST", "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 2})
    raw.close()
    return run


def write_mlflow(server, experiment, name):
    client = MlflowClient(tracking_uri=server.url, registry_uri=server.url)
    run = client.create_run(experiment, run_name=name).info.run_id
    for number in range(5):
        point = points("single", number, 1)[0]
        client.log_metric(run, "single", point["value"], point["timestamp"], point["step"])
        client.log_param(run, f"p{number}", name)
    for number in range(2):
        client.log_batch(run, [Metric(each["key"], each["value"], each["timestamp"], each["step"])
                               for each in points("many", number * 100, 100)], [Param(f"b{number}", name)])
        client.set_tag(run, f"t{number}", name)
        client.set_experiment_tag(experiment, "last", name)
    client.set_terminated(run, end_time=2)
    return run


def in_process(work, *arguments):
    """Begins; what it returns or what went wrong comes by the pipe."""
    ours, theirs = FORK.Pipe(duplex=False)

    def run():
        try:
            theirs.send((True, work(*arguments)))
        except BaseException as error:
            theirs.send((False, f"{type(error).__name__}: {error}"))

    process = FORK.Process(target=run, daemon=True)
    process.start()
    theirs.close()
    return process, ours


def test_64_writers_and_real_clients(tracking):
    experiment = tracking.experiment("crowd")
    started = [in_process(write_raw, tracking, experiment, f"raw-{number}") for number in range(WRITERS)]
    started += [in_process(write_mlflow, tracking, experiment, f"mlflow-{number}") for number in range(CLIENTS)]
    results = [answers.recv() for _, answers in started]
    for process, _ in started:
        process.join(20)
    assert [value for is_good, value in results if not is_good] == []
    runs = {value for _, value in results}
    assert len(runs) == WRITERS + CLIENTS
    for run in (tracking.get("runs/get", run_id=run)["run"] for run in runs):
        name, data = run["info"]["run_name"], run["data"]
        assert run["info"]["status"] == "FINISHED"
        expected = {f"{kind}{number}": name for kind, count in (("p", 5), ("b", 2)) for number in range(count)}
        assert {each["key"]: each["value"] for each in data["params"]} == expected
        assert {each["key"]: each["value"] for each in data["tags"] if not each["key"].startswith("mlflow.")} == {
            "t0": name, "t1": name}
        assert {each["key"]: each["step"] for each in data["metrics"]} == {"single": 4, "many": 199}
        history = tracking.get("metrics/get-history", run_id=run["info"]["run_id"], metric_key="many")["metrics"]
        assert sorted(point["step"] for point in history) == list(range(200))
    assert "locked" not in tracking.logged()


def test_two_servers_on_one_postgres():
    """Both write the same rows, in orders that lock each other out; nobody sees anything of it."""
    postgres = Postgres()
    servers = [Tracking(database=postgres.uri()) for _ in range(2)]
    try:
        for server in servers:
            server.start()
        experiments = [servers[0].experiment(f"shared-{number}") for number in range(2)]
        run = servers[0].run(experiments[0])

        def write(server, number):
            raw = Raw(server.host, server.port, timeout=60)
            for step in range(40):
                for experiment in experiments[::1 if number % 2 else -1]:
                    raw.good("POST", "experiments/set-experiment-tag", {
                        "experiment_id": experiment, "key": "last", "value": f"{number}-{step}"})
                raw.good("POST", "runs/log-batch", {
                    "run_id": run, "metrics": points(f"k{number}", step, 1) + points("all", step, 1)})
            raw.close()

        started = [in_process(write, servers[number % 2], number) for number in range(8)]
        results = [answers.recv() for _, answers in started]
        assert [value for is_good, value in results if not is_good] == []
        for server in servers:
            for key in ["all", *(f"k{number}" for number in range(8))]:
                found = server.get("metrics/get-history", run_id=run, metric_key=key)["metrics"]
                assert sorted(point["step"] for point in found) == list(range(40)), key
            server.stop()
    finally:
        for server in servers:
            server.clean(keep=False)
        postgres.remove()


def fill(raw, run, until):
    """Logs tags of 7 KB until one is refused; how many were acknowledged, and the refusal."""
    for number in range(until):
        status, answer = raw.call("POST", "runs/set-tag", {"run_id": run, "key": f"t{number}", "value": "x" * 7000})
        if status != 200:
            return number, status, answer
    return until, 200, None


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk():
    server = Tracking()
    data = server.folder / "data"
    data.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(data)], capture_output=True).returncode != 0:
        server.clean(keep=False)
        pytest.skip("this sandbox does not allow mounts")
    try:
        filler = data / "filler"
        filler.write_bytes(b"x" * (4 << 20))
        server.start()
        raw = Raw(server.host, server.port)
        run = raw.new_run("full")
        count, status, answer = fill(raw, run, 4000)
        assert status == 503 and answer["error_code"] == "TEMPORARILY_UNAVAILABLE", (count, status, answer)
        assert "the disk is full" in answer["message"] and count > 50
        # Again: the same. Reads go on, and show what was acknowledged and nothing else.
        assert raw.call("POST", "runs/set-tag", {"run_id": run, "key": "more", "value": "x" * 7000})[0] == 503

        def tags():
            data = raw.good("GET", f"runs/get?run_id={run}")["run"]["data"]
            return {each["key"] for each in data["tags"] if not each["key"].startswith("mlflow.")}

        expected = {f"t{number}" for number in range(count)}
        assert tags() == expected
        assert len(raw.good("GET", f"metrics/get-history?run_id={run}&metric_key=k")) == 0
        filler.unlink()
        raw.good("POST", "runs/set-tag", {"run_id": run, "key": "t-end", "value": "x" * 7000})
        assert tags() == expected | {"t-end"}
        raw.close()
        # And a start finds the same.
        server.kill()
        server.start()
        raw = Raw(server.host, server.port)
        assert tags() == expected | {"t-end"}
        raw.close()
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", str(data)], check=True)
        server.clean(keep=False)


def refused(*arguments):
    """What `apus serve tracking` says where it cannot start: one sentence."""
    done = subprocess.run([APUS, "serve", "tracking", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == "", (done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith("apus: ") and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_second_server_and_a_taken_port():
    server = Tracking().start()
    try:
        said = refused("--data-dir", server.folder / "data", "--listen", "127.0.0.1:0")
        assert f"another apus (pid {server.process.pid}) uses {server.folder}/data" in said and "--data-dir" in said
        said = refused("--data-dir", server.folder / "other", "--listen", server.address)
        assert f"address {server.address} is already in use" in said and "--listen" in said
        # The first one does not mind.
        assert server.get("experiments/get", experiment_id="0")["experiment"]["name"] == "Default"
        server.stop()
    finally:
        server.clean(keep=False)


def test_databases_of_others(tmp_path):
    path = tmp_path / "tracking.sqlite"
    # MLflow's own, or anybody's.
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    assert "another program's database" in refused("--data-dir", tmp_path, "--listen", "127.0.0.1:0")
    path.write_bytes(b"no database at all" * 100)
    assert "damaged" in refused("--data-dir", tmp_path, "--listen", "127.0.0.1:0")


def test_a_newer_database():
    server = Tracking().start()
    try:
        server.stop()
        with sqlite3.connect(server.folder / "data" / "tracking.sqlite") as database:
            database.execute("UPDATE apus_schema SET version = 99 WHERE area = 'runs'")
        said = refused("--data-dir", server.folder / "data", "--listen", "127.0.0.1:0")
        assert "version 99" in said and "newer apus" in said
    finally:
        server.clean(keep=False)


def test_postgres_away_and_back(tmp_path):
    with socket.socket() as taken:
        # Nobody listens there, and nobody else gets the port.
        taken.bind(("127.0.0.1", 0))
        said = refused("--data-dir", tmp_path, "--listen", "127.0.0.1:0", "--database",
                       f"postgresql://apus:{PASSWORD}@127.0.0.1:{taken.getsockname()[1]}/postgres")
    assert "PostgreSQL" in said and "Connection refused" in said and PASSWORD not in said
    postgres = Postgres()
    server = Tracking(database=postgres.uri())
    try:
        said = refused("--data-dir", tmp_path, "--listen", "127.0.0.1:0", "--database", postgres.uri(password="wrong"))
        assert "password authentication failed" in said and "wrong" not in said
        server.start()
        raw = Raw(server.host, server.port)
        run = raw.new_run("before")
        for stop in (lambda: postgres.stop(), postgres.kill):
            stop()
            for method, path, body in (("GET", f"runs/get?run_id={run}", None),
                                       ("POST", "runs/set-tag", {"run_id": run, "key": "k", "value": "v"})):
                for _ in range(3):
                    status, answer = raw.call(method, path, body)
                    assert status == 503 and answer["error_code"] == "TEMPORARILY_UNAVAILABLE", (status, answer)
                    assert PASSWORD not in answer["message"]
            postgres.start()
            # At once: a connection that was lost meanwhile is made again before anything is asked.
            assert raw.call("GET", f"runs/get?run_id={run}")[0] == 200
            raw.good("POST", "runs/log-metric", {"run_id": run, **points("k", 0, 1)[0]})
        # A server of the database that is restarted between two requests is not noticed at all.
        postgres.stop()
        postgres.start()
        raw.good("POST", "runs/log-metric", {"run_id": run, **points("k", 1, 1)[0]})
        assert len(raw.good("GET", f"metrics/get-history?run_id={run}&metric_key=k")["metrics"]) == 2
        raw.close()
        server.stop()
    finally:
        server.clean(keep=False)
        postgres.remove()
