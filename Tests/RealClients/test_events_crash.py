# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the broker and its clients under load, and damaged files: no acknowledged record is lost, none doubled,
order kept, transactions whole, nothing damaged served. Benchmarks/events_reliability.py does the same for longer.

APUS_EVENTS_KILL_ROUNDS sets how often the broker is killed under idempotent load."""
import random
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from conftest import wait_for
from events_damage import Damage, damage, flip, recovery, verify
from events_fixture import new_topic, own_broker, rounds, settle  # noqa: F401
from events_loads import QUICK, group, idempotent, read_all, transactions, transform


def test_nothing_acknowledged_is_lost_or_doubled(own_broker):
    figures = idempotent(own_broker, rounds(4))
    assert figures["acknowledged"] > 2000
    assert not any(figures[kind] for kind in ("lost", "doubled", "reordered", "failed", "unreadable")), figures
    assert figures["kill_to_next_acknowledgement"]["p50_ms"] < 20_000, figures


def test_transactions_are_whole_under_kills(own_broker):
    figures = transactions(own_broker, 90, 3)
    assert figures["committed"] > 40 and figures["aborted"] > 20, figures
    assert not any(figures[kind] for kind in ("lost", "torn", "aborted_seen", "doubled", "unreadable")), figures


def test_exactly_once_transform_under_kills(own_broker):
    """Members of a group, of which one is static, transform in transactions while the broker and they are killed."""
    figures = transform(own_broker, 1200, broker_kills=2, client_kills=2)
    kinds = ("lost", "doubled", "reordered", "offsets_went_back", "unreadable")
    assert not any(figures[kind] for kind in kinds), figures


def test_groups_under_kills(own_broker):
    figures = group(own_broker, broker_kills=2, consumer_kills=2)
    assert figures["owned_twice"] == [] and figures["offsets_went_back"] == [] and figures["looks"] > 10, figures
    # A broker that is back within the session finds the members that it had; a consumer's end shows after its session.
    assert figures["broker_kill_to_all_read"]["max_ms"] < 45_000, figures
    assert figures["consumer_kill_to_all_read"]["max_ms"] < 45_000, figures


def test_producer_that_lost_its_broker_goes_on(own_broker):
    """send_offsets_to_transaction in the middle of a kill. Where librdkafka bootstraps anew it may wait for ever (its
    issues 5511 and 5456), so it is told not to; then the same producer goes on with the same transaction."""
    broker = own_broker
    source, target = new_topic(broker), new_topic(broker)
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": f"g-{source}", **QUICK})
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": f"tx-{source}", "linger.ms": 0,
                         "transaction.timeout.ms": 30000, **QUICK})
    producer.init_transactions(20)
    done = 0
    for number in range(6):
        producer.begin_transaction()
        producer.produce(target, value=b"%d" % number)
        broker.kill()
        if number % 2:
            # The library knows that it is gone.
            time.sleep(0.2)
        broker.start()
        begin = time.monotonic()
        try:
            producer.send_offsets_to_transaction([TopicPartition(source, 0, number + 1)],
                                                 reader.consumer_group_metadata(), 15)
            producer.commit_transaction(15)
            done += 1
        except KafkaException as error:
            assert error.args[0].txn_requires_abort(), error
            producer.abort_transaction(15)
        # Three calls that wait 15 s each at most.
        assert time.monotonic() - begin < 50
    assert done >= 3
    settle(broker, f"tx-{source}", **QUICK)
    assert len(broker.read(target)) == done
    reader.close()


def test_a_group_of_one_letter_survives(own_broker):
    """Its record's key begins as that of a transaction's marker does."""
    broker, topic = own_broker, new_topic(own_broker)
    broker.kcat("-P", "-t", topic, input="".join(f"{n}\n" for n in range(10)))
    broker.kcat("-G", "g", "-X", "auto.offset.reset=earliest", "-c", "10", "-q", topic)
    broker.kill()
    broker.start()
    described = broker.apus("groups", "describe", "g")
    assert [line.split()[2] for line in described.splitlines() if line.startswith(topic)] == ["10"], described


def test_a_member_goes_on_after_a_kill(own_broker):
    """The broker is back before the member's session ends: it keeps its partitions and commits within seconds."""
    broker, topic = own_broker, new_topic(own_broker)
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": f"g-{topic}", "auto.offset.reset": "earliest",
                       "enable.auto.commit": False, "session.timeout.ms": 30000, **QUICK})
    lost = []
    reader.subscribe([topic], on_lost=lambda *_: lost.append(1), on_revoke=lambda *_: lost.append(1))
    for number in range(3):
        broker.kcat("-P", "-t", topic, input=f"{number}\n")
        message = wait_for(lambda: reader.poll(0.1), 20, f"record {number}")
        assert message.error() is None and message.value() == b"%d" % number
        broker.kill()
        broker.start()
        begin = time.monotonic()

        def committed():
            try:
                return reader.commit(message, asynchronous=False)
            except KafkaException as error:
                # Waits for the coordinator to be there again, as it has to.
                assert error.args[0].retriable() or error.args[0].name() in ("_WAIT_COORD", "_TIMED_OUT"), error
                return None

        wait_for(committed, what="the commit")
        assert time.monotonic() - begin < 20, "it did not wait for the session's end"
    assert not lost
    reader.close()


def test_damaged_files_are_told_and_never_served():
    figures = damage(8)
    kinds = ("wrong_records", "not_logged", "not_verified", "silently_short")
    assert not any(figures[kind] for kind in kinds), figures


def test_verify_says_where_the_damage_is():
    bench = Damage(count=1500, partitions=1)
    try:
        bench.template.stop()
        data = bench.template.folder / "data"
        code, said = verify(data)
        assert code == 0 and f"{bench.topic}-0" in said and "1500" in said, said
        (partition, segments) = bench.segments(bench.template)
        position = random.randrange(200, segments[0].stat().st_size)
        flip(segments[0], position)
        code, said = verify(data)
        assert code == 1 and f"{bench.topic}-{partition}: the record batch at offset" in said, said
        assert segments[0].name in said
        bench.template.start()
        found, errors = read_all(bench.template, bench.topic, 1)
        assert list(errors) == [0] and found[0] == bench.records[0][:len(found[0])] and len(found[0]) < 1500
        assert "is damaged" in bench.template.logged()
    finally:
        bench.clean()
    code, said = verify("/nowhere")
    assert code == 1 and "is not the data folder" in said


def test_a_large_log_is_recovered_fast():
    figures = recovery(400_000_000)
    assert figures["lost"] == 0, figures
    assert figures["start_warm_s"] < 60 and figures["start_cold_s"] < 60, figures


def test_committed_offsets_and_topics_survive(own_broker):
    broker = own_broker
    topic = new_topic(broker, partitions=3, retention_ms=123456)
    broker.kcat("-P", "-t", topic, input="".join(f"{n}\n" for n in range(30)))
    # The broker may be killed before it has written that the member left; then its session has to end.
    out = broker.kcat("-G", "kept", "-X", "session.timeout.ms=6000", "-X", "auto.offset.reset=earliest", "-c", "30", "-q",
                      topic)
    assert sorted(map(int, out.split())) == list(range(30))
    broker.kill()
    broker.start()
    assert len(broker.metadata(topic)["topics"][0]["partitions"]) == 3
    assert "123456" in broker.apus("topics", "describe", topic)
    broker.kcat("-P", "-t", topic, input="after\n")
    assert broker.kcat("-G", "kept", "-X", "auto.offset.reset=earliest", "-c", "1", "-q", topic) == "after\n"
