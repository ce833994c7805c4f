# SPDX-License-Identifier: Apache-2.0
"""Starts Sail (PyPI pysail), a Spark Connect server that reads and writes Delta tables, for the tests. `apus sql`
reaches it by the profile `sail`, with PyPI's adbc-driver-spark in a worker."""
import contextlib
import importlib.util
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from conftest import PATIENCE, wait_for
from gateway_fixture import free_port


@contextlib.contextmanager
def running_sail(folder, environment=None):
    """A server on a free port; gives the variables by which `apus sql --engine profile://sail` finds it."""
    port = free_port()
    with open(folder / "sail.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", "import sys; from pysail.cli import main; sys.exit(main())",
             "spark", "server", "--ip", "127.0.0.1", "--port", str(port)],
            stdout=log, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **(environment or {})})

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listens, 60, "Sail")
        package = importlib.util.find_spec("adbc_driver_spark")
        library = pathlib.Path(package.origin).parent / "libadbc_driver_spark.so"
        (folder / "spark.toml").write_text(
            f'manifest_version = 1\nname = "Spark"\n[Driver.shared]\nlinux_amd64 = "{library}"\n')
        (folder / "sail.toml").write_text(
            'profile_version = 1\ndriver = "spark"\n[Options]\nuri = "sc://127.0.0.1:{{ env_var(SAIL_PORT) }}"\n')
        yield {"ADBC_DRIVER_PATH": str(folder), "ADBC_PROFILE_PATH": str(folder), "SAIL_PORT": str(port)}
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def sail(tmp_path_factory):
    """A running server; gives the variables of its profile."""
    with running_sail(tmp_path_factory.mktemp("sail")) as environment:
        yield environment
