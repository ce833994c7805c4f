# SPDX-License-Identifier: Apache-2.0
"""A broker whose disk is full: writes are refused with Kafka's error, what was acknowledged is read, and writing goes on
once there is room again."""
import os
import subprocess

import pytest
from confluent_kafka import KafkaError, Producer

from conftest import wait_for
from events_fixture import Broker, new_topic


def produce(broker, topic, value):
    """The error code that one record got; None where it was acknowledged. Not tried again by the client."""
    seen = []
    producer = Producer({"bootstrap.servers": broker.address, "acks": "all", "retries": 0, "message.timeout.ms": 60_000,
                         "linger.ms": 0, "log_level": 0})
    producer.produce(topic, value=value, partition=0, on_delivery=lambda error, _: seen.append(error and error.code()))
    assert producer.flush(70) == 0
    return seen[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk_is_refused_and_room_is_used():
    broker = Broker()
    data = broker.folder / "data"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(data)], capture_output=True)
    if mounted.returncode != 0:
        broker.clean(keep=False)
        pytest.skip("this sandbox does not allow mounts")
    try:
        filler = data / "filler"
        filler.write_bytes(b"x" * (2 << 20))
        broker.start()
        topic = new_topic(broker)
        acknowledged, refused = [], None
        for number in range(40):
            refused = produce(broker, topic, b"%03d" % number + b"x" * 500_000)
            if refused is not None:
                break
            acknowledged.append("%03d" % number)
        assert refused == KafkaError.KAFKA_STORAGE_ERROR and acknowledged, refused
        assert "the disk is full" in broker.logged()
        assert [value[:3] for *_, value in broker.read(topic)] == acknowledged
        filler.unlink()

        def is_written():
            return produce(broker, topic, b"end" + b"x" * 500_000) is None

        wait_for(is_written, 20, "writes after there is room again")
        assert [value[:3] for *_, value in broker.read(topic)] == [*acknowledged, "end"]
        # And a start finds the same.
        broker.kill()
        broker.start()
        assert [value[:3] for *_, value in broker.read(topic)] == [*acknowledged, "end"]
    finally:
        if broker.process and broker.process.poll() is None:
            broker.kill()
        subprocess.run(["umount", str(data)], check=True)
        broker.clean(keep=False)
