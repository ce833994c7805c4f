# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka (librdkafka 2.16) against `apus serve events`: groups, transactions, administration."""
import time
import uuid

import pytest
from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from conftest import wait_for
from events_fixture import CODECS, broker, new_topic, settle  # noqa: F401


def producer(broker, **options):
    return Producer({"bootstrap.servers": broker.address, "log_level": 0, "linger.ms": 5, "message.timeout.ms": 20000,
                     **{key.replace("_", "."): value for key, value in options.items()}})


def consumer(broker, group=None, **options):
    return Consumer({"bootstrap.servers": broker.address, "log_level": 0, "group.id": group or uuid.uuid4().hex,
                     "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 45000,
                     "heartbeat.interval.ms": 300,
                     **{key.replace("_", "."): value for key, value in options.items()}})


def admin(broker):
    return AdminClient({"bootstrap.servers": broker.address, "log_level": 0})


def send(broker, topic, values, partition=None, **options):
    """Sends values and returns the deliveries' offsets; every one has to succeed."""
    client, results = producer(broker, **options), []

    def delivered(error, message):
        results.append(error or message.offset())

    for value in values:
        extra = {} if partition is None else {"partition": partition}
        client.produce(topic, value=value, on_delivery=delivered, **extra)
        client.poll(0)
    assert client.flush(30) == 0
    bad = [result for result in results if not isinstance(result, int)]
    assert not bad, bad[:3]
    return results


def poll(client, count, seconds=20):
    """Takes `count` records."""
    records, deadline = [], time.monotonic() + seconds
    while len(records) < count:
        assert time.monotonic() < deadline, f"only {len(records)} of {count} records came"
        message = client.poll(0.2)
        if message is not None:
            assert message.error() is None, message.error()
            records.append(message)
    return records


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_and_idempotence(broker, codec):
    topic = new_topic(broker)
    values = [f"{number}-{'x' * 50}" for number in range(2000)]
    offsets = send(broker, topic, values, enable_idempotence=True, compression_type=codec)
    assert offsets == list(range(2000))
    client = consumer(broker)
    client.subscribe([topic])
    assert [m.value().decode() for m in poll(client, 2000)] == values
    client.close()


def test_headers_keys_and_times(broker):
    topic = new_topic(broker)
    client = producer(broker)
    client.produce(topic, value=None, key=b"", headers=[("a", b"1"), ("a", None), ("b", b"")], timestamp=12345)
    assert client.flush(20) == 0
    reader = consumer(broker)
    reader.subscribe([topic])
    (message,) = poll(reader, 1)
    assert message.value() is None and message.key() == b""
    assert message.headers() == [("a", b"1"), ("a", None), ("b", b"")]
    assert message.timestamp()[1] == 12345
    reader.close()


def test_large_records(broker):
    topic = new_topic(broker, max_message_bytes=2_000_000)
    big = bytes(range(256)) * 6000
    assert send(broker, topic, [big], message_max_bytes=2_000_000) == [0]
    reader = consumer(broker, fetch_message_max_bytes=10_000)
    reader.subscribe([topic])
    assert poll(reader, 1)[0].value() == big
    reader.close()


def test_wrong_input(broker):
    topic = new_topic(broker, partitions=2, max_message_bytes=1000)
    errors = []
    client = producer(broker)
    client.produce(topic, value=b"x" * 5000, on_delivery=lambda e, m: errors.append(e))
    client.flush(20)
    assert [e.code() for e in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]
    with pytest.raises(KafkaException) as raised:
        client.produce(topic, value=b"x", partition=5)
    assert raised.value.args[0].code() == KafkaError._UNKNOWN_PARTITION
    reader = consumer(broker, allow_auto_create_topics=False)
    reader.subscribe(["no-such-topic"])
    message = wait_for(lambda: reader.poll(0.2), 10, "an error")
    assert message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    reader.close()


def test_transactions_are_seen_whole_or_not_at_all(broker):
    topic = new_topic(broker, partitions=2)
    client = producer(broker, transactional_id=f"tx-{topic}")
    client.init_transactions(20)
    for number in range(6):
        client.begin_transaction()
        for index in range(10):
            client.produce(topic, value=f"{number}.{index}", partition=index % 2)
        client.flush(20)
        if number % 3 == 2:
            client.abort_transaction(20)
        else:
            client.commit_transaction(20)
    # The next producer of this id waits for the markers of the last transaction, which are written after its answer.
    client = producer(broker, transactional_id=f"tx-{topic}")
    client.init_transactions(20)
    committed = [f"{n}.{i}" for n in (0, 1, 3, 4) for i in range(10)]
    everything = [f"{n}.{i}" for n in range(6) for i in range(10)]
    assert sorted(v for _, _, _, v in broker.read(topic)) == sorted(committed)
    assert sorted(v for _, _, _, v in broker.read(topic, committed=False)) == sorted(everything)
    # An open transaction hides what comes after it from those who read committed records.
    client.begin_transaction()
    client.produce(topic, value="open", partition=0)
    client.flush(20)
    send(broker, topic, ["after"], partition=0)
    assert "after" not in [v for _, _, _, v in broker.read(topic)]
    assert "after" in [v for _, _, _, v in broker.read(topic, committed=False)]
    client.commit_transaction(20)
    settle(broker, f"tx-{topic}")
    assert [v for _, _, _, v in broker.read(topic)][-1] in ("after", committed[-1])
    assert {"open", "after"} <= {v for _, _, _, v in broker.read(topic)}


