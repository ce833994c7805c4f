# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of Debian's, on a free port of the loopback address, with a folder of its own."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from conftest import wait_for
from gateway_fixture import free_port

BINARIES = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=pathlib.Path("/usr/lib/postgresql"),
               key=lambda folder: int(folder.parent.name))
USER, PASSWORD = "apus", "secret-of-apus"


def is_running(pid):
    """Whether there is a process that has not ended, even if nobody asked for its end yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Postgres:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-postgres-"))
        # The server refuses to run as root.
        self.owner = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.port = free_port()
        password = self.folder / "password"
        password.write_text(PASSWORD + "\n")
        if self.owner:
            for path in [self.folder, password]:
                os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        self.run("initdb", "-D", "data", "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8",
                 "--locale=C", "--no-sync")
        self.process = None
        self.start()

    def as_owner(self):
        if self.owner is None:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}

    def run(self, program, *arguments):
        done = subprocess.run([BINARIES / program, *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=120, **self.as_owner())
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "postgres", "-D", "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                 "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"],
                cwd=self.folder, stdout=log, stderr=log, **self.as_owner())
        ready = [BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_for(lambda: subprocess.run(ready).returncode == 0, 60, "PostgreSQL")

    def uri(self, password=PASSWORD, database="postgres"):
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def stop(self, how=signal.SIGINT):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def kill(self):
        """As a crash does: kill -9 of the server and of all its processes."""
        children = [int(pid) for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children")
                    for pid in task.read_text().split()]
        self.process.kill()
        self.process.wait()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # Until they are gone the memory that they share is in use, and the next start is refused.
        wait_for(lambda: not any(is_running(child) for child in children), 20, "PostgreSQL's processes to end")
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
