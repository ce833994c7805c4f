# SPDX-License-Identifier: Apache-2.0
"""Starts `apus up` for the tests, on free ports and an address range of its own, and stops it."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
from unittest import mock

from google.protobuf import descriptor_pool
import pytest

# tritonclient's and kserve's generated messages have the same names, and may not be in the same pool.
POOL = descriptor_pool.DescriptorPool()
with mock.patch.object(descriptor_pool, "Default", lambda: POOL):
    import tritonclient.grpc  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("APUS_BINARIES", ROOT / ".build" / "debug"))
APUS = str(BINARIES / "apus")
# scripts/fetch-kubectl puts it there.
KUBECTL = os.environ.get("APUS_KUBECTL", str(ROOT / ".cache" / "kubectl" / "kubectl"))


def pytest_configure(config):
    config.addinivalue_line("markers", "spec(*names): the conformance specs that the test covers, by full name")
    config.addinivalue_line("markers", "spark: needs Apache Spark (scripts/bootstrap spark); run by `make test-spark`")


# Seconds that every wait may take at least: what takes one here takes ten on a machine that others use, too.
PATIENCE = 60
NETWORKS = set()


def new_network():
    """The second byte of addresses (and the one after it) that no other platform of these tests has."""
    if len(NETWORKS) > 100:
        NETWORKS.clear()
    number = random.choice([number for number in range(2, 252, 2) if number not in NETWORKS])
    NETWORKS.add(number)
    return number


def wait_for(condition, seconds=PATIENCE, what="condition"):
    """Polls until `condition()` is truthy and returns its value; fails with `what` after `seconds`, or after `PATIENCE`
    where that is more."""
    seconds = max(seconds, PATIENCE)
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {seconds} s waiting for {what}")
        time.sleep(0.05)


class Cluster:
    """One `apus up` with a data folder of its own."""

    def __init__(self, folder, listen="127.0.0.1:0"):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.kubeconfig = str(self.folder / "kubeconfig")
        self.network = new_network()
        self.listen = listen
        self.process = None
        # Further options of `apus up`.
        self.arguments = []
        self.log = open(self.folder / "apus.log", "ab")

    def start(self, timeout=30):
        said = self.folder / "apus.out"
        with open(said, "w") as output:
            self.process = subprocess.Popen(
                [APUS, "up", "--data-dir", str(self.data), "--listen", self.listen, "--network", str(self.network),
                 "--kubeconfig", self.kubeconfig, "--log-level", os.environ.get("APUS_TEST_LOG", "info"), *self.arguments],
                stdout=output, stderr=self.log)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"apus up ended with {self.process.returncode}: {self.logged()[-2000:]}")
            return next((line for line in said.read_text().splitlines() if line.startswith("ready ")), None)

        self.url = wait_for(ready, timeout, "apus up to be ready").split()[-1]
        self.listen = self.url.removeprefix("https://")
        return self

    def start_fails(self, timeout=30):
        """Starts it where it cannot start; what it says on standard error."""
        result = subprocess.run(
            [APUS, "up", "--data-dir", str(self.data), "--listen", self.listen, "--network", str(self.network),
             "--kubeconfig", self.kubeconfig, *self.arguments], text=True, capture_output=True, timeout=timeout)
        assert result.returncode == 1, result.stdout
        return result.stderr

    def logged(self):
        return (self.folder / "apus.log").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail("apus up did not stop within 60 s of SIGTERM")

    def down(self):
        subprocess.run([APUS, "down", "--data-dir", str(self.data)], capture_output=True, timeout=90)
        if self.process and self.process.poll() is None:
            self.process.wait(30)

    def env(self):
        return {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)}

    def kubectl(self, *arguments, input=None, check=True, timeout=90):
        """Runs kubectl and returns its standard output (with standard error where `check` is off)."""
        result = subprocess.run([KUBECTL, *arguments], env=self.env(), input=input, text=True,
                                capture_output=True, timeout=timeout)
        if check and result.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout if check else result

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, manifest, *arguments):
        return self.kubectl("apply", "-f", "-", *arguments, input=manifest)

    def popen(self, *arguments):
        """kubectl in the background, to be read from and ended by the test."""
        return subprocess.Popen([KUBECTL, *arguments], env=self.env(), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)


def new_cluster():
    folder = tempfile.mkdtemp(prefix="apus-test-")
    return Cluster(folder), folder


def running_cluster(request):
    """Starts a platform, gives it out when its node is Ready, and stops it; its folder stays when tests failed."""
    cluster, folder = new_cluster()
    cluster.start()
    wait_for(lambda: "True" in cluster.kubectl(
        "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"),
        what="the node to be Ready")
    yield cluster
    cluster.down()
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(request):
    """A running platform for the tests of one file."""
    yield from running_cluster(request)


@pytest.fixture(scope="session")
def real_mlflow():
    """The real `mlflow server`, to compare answers with."""
    from tracking_fixture import RealMLflow
    server = RealMLflow()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def own_cluster(request):
    """A platform that the test starts, kills and restarts itself."""
    cluster, folder = new_cluster()
    yield cluster
    cluster.down()
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def namespace(cluster, request):
    """A namespace of the test's own, deleted afterwards."""
    name = "t-" + "".join(random.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(8))
    cluster.kubectl("create", "namespace", name)
    # Its controller makes the certificate, then the account: after that nothing comes of itself.
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, f"--timeout={PATIENCE}s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
