# SPDX-License-Identifier: Apache-2.0
"""`apus events` (KafkaClient over librdkafka) against `apus serve events`."""
import subprocess
import uuid

import pytest

from conftest import APUS, wait_for
from events_fixture import CODECS, broker, settle  # noqa: F401


def columns(table):
    header, *rows = [line.split() for line in table.splitlines() if line]
    return [dict(zip(header, row)) for row in rows]


@pytest.fixture
def topic(broker):
    name = "t-" + uuid.uuid4().hex[:10]
    said = broker.apus("topics", "create", name, "--partitions", "3", "--config", "retention.ms=60000")
    assert said == f'topic "{name}" created\n'
    return name


def test_topics(broker, topic):
    (row,) = [r for r in columns(broker.apus("topics")) if r["NAME"] == topic]
    assert row == {"NAME": topic, "PARTITIONS": "3", "REPLICAS": "1", "RECORDS": "0"}
    described = broker.apus("topics", "describe", topic)
    assert [r["PARTITION"] for r in columns(described.split("\n\n")[0])] == ["0", "1", "2"]
    assert "retention.ms" in described and "60000" in described and "cleanup.policy" not in described
    assert "cleanup.policy" in broker.apus("topics", "describe", topic, "--all")
    refused = broker.apus("topics", "create", topic, check=False)
    assert refused.returncode == 1 and "TOPIC_ALREADY_EXISTS" in refused.stderr and topic in refused.stderr
    assert broker.apus("topics", "delete", topic) == f'topic "{topic}" deleted\n'
    wait_for(lambda: topic not in broker.apus("topics"), 10, "the topic to go")
    for command in (["topics", "describe", topic], ["tail", topic]):
        refused = broker.apus(*command, check=False)
        assert refused.returncode == 1 and f'there is no topic "{topic}"' in refused.stderr
    assert topic not in broker.apus("topics"), "asking for a topic made it"
    assert broker.apus("topics", "delete", topic, check=False).returncode == 1


def test_a_bad_setting_is_named(broker):
    refused = broker.apus("topics", "create", "t-bad", "--config", "retention.ms=soon", check=False)
    assert refused.returncode == 1 and "INVALID_CONFIG" in refused.stderr
    refused = broker.apus("topics", "create", "t-bad", "--partitions", "0", check=False)
    assert refused.returncode == 64 and "--partitions" in refused.stderr


@pytest.mark.parametrize("codec", CODECS)
def test_produce_and_tail(broker, topic, codec):
    lines = "".join(f"k{n}:value {n}\n" for n in range(500))
    sent = broker.apus("produce", topic, "-K", ":", "-H", "from=cli", "-z", codec, input=lines, check=False)
    assert sent.returncode == 0 and "500 records sent" in sent.stderr
    out = broker.apus("tail", topic, "--from-beginning", "--exit", "--format", "%k:%s\\t%h")
    assert sorted(out.splitlines()) == sorted(f"{line}\tfrom=cli" for line in lines.splitlines())
    assert broker.apus("tail", topic, "--from-beginning", "-n", "7").count("\n") == 7
    # kcat reads the same.
    assert sorted(f"{k}:{v}" for _, _, k, v in broker.read(topic)) == sorted(lines.splitlines())


def test_tail_follows(broker, topic):
    with subprocess.Popen([APUS, "events", "tail", topic, "-n", "2", "--from-beginning", "--bootstrap", broker.address],
                          text=True, stdout=subprocess.PIPE) as tail:
        broker.apus("produce", topic, "-p", "0", input="one\n")
        assert tail.stdout.readline() == "one\n"
        broker.apus("produce", topic, "-p", "0", input="two\n")
        assert tail.communicate(timeout=60)[0] == "two\n"


def test_tail_ends_after_a_transaction(broker, topic):
    """The last offset of the partition is a marker, no record."""
    from confluent_kafka import Producer
    client = Producer({"bootstrap.servers": broker.address, "log_level": 0, "transactional.id": topic})
    client.init_transactions(20)
    client.begin_transaction()
    client.produce(topic, value="in", partition=1)
    client.commit_transaction(20)
    settle(broker, topic)
    assert broker.apus("tail", topic, "--from-beginning", "--exit") == "in\n"


def test_groups(broker, topic):
    broker.apus("produce", topic, "-p", "1", input="".join(f"{n}\n" for n in range(10)))
    group = f"g-{topic}"
    out = broker.apus("tail", topic, "--group", group, "--from-beginning", "-n", "6")
    assert out.split() == [str(n) for n in range(6)]
    (row,) = [r for r in columns(broker.apus("groups")) if r["NAME"] == group]
    assert row == {"NAME": group, "STATE": "Empty", "MEMBERS": "0", "LAG": "4"}
    described = broker.apus("groups", "describe", group)
    assert described.startswith(f"group {group}: Empty, 0 members")
    (row,) = columns(described.split("\n", 1)[1])
    assert (row["TOPIC"], row["PARTITION"], row["COMMITTED"], row["NEXT"], row["LAG"]) == (topic, "1", "6", "10", "4")
    # It goes on there.
    assert broker.apus("tail", topic, "--group", group, "-n", "4").split() == ["6", "7", "8", "9"]
    assert broker.apus("groups", "delete", group) == f'group "{group}" deleted\n'
    assert group not in broker.apus("groups", check=False).stdout
    refused = broker.apus("groups", "describe", group, check=False)
    assert refused.returncode == 1 and f'there is no group "{group}"' in refused.stderr


def test_wrong_input(broker, topic):
    refused = broker.apus("produce", topic, "-K", ":", input="a:b\nno key\n", check=False)
    assert refused.returncode == 1 and "line 2 has no ':'" in refused.stderr
    refused = broker.apus("produce", topic, "-p", "9", input="x\n", check=False)
    assert refused.returncode == 1 and "partition 9" in refused.stderr
    refused = subprocess.run([APUS, "events", "topics", "--bootstrap", "127.0.0.1:1"], text=True, capture_output=True)
    assert refused.returncode == 1 and "127.0.0.1:1" in refused.stderr and "broker" in refused.stderr
