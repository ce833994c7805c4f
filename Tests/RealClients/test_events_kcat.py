# SPDX-License-Identifier: Apache-2.0
"""kcat (librdkafka 2.0) against `apus serve events`."""
import subprocess
import time

import pytest

from conftest import wait_for
from events_fixture import CODECS, KCAT, broker, new_topic  # noqa: F401


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec(broker, codec):
    topic = new_topic(broker)
    lines = [f"k{number}:{'value ' * 20}{number}" for number in range(500)]
    broker.kcat("-P", "-t", topic, "-K", ":", "-z", codec, input="\n".join(lines) + "\n")
    records = broker.read(topic)
    assert [f"{key}:{value}" for _, _, key, value in records] == lines
    assert [offset for _, offset, _, _ in records] == list(range(500))


def test_keys_headers_and_partitions(broker):
    topic = new_topic(broker, partitions=3)
    broker.kcat("-P", "-t", topic, "-p", "2", "-k", "key", "-H", "a=1", "-H", "b=two", input="hello\n")
    out = broker.kcat("-C", "-t", topic, "-e", "-q", "-f", "%p %o %k %h %s %S %T\n")
    partition, offset, key, headers, value, size, time_ms = out.split()
    assert (partition, offset, key, headers, value, size) == ("2", "0", "key", "a=1,b=two", "hello", "5")
    assert abs(int(time_ms) / 1000 - time.time()) < 60
    # Null values are not empty ones.
    broker.kcat("-P", "-t", topic, "-p", "0", "-Z", "-K", ":", input="gone:\nkept:x\n")
    out = broker.kcat("-C", "-t", topic, "-p", "0", "-e", "-q", "-f", "%k %S\n")
    assert out.splitlines() == ["gone -1", "kept 1"]


def test_metadata(broker):
    topic = new_topic(broker, partitions=5)
    found = broker.metadata(topic)
    assert [f"{b['name']}" for b in found["brokers"]] == [broker.address]
    (described,) = found["topics"]
    assert described["topic"] == topic
    identifier = found["brokers"][0]["id"]
    assert [p["partition"] for p in sorted(described["partitions"], key=lambda p: p["partition"])] == list(range(5))
    for partition in described["partitions"]:
        assert partition["leader"] == identifier
        assert [r["id"] for r in partition["replicas"]] == [identifier] == [r["id"] for r in partition["isrs"]]
    assert topic in {t["topic"] for t in broker.metadata()["topics"]}


def test_offsets_by_time(broker):
    topic = new_topic(broker)
    broker.kcat("-P", "-t", topic, input="one\ntwo\n")
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    broker.kcat("-P", "-t", topic, input="three\n")

    def query(at):
        return int(broker.kcat("-Q", "-t", f"{topic}:0:{at}").split()[-1])

    assert query(between) == 2
    assert query(1) == 0
    assert query(-1) == 3 and query(-2) == 0
    # After the last record there is none.
    assert query(int(time.time() * 1000) + 100_000) in (-1, 3)
    assert broker.kcat("-C", "-t", topic, "-o", f"s@{between}", "-e", "-q") == "three\n"
    assert broker.kcat("-C", "-t", topic, "-o", "-1", "-e", "-q") == "three\n"


def test_a_group(broker):
    topic = new_topic(broker, partitions=4)
    broker.kcat("-P", "-t", topic, "-K", ":", input="".join(f"{n}:{n}\n" for n in range(100)))
    out = broker.kcat("-G", f"g-{topic}", "-X", "auto.offset.reset=earliest", "-c", "100", "-q", topic)
    assert sorted(map(int, out.split())) == list(range(100))
    # It goes on where it left.
    broker.kcat("-P", "-t", topic, input="more\n")
    out = broker.kcat("-G", f"g-{topic}", "-X", "auto.offset.reset=earliest", "-c", "1", "-q", topic)
    assert out == "more\n"


def test_waiting_consumers_hear_at_once(broker):
    topic = new_topic(broker)
    with subprocess.Popen([KCAT, "-b", broker.address, "-C", "-t", topic, "-c", "1", "-q", "-u"], text=True,
                          stdout=subprocess.PIPE) as reader:
        time.sleep(0.5)
        broker.kcat("-P", "-t", topic, input="now\n")
        assert reader.communicate(timeout=60)[0] == "now\n"


def test_topics_are_made_by_producing(broker):
    topic = new_topic(broker) + "-auto"
    broker.kcat("-P", "-t", topic, input="first\n")
    assert broker.kcat("-C", "-t", topic, "-e", "-q", "-o", "beginning") == "first\n"


def test_wrong_input(broker):
    topic = new_topic(broker)
    refused = broker.kcat("-P", "-t", topic, "-p", "9", input="x\n", check=False)
    assert refused.returncode != 0 and "unknown partition" in refused.stderr.lower()
    refused = broker.kcat("-P", "-t", "no/such name", input="x\n", check=False)
    assert refused.returncode != 0 and "topic" in refused.stderr.lower()
    refused = broker.kcat("-C", "-t", topic, "-p", "0", "-o", "5000", "-e", "-X", "auto.offset.reset=error",
                          check=False)
    assert refused.returncode != 0 and "out of range" in refused.stderr.lower()
    # Nothing of that is in the log, and the broker goes on.
    wait_for(lambda: broker.read(topic) == [], 5, "an empty topic")
