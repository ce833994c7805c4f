# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka (librdkafka 2.16) with group.protocol=consumer (KIP-848) against `apus serve events`."""
import time
import uuid

import pytest
from confluent_kafka import (Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, ConsumerGroupType, KafkaError,
                             KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from events_fixture import new_topic, running_broker, settle
from events_loads import QUICK


def fast(session):
    return ["--consumer-heartbeat-interval", "100", "--consumer-session-timeout", str(session)]


@pytest.fixture(scope="module")
def broker(request):
    """All members live in this process: none may be lost where it stands still."""
    yield from running_broker(request, *fast(session=30_000))


@pytest.fixture
def own_broker(request):
    yield from running_broker(request, *fast(session=30_000))


@pytest.fixture
def expiring_broker(request):
    """Whose members' sessions end while the test waits for it."""
    yield from running_broker(request, *fast(session=10_000))


def name():
    return "g-" + uuid.uuid4().hex[:10]


def admin(broker):
    return AdminClient({"bootstrap.servers": broker.address, "log_level": 0})


def consumer(broker, group, protocol="consumer", quick={}, **options):
    return Consumer({"bootstrap.servers": broker.address, "log_level": 0, "group.id": group,
                     "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "topic.metadata.refresh.interval.ms": 500, **quick,
                     **{key.replace("_", "."): value for key, value in options.items()}})


def send(broker, topic, values, partitions):
    client = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for number, value in enumerate(values):
        client.produce(topic, value=value, partition=number % partitions)
    assert client.flush(20) == 0


def owned(client):
    return sorted((place.topic, place.partition) for place in client.assignment())


def until(condition, *clients, seconds=60):
    """Polls all clients until something is so; the values of the records that came."""
    values, deadline = [], time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, [owned(client) for client in clients]
        for client in clients:
            message = client.poll(0.02)
            if message is not None:
                assert message.error() is None, message.error()
                values.append(message.value().decode())
    return values


def read(client, count):
    values, deadline = [], time.monotonic() + 60
    while len(values) < count:
        assert time.monotonic() < deadline, values
        message = client.poll(0.1)
        if message is not None:
            assert message.error() is None, message.error()
            values.append(message.value().decode())
    return values


def described(broker, group):
    api = admin(broker)
    return api.describe_consumer_groups([group])[group].result(30)


def test_reads_commits_and_goes_on(broker):
    topic, group = new_topic(broker, 3), name()
    send(broker, topic, [str(number) for number in range(30)], 3)
    first = consumer(broker, group)
    first.subscribe([topic])
    assert sorted(read(first, 30), key=int) == [str(number) for number in range(30)]
    committed = first.commit(asynchronous=False)
    assert {place.partition: place.offset for place in committed} == {0: 10, 1: 10, 2: 10}
    assert [place.offset for place in first.committed([TopicPartition(topic, 1)])] == [10]
    first.close()
    send(broker, topic, ["more"], 3)
    second = consumer(broker, group)
    second.subscribe([topic])
    assert read(second, 1) == ["more"]
    second.close()


def test_members_share_and_give_up_before_others_get(broker):
    topic, group = new_topic(broker, 6), name()
    clients, owners, events = [], {}, []

    def member(number):
        client = consumer(broker, group)

        def assigned(_, places):
            for place in places:
                assert place.partition not in owners, f"{place} has two owners"
                owners[place.partition] = number
            events.append(("assigned", number, len(places)))

        def revoked(_, places):
            for place in places:
                assert owners.pop(place.partition) == number
            events.append(("revoked", number, len(places)))

        client.subscribe([topic], on_assign=assigned, on_revoke=revoked)
        clients.append(client)

    member(0)
    until(lambda: len(owners) == 6, *clients)
    member(1)
    until(lambda: sorted(owners.values()) == [0, 0, 0, 1, 1, 1], *clients)
    # Cooperative: only what another one gets is given up.
    assert ("revoked", 0, 3) in events
    member(2)
    until(lambda: sorted(owners.values()) == [0, 0, 1, 1, 2, 2], *clients)
    clients.pop(1).close()
    until(lambda: sorted(owners.values()) == [0, 0, 0, 2, 2, 2], *clients)
    for client in clients:
        client.close()
    assert not owners


@pytest.mark.parametrize("assignor, expected", [("range", [[0, 1], [2, 3]]), ("uniform", None)])
def test_assignors_of_the_broker(broker, assignor, expected):
    topics, group = [new_topic(broker, 4), new_topic(broker, 4)], name()
    clients = [consumer(broker, group, group_remote_assignor=assignor) for _ in range(2)]
    for client in clients:
        client.subscribe(topics)
    until(lambda: [len(client.assignment()) for client in clients] == [4, 4], *clients)
    if expected:
        shares = sorted(sorted({place.partition for place in client.assignment()}) for client in clients)
        assert shares == expected
    assert described(broker, group).partition_assignor == assignor
    for client in clients:
        client.close()


def test_an_unknown_assignor_is_refused(broker):
    client = consumer(broker, name(), group_remote_assignor="guess")
    client.subscribe([new_topic(broker)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            message = client.poll(0.2)
        except KafkaException as error:
            assert error.args[0].code() in (KafkaError.UNSUPPORTED_ASSIGNOR, KafkaError._FATAL)
            break
        if message is not None and message.error() is not None:
            assert message.error().code() in (KafkaError.UNSUPPORTED_ASSIGNOR, KafkaError._FATAL), message.error()
            break
    else:
        pytest.fail("no error came")
    client.close()


def test_patterns_and_topics_that_come_later(broker):
    prefix, group, api = "p" + uuid.uuid4().hex[:8], name(), admin(broker)
    made = []

    def make(suffix, partitions):
        made.append(f"{prefix}-{suffix}")
        api.create_topics([NewTopic(made[-1], partitions, 1)])[made[-1]].result(30)

    make("a", 2)
    client = consumer(broker, group)
    client.subscribe([f"^{prefix}-.*"])
    until(lambda: len(client.assignment()) == 2, client)
    # It reads from both before one goes: it would be told of a topic that is gone while it asks where to begin.
    send(broker, made[0], ["1", "2"], 2)
    assert sorted(read(client, 2)) == ["1", "2"]
    make("b", 3)
    until(lambda: len(client.assignment()) == 5, client)
    api.delete_topics([made[0]])[made[0]].result(30)
    until(lambda: {place.topic for place in client.assignment()} == {made[1]}, client)
    client.close()


def test_partitions_that_are_added(broker):
    topic, group, api = new_topic(broker, 1), name(), admin(broker)
    clients = [consumer(broker, group) for _ in range(2)]
    for client in clients:
        client.subscribe([topic])
    until(lambda: sorted(len(client.assignment()) for client in clients) == [0, 1], *clients)
    api.create_partitions([NewPartitions(topic, 4)])[topic].result(30)
    until(lambda: [len(client.assignment()) for client in clients] == [2, 2], *clients)
    for client in clients:
        client.close()


def test_static_members_keep_their_partitions(expiring_broker):
    broker = expiring_broker
    topic, group = new_topic(broker, 4), name()
    other = consumer(broker, group, group_instance_id="other")
    first = consumer(broker, group, group_instance_id="one")
    for client in (other, first):
        client.subscribe([topic])
    until(lambda: [len(client.assignment()) for client in (other, first)] == [2, 2], other, first)
    had = owned(first)
    epoch = described(broker, group)
    first.close()
    again = consumer(broker, group, group_instance_id="one")
    again.subscribe([topic])
    until(lambda: len(again.assignment()) == 2, again, other)
    assert owned(again) == had and len(owned(other)) == 2
    now = described(broker, group)
    assert {member.group_instance_id for member in now.members} == {"one", "other"}
    assert {member.member_id for member in now.members} != {member.member_id for member in epoch.members}
    again.close()
    # It does not come back: its session ends.
    until(lambda: len(other.assignment()) == 4, other)
    other.close()


def test_administrators_see_and_delete_groups(broker):
    topic, group = new_topic(broker, 2), name()
    send(broker, topic, ["a", "b", "c", "d"], 2)
    client = consumer(broker, group, client_id="reader")
    client.subscribe([topic])
    read(client, 4)
    client.commit(asynchronous=False)
    api = admin(broker)
    listed = api.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result(30).valid
    found = next(one for one in listed if one.group_id == group)
    assert (found.state, found.type) == (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER)
    classic = api.list_consumer_groups(types={ConsumerGroupType.CLASSIC}).result(30).valid
    assert group not in [one.group_id for one in classic]
    group_now = described(broker, group)
    assert (group_now.state, group_now.type) == (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER)
    (member,) = group_now.members
    assert member.client_id == "reader" and member.host == "/127.0.0.1"
    assert sorted(place.partition for place in member.assignment.topic_partitions) == [0, 1]
    assert sorted(place.partition for place in member.target_assignment.topic_partitions) == [0, 1]
    with pytest.raises(KafkaException) as refused:
        api.delete_consumer_groups([group])[group].result(30)
    assert refused.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    table = broker.apus("groups", "list")
    assert next(line.split() for line in table.splitlines() if line.startswith(group))[1:2] == ["Stable"]
    shown = broker.apus("groups", "describe", group)
    assert f"group {group}: Stable" in shown and topic in shown, shown
    client.close()
    offsets = api.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    assert sorted(place.offset for place in offsets.topic_partitions) == [2, 2]
    altered = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    api.alter_consumer_group_offsets([altered])[group].result(30)
    api.delete_consumer_groups([group])[group].result(30)
    assert group not in broker.apus("groups", "list")


def test_a_group_changes_its_protocol_while_it_is_empty(broker):
    topic, group = new_topic(broker, 1), name()
    send(broker, topic, ["1", "2"], 1)
    classic = consumer(broker, group, "classic")
    classic.subscribe([topic])
    assert read(classic, 2) == ["1", "2"]
    classic.commit(asynchronous=False)
    classic.close()
    send(broker, topic, ["3"], 1)
    modern = consumer(broker, group)
    modern.subscribe([topic])
    assert read(modern, 1) == ["3"]
    modern.commit(asynchronous=False)
    # The other protocol is refused meanwhile.
    intruder = consumer(broker, group, "classic")
    intruder.subscribe([topic])
    errors = []
    deadline = time.monotonic() + 60
    while not errors and time.monotonic() < deadline:
        modern.poll(0)
        message = intruder.poll(0.2)
        if message is not None and message.error() is not None:
            errors.append(message.error().code())
    assert errors == [KafkaError.INCONSISTENT_GROUP_PROTOCOL]
    intruder.close()
    modern.close()
    send(broker, topic, ["4"], 1)
    back = consumer(broker, group, "classic")
    back.subscribe([topic])
    assert read(back, 1) == ["4"]
    back.close()


def test_transactions_commit_offsets_of_members(broker):
    source, target, group = new_topic(broker, 1), new_topic(broker, 1), name()
    send(broker, source, ["1", "2", "3"], 1)
    client = consumer(broker, group)
    client.subscribe([source])
    identifier = name()
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "transactional.id": identifier})
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in read(client, 3):
        producer.produce(target, value=value)
    producer.send_offsets_to_transaction(client.position(client.assignment()), client.consumer_group_metadata(), 30)
    producer.commit_transaction(30)
    assert [place.offset for place in client.committed([TopicPartition(source, 0)])] == [3]
    client.close()
    settle(broker, identifier)
    assert [value for _, _, _, value in broker.read(target)] == ["1", "2", "3"]


def test_members_outlive_the_broker(own_broker):
    topic, group = new_topic(own_broker, 4), name()
    clients = [consumer(own_broker, group, quick=QUICK) for _ in range(2)]
    revoked = []
    for client in clients:
        client.subscribe([topic], on_revoke=lambda _, places: revoked.extend(places),
                         on_lost=lambda _, places: revoked.extend(places))
    until(lambda: [len(client.assignment()) for client in clients] == [2, 2], *clients)
    # Only now: what the first one read before it gave partitions up, and did not commit, would come twice.
    send(own_broker, topic, [str(number) for number in range(40)], 4)
    values, deadline = [], time.monotonic() + 60
    while len(values) < 40:
        assert time.monotonic() < deadline
        for client in clients:
            message = client.poll(0.02)
            if message is not None and message.error() is None:
                values.append(message.value().decode())
    for client in clients:
        client.commit(asynchronous=False)
    before = described(own_broker, group)
    had = [owned(client) for client in clients]
    revoked.clear()
    own_broker.kill()
    own_broker.start()
    after = described(own_broker, group)
    assert {member.member_id for member in after.members} == {member.member_id for member in before.members}
    send(own_broker, topic, [str(number) for number in range(40, 60)], 4)
    more, deadline = [], time.monotonic() + 60
    while len(more) < 20:
        assert time.monotonic() < deadline, more
        for client in clients:
            message = client.poll(0.02)
            # Connections that broke are told of as errors.
            if message is not None and message.error() is None:
                more.append(message.value().decode())
    # Nobody had to join again: same members, same partitions, every record once.
    assert sorted(more, key=int) == [str(number) for number in range(40, 60)]
    assert [owned(client) for client in clients] == had and not revoked
    # All of them before one goes, which gives the others another epoch.
    for client in clients:
        client.commit(asynchronous=False)
    for client in clients:
        client.close()
