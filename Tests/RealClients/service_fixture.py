# SPDX-License-Identifier: Apache-2.0
"""Starts a service of Apus for the tests, on a free port, kills and restarts it, and stops it."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import APUS, wait_for


class Service:
    """One `apus serve ROLE` with a folder of its own. A restart keeps folder and port."""

    role = ""
    # Seconds that SIGTERM may take.
    patience = 40

    def __init__(self, environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"apus-{self.role}-"))
        self.environment = {**os.environ, **(environment or {})}
        self.address, self.process = "127.0.0.1:0", None

    def launch(self, *arguments, timeout=30):
        """Starts it with these arguments, beside --listen, and waits until it is ready."""
        said = self.folder / f"{self.role}.out"
        with open(said, "w") as output, open(self.folder / f"{self.role}.log", "ab") as log:
            self.process = subprocess.Popen(
                [APUS, "serve", self.role, "--listen", self.address, *map(str, arguments)], stdout=output, stderr=log,
                env=self.environment)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"apus serve {self.role} ended with {self.process.returncode}: {self.logged()[-2000:]}")
            lines = said.read_text().splitlines()
            return next((line for line in lines if line.startswith(f"ready {self.role} ")), None)

        self.address = wait_for(ready, timeout, f"apus serve {self.role} to be ready").split()[-1]
        return self

    @property
    def host(self):
        return self.address.rsplit(":", 1)[0]

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def logged(self):
        return (self.folder / f"{self.role}.log").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it with SIGTERM, which has to work."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(self.patience) == 0, self.logged()[-2000:]
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"apus serve {self.role} did not stop within {self.patience} s of SIGTERM")

    def clean(self, keep):
        if self.process and self.process.poll() is None:
            self.kill()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
