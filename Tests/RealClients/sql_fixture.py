# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve sql` for the tests, on a free port, and stops it."""
import contextlib
import json
import pathlib
import urllib.error
import urllib.request

from conftest import PATIENCE
from service_fixture import Service


class SQLServer(Service):
    """One `apus serve sql`."""

    role = "sql"

    def __init__(self, *arguments, environment=None):
        super().__init__(environment)
        self.arguments, self.scheme = arguments, "http"

    def start(self, timeout=30):
        return self.launch(*self.arguments, timeout=timeout)

    @property
    def url(self):
        return f"{self.scheme}://{self.address}"

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
        with urllib.request.urlopen(self.url + "/metrics", timeout=PATIENCE) as answer:
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
        found = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            # A thread may end meanwhile.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
        return found

    def stop(self):
        """Ends it with SIGTERM, which has to work, and takes its folder away."""
        try:
            super().stop()
        finally:
            self.clean(keep=False)
