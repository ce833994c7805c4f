# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve events` for the tests, on a free port, kills and restarts it, and stops it."""
import json
import os
import shutil
import subprocess
import uuid

import pytest

from conftest import APUS
from service_fixture import Service

KCAT = shutil.which("kcat")
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class Broker(Service):
    """One `apus serve events` with a data folder of its own. A restart keeps folder and port."""

    role, patience = "events", 30

    def __init__(self, *arguments):
        super().__init__()
        self.arguments = list(arguments)
        self.starts = 0

    def start(self, timeout=30):
        self.launch("--data-dir", self.folder / "data", *self.arguments, timeout=timeout)
        self.starts += 1
        return self

    def kcat(self, *arguments, input=None, check=True, timeout=60):
        # By itself it waits 5 s for metadata.
        result = subprocess.run([KCAT, "-b", self.address, "-m", "30", *arguments], input=input, text=True,
                                capture_output=True, timeout=timeout)
        if check and result.returncode != 0:
            pytest.fail(f"kcat {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout if check else result

    def apus(self, *arguments, input=None, check=True, timeout=30):
        """`apus events …` against this broker."""
        command = [APUS, "events", *arguments, "--bootstrap", self.address]
        result = subprocess.run(command, input=input, text=True, capture_output=True, timeout=timeout)
        if check and result.returncode != 0:
            pytest.fail(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout if check else result

    def metadata(self, topic=None):
        return json.loads(self.kcat("-L", "-J", *(["-t", topic] if topic else [])))

    def read(self, topic, committed=True):
        """All records of a topic as (partition, offset, key, value), in order within each partition, by kcat."""
        level = "read_committed" if committed else "read_uncommitted"
        out = self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-X", f"isolation.level={level}", "-f",
                        "%p\t%o\t%k\t%s\n")
        records = [line.split("\t", 3) for line in out.splitlines()]
        return sorted((int(p), int(o), k, v) for p, o, k, v in records)


def new_topic(broker, partitions=1, **config):
    """Makes a topic by confluent-kafka's admin client; its name."""
    from confluent_kafka.admin import AdminClient, NewTopic
    name = "t-" + uuid.uuid4().hex[:10]
    settings = {key.replace("_", "."): str(value) for key, value in config.items()}
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(20)
    return name


def settle(broker, transactional_id, **options):
    """Waits until the last transaction of a producer shows as a whole, as a commit is answered before its markers are
    written. The producer is fenced."""
    from confluent_kafka import Producer
    Producer({"bootstrap.servers": broker.address, "log_level": 0, "transactional.id": transactional_id,
              **options}).init_transactions(60)


def running_broker(request, *arguments):
    broker = Broker(*arguments)
    failed = request.session.testsfailed
    try:
        yield broker.start()
        broker.stop()
    finally:
        broker.clean(keep=request.session.testsfailed > failed)


@pytest.fixture(scope="module")
def broker(request):
    """A running broker for the tests of one file."""
    yield from running_broker(request)


@pytest.fixture
def own_broker(request):
    """A broker that the test kills and restarts."""
    yield from running_broker(request)


def rounds(default):
    """How many times the broker is killed: few in `make test`, APUS_EVENTS_KILL_ROUNDS for more."""
    return int(os.environ.get("APUS_EVENTS_KILL_ROUNDS", default))