def test_a_second_producer_fences_the_first(broker):
    topic = new_topic(broker)
    first = producer(broker, transactional_id=f"tx-{topic}")
    first.init_transactions(20)
    first.begin_transaction()
    first.produce(topic, value="lost")
    first.flush(20)
    second = producer(broker, transactional_id=f"tx-{topic}")
    second.init_transactions(20)
    with pytest.raises(KafkaException) as raised:
        first.commit_transaction(20)
    assert raised.value.args[0].fatal()
    second.begin_transaction()
    second.produce(topic, value="kept")
    second.commit_transaction(20)
    settle(broker, f"tx-{topic}")
    assert [v for _, _, _, v in broker.read(topic)] == ["kept"]


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_rebalances(broker, strategy):
    topic = new_topic(broker, partitions=6)
    values = [str(number) for number in range(120)]
    send(broker, topic, values)
    group = f"g-{topic}"
    members = [consumer(broker, group, partition_assignment_strategy=strategy) for _ in range(3)]
    for member in members:
        member.subscribe([topic])
    seen = []

    def spin(active):
        for member in active:
            while (message := member.poll(0.02)) is not None:
                if message.error() is None:
                    seen.append(message.value().decode())
                    try:
                        member.commit(message, asynchronous=False)
                    except KafkaException as error:
                        # A cooperative member reads on while the group goes over to its next generation.
                        assert strategy == "cooperative-sticky" and error.args[0].code() in (
                            KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS), error

    def shared(active, each):
        spin(active)
        owned = [sorted(p.partition for p in member.assignment()) for member in active]
        return sorted(sum(owned, [])) == list(range(6)) and all(len(one) == each for one in owned)

    wait_for(lambda: shared(members, 2), 40, "two partitions each")
    members.pop().close()
    wait_for(lambda: shared(members, 3), 40, "three partitions each")
    members.pop().close()
    wait_for(lambda: shared(members, 6), 40, "all partitions")
    wait_for(lambda: spin(members) or set(seen) == set(values), 40, "every record")
    # Committed before each rebalance, so nothing is read twice.
    assert len(seen) == len(values) or strategy == "cooperative-sticky"
    members.pop().close()


def test_static_members_keep_their_partitions(broker):
    topic = new_topic(broker, partitions=4)
    group = f"g-{topic}"

    def member(name):
        client = consumer(broker, group, group_instance_id=name)
        client.subscribe([topic])
        return client

    one, two = member("one"), member("two")

    def settled(*clients):
        for client in clients:
            client.poll(0.1)
        return all(len(client.assignment()) == 2 for client in clients)

    wait_for(lambda: settled(one, two), 40, "two partitions each")
    before = sorted(p.partition for p in one.assignment())
    others = sorted(p.partition for p in two.assignment())
    one.close()
    one = member("one")
    wait_for(lambda: settled(one), 15, "the partitions to come back")
    assert sorted(p.partition for p in one.assignment()) == before
    assert sorted(p.partition for p in two.assignment()) == others
    client = admin(broker)
    described = client.describe_consumer_groups([group])[group].result(20)
    assert sorted(m.group_instance_id for m in described.members) == ["one", "two"]
    one.close()
    two.close()


