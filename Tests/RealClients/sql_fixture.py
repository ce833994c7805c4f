# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve sql` for the tests, on a free port, and stops it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from conftest import APUS, wait_for


class SQLServer:
    """One `apus serve sql`."""

    def __init__(self, *arguments, environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-sql-"))
        self.arguments = [str(argument) for argument in arguments]
        self.environment = {**os.environ, **(environment or {})}
        self.process, self.address, self.scheme = None, None, "http"

    def start(self, timeout=30):
        said = self.folder / "sql.out"
        with open(said, "w") as output, open(self.folder / "sql.log", "ab") as log:
            self.process = subprocess.Popen(
                [APUS, "serve", "sql", "--listen", "127.0.0.1:0", *self.arguments], stdout=output, stderr=log,
                env=self.environment)

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"apus serve sql ended with {self.process.returncode}: {self.logged()[-2000:]}")
            return next((line for line in said.read_text().splitlines() if line.startswith("ready sql ")), None)

        self.address = wait_for(ready, timeout, "apus serve sql to be ready").split()[-1]
        return self

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def url(self):
        return f"{self.scheme}://{self.address}"

    def logged(self):
        return (self.folder / "sql.log").read_text(errors="replace")

    def post(self, sql, path="/v1/sql", headers=None, timeout=60):
        """Status, headers and body of an answer."""
        body = json.dumps(sql).encode() if isinstance(sql, dict) else sql.encode()
        kind = "application/json" if isinstance(sql, dict) else "text/plain"
        request = urllib.request.Request(
            self.url + path, data=body, headers={"content-type": kind, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def rows(self, sql, **settings):
        status, _, body = self.post(sql, **settings)
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]

    def fault(self, sql, **settings):
        """Status and the error's members."""
        status, headers, body = self.post(sql, **settings)
        assert headers["Content-Type"] == "application/json", body
        return status, json.loads(body)["error"]

    def metrics(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    def memory(self):
        """Resident bytes of the server, without its workers."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def workers(self):
        """Its child processes."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def stop(self):
        """Ends it with SIGTERM, which has to work."""
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(40) == 0, self.logged()[-2000:]
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail("apus serve sql did not stop within 40 s of SIGTERM")
        finally:
            if self.process.poll() is None:
                self.process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
