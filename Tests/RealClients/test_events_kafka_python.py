# SPDX-License-Identifier: Apache-2.0
"""kafka-python 3 (versions of requests as new as Java's 4.x) against `apus serve events`."""
import uuid

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import MessageSizeTooLargeError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from conftest import wait_for
from events_fixture import CODECS, broker, new_topic  # noqa: F401


def reader(broker, *topics, **options):
    return KafkaConsumer(*topics, **{**dict(bootstrap_servers=broker.address, auto_offset_reset="earliest",
                                            enable_auto_commit=False, consumer_timeout_ms=60000), **options})


def take(consumer, count):
    records = []
    for record in consumer:
        records.append(record)
        if len(records) == count:
            return records
    pytest.fail(f"only {len(records)} of {count} records came")


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec(broker, codec):
    topic = new_topic(broker)
    producer = KafkaProducer(bootstrap_servers=broker.address, compression_type=None if codec == "none" else codec,
                             linger_ms=5)
    futures = [producer.send(topic, key=b"k%d" % n, value=b"value " * 20 + b"%d" % n, headers=[("h", b"%d" % n)])
               for n in range(300)]
    producer.flush(20)
    assert [future.get(60).offset for future in futures] == list(range(300))
    producer.close()
    consumer = reader(broker, topic)
    records = take(consumer, 300)
    assert [r.key for r in records] == [b"k%d" % n for n in range(300)]
    assert all(r.value.endswith(b"value %d" % n) and dict(r.headers)["h"] == b"%d" % n
               for n, r in enumerate(records))
    consumer.close()


def test_two_members_of_a_group(broker):
    topic = new_topic(broker, partitions=4)
    group = f"g-{topic}"
    producer = KafkaProducer(bootstrap_servers=broker.address)
    for n in range(80):
        producer.send(topic, value=b"%d" % n, partition=n % 4)
    producer.flush(20)
    members = [reader(broker, topic, group_id=group, session_timeout_ms=45000, heartbeat_interval_ms=300)
               for _ in range(2)]
    seen = []

    def spin():
        for member in members:
            for records in member.poll(timeout_ms=100).values():
                seen.extend(int(r.value) for r in records)
                member.commit()
        return [len(member.assignment()) for member in members]

    wait_for(lambda: spin() == [2, 2], 40, "two partitions each")
    wait_for(lambda: spin() and set(seen) == set(range(80)), 30, "every record")
    assert len(seen) == 80, "a record was read twice although each was committed"
    members.pop().close()
    wait_for(lambda: spin() == [4], 30, "all partitions")
    committed = {p: members[0].committed(TopicPartition(topic, p)) for p in range(4)}
    assert committed == {p: 20 for p in range(4)}
    members.pop().close()
    producer.close()


def test_administration(broker):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    name = "t-" + uuid.uuid4().hex[:10]
    admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    assert name in admin.list_topics()
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    (described,) = admin.describe_topics([name])
    assert len(described["partitions"]) == 3
    admin.delete_topics([name])
    wait_for(lambda: name not in admin.list_topics(), 10, "the topic to go")
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([name])
    admin.close()


def test_offsets_and_times(broker):
    topic = new_topic(broker)
    producer = KafkaProducer(bootstrap_servers=broker.address)
    for n in range(10):
        producer.send(topic, value=b"%d" % n, timestamp_ms=1_700_000_000_000 + n * 1000).get(60)
    consumer = reader(broker)
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    assert consumer.beginning_offsets([place]) == {place: 0}
    assert consumer.end_offsets([place]) == {place: 10}
    found = consumer.offsets_for_times({place: 1_700_000_003_500})[place]
    assert (found.offset, found.timestamp) == (4, 1_700_000_004_000)
    assert consumer.offsets_for_times({place: 1_800_000_000_000})[place] is None
    consumer.seek(place, 7)
    assert [r.offset for r in take(consumer, 3)] == [7, 8, 9]
    consumer.close()
    producer.close()


def test_wrong_input(broker):
    topic = new_topic(broker, max_message_bytes=1000)
    producer = KafkaProducer(bootstrap_servers=broker.address)
    with pytest.raises(MessageSizeTooLargeError):
        producer.send(topic, value=b"x" * 5000).get(60)
    producer.close()
    # Idempotent by default: this client takes a refused batch for its end.
    producer = KafkaProducer(bootstrap_servers=broker.address)
    assert producer.send(topic, value=b"fits").get(60).offset == 0
    with pytest.raises(Exception, match="artition"):
        producer.send(topic, value=b"x", partition=7).get(60)
    producer.close()
    assert [v for _, _, _, v in broker.read(topic)] == ["fits"]