def test_topics(broker):
    client, name = admin(broker), "t-" + uuid.uuid4().hex[:10]
    client.create_topics([NewTopic(name, 2, 1, config={"retention.ms": "60000"})])[name].result(20)
    with pytest.raises(KafkaException) as raised:
        client.create_topics([NewTopic(name, 2, 1)])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    for bad, code in [(NewTopic("bad/name", 1, 1), KafkaError.TOPIC_EXCEPTION),
                      (NewTopic(name + "b", 1, 3), KafkaError.INVALID_REPLICATION_FACTOR),
                      (NewTopic(name + "c", 1, 1, config={"no.such.setting": "1"}), KafkaError.INVALID_CONFIG),
                      (NewTopic(name + "d", 1, 1, config={"retention.ms": "soon"}), KafkaError.INVALID_CONFIG)]:
        with pytest.raises(KafkaException) as raised:
            client.create_topics([bad])[bad.topic].result(20)
        assert raised.value.args[0].code() == code, bad
    # Only looked at, not made.
    client.create_topics([NewTopic(name + "v", 1, 1)], validate_only=True)[name + "v"].result(20)
    assert name + "v" not in client.list_topics(timeout=60).topics
    client.create_partitions([NewPartitions(name, 5)])[name].result(20)
    wait_for(lambda: len(client.list_topics(name, timeout=60).topics[name].partitions) == 5, 10, "5 partitions")
    with pytest.raises(KafkaException) as raised:
        client.create_partitions([NewPartitions(name, 3)])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.INVALID_PARTITIONS
    client.delete_topics([name])[name].result(20)
    wait_for(lambda: name not in client.list_topics(timeout=60).topics, 10, "the topic to go")
    with pytest.raises(KafkaException) as raised:
        client.delete_topics([name])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_configurations(broker):
    topic, client = new_topic(broker, retention_ms=60000), admin(broker)
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def settings():
        return client.describe_configs([resource])[resource].result(20)

    assert settings()["retention.ms"].value == "60000" and not settings()["retention.ms"].is_default
    assert settings()["cleanup.policy"].value == "delete" and settings()["cleanup.policy"].is_default
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    client.incremental_alter_configs([change])[change].result(20)
    after = settings()
    assert after["cleanup.policy"].value == "compact"
    assert after["retention.ms"].value == "604800000" and after["retention.ms"].is_default
    bad = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("cleanup.policy", "burn", incremental_operation=AlterConfigOpType.SET)])
    with pytest.raises(KafkaException) as raised:
        client.incremental_alter_configs([bad])[bad].result(20)
    assert raised.value.args[0].code() == KafkaError.INVALID_CONFIG
    assert settings()["cleanup.policy"].value == "compact"


def test_groups_and_their_offsets(broker):
    topic, client = new_topic(broker, partitions=2), admin(broker)
    send(broker, topic, [str(n) for n in range(10)], partition=0)
    group = f"g-{topic}"
    reader = consumer(broker, group)
    reader.subscribe([topic])
    poll(reader, 4)
    reader.commit(offsets=[TopicPartition(topic, 0, 4, metadata="here")], asynchronous=False)
    described = client.describe_consumer_groups([group])[group].result(20)
    assert described.state.name == "STABLE" and len(described.members) == 1
    assert {(p.topic, p.partition) for p in described.members[0].assignment.topic_partitions} == {(topic, 0), (topic, 1)}
    with pytest.raises(KafkaException) as raised:
        client.delete_consumer_groups([group])[group].result(20)
    assert raised.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    reader.close()
    assert group in {g.group_id for g in client.list_consumer_groups().result(20).valid}

    def offsets():
        found = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(20)
        return {(p.topic, p.partition): (p.offset, p.metadata or "") for p in found.topic_partitions}

    assert offsets() == {(topic, 0): (4, "here")}
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])
    client.alter_consumer_group_offsets([wanted])[group].result(20)
    assert offsets()[topic, 0][0] == 7
    again = consumer(broker, group)
    again.subscribe([topic])
    assert [m.offset() for m in poll(again, 3)] == [7, 8, 9]
    again.close()
    client.delete_consumer_groups([group])[group].result(20)
    assert group not in {g.group_id for g in client.list_consumer_groups().result(20).valid}
    with pytest.raises(KafkaException) as raised:
        client.delete_consumer_groups([group])[group].result(20)
    assert raised.value.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND


def test_deleting_records_and_offsets(broker):
    topic, client = new_topic(broker), admin(broker)
    send(broker, topic, [str(n) for n in range(20)])
    place = TopicPartition(topic, 0, 12)
    assert client.delete_records([place])[place].result(20).low_watermark == 12
    reader = consumer(broker)
    assert reader.get_watermark_offsets(TopicPartition(topic, 0), 20) == (12, 20)
    assert [o for _, o, _, _ in broker.read(topic)] == list(range(12, 20))
    beyond = TopicPartition(topic, 0, 500)
    with pytest.raises(KafkaException) as raised:
        client.delete_records([beyond])[beyond].result(20)
    assert raised.value.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE
    spec = {TopicPartition(topic, 0): OffsetSpec.earliest()}
    (found,) = client.list_offsets(spec, isolation_level=IsolationLevel.READ_COMMITTED).values()
    assert found.result(20).offset == 12
    reader.close()


def test_the_cluster(broker):
    client = admin(broker)
    described = client.describe_cluster().result(20)
    assert [f"{n.host}:{n.port}" for n in described.nodes] == [broker.address]
    assert described.controller.id == described.nodes[0].id and described.cluster_id
